"""Links of users to accounts: as rows of their own, and those that no row names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.target import Outcome, Row, messages
from sandbox import Fault, Sandbox, Writing
from tests.target.bulk import BATCH, push, workspace, writes


def put(sandbox: Sandbox, *rows: Row, **settings: Any) -> Outcome:
    settings.setdefault("channel", "rest")
    return push(sandbox, messages(user_accounts=list(rows)), **settings)


def link(user: str = "u", account: str = "a", **more: Any) -> Row:
    return {"userExternalId": user, "accountExternalId": account, **more}


def add_user(sandbox: Sandbox, name: str, *accounts: str) -> None:
    rows = sandbox.world.tables["accounts"].rows
    ids = [key for key, row in rows.items() if row["externalId"] in accounts]
    sandbox.world.write("users", externalId=name, accountIds=ids)


def accounts_of(sandbox: Sandbox, name: str = "u") -> set[str]:
    sandbox.writer.catch_up()
    (user,) = (
        row for row in sandbox.world.tables["users"].rows.values() if row["externalId"] == name
    )
    return {account["externalId"] for account in user["accounts"]}


DELAYS: list[Row] = [
    {},
    {"analytics_delay": 40.0},
    {"analytics_delay": 40.0, "analytics_order": "shuffled"},
    {"links": "add"},
]


@pytest.mark.parametrize("switches", DELAYS, ids=str)
def test_links_are_made_and_taken_away(switches: Row) -> None:
    with workspace(**switches) as sandbox:
        add_user(sandbox, "u", "a")
        assert put(sandbox, link(), link(account="b")).words == ["unchanged", "created"]
        assert accounts_of(sandbox) == {"a", "b"}
        assert put(sandbox, link(), link(account="b")).words == ["unchanged"] * 2
        gone = link(_deleted=True)
        assert put(sandbox, gone).words == ["ignored"]
        came = put(sandbox, gone, link(account="b"), deletes="delete")
        assert came.words == ["deleted", "unchanged"], came.reasons
        assert came.states == [{"end": True}]
        assert accounts_of(sandbox) == {"b"}
        assert put(sandbox, gone, deletes="delete").words == ["unchanged"]


def test_a_stream_may_only_unlink(sandbox: Sandbox) -> None:
    add_user(sandbox, "u", "a", "b")
    streams = {"user_accounts": {"mode": "delete"}}
    assert put(sandbox, link(), deletes="delete", streams=streams).words == ["deleted"]
    assert accounts_of(sandbox) == {"b"}


@pytest.fixture
def sandbox() -> Any:
    with workspace() as made:
        yield made


def test_several_links_of_one_user_are_several_rows(sandbox: Sandbox) -> None:
    add_user(sandbox, "u")
    add_user(sandbox, "v")
    rows = [link("u", "a"), link("u", "b"), link("v", "a"), link("u", "a")]
    assert put(sandbox, *rows).words == ["created"] * 4
    assert (accounts_of(sandbox, "u"), accounts_of(sandbox, "v")) == ({"a", "b"}, {"a"})
    assert writes(sandbox) == {BATCH: 1}
    gone = [link("u", "a", _deleted=True), link("u", "b", _deleted=True)]
    assert put(sandbox, *gone, deletes="delete").words == ["deleted"] * 2
    assert accounts_of(sandbox, "u") == set()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (link("typo"), "none of the users has"),
        (link(account="typo"), "none of the accounts has"),
        ({"userExternalId": "u"}, "it takes accountId or accountExternalId"),
        ({"accountExternalId": "a"}, "it takes userId or userExternalId"),
    ],
    ids=str,
)
def test_nobody_is_made_up(sandbox: Sandbox, row: Row, reason: str) -> None:
    add_user(sandbox, "u")
    came = put(sandbox, row, link())
    assert came.words == ["rejected", "created"]
    assert reason in came.reasons
    assert (
        len(sandbox.world.tables["users"].rows),
        len(sandbox.world.tables["accounts"].rows),
    ) == (1, 2)


def test_users_and_links_may_come_together(sandbox: Sandbox) -> None:
    said = messages(
        user_accounts=[link("new", "new"), link("new", "b")],
        users=[{"externalId": "new", "accountExternalId": "a"}],
        accounts=[{"externalId": "new", "name": "New"}],
    )
    assert push(sandbox, said, channel="rest").words == ["created"] * 4
    assert accounts_of(sandbox, "new") == {"a", "b", "new"}


def test_unlinks_count_towards_max_deletes(sandbox: Sandbox) -> None:
    add_user(sandbox, "u", "a", "b")
    gone = [link(account=name, _deleted=True) for name in ("a", "b")]
    came = put(sandbox, *gone, deletes="delete", max_deletes="1")
    assert came.words == ["rejected"] * 2
    assert "max_deletes" in came.failure
    assert accounts_of(sandbox) == {"a", "b"}


def test_a_link_that_is_not_seen_is_uncertain() -> None:
    with workspace(analytics_drops=1.0) as sandbox:
        add_user(sandbox, "u", "a")
        came = put(sandbox, link(account="b"), link(_deleted=True), deletes="delete")
        assert came.words == ["uncertain"] * 2
        assert came.states == []


@pytest.mark.parametrize("kind", ["user", "unlink"])
def test_a_blocked_type_rejects_links(sandbox: Sandbox, kind: str) -> None:
    add_user(sandbox, "u", "a")
    sandbox.writer.switches = Writing(analytics_blocked=(kind,))
    row = link(_deleted=True) if kind == "unlink" else link(account="b")
    came = put(sandbox, row, deletes="delete")
    assert came.words == ["rejected"]
    assert "blocked" in came.reasons


def test_a_plan_links_nobody(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    add_user(sandbox, "u", "a")
    rows = [link(account="b"), link(_deleted=True)]
    with caplog.at_level("INFO"):
        came = put(sandbox, *rows, deletes="delete", dry_run=True)
    assert came.words == ["created", "deleted"]
    assert not writes(sandbox)
    (user,) = sandbox.world.tables["users"].rows
    accounts = sandbox.world.tables["accounts"].rows
    ids = {row["externalId"]: key for key, row in accounts.items()}
    assert f"user_accounts: create {user}/{ids['b']}" in caplog.text
    assert f"user_accounts: delete {user}/{ids['a']}" in caplog.text


@pytest.mark.parametrize("links", ["replace", "add"])
@pytest.mark.parametrize("channel", ["rest", "bulk", "auto"])
def test_what_no_row_names_is_unlinked(links: Any, channel: str) -> None:
    with workspace(links=links, analytics_delay=20.0) as sandbox:
        for name in ("u", "v"):
            add_user(sandbox, name, "a", "b")
        rows = [{"externalId": name, "accountExternalIds": ["b"]} for name in ("u", "v")]
        streams = {"users": {"links": "exact"}}
        settings: Row = {"streams": streams, "deletes": "delete", "channel": channel}
        settings["max_deletes"] = "10"
        came = push(sandbox, messages(users=rows), **settings)
        assert came.words == ["updated"] * 2, came.reasons
        assert accounts_of(sandbox, "u") == accounts_of(sandbox, "v") == {"b"}
        assert push(sandbox, messages(users=rows), **settings).words == ["unchanged"] * 2
        # Another run in which the same process knows that updates only add.
        assert came.states == [{"end": True}]


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("first", ["users", "user_accounts"])
def test_what_a_row_of_links_names_is_not_unlinked(
    sandbox: Sandbox, size: int, first: str, *, dry_run: bool
) -> None:
    add_user(sandbox, "u", "a", "b")
    said = {
        "users": [{"externalId": "u", "accountExternalIds": ["b"]}],
        "user_accounts": [link(account="a")],
    }
    said = {first: said.pop(first), **said}
    streams: Row = {"users": {"links": "exact"}}
    settings: Row = {"streams": streams, "deletes": "delete", "batch_size_rows": size}
    came = push(sandbox, messages(**said), dry_run=dry_run, **settings)
    assert came.words == ["unchanged"] * 2, came.reasons
    assert accounts_of(sandbox) == {"a", "b"}
    said["user_accounts"] = [link(account="a", _deleted=True)]
    came = push(sandbox, messages(**said), **settings)
    assert came.failure == ""
    assert accounts_of(sandbox) == {"b"}


def test_exact_links_over_the_cap_are_rejected_whole(sandbox: Sandbox) -> None:
    add_user(sandbox, "u", "a", "b")
    rows = [{"externalId": "u", "name": "New", "accountExternalIds": ["b"]}]
    settings: Row = {"streams": {"users": {"links": "exact"}}, "deletes": "delete"}
    came = push(sandbox, messages(users=rows), **settings, max_deletes="0")
    assert came.words == ["rejected"]
    assert accounts_of(sandbox) == {"a", "b"}


@pytest.mark.parametrize("done", [True, False])
def test_lost_answers_of_links(sandbox: Sandbox, *, done: bool) -> None:
    add_user(sandbox, "u", "a")
    sandbox.faults.append(Fault("reset_before", BATCH, times=2, done=done))
    came = put(sandbox, link(account="b"), link(_deleted=True), deletes="delete")
    assert came.words == ["created", "deleted"]
    assert accounts_of(sandbox) == {"b"}


def test_what_is_counted_before_a_first_push_is_written_after_it(sandbox: Sandbox) -> None:
    for n in range(5):
        add_user(sandbox, f"u{n}", "a")
    rows = [link(f"u{n}") for n in range(5)]
    came = put(sandbox, *rows, link("u1", "b"), first_push=False)
    assert came.words == ["unchanged"] * 5 + ["created"]
    assert accounts_of(sandbox, "u1") == {"a", "b"}
    refused = put(sandbox, *(link(f"u{n}", "b") for n in range(5)), first_push=False)
    assert refused.words == ["rejected", "unchanged", "rejected", "rejected", "rejected"]


def test_ids_of_vitally_name_users_and_accounts_too(sandbox: Sandbox) -> None:
    for n in range(60):
        add_user(sandbox, f"u{n}")
    (account, _) = sandbox.world.ids("accounts")
    rows = [{"userId": id_, "accountId": account} for id_ in sandbox.world.ids("users")]
    assert put(sandbox, *rows).words == ["created"] * 60
    assert len(sandbox.requests) < 12
    unknown = {"userId": account, "accountId": account}
    assert put(sandbox, unknown).words == ["rejected"]
    assert len(sandbox.world.tables["users"].rows) == 60


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize("path", ["users*", "accounts*"])
def test_an_undo_of_a_link_whose_ends_are_not_shown_is_rejected(
    tmp_path: Path, path: str, status: int
) -> None:
    undo = tmp_path / "undo.jsonl"
    with workspace() as sandbox:
        add_user(sandbox, "u", "b")
        assert put(sandbox, link(), undo_file=str(undo)).words == ["created"]
        sandbox.faults.append(Fault("status", path, method="GET", status=status))
        found = push(sandbox, undo.read_text(), channel="rest")
        assert found.words == ["rejected"]
        assert str(status) in found.reasons
        assert accounts_of(sandbox) == {"a", "b"}
        sandbox.faults.clear()
        assert push(sandbox, undo.read_text(), channel="rest").words == ["deleted"]
        assert accounts_of(sandbox) == {"b"}
