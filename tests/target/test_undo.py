"""What takes a run back: pushed, taken back, and the workspace is what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.target import Row, messages, write
from sandbox import Entry, Sandbox, World, serve
from tests.target.undoing import (
    FORGIVING,
    data,
    difference,
    everything,
    feed,
    filled,
    push,
    some,
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(World.empty(seed=2), writing=FORGIVING) as made:
        yield filled(made)


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
    now, asked = data(sandbox), len(sandbox.requests)
    second = feed(sandbox, undo)
    assert {entry.method for entry in sandbox.requests[asked:]} == {"GET"}
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
    accounts: list[Row] = [
        {"externalId": f"b{n}", "name": "B", "traits": {"plan": "x"}} for n in range(3)
    ]
    accounts.append({"externalId": "a", "traits": {"extra": 1}})
    push(sandbox, messages(accounts=accounts), undo_file=str(undo))
    found = feed(sandbox, undo, **settings)
    assert sorted(found.words) == ["deleted"] * 3 + ["updated"]
    assert difference(before, data(sandbox)) == []


def test_what_somebody_has_changed_since_is_left(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    rows: list[Row] = [
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


@pytest.mark.parametrize(
    ("stream", "row", "how"),
    [
        ("accounts", {"traits": "{}"}, {"written": {"traits": {"x": 1}}}),
        ("accounts", {"traits": {"x": 0}}, {"written": {"traits": True}}),
        ("messages", {"message": "M"}, {"inside": {}}),
        ("user_accounts", {}, {"inside": {"userId": "u"}}),
        ("user_accounts", {}, {"inside": {"userId": "u", "accountId": ""}}),
        ("meeting_transcripts", {}, {}),
        ("tasks", {"tags": 5}, {"written": {"tags": ["z"]}}),
        ("users", {"accountIds": True}, {"written": {"accountIds": ["a"]}}),
        ("meetings", {"participants": "x"}, {"written": {"participants": []}}),
        ("meetings", {"participants": [[]]}, {"written": {"participants": []}}),
        ("conversations", {"messages": [None]}, {"written": {"messages": []}}),
        ("conversations", {"messages": []}, {"written": {"messages": [{"externalId": []}]}}),
        ("accounts", {"externalId": {}}, {"written": {"name": "A"}}),
        ("accounts", {"traits": {"a": 1}}, {"written": {"traits": None}}),
    ],
    ids=str,
)
def test_a_row_that_was_mended_badly_stops_no_other(
    sandbox: Sandbox, stream: str, row: Row, how: Row
) -> None:
    badly = {**row, "_undo": {"change": "updated", "id": "x", **how}}
    well = {"name": "O", "_undo": {"change": "updated", "id": "x", "written": {"name": "O2"}}}
    said = messages(**{f"undo-{stream}": [badly], "undo-organizations": [well]})
    assert write(sandbox, said).words == ["rejected", "ignored"]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_that_is_not_there_is_named_before_anything_is_sent(
    sandbox: Sandbox, tmp_path: Path, *, dry_run: bool
) -> None:
    undo = tmp_path / "nowhere" / "undo.jsonl"
    files = {"undo_file": str(undo), "results_file": "", "rejects_file": ""}
    with pytest.raises(OSError, match="nowhere"):
        push(sandbox, messages(accounts=[]), dry_run=dry_run, **files)
    assert not sandbox.requests


def test_an_earlier_way_back_is_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    before = data(sandbox)
    for name in ("first", "second", "second"):  # the last one changes nothing
        row = {"externalId": "a", "name": name}
        push(sandbox, messages(accounts=[row]), undo_file=str(undo))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["undo.jsonl", "undo.jsonl.1"]
    assert undo.stat().st_mode & 0o077 == 0
    feed(sandbox, undo)
    feed(sandbox, tmp_path / "undo.jsonl.1")
    assert difference(before, data(sandbox)) == []


def test_files_of_several_runs_are_taken_back_together(sandbox: Sandbox, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    before = data(sandbox)
    for rows in (
        [{"externalId": "a", "name": "1"}],
        [{"externalId": "a", "name": "2"}, {"externalId": "b", "name": "B"}],
        [{"externalId": "b", "_deleted": True}],
    ):
        push(sandbox, messages(accounts=rows), undo_file=str(undo))
    text = "".join(path.read_text() for path in sorted(tmp_path.iterdir()))
    found = write(sandbox, text)
    assert found.failure == ""
    assert difference(before, data(sandbox)) == []


def test_a_plan_writes_no_undo_file_and_says_what_stays(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    undo = tmp_path / "undo.jsonl"
    push(sandbox, everything(), undo_file=str(undo), dry_run=True)
    assert not undo.exists()
    planned = {r.getMessage() for r in caplog.records if "taken back" in r.getMessage()}
    caplog.clear()
    push(sandbox, everything(), undo_file=str(undo))
    done = [r.getMessage() for r in caplog.records if "taken back" in r.getMessage()]
    assert planned == set(done)
    assert len(done) == len(set(done)) > 5


@pytest.mark.parametrize("stream", ["projects", "tasks"])
def test_what_was_created_without_a_key_goes_by_its_id(
    sandbox: Sandbox, tmp_path: Path, stream: str
) -> None:
    undo = tmp_path / "undo.jsonl"
    before = data(sandbox)
    row = {n: v for n, v in some("")[stream].items() if n not in {"externalId", "traits"}}
    made = write(sandbox, messages(**{stream: [row, row]}), mode="create", undo_file=str(undo))
    assert made.words == ["created"] * 2, made.reasons
    lines = undo.read_text().splitlines()
    assert feed(sandbox, undo).words.count("deleted") == 2
    assert difference(before, data(sandbox)) == []
    # Killed between a create and its answer, nobody knows which record it was.
    undo.write_text("\n".join(lines[:2]) + "\n")
    found = feed(sandbox, undo)
    assert found.words == ["rejected"]
    assert "without a key" in found.reasons


def test_a_record_that_a_create_meets_is_not_deleted(sandbox: Sandbox, tmp_path: Path) -> None:
    """Somebody else creates it after it was looked for."""
    undo = tmp_path / "undo.jsonl"
    sandbox.writer.switches = FORGIVING.but({"on_known": "409"})

    def create(entry: Entry) -> None:
        if entry.method == "POST":
            sandbox.before_request = None
            sandbox.world.create("accounts", externalId="new", name="Theirs", traits={})

    sandbox.before_request = create
    row = {"externalId": "new", "name": "Mine", "traits": {"x": 1}}
    assert push(sandbox, messages(accounts=[row]), undo_file=str(undo)).words == ["updated"]
    assert sorted(feed(sandbox, undo).words) == ["unchanged", "unchanged", "updated"]
    theirs = [r for r in sandbox.world.tables["accounts"].rows.values() if r["externalId"] == "new"]
    assert [(row["name"], row["traits"]) for row in theirs] == [("Theirs", {})]
