"""Warehouses with the sandbox's tables in them, and with what dbt makes of those."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import psycopg

from harness.forked import forked
from harness.programs import program
from tests.dbt.dbt_process import DBT, parsed_for, process_of

SCHEMAS = ("vitally", "stg_vitally", "int_vitally")
SCHEMA = "vitally"
ODD_SCHEMA = "Vitally EU"
"""What schemas of the models are called after: two names for all tests, as each costs a parsing."""


def even(value: Any) -> Any:
    """A value in the form that both databases have in common."""
    if isinstance(value, float | Decimal):
        return round(float(value), 4)
    return value


@dataclass
class Warehouse:
    """A database that a loader fills, dbt builds on and queries are put to."""

    name: str
    loader: str
    settings: dict[str, Any]
    environment: dict[str, str]
    fetch: Callable[[str, list[str]], list[tuple[Any, ...]]]
    write: Callable[[str, list[tuple[Any, ...]]], None]
    folder: Path
    command: Path | None = None
    """Its own dbt, if it is not the one of the tests."""
    profiles: Path = DBT
    failed: set[str] = field(default_factory=set)
    """The tests that failed, where a build was to fail."""
    release: Callable[[], None] = lambda: None
    """Lets go of a file that another process is to write."""

    def load(self, messages: str, schema: str) -> None:
        """Load what the tap has written."""
        self.release()
        config = self.folder / f"{self.name}-{schema}.json"
        config.write_text(json.dumps({**self.settings, "default_target_schema": schema}))
        done = subprocess.run(
            forked([program(self.loader), "--config", config]),
            input=messages,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def dbt(
        self,
        *arguments: str,
        schema: str,
        variables: Mapping[str, Any],
        project: Path = DBT,
        fails: bool = False,
    ) -> str:
        """Run dbt into schemas of this name, and return what it said."""
        self.release()
        known = {"vitally_schema": schema, **variables}
        environment = {
            **self.environment,
            "VITALLY_DBT_TARGET": self.name,
            "VITALLY_DBT_SCHEMA": f"dbt_{schema}",
            "DBT_TARGET_PATH": str(self.folder / f"target-{self.name}"),
            "DBT_LOG_PATH": str(self.folder / f"logs-{self.name}"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_USE_COLORS": "false",
        }
        folders = ["--project-dir", str(project), "--profiles-dir", str(self.profiles)]
        python = (self.command or program("dbt")).with_name("python")
        success, said = process_of(python, self.name).run(
            [*arguments, *folders, "--vars", json.dumps(known)],
            environment,
            parsed_for(project, environment, known),
        )
        assert success is not fails, said
        return said

    def query(self, sql: str, schema: str) -> list[tuple[Any, ...]]:
        """Put a query to the models, and return the rows in the form that all have in common."""
        rows = self.fetch(sql, [f"dbt_{schema}_{name}" for name in SCHEMAS])
        return [tuple(map(even, row)) for row in rows]


def duckdb_warehouse(folder: Path) -> Warehouse:
    """A DuckDB file."""
    path = folder / "warehouse.duckdb"

    @cache
    def reader() -> duckdb.DuckDBPyConnection:
        """Stay connected from query to query: to open the file takes 20 ms."""
        return duckdb.connect(path, read_only=True)

    def release() -> None:
        if reader.cache_info().currsize:
            reader().close()
            reader.cache_clear()

    def fetch(sql: str, schemas: list[str]) -> list[tuple[Any, ...]]:
        reader().execute(f"SET search_path = '{','.join(schemas)}'")
        return reader().execute(sql).fetchall()

    def write(sql: str, rows: list[tuple[Any, ...]]) -> None:
        release()
        with duckdb.connect(
            path,
            config={"storage_compatibility_version": "v1.0.0"},  # which dbt's DuckDB reads
        ) as connection:
            connection.execute("BEGIN")
            for row in rows:
                connection.execute(sql, row)
            connection.execute("COMMIT")

    return Warehouse(
        "duckdb",
        "target-duckdb",
        {"path": str(path), "add_metadata_columns": True},
        {"VITALLY_DUCKDB_PATH": str(path)},
        fetch,
        write,
        folder,
        release=release,
    )


def postgres_warehouse(folder: Path, address: str) -> Warehouse:
    """A PostgreSQL server."""

    def fetch(sql: str, schemas: list[str]) -> list[tuple[Any, ...]]:
        path = ", ".join(f'"{schema}"' for schema in schemas) or "DEFAULT"
        with psycopg.connect(address) as connection:
            connection.execute(f"SET search_path = {path}".encode())
            return connection.execute(sql.encode()).fetchall()

    def write(sql: str, rows: list[tuple[Any, ...]]) -> None:
        with psycopg.connect(address) as connection:
            for row in rows:
                connection.execute(sql.replace("?", "%s").encode(), row)

    parts = urlsplit(address)
    return Warehouse(
        "postgres",
        "target-postgres",
        {"sqlalchemy_url": address.replace("postgresql://", "postgresql+psycopg://")},
        {
            "PGHOST": parse_qs(parts.query)["host"][0],
            "PGUSER": parts.username or "",
            "PGDATABASE": parts.path.strip("/"),
        },
        fetch,
        write,
        folder,
    )


def by_sort(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in an order that does not depend on a database's idea of the alphabet."""
    return sorted(rows, key=repr)


def as_of(now: datetime) -> dict[str, str]:
    """The var that moves "today" to the sandbox's day."""
    return {"vitally__as_of": now.strftime("%Y-%m-%d %H:%M:%S")}
