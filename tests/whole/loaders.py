"""What loaders make of values, and how to look at what they have written."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import psycopg
import yaml
from psycopg import sql
from psycopg.types.json import set_json_loads

from harness.expectations import Tables
from harness.forked import forked, forked_program
from harness.programs import program
from harness.support import ROOT, Key, Row, catalog, config_for

ENTRIES = {entry["stream"]: entry for entry in catalog()["streams"]}
TARGETS = ("target-jsonl", "target-duckdb", "target-postgres", "target-csv")
DATABASES = ("target-duckdb", "target-postgres")
exact = partial(json.loads, parse_float=Decimal)


def kind(declared: Row) -> str:
    """The type of a property, or its format where that says more."""
    types = declared["type"] if isinstance(declared["type"], list) else [declared["type"]]
    (found,) = set(types) - {"null"}
    return str(declared.get("format", found))


# What each loader makes of a value


def typed(declared: Row, value: Any) -> Any:
    """What a database should give back for a value of a record."""
    match kind(declared):
        case "date-time" if value is not None:
            return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
        case "number" if value is not None:
            return Decimal(value)
    return value


def typed_for_duckdb(declared: Row, value: Any) -> Any:
    """That loader takes its way through CSV, in which empty text and null are the same."""
    return typed(declared, value or None) if kind(declared) == "string" else typed(declared, value)


TYPED = {"target-duckdb": typed_for_duckdb, "target-postgres": typed}


def from_duckdb(declared: Row, value: Any) -> Any:
    match kind(declared):
        case "object" | "array" if value is not None:
            return exact(value)
        case "number" if value is not None:
            return Decimal(repr(value))
    return value


def from_postgres(declared: Row, value: Any) -> Any:
    return value.isoformat() if kind(declared) == "date" and value is not None else value


def in_csv(declared: Row, value: Any) -> str:
    """What the loader writes, which is Python's own text for a value."""
    if value is None:
        return ""
    if kind(declared) == "date-time":
        return str(datetime.fromisoformat(value))
    return str(value)


TYPES: Mapping[str, Mapping[str, set[str]]] = {
    "target-duckdb": {
        "string": {"VARCHAR"},
        "date": {"VARCHAR"},
        "date-time": {"TIMESTAMP"},
        "integer": {"HUGEINT", "BIGINT"},
        "number": {"DOUBLE"},
        "boolean": {"BOOLEAN"},
        "object": {"JSON"},
        "array": {"JSON"},
    },
    "target-postgres": {
        "string": {"text"},
        "date": {"date"},
        "date-time": {"timestamp without time zone"},
        "integer": {"bigint"},
        "number": {"numeric"},
        "boolean": {"boolean"},
        "object": {"jsonb"},
        "array": {"ARRAY"},
    },
}


def keyed(stream: str, rows: Iterable[Row]) -> dict[Key, Row]:
    names = ENTRIES[stream]["key_properties"]
    return {tuple(str(row[name]) for name in names): row for row in rows}


def with_all_columns(stream: str, rows: Iterable[Row], convert: Any) -> dict[Key, Row]:
    """Rows in which every column is there, converted."""
    declared = ENTRIES[stream]["schema"]["properties"]
    return keyed(
        stream,
        ({name: convert(what, row.get(name)) for name, what in declared.items()} for row in rows),
    )


class Table(NamedTuple):
    """What is in a database."""

    rows: dict[Key, Row]
    types: dict[str, str]


def spelled(stream: str, columns: Iterable[str]) -> list[str]:
    """Spell columns as the properties are: one of the loaders has them all in lower case."""
    names = {name.lower(): name for name in ENTRIES[stream]["schema"]["properties"]}
    return [names.get(column, column) for column in columns]


def rows_of(
    stream: str, names: list[str], rows: Iterable[tuple[Any, ...]], convert: Any
) -> dict[Key, Row]:
    """Rows by key, converted, without the columns that the loaders add."""
    declared = ENTRIES[stream]["schema"]["properties"]
    found = [
        {
            name: convert(declared[name], value)
            for name, value in zip(names, row, strict=True)
            if name in declared
        }
        for row in rows
    ]
    assert len(keyed(stream, found)) == len(found), "keys should be unique"
    return keyed(stream, found)


