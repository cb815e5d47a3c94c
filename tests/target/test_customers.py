"""Organizations, accounts and users: created, updated, left alone, deleted, in any order of rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.target import messages, schema, write
from harness.workspace import Workspace

ROWS: dict[str, list[dict[str, Any]]] = {
    "users": [{"external_id": "u1", "email": "u@example.com", "account_external_id": "a1"}],
    "accounts": [
        {
            "externalId": "a1",
            "name": "A",
            "organizationExternalId": "o1",
            "traits": {"plan": "gold", "mrr": 1.5},
        }
    ],
    "organizations": [{"externalId": "o1", "name": "O"}],
}


def test_parents_are_written_first_and_a_second_run_writes_nothing(here: Workspace) -> None:
    first = write(here, messages(**ROWS))
    assert first.words == ["created"] * 3, first
    assert [path for _, path in here.writes()] == ["organizations", "accounts", "users"]
    assert here.rows("users")[0]["accountIds"] == [here.rows("accounts")[0]["id"]]
    assert here.rows("accounts")[0]["organizationId"] == here.rows("organizations")[0]["id"]
    assert first.states == [{"end": True}]
    here.log.clear()
    assert write(here, messages(**ROWS)).words == ["unchanged"] * 3
    assert here.writes() == []


def test_only_what_differs_is_sent(here: Workspace) -> None:
    here.put("accounts", externalId="a1", name="A", traits={"plan": "gold", "seats": 3})
    rows = [{"externalId": "a1", "name": "A", "traits": {"plan": "gold", "seats": 4.0}}]
    assert write(here, messages(accounts=rows)).words == ["updated"]
    assert here.rows("accounts")[0]["traits"] == {"plan": "gold", "seats": 4}
    assert write(here, messages(accounts=rows)).words == ["unchanged"]
    assert write(here, messages(accounts=rows), only_changed=False).words == ["updated"]


def test_nulls_clear_only_where_it_is_asked_for(here: Workspace) -> None:
    here.put("accounts", externalId="a1", name="A", traits={"plan": "gold"})
    rows = [{"externalId": "a1", "traits": {"plan": None}}]
    assert write(here, messages(accounts=rows)).words == ["unchanged"]
    assert write(here, messages(accounts=rows), nulls="clear").words == ["updated"]
    assert here.rows("accounts")[0]["traits"] == {}


def test_a_bad_row_stops_no_other_and_holds_state(here: Workspace) -> None:
    said = [schema("accounts", [{"externalId": 1, "name": 1}])]
    for number, name in enumerate(["good", "poison", "better"]):
        record = {"externalId": str(number), "name": name}
        said.append({"type": "RECORD", "stream": "accounts", "record": record})
        said.append({"type": "STATE", "value": number})
    held = write(here, said)
    assert held.words == ["created", "rejected", "created"]
    assert held.states == [0]
    assert "1 rows were rejected" in held.failure
    repaired = [json.loads(json.dumps(line).replace("poison", "mended")) for line in held.rejects]
    assert repaired[1]["record"]["_rejected"]
    assert write(here, repaired).words == ["created"]
    assert {row["name"] for row in here.rows("accounts")} == {"good", "mended", "better"}


@pytest.mark.parametrize(("allowed", "fails"), [(0, True), (1, False)])
def test_state_goes_on_over_rejected_rows_where_that_is_asked_for(
    here: Workspace, *, allowed: int, fails: bool
) -> None:
    rows = [{"externalId": "1", "name": "poison"}, {"externalId": "2", "name": "good"}]
    found = write(here, messages(accounts=rows), on_reject="continue", max_rejects=allowed)
    assert found.states == [{"end": True}]
    assert bool(found.failure) is fails


def test_the_first_rejected_row_may_stop_the_run(here: Workspace) -> None:
    rows: list[dict[str, Any]] = [
        {"externalId": "1", "name": {"no": "text"}},
        {"externalId": "2", "name": "good"},
    ]
    found = write(here, messages(accounts=rows), on_reject="stop")
    assert found.words == ["rejected", "not reached"]
    assert "on_reject" in found.failure


def test_deletes_are_off_and_capped(here: Workspace) -> None:
    for number in range(3):
        here.put("accounts", externalId=str(number), name="A")
    rows: list[dict[str, Any]] = [
        {"externalId": str(n), "_sdc_deleted_at": "2026-01-01"} for n in range(3)
    ]
    assert write(here, messages(accounts=rows)).words == ["ignored"] * 3
    over = write(here, messages(accounts=rows), deletes="delete", max_deletes=2)
    assert over.words == ["rejected"] * 3
    assert over.states == []
    assert here.writes() == []
    rows.append({"externalId": "gone", "_sdc_deleted_at": None, "_deleted": True})
    assert write(here, messages(accounts=rows), deletes="delete").words == ["deleted"] * 3 + [
        "unchanged"
    ]
    assert here.rows("accounts") == []


def test_a_row_after_its_delete_stays(here: Workspace) -> None:
    here.put("accounts", externalId="1", name="old")
    rows = [
        {"externalId": "1", "name": "new", "_deleted": True},
        {"externalId": "2", "name": "other", "_deleted": False},
        {"externalId": "1", "name": "newest", "_deleted": False},
    ]
    found = write(here, messages(accounts=rows), deletes="delete", batch_size_rows=1)
    assert found.words == ["updated", "created", "updated"]
    assert [row["name"] for row in here.rows("accounts")] == ["newest", "other"]


def test_a_user_is_found_by_email_and_several_are_refused(here: Workspace) -> None:
    here.put("users", externalId="1", email="one@example.com", name="x", accountIds=[])
    for name in "ab":
        here.put("users", externalId=name, email="two@example.com", name="x", accountIds=[])
    rows = [{"email": "one@example.com", "name": "y"}, {"email": "two@example.com", "name": "y"}]
    streams = {"people": {"resource": "users", "match": "email"}}
    found = write(here, messages(people=rows), streams=streams)
    assert found.words == ["updated", "rejected"]
    assert "2 records have this email" in found.reasons


def test_rows_whose_parent_never_comes_are_rejected(here: Workspace) -> None:
    rows = [{"externalId": "u1", "accountExternalId": "nowhere"}]
    found = write(here, messages(users=rows))
    assert found.words == ["rejected"]
    assert "externalId" in found.reasons


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_children_wait_for_parents_however_small_a_batch_is(here: Workspace, size: int) -> None:
    users = [
        {"externalId": f"u{n}", "accountExternalId": f"a{n}", "name": str(n)} for n in range(5)
    ]
    again = [{"externalId": "u0", "accountExternalId": "a0", "name": "last"}]
    accounts = [{"externalId": f"a{n}", "name": "A"} for n in range(5)]
    said = [*messages(users=users), *messages(users=again), *messages(accounts=accounts)]
    found = write(here, said, batch_size_rows=size)
    assert (
        found.words
        == ["created"] * 5 + (["created"] if size > 5 else ["updated"]) + ["created"] * 5
    )
    assert len(here.rows("users")) == 5
    assert next(r for r in here.rows("users") if r["externalId"] == "u0")["name"] == "last"


def test_a_schema_without_columns_leaves_each_row_to_say_which_it_has(here: Workspace) -> None:
    rows = [
        {"externalId": "a1", "name": "One", "traits": {"plan": "gold"}},
        {"external_id": "a2", "name": "Two"},
        {"externalId": "a3", "name": "Three", "colour": "red"},
        {"externalId": "a1", "traits": {"plan": "silver"}},
    ]
    said: list[dict[str, Any]] = [schema("accounts", [])]
    said += [{"type": "RECORD", "stream": "accounts", "record": row} for row in rows]
    found = write(here, said)
    assert found.words == ["created", "created", "rejected", "created"]
    assert "colour: not in the SCHEMA" in found.reasons
    assert {row["externalId"]: row["name"] for row in here.rows("accounts")} == {
        "a1": "One",
        "a2": "Two",
    }
    assert write(here, said).words == ["unchanged", "unchanged", "rejected", "unchanged"]
