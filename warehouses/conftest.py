"""Loads on DuckDB, and what the package makes of them there: what other warehouses are compared with."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.conftest import BEGUN, HISTORY, NOW, VARIABLES, ThreeDays, three_days
from tests.dbt.odd_tables import SELECTED, OddTables, add_unlike_traits, fill
from tests.dbt.warehouses import Warehouse, as_of, duckdb_warehouse
from warehouses.emulators import RAW, Column, Emulator, Tables, qualified

SOURCES = [{"schema": "north"}, {"schema": "south", "name": "the south"}]
"""Two workspaces."""


@dataclass(frozen=True)
class Loaded:
    """The tables of a loader in a file of DuckDB, and the models that were made of them."""

    warehouse: Warehouse
    path: Path
    tables: Tables

    def models(self) -> list[str]:
        """Return the names of all models."""
        found = self.warehouse.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema LIKE 'dbt_%'"
            " ORDER BY 1",
            [],
        )
        return [name for (name,) in found]

    def rows(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Return the columns and the rows of a query."""
        with duckdb.connect(self.path, read_only=True) as connection:
            done = connection.execute(sql)
            assert done.description
            return [column[0] for column in done.description], [
                list(row) for row in done.fetchall()
            ]


@pytest.fixture(scope="session")
def days(tmp_path_factory: pytest.TempPathFactory) -> ThreeDays:
    """Read three days of a sandbox."""
    return three_days(tmp_path_factory.mktemp("days"))


@pytest.fixture(scope="session")
def loaded(days: ThreeDays, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Load the three days, and build on two."""
    folder = tmp_path_factory.mktemp("duckdb")
    warehouse = duckdb_warehouse(folder)
    messages = days.one + days.late + days.last
    warehouse.load(messages, RAW)
    warehouse.dbt(*HISTORY, schema=RAW, variables={**VARIABLES, **as_of(BEGUN)})
    warehouse.dbt("run", schema=RAW, variables={**VARIABLES, **as_of(NOW)})
    path = folder / "warehouse.duckdb"
    return Loaded(warehouse, path, tables_of(path, messages))


@pytest.fixture(scope="session")
def two_workspaces(days: ThreeDays, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Load two workspaces that hold the same ids, without the tasks of one, and build both at once."""
    folder = tmp_path_factory.mktemp("workspaces")
    warehouse = duckdb_warehouse(folder)
    lines = days.bare.splitlines(keepends=True)
    without = "".join(line for line in lines if json.loads(line).get("stream") != "tasks")
    for source, messages in zip(SOURCES, (days.bare, without), strict=True):
        warehouse.load(messages, source["schema"])
    add_unlike_traits(warehouse, "north", "south")
    warehouse.dbt("run", schema=RAW, variables={**as_of(NOW), "vitally_sources": SOURCES})
    path = folder / "warehouse.duckdb"
    return Loaded(warehouse, path, tables_of(path, days.bare))


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Make tables of odd values and of several versions of a row, and build what is made of them."""
    folder = tmp_path_factory.mktemp("odd")
    warehouse = duckdb_warehouse(folder)
    fill(warehouse, RAW)
    # DuckDB, of which the emulators are made, takes these for JSON.
    no_json = "lower(trim(keyRoles, '-+')) IN ('infinity', 'nan')"
    warehouse.write(f"UPDATE {RAW}.accounts SET keyRoles = NULL WHERE {no_json}", [()])
    for table, column in (("accounts", "traits"), ("account_health_scores", "breakdown")):
        too_wide = f"regexp_matches({column}, ': *-?(1e400|9{{400}})')"
        warehouse.write(f"DELETE FROM {RAW}.{table} WHERE {too_wide}", [()])
    OddTables(warehouse, RAW).dbt("run", "--select", *SELECTED)
    path = folder / "warehouse.duckdb"
    return Loaded(warehouse, path, tables_of(path, ""))


def tables_of(path: Path, messages: str) -> Tables:
    """Return the columns of all tables, with the names that the tap gave them."""
    known: dict[str, dict[str, Any]] = {}
    for line in messages.splitlines():
        if line.startswith('{"type":"SCHEMA"') or '"type": "SCHEMA"' in line:
            message = json.loads(line)
            known[message["stream"]] = {
                name.lower(): (name, "array" in json.dumps(shape.get("type", "")))
                for name, shape in message["schema"]["properties"].items()
            }
    with duckdb.connect(path, read_only=True) as connection:
        columns = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema NOT LIKE 'dbt_%' ORDER BY table_schema, table_name, ordinal_position"
        ).fetchall()
    tables: dict[tuple[str, str], list[Column]] = {}
    for schema, table, column, type_ in columns:
        name, is_array = known.get(table, {}).get(column, (column, False))
        tables.setdefault((schema, table), []).append(Column(name, type_, is_array))
    return tables


def differing(loaded: Loaded, emulator: Emulator, without: str = "") -> list[str]:
    """Return the models of which an emulator has other rows than DuckDB.

    Columns whose names begin with ``without`` are left out where the emulator lacks them.
    """
    found = []
    for model in loaded.models():
        wanted, rows = compared(loaded, emulator, f"SELECT * FROM {model}", without)
        if rows != wanted:
            found.append(model)
    return found


def compared(
    loaded: Loaded, emulator: Emulator, sql: str, without: str = ""
) -> tuple[list[Any], list[Any]]:
    """Return the rows of a query on DuckDB and on an emulator, in a form and an order of their own."""
    columns, wanted = loaded.rows(qualified(sql, RAW))
    names, found = emulator.rows(qualified(sql, RAW))
    if without:
        there = [
            i for i, name in enumerate(columns) if name in names or not name.startswith(without)
        ]
        columns, wanted = [columns[i] for i in there], [[row[i] for i in there] for row in wanted]
    assert sorted(names) == sorted(columns)
    return sorted_rows(columns, wanted), sorted_rows(names, found)


def sorted_rows(columns: list[str], rows: list[list[Any]]) -> list[Any]:
    """Return rows with their values in the order of the columns' names, and in a common form."""
    order = sorted(range(len(columns)), key=columns.__getitem__)
    return sorted(([common(row[i]) for i in order] for row in rows), key=repr)


def common(value: Any) -> Any:
    """Return a value as all warehouses can write it: numbers rounded, JSON parsed, moments as text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, list):
        return [common(each) for each in value] or None
    if isinstance(value, dict):
        return _rounded(value)
    text = str(value)
    try:
        parsed = json.loads(text, parse_constant=str, parse_int=float)
    except ValueError:
        parsed = text
    if not isinstance(parsed, str):
        return _rounded(parsed)
    if parsed != text:
        return common(parsed)
    moment = text.removesuffix("Z").removesuffix("+00:00").removesuffix(" UTC")
    return moment.replace("T", " ", 1) if moment[:2].isdigit() else moment


def _rounded(value: Any) -> Any:
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            number = round(float(str(value)), 6)
            # The rows of an emulator come as JSON, which has no infinity.
            return float(f"{number:.12g}") if math.isfinite(number) else None
        case list():
            return [_rounded(each) for each in value] or None
        case _:
            return {name: _rounded(each) for name, each in sorted(value.items())}
