"""Rows that meet others of their key, and rows that are never reached."""

from __future__ import annotations

import gc

import pytest

from harness.target import Row, messages, schema, write
from harness.workspace import Workspace
from sandbox import World, serve
from target_vitally.mapping.rows import PendingWrite

BILLING = {"billing-accounts": {"resource": "accounts", "mode": "update"}}


@pytest.mark.parametrize("size", [1, 100])
def test_what_one_stream_creates_another_may_update(here: Workspace, size: int) -> None:
    said = [
        *messages(accounts=[{"externalId": "a", "name": "A"}])[:-1],
        *messages(**{"billing-accounts": [{"externalId": "a", "name": "B"}]}),
    ]
    found = write(here, said, streams=BILLING, batch_size_rows=size)
    assert found.words == ["created", "updated" if size == 1 else "created"]
    assert [row["name"] for row in here.rows("accounts")] == ["B"]


@pytest.mark.parametrize("size", [1, 100])
def test_a_delete_that_is_ignored_takes_nothing_with_it(here: Workspace, size: int) -> None:
    rows: list[Row] = [{"externalId": "a", "name": "A"}, {"externalId": "a", "_deleted": True}]
    found = write(here, messages(accounts=rows), batch_size_rows=size)
    assert found.words == ["created", "ignored"]


def test_what_is_not_written_needs_no_parent(here: Workspace) -> None:
    account = here.put("accounts", externalId="a", name="A")
    here.put("tasks", externalId="there", name="T", accountId=account["id"])
    rows: list[Row] = [
        {"externalId": name, "name": "new", "accountExternalId": "none"}
        for name in ("there", "not there")
    ]
    found = write(here, messages(tasks=rows), mode="update")
    assert found.words == ["rejected", "ignored"]
    found = write(here, messages(tasks=rows), mode="create")
    assert found.words == ["ignored", "rejected"]
    assert here.writes() == []


