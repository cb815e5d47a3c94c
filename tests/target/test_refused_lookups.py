"""Look-ups that are refused, or find too much: what nobody could see is neither there nor absent."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Semaphore
from typing import Any

import pytest

from harness.support import waits_pass_in_no_time
from harness.target import Row, messages, write
from sandbox import Fault, Sandbox, World, Writing, serve
from target_vitally.lookup.client import RecordClient
from target_vitally.mapping.resource import Record
from tests.target.test_lookups import put_users, written


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An empty workspace."""
    with serve(World.empty()) as made:
        yield made


@pytest.mark.parametrize("status", [400, 403, 409, 422, 500])
@pytest.mark.parametrize("size", [1, 100])
def test_a_key_that_is_refused_stops_no_other(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, status: int, size: int
) -> None:
    sandbox.faults.append(Fault("status", "accounts/bad", method="GET", status=status))
    rows = [{"externalId": name, "name": "A"} for name in ("one", "bad", "two", "three")]
    answered = Semaphore(0)
    records = RecordClient.records

    def noted(*given: Any, **named: Any) -> list[Record]:
        found = records(*given, **named)
        answered.release()
        return found

    def after_the_others(_: float) -> None:
        """Wait as a real pause would, in which the other three are answered."""
        if sum("accounts/bad" in entry.path for entry in sandbox.requests) == 1 < size:
            assert all(answered.acquire(timeout=10) for _ in range(3))

    monkeypatch.setattr(RecordClient, "records", noted)
    with waits_pass_in_no_time(after_the_others):
        found = write(sandbox, messages(accounts=rows), batch_size_rows=size)
    if size == 1 and status == 500:
        # Nothing else is asked meanwhile that could tell a bad key from a dead server.
        assert "500" in found.failure
        return
    assert found.words == ["created", "rejected", "created", "created"]
    assert str(status) in found.reasons


INSTANCE = {"externalId": "i", "customObjectName": "deal", "name": "new"}
REPLY = {
    "externalId": "m",
    "conversationExternalId": "c",
    "message": "M",
    "from": {"type": "admin", "email": "ada@example.com"},
    "to": [{"type": "admin", "email": "ada@example.com"}],
}


@pytest.mark.parametrize("status", [400, 403, 409, 422])
@pytest.mark.parametrize("change", ["update", "upsert", "create", "delete"])
@pytest.mark.parametrize(
    ("stream", "row", "path"),
    [
        ("custom_object_instances", INSTANCE, "customObjects"),
        ("messages", REPLY, "conversations"),
    ],
)
def test_below_a_parent_that_is_not_shown_no_record_is_absent(  # noqa: PLR0913, PLR0917
    sandbox: Sandbox, stream: str, row: Row, path: str, change: str, status: int
) -> None:
    world = sandbox.world
    world.create("admins", email="ada@example.com")
    object_ = world.create("customObjects", name="deal")["id"]
    world.create("instances", externalId="i", name="old", customObjectId=object_)
    world.create("conversations", externalId="c", messages=[])
    sandbox.faults.append(Fault("status", f"{path}*", method="GET", status=status))
    deleted = change == "delete"
    found = write(
        sandbox,
        messages(**{stream: [row | ({"_deleted": True} if deleted else {})]}),
        deletes="delete",
        **({} if deleted else {"mode": change}),
    )
    assert found.words == ["rejected"]
    assert str(status) in found.reasons
    assert written(sandbox) == []


@pytest.mark.parametrize("mode", ["update", "upsert", "create"])
def test_of_two_parents_of_one_name_none_is_taken(sandbox: Sandbox, mode: str) -> None:
    for _ in range(2):
        object_ = sandbox.world.create("customObjects", name="deal")["id"]
        sandbox.world.create("instances", externalId="i", customObjectId=object_)
    found = write(sandbox, messages(custom_object_instances=[INSTANCE]), mode=mode)
    assert found.words == ["rejected"]
    assert "2 of the custom objects have the name" in found.reasons


