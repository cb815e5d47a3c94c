"""Lists of ids that are short, empty, lost or right: what counts as deleted, and which tests fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from harness.postgres import running_postgres
from harness.support import Row
from tap_vitally.verify import read_held
from tests.dbt.warehouses import SCHEMA, Warehouse, as_of, duckdb_warehouse, postgres_warehouse

pytestmark = pytest.mark.timeout(900)  # the first test waits until all is built on both databases

FIRST = datetime(2026, 3, 1, 2, tzinfo=UTC)
IDS = tuple(f"r{number}" for number in range(10))
TEXT = {"type": ["string", "null"]}
MOMENT = {"type": ["string", "null"], "format": "date-time"}
COLUMNS: Mapping[str, tuple[Row, list[str]]] = {
    "inventory": ({"resource": TEXT, "id": TEXT, "seenAt": MOMENT}, ["resource", "id"]),
    "inventory_runs": (
        {
            "resource": TEXT,
            "startedAt": MOMENT,
            "count": {"type": ["integer", "null"]},
            "suspect": {"type": ["boolean", "null"]},
        },
        ["resource", "startedAt"],
    ),
}
RECORD = {"id": TEXT, "createdAt": MOMENT}
LINKED = (
    "account_enhanced",
    "user_enhanced",
    "conversation_enhanced",
    "project_enhanced",
    "team_member_metrics",
)
"""Models that count what belongs to their rows."""


@dataclass(frozen=True)
class History:
    """The lists of a resource, day by day, and what follows from them."""

    lists: Sequence[Sequence[str]]
    gone: Sequence[str] = ()
    since: int = 0
    """Which of the lists lacked them first."""
    status: str = "whole"
    suspect: int | None = None
    """The list that the tap has marked."""
    held: Sequence[str] = IDS
    """The records in the warehouse."""
    kept: Sequence[str] = IDS
    """The ids in the warehouse's table of them."""
    missing: Sequence[str] = ()


ALL, BUT_ONE, THREE, HALF = IDS, IDS[1:], IDS[:3], IDS[:5]
HISTORIES: Mapping[str, History] = {
    # One record is deleted, and one is younger than the lists.
    "accounts": History([ALL, BUT_ONE, BUT_ONE], gone=["r0"], since=1, held=(*IDS, "young")),
    "organizations": History([ALL, BUT_ONE]),
    "users": History([ALL, ALL, THREE], status="short"),
    "conversations": History([ALL, (), ALL, BUT_ONE, BUT_ONE], gone=["r0"], since=3),
    "notes": History([ALL, THREE, THREE, THREE], status="short"),
    "tasks": History([ALL, ALL], kept=THREE, status="lost"),
    "projects": History([ALL, BUT_ONE, BUT_ONE], suspect=2, status="short"),
    # So many were really deleted: after ten lists there is no doubt.
    "nps_responses": History([ALL, *12 * [HALF]], gone=IDS[5:], since=11),
    "meetings": History([ALL], held=THREE, missing=IDS[3:]),
    # The very first list is cut, and there are records that it lacks.
    "custom_object_instances": History([THREE], status="short"),
}


def moment(day: int) -> str:
    """When the run of a day began, as the tap writes it."""
    return (FIRST + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def messages() -> Iterator[str]:
    """What the tap would have written in all these runs."""
    for stream, (properties, keys) in COLUMNS.items():
        yield schema(stream, properties, keys)
    for stream, history in HISTORIES.items():
        yield schema(stream, RECORD, ["id"])
        for key in history.held:
            created = moment(60) if key == "young" else "2026-01-01T00:00:00.000Z"
            yield record(stream, {"id": key, "createdAt": created})
        seen = {key: moment(day) for day, ids in enumerate(history.lists) for key in ids}
        for key, at in seen.items():
            if key in history.kept:
                yield record("inventory", {"resource": stream, "id": key, "seenAt": at})
        for day, ids in enumerate(history.lists):
            run = {"resource": stream, "startedAt": moment(day), "count": len(ids)}
            yield record("inventory_runs", {**run, "suspect": day == history.suspect})
    yield schema("admins", {"id": TEXT}, ["id"])
    yield record("admins", {"id": "somebody"})


def schema(stream: str, properties: Row, key: list[str]) -> str:
    """A SCHEMA message."""
    described = {"type": "object", "properties": properties}
    message = {"type": "SCHEMA", "stream": stream, "schema": described, "key_properties": key}
    return f"{json.dumps(message)}\n"


def record(stream: str, row: Row) -> str:
    """A RECORD message."""
    return f"{json.dumps({'type': 'RECORD', 'stream': stream, 'record': row})}\n"


@pytest.fixture(scope="module")
def warehouses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Warehouse]]:
    """Both databases with these lists, the models, and what dbt said of the tests."""
    folder = tmp_path_factory.mktemp("lists")
    variables = {**as_of(FIRST + timedelta(days=70)), "vitally__using_inventory": True}
    with running_postgres() as address:
        both = {
            "duckdb": duckdb_warehouse(folder),
            "postgres": postgres_warehouse(folder, address),
        }
        written = "".join(messages())
        lists = [
            "vitally__inventory_health",
            "vitally__missing_records",
            "vitally__deleted_records",
        ]
        chosen = ("--indirect-selection=buildable", "--select", *(f"+{m}" for m in lists))

        def prepare(name: str) -> None:
            both[name].load(written, SCHEMA)
            said = both[name].dbt("build", *chosen, schema=SCHEMA, variables=variables, fails=True)
            both[name].failed = failures(said)
            if name == "duckdb":
                linked = (f"+vitally__{model}" for model in LINKED)
                both[name].dbt("run", "--select", *linked, schema=SCHEMA, variables=variables)

        with ThreadPoolExecutor() as pool:
            list(pool.map(prepare, list(both)))
        older = tmp_path_factory.mktemp("older")
        shutil.copy(folder / "warehouse.duckdb", older)
        both["older"] = duckdb_warehouse(older)
        both["older"].dbt(
            "run",
            *("--select", *(f"+{model}" for model in lists)),
            schema=SCHEMA,
            variables={**variables, "vitally__using_inventory_runs": False},
        )
        yield both