def test_a_record_of_an_object_that_is_not_there_is_nothing_to_update(here: Workspace) -> None:
    row = {"externalId": "i", "name": "I", "customObjectName": "none"}
    said = messages(custom_object_instances=[row])
    assert write(here, said, mode="update").words == ["ignored"]
    assert write(here, said).words == ["rejected"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_rows_before_a_delete_that_was_carried_out_are_not_at_fault(
    here: Workspace, size: int
) -> None:
    account = messages(accounts=[{"externalId": "a", "name": "A"}])[:-1]
    task: Row = {"externalId": "t", "name": "T", "accountExternalId": "a"}
    rows = [task, {**task, "externalId": "u"}, {**task, "_deleted": True}]
    said = [*account, *messages(tasks=rows)]
    first = write(here, said, deletes="delete", batch_size_rows=size)
    assert first.failure == ""
    again = write(here, said, deletes="delete", batch_size_rows=size)
    assert again.words == ["unchanged"] * 4
    assert len(again.states) == 1


def test_rows_that_are_not_reached_are_named_by_their_keys(here: Workspace) -> None:
    task: Row = {"name": "T", "accountExternalId": "late"}
    rows = [{"externalId": f"t{number}", **task} for number in range(6)]
    accounts = [{"externalId": "a", "name": "A"}]
    said = [*messages(tasks=rows)[:-1], *messages(accounts=accounts)]
    here.fault = lambda method, _path, _count: "401" if method == "POST" else ""
    found = write(here, said, batch_size_rows=2)
    keys = {line["key"] for line in found.results if line["outcome"] == "not reached"}
    assert keys == {"a", *(row["externalId"] for row in rows)}


def test_a_row_that_cannot_be_read_has_no_key(here: Workspace) -> None:
    here.fault = lambda *_: "401"
    said = messages(accounts=[{"externalId": "a", "name": "A"}, {"externalId": []}])
    found = write(here, [schema("users", []), *said])
    assert [line["key"] for line in found.results] == [None, "a"]


@pytest.mark.parametrize("size", [1, 100])
def test_a_meeting_waits_for_whoever_comes_to_it(size: int) -> None:
    meeting = {"externalId": "m", "title": "T", "participants": [{"email": "late@example.com"}]}
    user = {"externalId": "u", "email": "late@example.com", "accountExternalId": "a"}
    said = messages(meetings=[meeting], users=[user], accounts=[{"externalId": "a", "name": "A"}])
    with serve(World.empty()) as sandbox:
        found = write(sandbox, said, batch_size_rows=size)
        assert found.words == ["created"] * 3
        lonely = {**meeting, "externalId": "n", "participants": [{"email": "no@example.com"}]}
        assert write(sandbox, messages(meetings=[lonely])).words == ["rejected"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_rows_of_one_user_by_two_keys_keep_their_order(here: Workspace, size: int) -> None:
    user = {"externalId": "u", "email": "u@example.com", "name": "A", "accountExternalId": "late"}
    mail = [{"email": "u@example.com", "name": "B"}]
    said = [
        *messages(users=[user])[:-1],
        *messages(mail=mail)[:-1],
        *messages(accounts=[{"externalId": "late", "name": "A"}]),
    ]
    streams = {"mail": {"resource": "users", "match": "email", "mode": "update"}}
    found = write(here, said, batch_size_rows=size, streams=streams)
    assert found.words == ["created", "updated", "created"]
    assert [row["name"] for row in here.rows("users")] == ["B"]


@pytest.mark.parametrize("size", [1, 100])
def test_a_row_that_only_updates_revives_nothing(here: Workspace, size: int) -> None:
    here.put("accounts", externalId="a", name="A")
    said = [
        *messages(accounts=[{"externalId": "a", "_deleted": True}])[:-1],
        *messages(**{"billing-accounts": [{"externalId": "a", "name": "B"}]}),
    ]
    found = write(here, said, streams=BILLING, deletes="delete", batch_size_rows=size)
    assert found.words == ["deleted", "deleted"]
    assert here.rows("accounts") == []


@pytest.mark.parametrize("size", [1, 100])
def test_a_plan_remembers_the_links_that_it_would_have_made(here: Workspace, size: int) -> None:
    ids = [here.put("accounts", externalId=name, name="A")["id"] for name in "ab"]
    here.put("users", externalId="u", accountIds=ids[:1])
    rows = [{"externalId": "u", "accountExternalIds": [name]} for name in ("b", "a")]
    planned = write(here, messages(users=rows), dry_run=True, batch_size_rows=size)
    assert here.writes() == []
    assert write(here, messages(users=rows), batch_size_rows=size).words == planned.words


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_last_row_of_a_record_says_whether_it_is_deleted(here: Workspace, size: int) -> None:
    for key in "abcd":
        here.put("accounts", externalId=key, name="A")
    gone = {"_deleted": True}
    rows: list[Row] = [
        *(
            {"externalId": "a", **gone},
            {"externalId": "a", "name": "A"},
            {"externalId": "a", **gone},
        ),
        *({"externalId": "b", **gone}, {"externalId": "b", **gone}),
        *({"externalId": "c", **gone}, {"externalId": "c", "name": "C"}),
        *({"externalId": "d", "name": "A"}, {"externalId": "none", **gone}),
    ]
    found = write(here, messages(accounts=rows), batch_size_rows=size, deletes="delete")
    assert found.words[2:] == ["deleted"] * 3 + ["updated"] * 2 + ["unchanged"] * 2
    assert [row["name"] for row in here.rows("accounts")] == ["C", "A"]


def test_rows_whose_parents_are_missing_are_let_go(here: Workspace) -> None:
    """Without a search for cycles: that comes once in so many rows, and they are in memory until then."""
    rows: list[Row] = [{"externalId": f"u{n}", "accountExternalId": "none"} for n in range(20)]
    gc.collect()
    gc.disable()
    try:
        found = write(here, messages(users=rows), batch_size_rows=5)
        left = [each for each in gc.get_objects() if isinstance(each, PendingWrite)]
    finally:
        gc.enable()
    assert found.words == ["rejected"] * 20
    assert not left
