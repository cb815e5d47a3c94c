"""A workspace of odd links, dates and names, on emulators, against a plain recomputation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dbt.loader import VARIABLES, Loader
from tests.dbt.recomputed import Recomputed
from tests.dbt.recomputed_more import MODELS
from tests.dbt.warehouses import as_of, duckdb_warehouse
from tests.dbt.workspace import DAYS, Workspace, make_workspace
from warehouses.conftest import sorted_rows, tables_of
from warehouses.emulators import RAW, Emulator, Tables, emulator, qualified
from warehouses.layouts import TEXT, UPPER

LATER = "later"
"""The schema of the rows that are loaded on the second day."""
LOADS = {"snowflake": (UPPER, True), "bigquery": (TEXT, False)}
"""The layout of the tables, and whether they hold whole records in one column."""


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return make_workspace(seed=20)


@pytest.fixture(scope="module", params=LOADS)
def built(
    request: pytest.FixtureRequest, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """Load and build on two days."""
    layout, is_records = LOADS[request.param]
    folder = tmp_path_factory.mktemp("recomputed")
    path, tables = fill(folder, workspace, is_records=is_records)
    with emulator(layout, folder, path, tables) as running:
        for now in DAYS:
            if now == DAYS[1]:
                append(running, tables)
            running.warehouse.dbt("run", schema=RAW, variables={**VARIABLES, **as_of(now)})
        yield running


def fill(folder: Path, workspace: Workspace, *, is_records: bool) -> tuple[Path, Tables]:
    """Make a file of DuckDB with the rows of the first day in one schema, and of the second in another."""
    warehouse = duckdb_warehouse(folder)
    loader = Loader(is_records=is_records)
    for day in range(len(DAYS)):
        loader.load(warehouse, LATER, workspace, day)
    path = folder / "warehouse.duckdb"
    is_first = "_sdc_sequence = 0" if is_records else f"_airbyte_extracted_at = '{DAYS[0]}'"
    warehouse.write(f"CREATE SCHEMA {RAW}", [()])
    for _, table in tables_of(path, ""):
        later = f"{LATER}.{table}"
        warehouse.write(f"CREATE TABLE {RAW}.{table} AS FROM {later} WHERE {is_first}", [()])
        warehouse.write(f"DELETE FROM {later} WHERE {is_first}", [()])
    return path, tables_of(path, "")


def append(running: Emulator, tables: Tables) -> None:
    """Append the rows of the second day, by SQL of the warehouse."""
    for schema, table in tables:
        if schema == LATER:
            running.rows(f"INSERT INTO {RAW}.{table} SELECT * FROM {LATER}.{table}")


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_what_the_records_say(model: str, built: Emulator, workspace: Workspace) -> None:
    wanted = list(MODELS[model](Recomputed(workspace, 1)))
    columns = list(wanted[0])
    sql = f"SELECT {', '.join(columns)} FROM vitally__{model}"
    found = built.rows(qualified(sql, RAW))
    assert sorted_rows(*found) == sorted_rows(columns, [list(row.values()) for row in wanted])
