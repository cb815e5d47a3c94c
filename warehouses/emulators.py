"""Emulators of warehouses: started on loopback, filled as a loader would, read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.support import ROOT
from tests.dbt.warehouses import SCHEMAS, Warehouse

HERE = Path(__file__).parent
RAW = "raw"
"""The schema of the loader's tables."""


@dataclass(frozen=True)
class Column:
    """A column of a table that a loader has made."""

    name: str
    """As the tap calls it: createdAt."""
    type: str
    """What DuckDB calls its type."""
    is_array: bool

    @property
    def quoted(self) -> str:
        """What DuckDB calls it."""
        return f'"{self.name.lower()}"'


Tables = Mapping[tuple[str, str], Sequence[Column]]
"""By schema and name."""
Values = Mapping[str, tuple[str, str]]
"""The type of a column and the SQL of DuckDB that fills it, by the type in DuckDB or `array`."""


@dataclass(frozen=True)
class Layout:
    """How a loader lays out tables in a kind of warehouse."""

    warehouse: str
    """Which one: snowflake or bigquery."""
    values: Values
    named: Callable[[str], str] = str
    """What it calls a property."""
    records: str = ""
    """The type of the column `data`, if that holds whole records as JSON."""
    quote: str = '"'
    home: str = "{}.{}"
    """Where DuckDB finds the table of a schema in the emulator."""

    def tables(self, file: Path, tables: Tables) -> dict[str, Any]:
        """Return what an emulator needs to have the tables of a file of DuckDB."""
        create = [f"CREATE SCHEMA {schema}" for schema in dict.fromkeys(home for home, _ in tables)]
        fill = []
        for (schema, table), columns in tables.items():
            cells = self._cells(columns)
            made = ", ".join(f"{self.quote}{name}{self.quote} {type_}" for name, type_, _ in cells)
            create.append(f"CREATE TABLE {schema}.{table} ({made})")
            fill.append(
                f"INSERT INTO {self.home.format(schema, table)}"
                f" SELECT {', '.join(value for _, _, value in cells)} FROM load.{schema}.{table}"
            )
        return {"file": str(file), "create": create, "fill": fill}

    def _cells(self, columns: Sequence[Column]) -> list[tuple[str, str, str]]:
        """Return the names of columns, their types and the SQL that fills them."""
        if self.records:
            members = [
                f"'{column.name}', {RECORDED.get(column.type, '{}').format(column.quoted)}"
                for column in columns
                if not column.name.startswith("_")
            ]
            columns = [column for column in columns if column.name.startswith("_")]
            cells = [("data", self.records, f"json_object({', '.join(members)})")]
        else:
            cells = []
        for column in columns:
            kind = "array" if column.is_array and "array" in self.values else column.type
            type_, value = self.values.get(kind, (column.type, "{}"))
            cells.append((self.named(column.name), type_, value.format(column.quoted)))
        return cells


RECORDED = {"TIMESTAMP": "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')"}
"""Values as the tap writes them."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    port: int
    warehouse: Warehouse

    def rows(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Return the columns and the rows of a query."""
        answer = requests.get(
            f"http://127.0.0.1:{self.port}/rows", params={"sql": sql}, timeout=120
        )
        assert answer.ok, f"{sql}\n{answer.text[-2000:]}"
        found = answer.json()
        return [name.lower() for name in found["columns"]], found["rows"]


def environment(name: str) -> Path:
    """Return the folder of the programs of an environment of its own, which `make warehouses` installs."""
    folder = Path(os.environ.get("WAREHOUSES") or ROOT / ".venvs") / name / "bin"
    if not folder.exists():
        pytest.fail(f"There is no {folder}: run these tests with `make warehouses`.")
    return folder


@contextmanager
def emulator(layout: Layout, folder: Path, file: Path, tables: Tables) -> Iterator[Emulator]:
    """Run the emulator of a layout's warehouse, with the tables of a file of DuckDB, until the block ends."""
    name = layout.warehouse
    programs = environment(f"dbt-{name}")
    given = folder / "tables.json"
    given.write_text(json.dumps(layout.tables(file, tables)))
    log = folder / "emulator.log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [programs / "python", HERE / f"{name}_server.py", given],
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as server,
    ):
        assert server.stdout
        port = server.stdout.readline().strip()
        assert port, log.read_text()
        try:
            yield Emulator(
                int(port),
                Warehouse(
                    name,
                    "",
                    {},
                    {"EMULATOR_PORT": port},
                    lambda _sql, _schemas: [],
                    lambda _sql, _rows: None,
                    folder,
                    programs / "dbt",
                    HERE,
                ),
            )
        finally:
            server.terminate()


def qualified(sql: str, schema: str) -> str:
    """Return a query with the schemas of models before their names."""
    homes = {"": SCHEMAS[0], "stg_": SCHEMAS[1], "int_": SCHEMAS[2]}
    return re.sub(
        r"\b((stg_|int_|)vitally__\w+)",
        lambda found: f"dbt_{schema}_{homes[found[2]]}.{found[1]}",
        sql,
    )
