"""A workspace with records of every resource, a push that changes all of them, and what differs after it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from harness.target import Outcome, Row, messages, write
from sandbox import Sandbox, World, Writing, serve
from sandbox.table import Links

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
TABLES = {
    "nps_responses": "npsResponses",
    "custom_objects": "customObjects",
    "custom_object_instances": "instances",
    "meeting_transcripts": "meetingTranscripts",
}


@cache
def contents() -> dict[str, list[tuple[str, Row, Links]]]:
    """Return a workspace with records of each resource: one to be changed, one to be deleted."""
    with serve(World.empty(), writing=FORGIVING) as made:
        made.world.create("admins", email=ADMIN)
        made.world.create("projectTemplates", name="Usual")
        account, organization = ({"externalId": f"{kind}2", "name": "2"} for kind in "ao")
        user = {"externalId": "u2", "email": "u2@example.com", "accountExternalId": "a2"}
        push(made, messages(organizations=[organization], accounts=[account], users=[user]))
        for key in ("", "gone"):
            rows = some(key)
            found = push(made, messages(**{name: [row] for name, row in rows.items()}))
            assert found.words == ["created"] * len(rows), found.reasons
        return {
            name: [(key, row, table.links(key)) for key, row in table.rows.items()]
            for name, table in made.world.tables.items()
        }


def filled(made: Sandbox) -> Sandbox:
    """Put `contents` into a workspace that makes other ids."""
    for name, rows in contents().items():
        table = made.world.tables[name]
        for key in list(table.rows):
            table.drop(key)
        for key, row, links in rows:
            table.put(key, row, links)
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
        if stream != "meeting_transcripts":
            said[stream].append({**gone[stream], "_deleted": True})
    return messages(**said)
