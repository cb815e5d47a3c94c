"""Links: what rows name is added and united; what none of them names is unlinked where that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.target import Outcome, Row, messages, schema, write
from harness.workspace import Workspace
from target_vitally.mapping.items import unite

EXACT = {"users": {"links": "exact"}}
NAMES = ("a-1", "a-2", "a-3", "a-4")


@pytest.fixture
def full(here: Workspace) -> Workspace:
    """A workspace with accounts and organizations."""
    for name in NAMES:
        here.put("accounts", externalId=name, name=name)
        here.put("organizations", externalId=name.replace("a", "o"), name=name)
    return here


def ids(here: Workspace, *names: str, table: str = "accounts") -> list[str]:
    """Return the ids of accounts."""
    return [r["id"] for n in names for r in here.rows(table) if r["externalId"] == n]


def linked(here: Workspace, name: str = "u") -> set[str]:
    """Return the external ids of the accounts of a user."""
    user = next(row for row in here.rows("users") if row["externalId"] == name)
    return {r["externalId"] for r in here.rows("accounts") if r["id"] in user["accountIds"]}


def twice(here: Workspace, rows: list[Row], **settings: Any) -> Outcome:
    """Write rows, and see that a second run has nothing to write."""
    first = write(here, messages(users=rows), **settings)
    here.log.clear()
    again = write(here, messages(users=rows), **settings)
    assert here.writes() == []
    assert set(again.words) == {"unchanged"}, again
    return first


@pytest.mark.parametrize("server", ["replace", "add"])
@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("before", [(), ("a-4",), ("a-1", "a-4"), NAMES])
def test_rows_that_each_name_one_link_are_united(
    open_workspace: Callable[..., Workspace], before: tuple[str, ...], size: int, server: str
) -> None:
    here = open_workspace(links=server)
    for name in NAMES:
        here.put("accounts", externalId=name, name=name)
    if before:
        here.put("users", externalId="u", accountIds=ids(here, *before))
    rows = [{"externalId": "u", "accountExternalId": name} for name in NAMES[:3]]
    twice(here, rows, batch_size_rows=size)
    assert linked(here) == {*NAMES[:3], *before}


def test_every_column_may_name_a_link_in_one_row_or_in_several(full: Workspace) -> None:
    full.put("users", externalId="u", accountIds=ids(full, "a-4"))
    named = {
        "accountExternalId": "a-1",
        "accountIds": ids(full, "a-2", "a-1"),
        "accountExternalIds": '["a-3"]',
    }
    rows = [
        {"externalId": "u", **{n: named[n] if n == only else None for n in named}} for only in named
    ]
    twice(full, rows)
    assert linked(full) == set(NAMES)
    twice(full, [{"externalId": "v", **named}])
    assert linked(full, "v") == {"a-1", "a-2", "a-3"}
    organizations = {
        "organizationExternalId": "o-1",
        "organizationIds": ids(full, "o-2", table="organizations"),
    }
    twice(full, [{"externalId": "u", name: value} for name, value in organizations.items()])
    user = next(row for row in full.rows("users") if row["externalId"] == "u")
    assert set(user["organizationIds"]) == set(ids(full, "o-1", "o-2", table="organizations"))
    assert linked(full) == set(NAMES)


def test_a_link_that_was_made_meanwhile_stays(full: Workspace) -> None:
    user = full.put("users", externalId="u", accountIds=ids(full, "a-1"))

    def meanwhile(method: str, path: str, _count: int) -> str:
        if method == "GET" and path == "accounts/a-2":
            user["accountIds"] = ids(full, "a-1", "a-3")
        return ""

    write(full, messages(users=[{"externalId": "u", "accountExternalId": "a-1"}]))
    full.fault = meanwhile
    said = messages(
        users=[{"externalId": "u", "name": "x"}, {"externalId": "u", "accountExternalId": "a-2"}]
    )
    write(full, said, batch_size_rows=1)
    assert linked(full) == {"a-1", "a-2", "a-3"}


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_exact_unlinks_what_no_row_names(full: Workspace, size: int) -> None:
    for name in ("u", "v"):
        full.put("users", externalId=name, name="old", accountIds=ids(full, *NAMES))
    rows: list[Row] = [
        {"externalId": "u", "accountExternalId": "a-1", "name": "last"},
        {"externalId": "v", "accountExternalId": "a-4", "name": "other"},
        {"externalId": "u", "accountExternalId": "a-3", "name": "last"},
    ]
    settings: dict[str, Any] = {"streams": EXACT, "deletes": "delete", "batch_size_rows": size}
    plan = write(full, messages(users=rows), dry_run=True, **settings)
    assert (full.writes(), plan.failure) == ([], "")
    assert set(plan.words) <= {"updated", "unchanged"}
    gone = [line.get("changes", {}).get("unlinked accountIds") for line in plan.results]
    assert {"old": ids(full, "a-2", "a-4"), "new": []} in gone
    first = twice(full, rows, **settings)
    assert set(first.words) <= {"updated", "unchanged"}
    assert (linked(full), linked(full, "v")) == ({"a-1", "a-3"}, {"a-4"})
    assert {row["name"] for row in full.rows("users")} == {"last", "other"}


def test_exact_unites_rows_of_one_record_by_another_key(full: Workspace) -> None:
    full.put("users", externalId="u", email="u@example.com", accountIds=ids(full, *NAMES))
    streams = {**EXACT, "mail": {"resource": "users", "match": "email", "links": "exact"}}
    said = messages(
        users=[{"externalId": "u", "accountExternalId": "a-1"}],
        mail=[{"email": "u@example.com", "accountExternalId": "a-2"}],
    )
    write(full, said, streams=streams, deletes="delete", batch_size_rows=1)
    assert linked(full) == {"a-1", "a-2"}


def test_exact_without_deletes_adds_and_says_so_once(
    full: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    full.put("users", externalId="u", accountIds=ids(full, "a-1"))
    rows = [{"externalId": "u", "accountExternalId": name} for name in ("a-2", "a-3")]
    write(full, messages(users=rows), streams=EXACT, batch_size_rows=1)
    assert linked(full) == {"a-1", "a-2", "a-3"}
    assert caplog.text.count("nothing is unlinked") == 1


def test_over_the_cap_a_row_that_unlinks_is_rejected_whole(full: Workspace) -> None:
    for name in ("u", "v", "w"):
        full.put("users", externalId=name, name="old", accountIds=ids(full, "a-1", "a-2"))
    rows: list[Row] = [
        {"externalId": "u", "accountExternalId": "a-1", "name": "new"},
        {"externalId": "v", "accountExternalIds": ["a-1", "a-2", "a-3"], "name": "new"},
        {"externalId": "w", "accountExternalId": None, "name": "new", "_deleted": True},
    ]
    settings: dict[str, Any] = {"streams": EXACT, "deletes": "delete"}
    for dry in (True, False):
        found = write(full, messages(users=rows), max_deletes=1, dry_run=dry, **settings)
        assert found.words == ["rejected", "updated", "rejected"]
        assert "max_deletes is 1" in found.failure
    assert [row["name"] for row in full.rows("users")] == ["old", "new", "old"]
    assert linked(full) == {"a-1", "a-2"}
    assert write(full, messages(users=rows), max_deletes=2, **settings).words == [
        "updated",
        "unchanged",
        "deleted",
    ]
    assert linked(full) == {"a-1"}


def test_where_vitally_only_adds_exact_says_so_once(
    open_workspace: Callable[..., Workspace], caplog: pytest.LogCaptureFixture
) -> None:
    here = open_workspace(links="add")
    for name in NAMES:
        here.put("accounts", externalId=name, name=name)
    for name in ("u", "v"):
        here.put("users", externalId=name, accountIds=ids(here, "a-1", "a-2"))
    rows = [{"externalId": name, "accountExternalId": "a-1"} for name in ("u", "v")]
    write(here, messages(users=rows), streams=EXACT, deletes="delete", concurrency=1)
    assert caplog.text.count("did not take accountIds") == 1
    assert len(here.writes()) == 1


@pytest.mark.parametrize("exact", [False, True])
def test_participants_are_links_too(here: Workspace, *, exact: bool) -> None:
    here.put(
        "meetings",
        externalId="m",
        title="QBR",
        participants=[{"id": "p", "email": "old@example.com"}],
    )
    rows: list[Row] = [
        {"externalId": "m", "participants": [{"email": mail}]}
        for mail in ("one@example.com", "two@example.com", "ONE@example.com")
    ]
    streams = {"meetings": {"links": "exact" if exact else "add"}}
    said = messages(meetings=rows)
    for size in (1, 1000):
        write(here, said, streams=streams, deletes="delete", batch_size_rows=size)
        come = sorted(p["email"].lower() for p in here.rows("meetings")[0]["participants"])
        assert come == [
            *([] if exact else ["old@example.com"]),
            "one@example.com",
            "two@example.com",
        ]
    here.log.clear()
    write(here, said, streams=streams, deletes="delete")
    assert here.writes() == []


def test_messages_of_a_conversation_may_come_in_rows(here: Workspace) -> None:
    here.put("users", externalId="u", email="u@example.com")
    rows: list[Row] = [
        {
            "externalId": "c",
            "subject": "Log-in",
            "messages": [
                {
                    "externalId": f"m-{n}",
                    "message": "<p>Hello</p>",
                    "timestamp": "2026-01-02T09:00:00Z",
                    "from": {"type": "user", "externalId": "u"},
                    "to": [{"email": "ada@example.com"}],
                }
            ],
        }
        for n in range(3)
    ]
    write(here, messages(conversations=rows))
    assert [row["externalId"] for row in here.rows("messages")] == ["m-0", "m-1", "m-2"]
    here.log.clear()
    write(here, messages(conversations=rows))
    assert here.writes() == []


def test_a_table_of_links_has_a_key_that_is_wider(full: Workspace) -> None:
    full.put("users", externalId="u", accountIds=ids(full, "a-4"))
    streams = {
        "members": {
            "resource": "users",
            "properties": {"externalId": "user_no", "accountExternalId": "account_no"},
        }
    }
    rows: list[Row] = [
        {"user_no": "u", "account_no": name, "_deleted": None} for name in ("a-1", "a-2")
    ]
    rows.append({"user_no": "u", "account_no": "a-3", "_deleted": True})
    said = [schema("members", rows, ["user_no", "account_no"])]
    said += [{"type": "RECORD", "stream": "members", "record": row} for row in rows]
    found = write(full, said, streams=streams, deletes="delete")
    assert found.words == ["updated", "updated", "ignored"], found
    assert linked(full) == {"a-1", "a-2", "a-4"}


def test_resources_without_links_refuse_exact(here: Workspace) -> None:
    found = write(
        here,
        messages(accounts=[{"externalId": "a", "name": "A"}]),
        streams={"accounts": {"links": "exact"}},
    )
    assert "have no links" in found.failure
    assert here.log == []


PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["a@x", "A@x", "b@x"]),
        "userId": st.sampled_from("12"),
        "n": st.integers(0, 2),
    },
)


@example(
    [{"email": "b@x"}, {"email": "a@x", "userId": "1"}],
    [{"email": "b@x", "userId": "1"}, {"email": "b@x"}],
)
@given(st.lists(PEOPLE, max_size=5), st.lists(PEOPLE, max_size=5))
def test_who_is_united_is_there_once_and_last(first: list[Row], then: list[Row]) -> None:
    united = unite(first, then)
    assert unite(united, ()) == united or len(united) < len(first) + len(then)
    for person in then[-1:]:
        assert person in united
    texts = [json.dumps(person, sort_keys=True) for person in united]
    assert len(texts) == len(set(texts))


def test_one_row_of_a_key_that_cannot_be_written_stops_no_other(full: Workspace) -> None:
    rows: list[Row] = [{"externalId": "u", "accountExternalId": n} for n in ("a-1", "none", "a-3")]
    for outcome in ("created", "unchanged"):
        found = write(full, messages(users=rows))
        assert found.words[0] == outcome
        assert found.words[1] == "rejected"
        assert linked(full) == {"a-1", "a-3"}
    assert found.words == ["unchanged", "rejected", "unchanged"]


@pytest.mark.parametrize("size", [1, 1000])
def test_exact_spares_what_a_rejected_row_may_have_named(full: Workspace, size: int) -> None:
    for name in ("u", "v"):
        full.put("users", externalId=name, accountIds=ids(full, "a-1", "a-2", "a-4"))
    rows: list[Row] = [
        {"externalId": "u", "accountExternalId": "a-1", "joinDate": "2026-01-01"},
        {"externalId": "u", "accountExternalId": "a-2", "joinDate": "soon"},
        {"externalId": "v", "accountExternalId": "a-1", "joinDate": "2026-01-01"},
    ]
    found = write(full, messages(users=rows), streams=EXACT, deletes="delete", batch_size_rows=size)
    assert found.words == ["updated", "rejected", "updated"]
    assert linked(full) == {"a-1", "a-2", "a-4"}
    assert linked(full, "v") == {"a-1"}


@pytest.mark.parametrize("columns", [{}, {"unknown": "traits"}])
def test_a_table_of_many_links_is_read_in_one_go(full: Workspace, columns: Row) -> None:
    many = [f"m-{n}" for n in range(2000)]
    for name in many:
        full.put("accounts", externalId=name, name=name)
    rows: list[Row] = [{"externalId": "u", "accountExternalId": name} for name in many]
    write(full, messages(users=rows), streams={"users": {"resource": "users", **columns}})
    assert linked(full) == set(many)
    assert len(full.writes()) == 1


@pytest.mark.parametrize("exact", [False, True])
def test_a_run_that_dies_begins_again_with_every_link(full: Workspace, *, exact: bool) -> None:
    """After a STATE between two rows of one user, the second alone would unlink what the first named."""
    full.put("users", externalId="u", accountIds=ids(full, "a-4"))
    rows: list[Row] = [{"externalId": "u", "accountExternalId": n} for n in ("a-1", "a-2")]
    said = messages(accounts=[{"externalId": "a-1", "name": "a-1"}], users=rows)
    records = [i for i, message in enumerate(said) if message["type"] == "RECORD"]
    for number, place in enumerate(reversed(records)):
        said.insert(place + 1, {"type": "STATE", "value": len(records) - number})
    full.fault = lambda _method, path, _count: "cut" if path == "accounts/a-2" else ""
    settings: dict[str, Any] = {"deletes": "delete", "batch_size_rows": 1}
    streams = EXACT if exact else {}
    died = write(full, said, streams=streams, **settings)
    assert died.failure
    assert died.states[-1] == (1 if exact else 2)
    full.fault = lambda _method, _path, _count: ""
    assert write(full, said, streams=streams, **settings).states[-1] == {"end": True}
    assert linked(full) == {"a-1", "a-2"} | (set() if exact else {"a-4"})


def test_an_instance_of_several_accounts_is_linked_to_each_of_them(full: Workspace) -> None:
    deal = full.put("customObjects", name="deal", label="Deal", writeMode="writable")
    first, second = ids(full, "a-1", "a-2")
    full.put(
        "instances",
        externalId="i",
        name="Renewal",
        customObjectId=deal["id"],
        customerId=first,
        customers=[{"id": first, "traits": {}}, {"id": second, "traits": {}}],
    )
    rows: list[Row] = [
        {"externalId": "i", "customObjectName": "deal", "name": "Renewal", "accountExternalId": n}
        for n in ("a-1", "a-2", "a-3")
    ]
    words = [
        write(full, messages(custom_object_instances=[row])).words
        for row in (rows[1], rows[0], rows[2])
    ]
    assert words == [["unchanged"], ["unchanged"], ["updated"]]