def failures(said: str) -> set[str]:
    """The tests that dbt counts as failed."""
    failed = [
        line.split("Failure in test ")[1] for line in said.splitlines() if "Failure in" in line
    ]
    return {line.split()[0] for line in failed}


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, warehouses: dict[str, Warehouse]) -> Warehouse:
    return warehouses[request.param]


def test_a_record_is_deleted_when_two_right_lists_in_a_row_lack_it(warehouse: Warehouse) -> None:
    found = warehouse.query(
        "SELECT stream_name, record_id, missing_at FROM vitally__deleted_records", SCHEMA
    )
    wanted = {
        (stream, key, (FIRST + timedelta(days=history.since)).replace(tzinfo=None))
        for stream, history in HISTORIES.items()
        for key in history.gone
    }
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_it_is_told_which_lists_are_short_and_which_were_lost(warehouse: Warehouse) -> None:
    found = warehouse.query("SELECT stream_name, status FROM vitally__inventory_health", SCHEMA)
    assert dict(found) == {stream: history.status for stream, history in HISTORIES.items()}


def test_what_the_warehouse_lost_is_named(warehouse: Warehouse) -> None:
    found = warehouse.query("SELECT stream_name, record_id FROM vitally__missing_records", SCHEMA)
    wanted = {(name, key) for name, history in HISTORIES.items() for key in history.missing}
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_these_tests_fail_and_no_model_is_skipped(warehouse: Warehouse) -> None:
    assert warehouse.failed == {
        "vitally__inventory_health_short_list",
        "vitally__inventory_health_lost_ids",
        "vitally__missing_records_none",
    }


def test_without_the_lists_ends_nothing_is_deleted_and_losses_still_show(
    warehouses: dict[str, Warehouse],
) -> None:
    """A list may have been broken off, so that what it lacks may be there."""
    query = warehouses["older"].query
    assert query("SELECT * FROM vitally__deleted_records", SCHEMA) == []
    missing = query("SELECT stream_name, record_id FROM vitally__missing_records", SCHEMA)
    assert set(missing) == {("meetings", key) for key in IDS[3:]}


def test_what_the_warehouse_holds_is_printed_as_verify_reads_it(
    warehouses: dict[str, Warehouse],
) -> None:
    for ids in (True, False):
        asked = json.dumps({"streams": ["accounts", "meetings"], "ids": ids})
        said = warehouses["duckdb"].dbt(
            *("run-operation", "held", "--args", asked), schema=SCHEMA, variables={}
        )
        lines = said[said.index("stream,") :].split()
        held = read_held(lines, {})
        wanted = {"accounts": {*BUT_ONE, "young"}, "meetings": set(THREE)}
        assert held == (wanted if ids else {name: len(found) for name, found in wanted.items()})


@pytest.mark.parametrize("model", LINKED)
def test_where_a_link_is_missing_there_is_no_zero(
    model: str, warehouses: dict[str, Warehouse]
) -> None:
    """The tables are there, and have no property that says what belongs to what."""
    query = warehouses["duckdb"].query
    columns = query(
        f"SELECT column_name FROM information_schema.columns WHERE table_name = 'vitally__{model}'"  # noqa: S608
        f" AND table_schema = 'dbt_{SCHEMA}_vitally'",
        SCHEMA,
    )
    numbers = [name for (name,) in columns if name.endswith("_count") or name == "arr"]
    assert numbers
    rows = query(f"SELECT {', '.join(numbers)} FROM vitally__{model}", SCHEMA)  # noqa: S608
    assert rows
    assert {value for row in rows for value in row} == {None}
