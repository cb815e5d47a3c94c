"""What an answer does not show is not absent: nothing is created, unlinked or deleted for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from harness.support import waits_pass_in_no_time
from harness.target import Row, messages, write
from sandbox import Fault, Sandbox, World, Writing, serve
from target_vitally.pipeline.workers import Workers
from tests.target.bulk import push
from tests.target.test_lookups import PEOPLE, put_archived, put_users, written
from vitally_api import paging

STATUSES = pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
NUMBERS = pytest.mark.parametrize("number", [1, 30])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An empty workspace, whose clock goes along with the waits."""
    with serve(World.empty()) as made, waits_pass_in_no_time(made.world.clock.advance):
        yield made


# Answers with status 200


ODD = (
    '{"error": "Something went wrong"}',
    '{"errors": [{"title": "Forbidden"}]}',
    '{"message": "Forbidden", "statusCode": 403}',
    '{"success": false, "data": null}',
    '{"results": []}',
    "[]",
    "{}",
)


@pytest.mark.parametrize("body", ODD)
@pytest.mark.parametrize("change", ["update", "upsert", "create", "delete"])
@pytest.mark.parametrize("stream", ["organizations", "accounts", "users", "meetings"])
def test_an_answer_that_holds_no_record_does_not_say_that_there_is_none(
    sandbox: Sandbox, stream: str, change: str, body: str
) -> None:
    for name in ("k", "other"):
        sandbox.world.create(stream, externalId=name)
    sandbox.faults.append(Fault("status", f"{stream}/k", status=200, body=body))
    title = "title" if stream == "meetings" else "name"
    deleted = change == "delete"
    rows: list[Row] = [
        {"externalId": name, title: "new", **({"_deleted": True} if deleted else {})}
        for name in ("k", "other")
    ]
    settings = {} if deleted else {"mode": change}
    found = write(sandbox, messages(**{stream: rows}), deletes="delete", **settings)
    assert found.words[0] in {"rejected", "not reached"}
    assert "not the data asked for" in found.failure + found.reasons
    methods = {"PUT", "DELETE"} - ({"PUT"} if deleted else {"DELETE"})
    assert set(written(sandbox)) <= (set() if change == "create" else methods)
    assert len(sandbox.world.ids(stream)) >= 1


@pytest.mark.parametrize(
    "error", ["Account not found", {"message": "It doesn't exist."}, "no such record"]
)
@pytest.mark.parametrize("stream", ["organizations", "accounts"])
def test_an_error_that_says_that_a_record_is_absent_is_taken_at_its_word(
    sandbox: Sandbox, stream: str, error: Any
) -> None:
    body = json.dumps({"error": error})
    sandbox.faults.append(Fault("status", f"{stream}/k", method="GET", status=200, body=body))
    rows: list[Row] = [{"externalId": "k", "name": "N"}]
    assert write(sandbox, messages(**{stream: rows})).words == ["created"]
    sandbox.faults.clear()
    assert write(sandbox, messages(**{stream: rows})).words == ["unchanged"]


@pytest.mark.parametrize("body", ['{"error": "no"}', "{}", '{"message": "no"}'])
def test_messages_are_not_added_to_a_conversation_that_is_not_shown(
    sandbox: Sandbox, body: str
) -> None:
    put_users(sandbox, "u@example.com")
    said = {"from": {"type": "user", "externalId": "u0"}, "to": [{"externalId": "u0"}]}
    talk = {"externalId": "c", "subject": "S"}
    rows = [{**talk, "messages": [{"externalId": "m", "message": "M", **said}]}]
    assert write(sandbox, messages(conversations=rows)).words == ["created"]
    sandbox.requests.clear()
    id_ = sandbox.world.ids("conversations")[0]
    sandbox.faults.append(
        Fault("status", f"conversations/{id_}", method="GET", status=200, body=body)
    )
    found = write(sandbox, messages(conversations=rows))
    assert found.words[0] in {"rejected", "not reached"}
    assert written(sandbox) == []