@pytest.mark.parametrize("path", ["admins*", "users*"])
@pytest.mark.parametrize("status", [400, 403, 422])
def test_people_who_are_not_looked_up_are_not_guessed(
    sandbox: Sandbox, path: str, status: int
) -> None:
    sandbox.world.create("admins", email="ada@example.com")
    put_users(sandbox, "uma@example.com")
    sandbox.faults.append(Fault("status", path, method="GET", status=status))
    who = "ada" if path == "admins*" else "uma"
    meeting = {"externalId": "e", "title": "M", "participants": [{"email": f"{who}@example.com"}]}
    reply = {**REPLY, "from": {"email": f"{who}@example.com"}}
    sandbox.world.create("conversations", externalId="c", messages=[])
    found = write(sandbox, messages(meetings=[meeting], messages=[reply]))
    assert found.words == ["rejected", "rejected"]
    assert found.reasons.count(str(status)) >= 2
    assert written(sandbox) == []


@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_may_be_the_id_of_a_record_is_not_created(sandbox: Sandbox, status: int) -> None:
    id_ = sandbox.world.create("accounts", externalId="a", name="A")["id"]
    # A first request finds nothing by the external id, the second is about the id.
    sandbox.faults.append(Fault("status", f"accounts/{id_}", method="GET", status=status, after=1))
    rows = [{"externalId": id_, "name": "B"}, {"externalId": "new", "name": "C"}]
    found = write(sandbox, messages(accounts=rows))
    assert found.words == ["rejected", "created"]


@pytest.mark.parametrize("status", [400, 403, 422])
def test_an_address_that_the_search_refuses_stops_no_other(status: int) -> None:
    with serve(World.empty(), writing=Writing(email_case="ignored")) as sandbox:
        put_users(sandbox, *(f"u{n}@example.com" for n in range(150)))
        bad = Fault("status", "users/search?email=u3@example.com", status=status)
        sandbox.faults.append(bad)
        rows = [
            {
                "externalId": f"r{n}",
                "userEmail": f"u{n}@example.com",
                "score": 1,
                "respondedAt": "2026-01-01T00:00:00Z",
            }
            for n in range(2, 5)
        ]
        found = write(sandbox, messages(nps_responses=rows))
        assert found.words == ["created", "rejected", "created"]
        assert "u3@" not in found.reasons


def test_a_conversation_that_cannot_be_read_stops_no_other(sandbox: Sandbox) -> None:
    account = put_users(sandbox, "u@example.com")
    ids = [sandbox.world.create("conversations", externalId=name)["id"] for name in "xyz"]
    sandbox.faults.append(Fault("status", f"conversations/{ids[1]}", method="GET", status=400))
    said = {
        "message": "M",
        "from": {"type": "user", "externalId": "u0"},
        "to": [{"type": "user", "externalId": "u0"}],
    }
    rows = [{"externalId": f"m{n}", "conversationExternalId": n, **said} for n in "xyz"]
    assert account
    found = write(sandbox, messages(messages=rows))
    assert found.words == ["created", "rejected", "created"]
    talks = [
        {"externalId": n, "subject": "S", "messages": [{"externalId": f"n{n}", **said}]}
        for n in "xyz"
    ]
    found = write(sandbox, messages(conversations=talks))
    assert found.words == ["updated", "rejected", "updated"]


def put_three_pages(sandbox: Sandbox, stream: str) -> list[Row]:
    """Put 250 records there; return the rows that say the same."""
    account = sandbox.world.create("accounts", externalId="a")["id"]
    links = {"accountId": account, "tags": [], "archivedAt": None} if stream == "tasks" else {}
    rows: list[Row] = [{"externalId": f"k{each}", "name": "N"} for each in range(250)]
    for row in rows:
        sandbox.world.create(stream, **row, **links)
    return rows


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
@pytest.mark.parametrize("stream", ["accounts", "tasks"])
def test_a_list_whose_cursor_is_old_is_begun_again_once(
    sandbox: Sandbox, stream: str, status: int
) -> None:
    rows = put_three_pages(sandbox, stream)
    old = Fault("status", f"{stream}?from=*", status=status, after=1, times=1)
    sandbox.faults.append(old)
    assert write(sandbox, messages(**{stream: rows})).words == ["unchanged"] * 250
    assert written(sandbox) == []


@pytest.mark.parametrize("stream", ["accounts", "tasks"])
def test_where_cursors_are_always_old_no_row_is_written_twice(
    sandbox: Sandbox, stream: str
) -> None:
    rows = put_three_pages(sandbox, stream)
    sandbox.faults.append(Fault("cursor_refused", stream))
    found = write(sandbox, messages(**{stream: rows}))
    assert written(sandbox) == []
    seen = found.words.count("unchanged")
    assert seen == 250 if stream == "accounts" else seen >= 99
    assert found.words.count("rejected") == 250 - seen