@dataclass
class Loaded:
    """What the loaders have written so far, and how to look at it."""

    folder: Path
    postgres: str
    csv_rows: dict[str, dict[Key, Row]] = field(default_factory=dict)

    def duckdb_table(self, stream: str, schema: str = "main") -> Table:
        path = str(self.folder / "warehouse.duckdb")
        with duckdb.connect(path, read_only=True) as connection:
            table = connection.table(f"{schema}.{stream}")
            names = spelled(stream, table.columns)
            types = dict(zip(names, map(str, table.types), strict=True))
            return Table(rows_of(stream, names, table.fetchall(), from_duckdb), types)

    def postgres_table(self, stream: str, schema: str = "vitally") -> Table:
        with psycopg.connect(self.postgres) as connection:
            set_json_loads(exact, connection)
            cursor = connection.execute(
                sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, stream))
            )
            names = [column.name for column in cursor.description or ()]
            rows = rows_of(stream, names, cursor.fetchall(), from_postgres)
            types = connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s",
                (schema, stream),
            )
            return Table(rows, dict(types.fetchall()))

    def jsonl(self, stream: str) -> dict[Key, Row]:
        """The latest version of each row of a file that grows with every run."""
        path = self.folder / "jsonl" / f"{stream}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return keyed(stream, map(exact, lines))

    def take_csv(self) -> None:
        """Add what the last run wrote: the loader starts each file anew."""
        for path in (self.folder / "csv").glob("*.csv"):
            with path.open(newline="") as file:
                rows = self.csv_rows.setdefault(path.stem, {})
                rows.update(keyed(path.stem, csv.DictReader(file)))

    def snapshot(self, streams: Iterable[str]) -> dict[str, Tables]:
        self.take_csv()
        return {
            "target-jsonl": {stream: self.jsonl(stream) for stream in streams},
            "target-duckdb": {stream: self.duckdb_table(stream).rows for stream in streams},
            "target-postgres": {stream: self.postgres_table(stream).rows for stream in streams},
            "target-csv": {stream: dict(self.csv_rows[stream]) for stream in streams},
        }


def loaders(loaded: Loaded) -> dict[str, Row]:
    """How to set each loader."""
    address = loaded.postgres.replace("postgresql://", "postgresql+psycopg://")
    return {
        "target-jsonl": {
            "destination_path": str(loaded.folder / "jsonl"),
            "do_timestamp_file": False,
        },
        "target-duckdb": {
            "path": str(loaded.folder / "warehouse.duckdb"),
            "default_target_schema": "main",
            "add_metadata_columns": True,
        },
        "target-postgres": {"sqlalchemy_url": address, "default_target_schema": "vitally"},
        "target-csv": {"output_path": str(loaded.folder / "csv")},
    }


def project(loaded: Loaded, url: str, survey_ids: list[str]) -> None:
    """Lay out a project from the repository's own, with nothing left to install."""
    content = yaml.safe_load((ROOT / "meltano.yml").read_text())
    command = loaded.folder / "tap-vitally"
    run = f'cd "{ROOT}" && exec {shlex.join(forked([sys.executable]))} -m tap_vitally "$@"'
    command.write_text(f"#!/bin/sh\n{run}\n")
    command.chmod(0o755)
    (extractor,) = content["plugins"]["extractors"]
    del extractor["pip_url"]
    extractor["executable"] = str(command)
    extractor["config"] = config_for(url, survey_ids=survey_ids)
    content["plugins"]["loaders"] = [
        {
            "name": name,
            "namespace": name.replace("-", "_"),
            "executable": str(forked_program(str(program(name)))),
            "settings": [{"name": setting} for setting in config],
            "config": config,
        }
        for name, config in loaders(loaded).items()
    ]
    (loaded.folder / "meltano.yml").write_text(yaml.safe_dump(content))
    for folder in ("jsonl", "csv"):
        (loaded.folder / folder).mkdir()