@pytest.mark.parametrize("body", ['{"error": "no"}', '{"message": "no"}', '{"status": "ok"}'])
def test_a_transcript_that_is_not_shown_is_not_replaced(sandbox: Sandbox, body: str) -> None:
    sandbox.world.create("meetings", externalId="e")
    turns = [{"speaker": {"externalId": "s"}, "sentences": [{"text": "Hi", "startTime": 0}]}]
    row = {"meetingExternalId": "e", "transcript": turns}
    path = "meetings/*/transcript"
    sandbox.faults.append(Fault("status", path, method="GET", status=200, body=body))
    found = write(sandbox, messages(meeting_transcripts=[row]))
    assert found.words[0] in {"rejected", "not reached"}
    assert "not the data asked for" in found.failure + found.reasons
    assert written(sandbox) == []


def test_a_list_without_ids_is_none(sandbox: Sandbox) -> None:
    body = '{"results": [{"externalId": "k", "name": "N"}], "next": null}'
    sandbox.faults.append(Fault("status", "tasks", method="GET", status=200, body=body))
    account = sandbox.world.create("accounts", externalId="a")["id"]
    row = {"externalId": "k", "name": "N", "accountId": account}
    found = write(sandbox, messages(tasks=[row]))
    assert found.words == ["not reached"]
    assert "an id is missing" in found.failure
    assert written(sandbox) == []


