"""Marks of deleted rows: what loaders call them, and what their values say."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.target import Row, messages, schema, write
from harness.workspace import Workspace
from target_vitally.mapping.markers import marks_deletes, says_deleted
from vitally_api.values import InvalidValue

YES = [
    True,
    1,
    1.0,
    Decimal("1.0"),
    "1",
    "1.0",
    "true",
    "TRUE",
    "t",
    "yes",
    "Y",
    " y ",
    "2026-01-31",
]
YES += ["2026-01-31 12:00:00.123+01", "2026-01-31T12:00:00Z", 1769860800, "1769860800000", "d"]
NO = [None, False, 0, 0.0, "", " ", "0", "0.0", "false", "F", "no", "N", "0000-00-00 00:00:00", "u"]
NO += ["9999-12-31T00:00:00+00:00", "9999-12-31T23:59:59.999-05:00"]
UNREADABLE = ["maybe", 2, -1, [], {}, [True], "2026-13-45", "{}", 0.5]


@pytest.mark.parametrize("column", ["_deleted", "_sdc_deleted_at", "_SDC_DELETED_AT", "__deleted"])
@pytest.mark.parametrize(
    ("values", "outcome"), [(YES, "deleted"), (NO, "unchanged"), (UNREADABLE, "rejected")]
)
def test_marks_are_understood_however_they_are_written(
    here: Workspace, column: str, values: list[Any], outcome: str
) -> None:
    rows: list[Row] = []
    for number, value in enumerate(values):
        here.put("accounts", externalId=str(number), name="A")
        held = float(value) if isinstance(value, Decimal) else value
        rows.append({"externalId": str(number), "name": "A", column: held})
    streams = (
        {"accounts": {"resource": "accounts", "deleted": column}} if column == "__deleted" else {}
    )
    found = write(here, messages(accounts=rows), deletes="delete", streams=streams)
    assert found.words == [outcome] * len(rows), found
    assert len(here.rows("accounts")) == (0 if outcome == "deleted" else len(rows))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_mark_is_read_or_refused(value: Any) -> None:
    with suppress(InvalidValue):
        assert says_deleted(value) in {True, False}


LOADERS = [
    "_fivetran_deleted", "__deleted", "_ab_cdc_deleted_at", "is_deleted", "isDeleted", "IS_DELETED",
    "IsDeleted", "deleted", "deleted_at", "deletedAt", "DELETED_AT", "deleted_on", "date_deleted",
    "_airbyte_deleted", "_peerdb_is_deleted", "dbt_is_deleted", "__hevo__marked_deleted", "__op",
]  # fmt: skip


@pytest.mark.parametrize("column", LOADERS)
@pytest.mark.parametrize("unknown", ["fail", "ignore", "traits"])
def test_marks_of_other_loaders_end_the_run_until_they_are_explained(
    here: Workspace, column: str, unknown: str
) -> None:
    here.put("accounts", externalId="a", name="old")
    rows: list[Row] = [{"externalId": "a", "name": "new", column: True}]
    entry: Row = {"resource": "accounts", "unknown": unknown}
    streams = {"accounts": entry}
    refused = write(here, messages(accounts=rows), streams=streams)
    assert column in refused.failure
    assert "deleted: ignore" in refused.failure
    assert (here.log, refused.results) == ([], [])
    entry["deleted"] = "ignore"
    assert write(here, messages(accounts=rows), streams=streams, deletes="delete").words == [
        "updated"
    ]
    assert here.rows("accounts")[0]["traits"] == {}
    entry["deleted"] = column
    assert write(here, messages(accounts=rows), streams=streams).words == ["ignored"]
    assert write(here, messages(accounts=rows), streams=streams, deletes="delete").words == [
        "deleted"
    ]


@pytest.mark.parametrize(
    "column", ["deleted_by", "undeleted", "deleted_users", "delete", "archived"]
)
def test_other_columns_are_no_marks(column: str) -> None:
    assert not marks_deletes(column)


def test_a_mark_may_be_written_as_a_trait(here: Workspace) -> None:
    streams = {"accounts": {"resource": "accounts", "traits": {"left": "deleted_at"}}}
    rows: list[Row] = [{"externalId": "a", "name": "A", "deleted_at": "2026-01-31"}]
    assert write(here, messages(accounts=rows), streams=streams).words == ["created"]
    assert here.rows("accounts")[0]["traits"] == {"left": "2026-01-31"}


@pytest.mark.parametrize("unknown", ["fail", "ignore", "traits"])
def test_a_mark_in_a_row_of_a_schema_without_columns_rejects_it(
    here: Workspace, unknown: str
) -> None:
    here.put("accounts", externalId="a", name="old")
    rows: list[Row] = [{"externalId": "a", "name": "new", "is_deleted": True}]
    streams = {"accounts": {"resource": "accounts", "unknown": unknown}}
    open_schema = schema("accounts", [])
    record = {"type": "RECORD", "stream": "accounts", "record": rows[0]}
    found = write(here, [open_schema, record], streams=streams, deletes="delete")
    assert found.words == ["rejected"]
    assert "is_deleted" in found.reasons


def test_marks_of_other_loaders_end_a_copy_too(here: Workspace) -> None:
    row: Row = {
        "externalId": "a",
        "name": "A",
        "_fivetran_deleted": True,
        "trait_is_deleted": False,
    }
    streams = {"accounts": {"resource": "accounts", "copy": True, "unknown": "ignore"}}
    assert "_fivetran_deleted" in write(here, messages(accounts=[row]), streams=streams).failure
