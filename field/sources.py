"""The sources: other taps, each with the same table of customers to read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from field import odd_tables
from field.programs import FieldError, Row, program, run
from field.servers import Servers, mariadb_run

COLUMNS: Final = {
    "no": "a whole number, the key",
    "company": "text",
    "plan": "text, sometimes null",
    "arr": "numeric, 1000/12 with twenty digits",
    "share": "double precision",
    "active": "boolean",
    "since": "date",
    "seen": "timestamp",
}
ROWS: Final[tuple[tuple[Any, ...], ...]] = (
    (
        1,
        "Example Mills",
        "gold",
        "83.33333333333333333333",
        0.1,
        True,
        "2026-01-31",
        "2026-01-31 23:30:00",
    ),
    (
        2,
        "Müller & Söhne 🙂",
        None,
        "0.00000000000000000000",
        0.0,
        False,
        "2024-02-29",
        "2026-03-29 01:30:00.123",
    ),
    (
        3,
        'The "Quoted", Ltd',
        "null",
        "-12.50000000000000000000",
        -1.5,
        True,
        "1999-12-31",
        "1999-12-31 00:00:00",
    ),
    (
        4,
        "007",
        "true",
        "123456789012.34000000000000000000",
        1e-7,
        False,
        "2026-11-30",
        "2026-11-30 12:00:00",
    ),
    (5, " O'Neill ", "1e5", "9007199254740993.00000000000000000000", 3.14, True, None, None),
    (6, "back\\slash", "2026-01-31", None, None, None, "2026-05-01", "2026-05-01 08:15:30"),
)


Builder = Callable[[Path, Servers], tuple[list[str], Row]]
"""Makes the source in a folder, and returns the command of the tap and its settings."""


@dataclass(frozen=True)
class Source:
    """One tap, and where its rows come from."""

    package: str
    holds: str
    """What it reads."""
    command: Builder
    """Make the source in a folder; return the command of the tap and its settings."""
    within: str = ""
    discovers: bool = True
    """Whether it needs a catalog."""

    @property
    def has_odd_rows(self) -> bool:
        """Whether there is a table of odd types beside the customers."""
        return self.holds in {"PostgreSQL", "MariaDB"}

    @property
    def name(self) -> str:
        """What the results call it."""
        return f"{self.package}, {self.holds.partition(',')[0]}"

    @property
    def environment(self) -> str:
        """The environment it runs in."""
        return self.within or self.package


def rows(first: int) -> list[tuple[Any, ...]]:
    """Return the rows with keys from a number on."""
    return [(first + row[0], *row[1:]) for row in ROWS]


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _insert(table: str, first: int) -> str:
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows(first))
    return f"INSERT INTO {table} VALUES {values}"  # noqa: S608 - of our own rows


def _postgres(first: int, settings: Row) -> Builder:
    def make(_: Path, servers: Servers) -> tuple[list[str], Row]:
        schema = f"crm{first}"
        with psycopg.connect(servers.postgres) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
            connection.execute(
                f"CREATE TABLE {schema}.customers (no integer PRIMARY KEY, company text, plan text,"
                " arr numeric, share double precision, active boolean, since date, seen timestamptz)"
            )
            connection.execute(_insert(f"{schema}.customers", first))
            connection.execute(odd_tables.in_postgres(schema, first + 100))
        database = {"host": "127.0.0.1", "user": "postgres", "password": "sandbox"}
        more = {
            name: value.format(schema=schema) if isinstance(value, str) else value
            for name, value in settings.items()
        }
        if "filter_schemas" in more and isinstance(more["filter_schemas"], list):
            more["filter_schemas"] = [schema]
        return ["tap-postgres"], {**database, "port": servers.postgres_port, **more}

    return make


def _mariadb(first: int) -> Builder:
    def make(folder: Path, servers: Servers) -> tuple[list[str], Row]:
        schema = f"crm{first}"
        home = folder.parent
        code = mariadb_run(
            home,
            f"CREATE DATABASE {schema} CHARACTER SET utf8mb4; CREATE TABLE {schema}.customers"
            " (no integer PRIMARY KEY, company varchar(100), plan varchar(100), arr decimal(40, 20),"
            " share double, active tinyint(1), since date, seen datetime(3));"
            f" SET sql_mode = 'NO_BACKSLASH_ESCAPES'; {_insert(f'{schema}.customers', first)};"
            f" {odd_tables.in_mariadb(schema, first + 100)}"
            " CREATE USER IF NOT EXISTS reader@'127.0.0.1' IDENTIFIED BY 'sandbox';"
            f" GRANT SELECT ON {schema}.* TO reader@'127.0.0.1';",
        )
        if code:
            msg = "MariaDB does not take the table of customers"
            raise FieldError(msg)
        settings = {
            "host": "127.0.0.1",
            "port": servers.mariadb_port,
            "user": "reader",
            "password": "sandbox",
        }
        return ["tap-mysql"], {**settings, "filter_dbs": schema, "database": schema}

    return make


def _csv(first: int) -> Builder:
    def make(folder: Path, _: Servers) -> tuple[list[str], Row]:
        path = folder / "customers.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows(first))
        file_of = {
            "path": str(path),
            "format": "csv",
            "table_name": "customers",
            "primary_keys": ["no"],
        }
        return ["tap-spreadsheets"], {"files": [file_of]}

    return make


def _jsonl(first: int) -> Builder:
    def make(folder: Path, _: Servers) -> tuple[list[str], Row]:
        path = folder / "customers.jsonl"
        with path.open("w") as file:
            for row in rows(first):
                file.write(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n")
        return ["tap-jsonl"], {
            "path": str(path),
            "stream_name": "customers",
            "primary_keys": ["no"],
        }

    return make


def _spreadsheet(first: int) -> Builder:
    def make(folder: Path, _: Servers) -> tuple[list[str], Row]:
        path = folder / "customers.xlsx"
        code = (
            "import datetime as dt, json, sys, openpyxl\n"
            "book = openpyxl.Workbook()\n"
            "head, *rows = json.load(sys.stdin)\n"
            "book.active.append(head)\n"
            "moment = dt.datetime.fromisoformat\n"
            "for *row, since, seen in rows:\n"
            "    row[3] = row[3] and float(row[3])\n"
            "    days = since and moment(since).date(), seen and moment(seen)\n"
            "    book.active.append([*row, *days])\n"
            "book.save(sys.argv[1])\n"
        )
        cells = folder / "cells.json"
        cells.write_text(json.dumps([list(COLUMNS), *rows(first)]))
        done = run([program("python", "tap-spreadsheets"), "-c", code, str(path)], source=cells)
        if done.code:
            raise FieldError(done.error)
        file = {
            "path": str(path),
            "format": "excel",
            "table_name": "customers",
            "primary_keys": ["no"],
        }
        return ["tap-spreadsheets"], {"files": [{**file, "worksheet": "Sheet"}]}

    return make


def _snowflake(first: int) -> Builder:
    def make(folder: Path, _: Servers) -> tuple[list[str], Row]:
        emulator = program("fakesnow", "tap-snowflake")
        data = folder / "snowflake"
        data.mkdir()
        statements = [
            "CREATE DATABASE IF NOT EXISTS crm",
            "CREATE SCHEMA IF NOT EXISTS crm.sales",
            (
                "CREATE TABLE crm.sales.customers (no INTEGER, company VARCHAR, plan VARCHAR,"
                " arr NUMBER(38, 20), share FLOAT, active BOOLEAN, since DATE, seen TIMESTAMP_NTZ)"
            ),
            _insert("crm.sales.customers", first).replace("\\", "\\\\"),
        ]
        script = folder / "make.py"
        script.write_text(
            "import snowflake.connector\n"
            "cursor = snowflake.connector.connect(user='u', password='p', account='a').cursor()\n"
            f"for statement in {statements!r}: cursor.execute(statement)\n"
        )
        done = run([emulator, "--db_path", str(data), str(script)])
        if done.code:
            raise FieldError(done.error)
        settings = {
            "user": "reader",
            "password": "sandbox",
            "account": "sandbox",
            "database": "CRM",
            "schema": "SALES",
        }
        return [emulator, "--db_path", str(data), "-m", "tap_snowflake.tap"], settings

    return make


SOURCES: Final = (
    Source(
        "meltanolabs-tap-postgres",
        "PostgreSQL",
        _postgres(1000, {"database": "postgres", "filter_schemas": []}),
        "tap-postgres",
    ),
    Source(
        "pipelinewise-tap-postgres",
        "PostgreSQL",
        _postgres(2000, {"dbname": "postgres", "filter_schemas": "{schema}"}),
    ),
    Source("pipelinewise-tap-mysql", "MariaDB", _mariadb(3000)),
    Source("tap-mysql", "MariaDB", _mariadb(4000)),
    Source("tap-spreadsheets", "Excel", _spreadsheet(5000)),
    Source("tap-spreadsheets", "CSV", _csv(6000)),
    Source("tap-jsonl", "JSON lines", _jsonl(7000)),
    Source(
        "meltanolabs-tap-snowflake",
        "Snowflake, by the emulator fakesnow",
        _snowflake(8000),
        "tap-snowflake",
    ),
)
