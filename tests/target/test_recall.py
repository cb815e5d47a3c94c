"""Deletes are taken back by the record that a later row wants, however either names it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from harness.target import Row, messages, schema, write
from harness.workspace import Workspace

USER: dict[str, Row] = {
    "id": {},
    "externalId": {"externalId": "k"},
    "email": {"email": "Uma@example.com"},
}
STREAMS = {
    "id": {"resource": "users", "match": "id"},
    "externalId": {"resource": "users"},
    "email": {"resource": "users", "match": "email"},
}
PAIRS = list(itertools.permutations(USER, 2))


def said(*rows: tuple[str, Row]) -> list[Row]:
    """Put rows of several streams one after the other."""
    found: list[Row] = []
    for stream, row in rows:
        found += [schema(stream, [row]), {"type": "RECORD", "stream": stream, "record": row}]
    return found


@pytest.fixture
def uma(here: Workspace) -> Row:
    """Somebody who may be named in three ways."""
    account = here.put("accounts", externalId="a", name="A")
    return here.put(
        "users", externalId="k", email="uma@example.com", name="U", accountIds=[account["id"]]
    )


def named(uma: Row, by: str) -> Row:
    return {"id": uma["id"]} if by == "id" else USER[by]


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(("deletes", "wants"), PAIRS)
def test_a_record_that_a_later_row_wants_stays(
    here: Workspace, uma: Row, deletes: str, wants: str, size: int
) -> None:
    rows = (
        (deletes, {**named(uma, deletes), "_deleted": True}),
        (wants, {**named(uma, wants), "name": "new"}),
    )
    found = write(here, said(*rows), streams=STREAMS, deletes="delete", batch_size_rows=size)
    assert found.words == ["unchanged", "updated"]
    assert [row["name"] for row in here.rows("users")] == ["new"]
    assert all(method != "DELETE" for method, _ in here.writes())


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(("deletes", "wants"), PAIRS)
def test_a_record_that_the_last_row_deletes_goes(
    here: Workspace, uma: Row, deletes: str, wants: str, size: int
) -> None:
    rows: tuple[tuple[str, Row], ...] = (
        (deletes, {**named(uma, deletes), "_deleted": True}),
        (wants, {**named(uma, wants), "name": "new"}),
        (deletes, {**named(uma, deletes), "_deleted": True}),
    )
    found = write(here, said(*rows), streams=STREAMS, deletes="delete", batch_size_rows=size)
    assert found.words[-1] == "deleted"
    assert here.rows("users") == []


@pytest.mark.parametrize("size", [1, 100])
def test_a_record_that_is_deleted_twice_counts_once(here: Workspace, uma: Row, size: int) -> None:
    rows = tuple((by, {**named(uma, by), "_deleted": True}) for by in USER)
    found = write(
        here, said(*rows), streams=STREAMS, deletes="delete", batch_size_rows=size, max_deletes=1
    )
    assert found.words == ["deleted"] * 3
    assert sum(method == "DELETE" for method, _ in here.writes()) == 1


@pytest.mark.parametrize("size", [1, 100])
def test_a_row_that_only_updates_wants_nothing_that_is_deleted(
    here: Workspace, uma: Row, size: int
) -> None:
    streams = {**STREAMS, "externalId": {"resource": "users", "mode": "update"}}
    rows: tuple[tuple[str, Row], ...] = (
        ("id", {"id": uma["id"], "_deleted": True}),
        ("externalId", {"externalId": "k", "name": "new"}),
    )
    write(here, said(*rows), streams=streams, deletes="delete", batch_size_rows=size)
    assert here.rows("users") == []


@pytest.mark.parametrize("size", [1, 100])
def test_a_row_that_is_rejected_wants_its_record_all_the_same(
    here: Workspace, uma: Row, size: int
) -> None:
    rows: tuple[tuple[str, Row], ...] = (
        ("id", {"id": uma["id"], "_deleted": True}),
        ("externalId", {"externalId": "k", "accountExternalId": "nowhere"}),
    )
    found = write(here, said(*rows), streams=STREAMS, deletes="delete", batch_size_rows=size)
    assert found.words == ["unchanged", "rejected"]
    assert len(here.rows("users")) == 1


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("by", ["id", "trait"])
def test_projects_are_wanted_by_a_trait_and_by_an_id(here: Workspace, by: str, size: int) -> None:
    account = here.put("accounts", externalId="a", name="A")
    template = here.rows("projectTemplates")[0]["id"]
    project = here.put(
        "projects",
        name="P",
        templateId=template,
        accountId=account["id"],
        traits={"vitally.custom.key": 4711},
    )
    streams: dict[str, Any] = {
        "id": {"resource": "projects", "match": "id"},
        "trait": {
            "resource": "projects",
            "match": "trait:vitally.custom.key",
            "traits": {"vitally.custom.key": "no"},
        },
    }
    names: dict[str, Row] = {"id": {"id": project["id"]}, "trait": {"no": "4711"}}
    other = "trait" if by == "id" else "id"
    rows = (
        (by, {**names[by], "_deleted": True}),
        (other, {**names[other], "name": "new"}),
    )
    write(here, said(*rows), streams=streams, deletes="delete", batch_size_rows=size)
    kept = here.rows("projects")
    assert [(row["name"], row["archivedAt"]) for row in kept] == [("new", None)]


# Rows that only update


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_stream_of_which_no_row_matched_fails(here: Workspace, *, dry_run: bool) -> None:
    here.put("accounts", externalId="a", name="A")
    none = [{"externalId": name, "name": "N"} for name in ("x", "y")]
    some = [{"externalId": "a", "name": "N"}, {"externalId": "z", "name": "N"}]
    streams = {name: {"resource": "accounts", "mode": "update"} for name in ("none", "some")}
    found = write(here, messages(none=none, some=some), streams=streams, dry_run=dry_run)
    assert found.words == ["ignored", "ignored", "updated", "ignored"]
    assert "no record has this externalId" in found.reasons
    assert "Of none no row matched a record" in found.failure
    assert write(here, messages(some=some), streams=streams).failure == ""


def test_rows_without_a_key_match_nothing(here: Workspace) -> None:
    found = write(here, messages(accounts=[{"name": "N"}]), mode="update")
    assert found.words == ["ignored"]
    assert "no record has this key: the row has none" in found.reasons
    assert "no row matched" in found.failure


def test_what_is_ignored_for_another_reason_is_no_failure(here: Workspace) -> None:
    rows: list[Row] = [{"externalId": "x", "_deleted": True}]
    assert write(here, messages(accounts=rows), mode="update").failure == ""
    assert write(here, messages(accounts=rows), mode="delete", deletes="delete").failure == ""