def test_a_list_that_goes_on_without_end_is_not_read_whole(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST_EMPTY_PAGES", 3)
    account = sandbox.world.create("accounts", externalId="a")["id"]
    for each in range(150):
        sandbox.world.create("tasks", externalId=f"k{each}", accountId=account)
    sandbox.faults.append(Fault("empty_page_with_next", "tasks", after=1))
    rows = [{"externalId": f"k{each}", "name": "N", "accountId": account} for each in range(150)]
    found = write(sandbox, messages(tasks=rows))
    assert set(found.words) == {"not reached"}
    assert "empty pages in a row" in found.failure
    assert written(sandbox) == []


# Searches


@STATUSES
def test_a_search_that_is_refused_finds_nobody_and_says_so(status: int) -> None:
    with serve(World.empty(), writing=Writing(email_case="ignored")) as sandbox:
        put_users(sandbox, *(f"U{n}@example.com" for n in range(150)))
        sandbox.faults.append(Fault("status", "users/search?email=u*@example.com", status=status))
        rows = [{"email": f"u{n}@example.com", "name": "N"} for n in (0, 149)]
        found = write(sandbox, messages(people=rows), streams=PEOPLE, mode="update")
        assert found.words == ["rejected", "rejected"]
        assert str(status) in found.reasons


@pytest.mark.parametrize("body", [b for b in ODD if b not in {"[]", '{"results": []}'}])
@pytest.mark.parametrize("change", ["update", "upsert", "delete"])
def test_a_search_that_answers_no_list_does_not_say_that_there_is_none(
    sandbox: Sandbox, change: str, body: str
) -> None:
    owner = sandbox.world.create("customObjects", name="deal")["id"]
    sandbox.world.create("instances", externalId="k", customObjectId=owner)
    sandbox.faults.append(Fault("status", "*/instances/search", status=200, body=body))
    row: Row = {"externalId": "k", "customObjectName": "deal", "name": "N"}
    deleted = change == "delete"
    if deleted:
        row["_deleted"] = True
    settings = {} if deleted else {"mode": change}
    found = write(sandbox, messages(custom_object_instances=[row]), deletes="delete", **settings)
    assert found.words[0] in {"rejected", "not reached"}
    assert "not the data asked for" in found.failure + found.reasons
    assert written(sandbox) == []


# What is archived


@STATUSES
@NUMBERS
@pytest.mark.parametrize("stream", ["custom_object_instances", "tasks", "notes"])
def test_where_the_archived_are_not_listed_no_record_is_created(
    stream: str, number: int, status: int
) -> None:
    with serve(World.empty(), writing=Writing(archived_instances="hidden")) as sandbox:
        _, row, _ = put_archived(sandbox, stream)
        path = "*/instances" if stream == "custom_object_instances" else stream
        sandbox.faults.append(Fault("status", f"{path}?archived=true", status=status))
        rows = [{**row, "externalId": f"new {each}"} for each in range(number - 1)] + [row]
        found = write(sandbox, messages(**{stream: rows}))
        assert found.words == ["rejected"] * number
        assert str(status) in found.reasons
        for mode in ("update", "create"):
            assert write(sandbox, messages(**{stream: [row]}), mode=mode).words == ["rejected"]
        gone = {**row, "_deleted": True}
        found = write(sandbox, messages(**{stream: [gone]}), deletes="delete")
        assert found.words == ["rejected"]
        assert written(sandbox) == []


@STATUSES
def test_what_is_not_archived_is_written_where_the_archived_are_not_listed(
    sandbox: Sandbox, status: int
) -> None:
    trait = "vitally.custom.nextStep"
    for key in "ab":
        sandbox.world.create("projects", traits={trait: key})
    sandbox.faults.append(Fault("status", "projects?archived=true", status=status))
    entry = {"resource": "projects", "match": f"trait:{trait}"}
    rows = [{"traits": {trait: key}, "name": "new"} for key in "abc"]
    found = write(
        sandbox,
        messages(things=rows),
        mode="update",
        streams={"things": entry},
        batch_size_rows=1,
        max_updates="100%",
    )
    assert found.words == ["updated", "updated", "rejected"]


@STATUSES
def test_a_workspace_may_know_no_answers_about_organizations(sandbox: Sandbox, status: int) -> None:
    put_users(sandbox, "u@example.com")
    sandbox.faults.append(Fault("status", "npsResponses?target=organization", status=status))
    row = {
        "externalId": "r",
        "userExternalId": "u0",
        "score": 9,
        "respondedAt": "2026-01-01T00:00:00Z",
    }
    found = write(sandbox, messages(nps_responses=[row]))
    lacks = status in {400, 404, 422}
    assert found.words == ["created" if lacks else "rejected"]


# Links


@STATUSES
@pytest.mark.parametrize("size", [1, 1000])
def test_a_link_that_was_not_looked_up_is_not_taken_away(
    sandbox: Sandbox, size: int, status: int
) -> None:
    world = sandbox.world
    ids = [world.create("accounts", externalId=name)["id"] for name in "abc"]
    user = world.create("users", externalId="u", accountIds=ids)["id"]
    if status in {404, 410}:
        pytest.skip("the account is not there")
    sandbox.faults.append(Fault("status", "accounts/b", method="GET", status=status))
    rows = [{"externalId": "u", "accountExternalIds": [name]} for name in "ab"]
    links = {"users": {"links": "exact"}}
    settings: Row = {"streams": links, "batch_size_rows": size, "deletes": "delete"}
    found = write(sandbox, messages(users=rows), **settings)
    assert found.words == ["unchanged", "rejected"]
    assert written(sandbox) == []
    assert len(world.row("users", user)["accounts"]) == 3
    sandbox.faults.clear()
    assert "updated" in write(sandbox, messages(users=rows), **settings).words
    assert len(world.row("users", user)["accounts"]) == 2


# Undo


def undo_of_an_account(sandbox: Sandbox, folder: Path) -> str:
    """Create an account, and return what takes that back; somebody else has added a note to it."""
    undo = folder / "undo.jsonl"
    row = {"externalId": "a", "name": "A"}
    found = write(sandbox, messages(accounts=[row]), undo_file=str(undo))
    assert found.words == ["created"]
    sandbox.world.create("notes", accountId=sandbox.world.ids("accounts")[0])
    return undo.read_text()


@STATUSES
def test_an_undo_deletes_no_record_whose_lists_are_not_shown(
    sandbox: Sandbox, tmp_path: Path, status: int
) -> None:
    undo = undo_of_an_account(sandbox, tmp_path)
    sandbox.faults.append(Fault("status", "accounts/*/notes", method="GET", status=status))
    found = write(sandbox, undo)
    assert found.words == ["rejected"]
    assert str(status) in found.reasons
    assert len(sandbox.world.ids("accounts")) == 1


@pytest.mark.parametrize(("status", "word"), [(404, "deleted"), (403, "rejected")])
def test_what_a_workspace_does_not_have_keeps_nothing_from_an_undo(
    sandbox: Sandbox, tmp_path: Path, status: int, word: str
) -> None:
    undo = undo_of_an_account(sandbox, tmp_path)
    for path in ("accounts/*/notes", "notes"):
        sandbox.faults.append(Fault("status", path, method="GET", status=status))
    assert write(sandbox, undo).words == [word]


# Looks after a write


@pytest.mark.parametrize("status", [400, 403, 409, 422])
def test_what_was_written_and_is_not_shown_then_was_written(sandbox: Sandbox, status: int) -> None:
    put_users(sandbox, "ada@example.com", "uma@example.com")
    meeting = {"title": "M", "participants": [{"email": "ada@example.com"}]}
    assert write(sandbox, messages(meetings=[{"externalId": "e", **meeting}])).words == ["created"]
    id_ = sandbox.world.ids("meetings")[0]
    sandbox.requests.clear()
    hidden = Fault("status", f"meetings/{id_}", method="GET", status=status)
    sandbox.faults.append(hidden)
    people = [{"email": "uma@example.com"}]
    row = {"externalId": "e", "title": "M", "participants": people}
    found = write(sandbox, messages(meetings=[row, {**row, "title": "N"}]), batch_size_rows=1)
    assert found.words == ["updated", "rejected"]
    assert written(sandbox).count("POST") == 1


@pytest.mark.parametrize("status", [400, 403, 409, 422])
def test_a_create_that_is_not_shown_then_is_not_repeated(sandbox: Sandbox, status: int) -> None:
    bare = Fault("status", "accounts", method="POST", status=200, body="{}", done=True)
    hidden = Fault("status", "accounts/k", method="GET", status=status, after=1)
    sandbox.faults += [bare, hidden]
    rows = [{"externalId": "k", "name": name} for name in "ab"]
    found = write(sandbox, messages(accounts=rows), batch_size_rows=1)
    assert found.words == ["created", "rejected"]
    assert written(sandbox) == ["POST"]


@pytest.mark.parametrize("status", [400, 403, 409, 422])
def test_a_lost_write_that_is_not_shown_is_uncertain(sandbox: Sandbox, status: int) -> None:
    account = sandbox.world.create("accounts", externalId="a")["id"]
    lost = Fault("reset_before", "tasks", method="POST", done=True, times=1)
    hidden = Fault("status", "tasks?archived=false", method="GET", status=status, after=1)
    sandbox.faults += [lost, hidden]
    row = {"externalId": "k", "name": "N", "accountId": account}
    found = write(sandbox, messages(tasks=[row], accounts=[{"externalId": "b", "name": "B"}]))
    assert found.words == ["uncertain", "created"]
    assert str(status) in found.reasons
    assert len(sandbox.world.ids("tasks")) == 1


def test_a_thread_that_asks_for_many_waits_for_no_other() -> None:
    workers, done = Workers(1, (), lambda: None), Event()
    seen: list[int] = []

    def run() -> None:
        workers.map_concurrently(lambda n: workers.map_concurrently(seen.append, [n, n]), [1, 2])
        done.set()

    Thread(target=run, daemon=True).start()
    assert done.wait(10)
    assert seen == [1, 1, 2, 2]
    workers.close()


# What events are about


def test_people_whose_list_is_not_shown_are_not_unknown(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    put_users(sandbox, *(f"u{n}@example.com" for n in range(8)))
    sandbox.faults.append(Fault("status", "users", method="GET", status=403))
    moment = "2026-11-30T00:00:00Z"
    events = [{"event": "E", "timestamp": moment, "userExternalId": f"u{n}"} for n in range(8)]
    rows = [{"email": "u1@example.com", "name": "N"}]
    entry: Row = {**PEOPLE, "events": {}}
    found = push(sandbox, messages(people=rows, events=events), streams=entry, channel="rest")
    assert found.words[1:] == ["accepted"] * 8
    assert "does not hold" not in caplog.text
    assert "their list is not shown" in caplog.text
