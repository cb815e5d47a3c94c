"""What takes a run back: pushed, taken back, and the workspace is what it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.target import Outcome, Row, messages, write
from sandbox import Sandbox, World, Writing, serve

ADMIN = "ada@example.com"
SAID = {"type": "user", "externalId": "u"}
HEARD = [{"type": "admin", "email": ADMIN}]
SPEECH = [
    {"speaker": {"externalId": "s"}, "sentences": [{"text": "Hi", "startTime": 0, "endTime": 5}]}
]
NEXT = "vitally.custom.nextStep"


def message(key: str, text: str = "<p>Hello</p>", **more: Any) -> Row:
    moment = "2026-01-02T09:00:00.000Z"
    return {
        "externalId": key,
        "message": text,
        "timestamp": moment,
        "from": SAID,
        "to": HEARD,
        **more,
    }


def some(key: str) -> dict[str, Row]:
    """Return a row of each resource, each with everything that it takes."""
    meeting = {"participants": [{"email": "u2@example.com", "type": "attendee"}]}
    return {
        "organizations": {
            "externalId": f"o{key}",
            "name": "O",
            "traits": {"tier": "A", "seats": 4},
        },
        "accounts": {
            "externalId": f"a{key}",
            "name": "A",
            "organizationExternalId": "o",
            "traits": {"plan": "gold", "vip": True},
        },
        "users": {
            "externalId": f"u{key}",
            "name": "U",
            "email": f"u{key}@example.com",
            "joinDate": "2026-01-01T00:00:00.000Z",
            "accountExternalIds": ["a"],
            "traits": {"role": "owner"},
        },
        "tasks": {
            "externalId": f"t{key}",
            "name": "T",
            "accountExternalId": "a",
            "description": "<p>Do</p>",
            "dueDate": "2026-02-01",
            "tags": ["x", "y"],
            "assignedToEmail": ADMIN,
        },
        "notes": {
            "externalId": f"n{key}",
            "note": "<p>N</p>",
            "noteDate": "2026-01-01T00:00:00.000Z",
            "organizationExternalId": "o",
            "tags": ["x"],
        },
        "projects": {
            "traits": {NEXT: f"p{key}"},
            "templateName": "Usual",
            "accountExternalId": "a",
            "name": "P",
            "targetStartDate": "2026-03-01",
        },
        "nps_responses": {
            "externalId": f"r{key}",
            "userExternalId": "u",
            "score": 9,
            "respondedAt": "2026-01-01T00:00:00.000Z",
            "feedback": "Good",
        },
        "conversations": {
            "externalId": f"c{key}",
            "subject": "S",
            "messages": [message(f"m{key}"), message(f"k{key}")],
        },
        "messages": {**message(f"x{key}"), "conversationExternalId": "c"},
        "custom_objects": {"name": f"deal{key}", "label": "Deal", "writeMode": "writable"},
        "custom_object_instances": {
            "externalId": f"i{key}",
            "name": "I",
            "customObjectName": "deal",
            "accountExternalId": "a",
        },
        "meetings": {"externalId": f"e{key}", "title": "M", "location": "Here", **meeting},
        "meeting_transcripts": {"meetingExternalId": f"e{key}", "transcript": SPEECH},
    }


CHANGED: dict[str, Row] = {
    "organizations": {"name": "O2", "traits": {"tier": "B", "new": 1}},
    "accounts": {
        "name": "A2",
        "organizationExternalId": "o2",
        "traits": {"plan": None, "new": [1]},
    },
    "users": {
        "name": "U2",
        "email": "new@example.com",
        "avatar": "https://example.com/u.png",
        "accountExternalIds": ["a2"],
        "organizationExternalId": "o2",
        "traits": {"role": "none"},
    },
    "tasks": {"name": "T2", "dueDate": "2026-02-02", "tags": ["z"], "assignedToEmail": None},
    "notes": {"subject": "New", "note": "<p>N2</p>", "tags": []},
    "projects": {"name": "P2", "targetStartDate": "2026-04-01"},
    "nps_responses": {"score": 1, "feedback": None},
    "conversations": {"subject": "S2", "messages": [message("m", "<p>New</p>"), message("new")]},
    "messages": {"message": "<p>Changed</p>"},
    "custom_objects": {"label": "Deals"},
    "custom_object_instances": {"name": "I2"},
    "meetings": {
        "title": "M2",
        "summary": "All is well",
        "participants": [{"email": "other@example.com", "type": "organizer"}],
    },
    "meeting_transcripts": {"transcript": SPEECH * 2},
}
KEPT = {
    "accountsCount",
    "conversationId",
    "createdAt",
    "firstKnown",
    "firstSeenTimestamp",
    "updatedAt",
    "usersCount",
}
"""What Vitally counts and remembers by itself."""
PROJECTS = {"projects": {"match": f"trait:{NEXT}", "resource": "projects"}}
FORGIVING = Writing(on_archived="revive", delete_custom_objects=True)
WITHOUT_ID = {"projects", "meeting_transcripts"}
TABLES = {
    "nps_responses": "npsResponses",
    "custom_objects": "customObjects",
    "custom_object_instances": "instances",
    "meeting_transcripts": "meetingTranscripts",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(World.empty(), writing=FORGIVING) as made:
        yield filled(made)


def filled(made: Sandbox) -> Sandbox:
    """Put three records of each resource there: one to be changed, one to be linked, one to be deleted."""
    made.world.create("admins", email=ADMIN)
    made.world.create("projectTemplates", name="Usual")
    account, organization = ({"externalId": f"{kind}2", "name": "2"} for kind in "ao")
    user = {"externalId": "u2", "email": "u2@example.com", "accountExternalId": "a2"}
    push(made, messages(organizations=[organization], accounts=[account], users=[user]))
    for key in ("", "gone"):
        rows = some(key)
        found = push(made, messages(**{name: [row] for name, row in rows.items()}))
        assert found.words == ["created"] * len(rows), found.reasons
    return made


def push(here: Sandbox, said: list[Row] | str, **settings: Any) -> Outcome:
    usual = {"nulls": "clear", "deletes": "delete", "delete_custom_objects": True}
    return write(here, said, streams=PROJECTS, **{**usual, **settings})


def feed(here: Sandbox, undo: Path, **settings: Any) -> Outcome:
    """Feed an undo file back, with settings that know nothing of it."""
    return write(here, undo.read_text(), **settings)


def data(here: Sandbox) -> dict[str, dict[str, Row]]:
    """Return what a workspace holds: records by the keys that they had before, without what Vitally keeps.

    What was archived since is not there.
    """
    names: dict[str, str] = {}
    tables = {name: dict(table.rows) for name, table in here.world.tables.items()}
    talks = here.world.tables["messages"]
    tables["messages"] = {k: {**row, "of": list(talks.links(k))} for k, row in talks.rows.items()}
    for name, rows in tables.items():
        for id_, row in rows.items():
            key = row.get("externalId") or row.get("traits", {}).get(NEXT) or row.get("meetingId")
            names[id_] = f"{name}/{key or row.get('name')}"
    text = json.dumps(tables)
    for id_, name in sorted(names.items(), key=lambda pair: str(pair[1]), reverse=True):
        text = text.replace(id_, name)
    found = json.loads(text)
    return {
        name: {id_: without_stamps(row) for id_, row in rows.items() if not row.get("archivedAt")}
        for name, rows in found.items()
    }


def without_stamps(value: Any) -> Any:
    """Leave out moments, all of an embedded record but its id, and the ids of participants."""
    if isinstance(value, list):
        return [embedded(each) for each in value]
    return {n: embedded(v) for n, v in value.items() if n not in KEPT}


def embedded(value: Any) -> Any:
    if not isinstance(value, dict | list):
        return value
    if isinstance(value, dict) and "/" in str(value.get("id")):
        return value["id"]
    return (
        {n: v for n, v in value.items() if n != "id"}
        if isinstance(value, dict)
        else without_stamps(value)
    )


def difference(before: Any, now: Any, path: str = "") -> list[str]:
    """Name where two workspaces differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = sorted({*before, *now})
        return [
            each
            for name in names
            for each in difference(before.get(name), now.get(name), f"{path}/{name}")
        ]
    return [] if before == now else [f"{path}: {before!r} is {now!r}"]


