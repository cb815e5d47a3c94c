"""How long the dbt package takes on a large workspace, and how its models grow with their rows."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import duckdb
import psycopg

from benchmarks.bench import Bench, Line, said
from benchmarks.processes import ROOT, Usage, run
from benchmarks.tables import NOW, statements
from harness.postgres import postgres_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

ACCOUNTS: Final = 20_000
"""With 15 users and 50 messages each."""
LONGEST: Final = {"DuckDB": 80, "PostgreSQL": 90}
"""Seconds that a build may take, on two cores that do nothing else."""
GROWTH: Final = 2.5
"""How many times the time of half its rows a model may take: twice, and what a measurement varies by."""
SLOW: Final = 1.0
"""Seconds from which on the time of a model is more than its start."""


def build(bench: Bench) -> Iterator[Line]:
    """Build and test the package at three sizes on both databases."""
    made: Mapping[str, Callable[[Path, int], AbstractContextManager[dict[str, str]]]] = {
        "DuckDB": _duckdb,
        "PostgreSQL": _postgres,
    }
    for name, warehouse in made.items():
        taken: list[dict[str, float]] = []
        for part in (4, 2, 1):
            accounts = bench.size(ACCOUNTS // part)
            folder = bench.folder / f"{name}-{accounts}"
            folder.mkdir()
            with warehouse(folder, accounts) as environment:
                usage = _dbt_build(bench, folder, environment)
            taken.append(_seconds(folder))
            results = [said(usage.wall, "s", most=LONGEST[name], form=".0f")] if part == 1 else []
            if part == 1:
                results.append(_growth(*taken[1:]))
            line = Line.of(f"models, {accounts:,} accounts", name, [usage], "; ".join(results))
            yield replace(line, requests=math.nan, records=50.0 * accounts)


def _dbt_build(bench: Bench, folder: Path, environment: Mapping[str, str]) -> Usage:
    command = [
        *(ROOT / ".venvs" / "dbt" / "bin" / "dbt", "build"),
        *("--project-dir", ROOT / "dbt", "--profiles-dir", ROOT / "dbt"),
        *("--vars", json.dumps({"vitally__as_of": NOW})),
    ]
    folders = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    no_statistics = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    return run(list(map(str, command)), bench.output, {**environment, **folders, **no_statistics})


def _seconds(folder: Path) -> dict[str, float]:
    """Return how long each model took."""
    results: dict[str, Any] = json.loads((folder / "target" / "run_results.json").read_text())
    return {
        result["unique_id"]: result["execution_time"]
        for result in results["results"]
        if result["unique_id"].startswith("model.")
    }


def _growth(half: Mapping[str, float], whole: Mapping[str, float]) -> str:
    """Say which model grew most from half the rows to all."""
    grown = {key: whole[key] / half[key] for key in whole if half[key] >= SLOW}
    if not grown:
        return "no model takes a second of half the rows"
    worst = max(grown, key=grown.__getitem__)
    name = worst.rpartition(".")[2]
    return said(grown[worst], f"times as long for twice the rows: {name}", most=GROWTH)


@contextmanager
def _duckdb(folder: Path, accounts: int) -> Iterator[dict[str, str]]:
    path = folder / "warehouse.duckdb"
    # What dbt's DuckDB reads.
    with duckdb.connect(path, config={"storage_compatibility_version": "v1.0.0"}) as connection:
        for statement in statements(accounts, "json"):
            connection.execute(statement)
    yield {"VITALLY_DBT_TARGET": "duckdb", "VITALLY_DUCKDB_PATH": str(path)}


@contextmanager
def _postgres(folder: Path, accounts: int) -> Iterator[dict[str, str]]:
    with postgres_in(folder / "server") as address:
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements(accounts, "jsonb"):
                connection.execute(statement.encode())
            connection.execute("ANALYZE")
        parts = urlsplit(address)
        yield {
            "VITALLY_DBT_TARGET": "postgres",
            "PGHOST": parse_qs(parts.query)["host"][0],
            "PGUSER": parts.username or "",
            "PGDATABASE": parts.path.strip("/"),
        }