def everything() -> list[Row]:
    """Return a push that changes, creates and deletes something of each resource."""
    said: dict[str, list[Row]] = {}
    gone = some("gone")
    for stream, row in some("").items():
        said[stream] = [{**row, **CHANGED[stream]}, some("new")[stream]]
        if stream not in {"meeting_transcripts"}:
            said[stream].append({**gone[stream], "_deleted": True})
    return messages(**said)


def test_everything_is_as_it_was(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    before = data(sandbox)
    pushed = push(sandbox, everything(), undo_file=str(undo))
    assert set(pushed.words) == {"created", "updated", "deleted"}, pushed.reasons
    assert data(sandbox) != before
    found = feed(sandbox, undo)
    left = [each.partition(":")[0] for each in difference(before, data(sandbox))]
    transcript, project = left
    assert transcript.startswith("/meetingTranscripts/")
    assert project == "/projects/projects/pgone"
    assert set(found.words) == {"created", "updated", "deleted", "rejected"}, found.reasons
    assert found.words.count("rejected") == len(left)


def test_a_second_undo_finds_nothing_to_do(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    push(sandbox, everything(), undo_file=str(undo))
    first = feed(sandbox, undo)
    now, asked = data(sandbox), len(sandbox.log.entries)
    second = feed(sandbox, undo)
    assert {entry.method for entry in sandbox.log.entries[asked:]} == {"GET"}
    assert data(sandbox) == now
    left = [line["row"] for line in first.results if line["outcome"] == "rejected"]
    assert {line["outcome"] for line in second.results} == {"unchanged", "rejected"}
    assert [line["row"] for line in second.results if line["outcome"] == "rejected"] == left


def test_an_undo_is_undone(sandbox: Sandbox, tmp_path: Path) -> None:
    undo, redo = tmp_path / "undo.jsonl", tmp_path / "redo.jsonl"
    push(sandbox, everything(), undo_file=str(undo))
    pushed = data(sandbox)
    feed(sandbox, undo, undo_file=str(redo))
    feed(sandbox, redo)
    # The new project stays archived, which has no external id.
    lost = ["/projects/projects/pnew"]
    assert [each.partition(":")[0] for each in difference(pushed, data(sandbox))] == lost


def test_a_plan_of_an_undo_says_what_its_run_does(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    push(sandbox, everything(), undo_file=str(undo))
    before = data(sandbox)
    plan = feed(sandbox, undo, dry_run=True)
    assert data(sandbox) == before
    found = feed(sandbox, undo)
    assert [plan.words, plan.failure != ""] == [found.words, found.failure != ""]


@pytest.mark.parametrize(
    "settings",
    [{"max_deletes": 0}, {"deletes": "ignore"}, {"mode": "create"}, {"nulls": "omit"}],
    ids=str,
)
def test_no_setting_stands_in_the_way(
    sandbox: Sandbox, tmp_path: Path, settings: dict[str, Any]
) -> None:
    undo = tmp_path / "undo.jsonl"
    before = data(sandbox)
    accounts = [{"externalId": f"b{n}", "name": "B", "traits": {"plan": "x"}} for n in range(3)]
    push(
        sandbox,
        messages(accounts=[*accounts, {"externalId": "a", "traits": {"extra": 1}}]),
        undo_file=str(undo),
    )
    found = feed(sandbox, undo, **settings)
    assert found.words == ["deleted"] * 3 + ["updated"] or set(found.words) == {
        "deleted",
        "updated",
    }
    assert difference(before, data(sandbox)) == []


def test_what_somebody_has_changed_since_is_left(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    rows = [
        {"externalId": "a", "name": "A2", "traits": {"plan": "silver"}},
        {"externalId": "agone", "name": "A2"},
        {"externalId": "made", "name": "Made"},
        {"externalId": "kept", "name": "Kept"},
    ]
    push(sandbox, messages(accounts=rows), undo_file=str(undo))
    world = sandbox.world
    ids = {row["externalId"]: id_ for id_, row in world.tables["accounts"].rows.items()}
    world.update("accounts", ids["a"], name="Theirs")
    world.update("accounts", ids["kept"], name="Theirs")
    found = feed(sandbox, undo)
    named = {line["key"] or line["id"]: line for line in found.results}
    assert {key: line["outcome"] for key, line in named.items()} == {
        ids["a"]: "rejected",
        ids["agone"]: "updated",
        "made": "deleted",
        "kept": "rejected",
    }
    assert "changed by somebody else since, and left as it is: name" in found.reasons
    left = {
        row["externalId"]: (row["name"], row["traits"].get("plan"))
        for row in world.tables["accounts"].rows.values()
    }
    assert left["a"] == ("Theirs", "silver")
    assert left["kept"][0] == "Theirs"
    assert left["agone"] == ("A", "gold")


@pytest.mark.parametrize("kind", ["notes", "users", "tasks"])
def test_what_others_hung_on_a_created_record_keeps_it(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    undo = tmp_path / "undo.jsonl"
    mine = {**some("mine")["notes"], "accountExternalId": "made"}
    mine.pop("organizationExternalId")
    made = messages(accounts=[{"externalId": "made", "name": "M"}], notes=[mine])
    push(sandbox, made, undo_file=str(undo))
    theirs = {**some("theirs")[kind], "accountExternalId": "made"}
    theirs.pop("organizationExternalId", None)
    theirs.pop("accountExternalIds", None)
    push(sandbox, messages(**{kind: [theirs]}))
    found = feed(sandbox, undo)
    assert {line["stream"]: line["outcome"] for line in found.results} == {
        "undo-accounts": "rejected",
        "undo-notes": "deleted",
    }
    assert f"others have added {kind} to it" in found.reasons
    assert "made" in {row["externalId"] for row in sandbox.world.tables["accounts"].rows.values()}


def test_what_is_no_row_of_an_undo_file_is_rejected(sandbox: Sandbox) -> None:
    rows = [
        {"_undo": broken}
        for broken in (None, 1, {}, {"change": "x"}, {"change": "created", "key": 1})
    ]
    found = write(sandbox, messages(**{"undo-accounts": rows}))
    assert found.words == ["rejected"] * len(rows)
    assert [row["type"] for row in found.rejects] == ["SCHEMA", *["RECORD"] * len(rows)]
