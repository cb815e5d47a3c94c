"""How long the dbt package takes on a large workspace, and how its models grow with their rows."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import duckdb
import psycopg

from benchmarks.bench import Bench, Line, said
from benchmarks.processes import ENDS_WITHIN, ROOT, TookTooLongError, Usage, run
from benchmarks.tables import NOW, statements
from harness.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    Warehouse = Callable[[Path, int], AbstractContextManager[dict[str, str]]]

ACCOUNTS: Final = 20_000
"""With 15 users and 50 messages each."""
LONGEST: Final = {"DuckDB": 80, "PostgreSQL": 90}
"""Seconds that a build may take, on two cores that do nothing else."""
GROWTH: Final = 2.5
"""How many times the time of half its rows a model may take: twice, and what a measurement varies by."""
SLOW: Final = 1.0
"""Seconds from which on the time of a model is more than its start."""
USERS: Final = 15
"""Of each account."""
DAYS: Final = 18
"""On which the health of each account was read."""
NEXT: Final = "2026-03-07 05:06:07"
"""The day after that of the tables."""
PATIENCE: Final = 120.0
"""Seconds that an earlier package has."""
FASTER: Final = {"vitally__deleted_records": 60}
"""How many times as long the earlier package should take."""


def build(bench: Bench) -> Iterator[Line]:
    """Build and test the package at three sizes on both databases."""
    made: Mapping[str, Warehouse] = {"DuckDB": _duckdb, "PostgreSQL": _postgres}
    for name, warehouse in made.items():
        taken: list[dict[str, float]] = []
        for part in (4, 2, 1):
            accounts = bench.size(ACCOUNTS // part)
            usages, runs = [], []
            for number in range(bench.repeat):
                folder = bench.folder / f"{name}-{accounts}-{number}"
                with warehouse(folder, accounts) as environment:
                    usages.append(_dbt(bench, folder, environment, "build"))
                    # One model after the other: of two at once, each takes what the other leaves.
                    _dbt(bench, folder, environment, "run", "--full-refresh", "--threads", "1")
                runs.append(_seconds(folder))
            # The least time of each model: what else the machine does only adds to it.
            taken.append({model: min(each[model] for each in runs) for model in runs[0]})
            line = Line.of(f"models, {accounts:,} accounts", name, usages)
            if part == 1:
                wall = said(line.wall, "s", most=LONGEST[name], form=".0f")
                line = replace(line, result=f"{wall}; {_growth(taken)}")
            yield replace(line, requests=math.nan, records=50.0 * accounts)


def against_before(bench: Bench) -> Iterator[Line]:
    """Run two models on PostgreSQL, and those of an earlier package; their wall time is that of the model."""
    packages = {"package": ROOT, **({"package before": bench.before} if bench.before else {})}
    cases = {
        "vitally__deleted_records": (bench.size(30_000 // USERS), USERS, False),
        "vitally__account_health_daily": (bench.size(ACCOUNTS), DAYS, True),
    }
    for model, (accounts, rows, is_second_day) in cases.items():
        taken: dict[str, float] = {}
        for name, package in packages.items():
            folder = bench.folder / f"{model}-{len(taken)}"
            with _postgres(folder, accounts) as environment:
                usage = _dbt(
                    bench, folder, environment, "run", "--select", f"+{model}", package=package
                )
                if is_second_day:
                    select = ("run", "--select", model)
                    usage = _dbt(bench, folder, environment, *select, package=package, day=NEXT)
            taken[name] = _seconds(folder).get(f"model.vitally.{model}", PATIENCE)
            result = "" if taken[name] < PATIENCE else f"stopped after {PATIENCE:.0f} s"
            if len(taken) > 1:
                times = said(
                    taken[name] / taken["package"], "times as long", least=FASTER.get(model)
                )
                result = f"{result and f'{result}, at least '}{times}"
            line = Line.of(f"{model}, {accounts * rows:,} rows", name, [usage], result)
            yield replace(line, wall=taken[name], requests=math.nan, records=1.0 * accounts * rows)


def _dbt(
    bench: Bench,
    folder: Path,
    environment: Mapping[str, str],
    *command: str,
    package: Path = ROOT,
    day: str = NOW,
) -> Usage:
    """Run dbt with an empty folder for its results; a run of an earlier package is given up in the end."""
    variables: dict[str, Any] = {"vitally__as_of": day}
    if package != ROOT:
        # Then each of these had to be asked for.
        used = ("messages", "account_health_scores", "inventory")
        variables |= {f"vitally__using_{stream}": True for stream in used}
    whole = [
        *(ROOT / ".venvs" / "dbt" / "bin" / "dbt", *command),
        *("--project-dir", package / "dbt", "--profiles-dir", package / "dbt"),
        *("--vars", json.dumps(variables)),
    ]
    results = folder / "target" / "run_results.json"
    results.unlink(missing_ok=True)
    folders = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    process = {**environment, **folders, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    within = ENDS_WITHIN if package == ROOT else PATIENCE
    try:
        return run(list(map(str, whole)), bench.output, process, within=within)
    except TookTooLongError:
        return Usage(within, math.nan, math.nan)


def _seconds(folder: Path) -> dict[str, float]:
    """Return how long each model took; nothing of a run that was stopped."""
    path = folder / "target" / "run_results.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"results": []}
    return {
        result["unique_id"]: result["execution_time"]
        for result in results["results"]
        if result["unique_id"].startswith("model.")
    }


def _growth(taken: list[dict[str, float]]) -> str:
    """Say which model grew most when its rows were doubled, of those that take long enough to tell."""
    grown = {
        model: whole[model] / half[model]
        for half, whole in pairwise(taken)
        for model in whole
        if half[model] >= SLOW
    }
    if not grown:
        return "no model takes a second of half the rows"
    worst = max(grown, key=grown.__getitem__)
    name = worst.rpartition(".")[2]
    return said(grown[worst], f"times as long for twice the rows: {name}", most=GROWTH)


@contextmanager
def _duckdb(folder: Path, accounts: int) -> Iterator[dict[str, str]]:
    folder.mkdir()
    path = folder / "warehouse.duckdb"
    # What dbt's DuckDB reads.
    with duckdb.connect(path, config={"storage_compatibility_version": "v1.0.0"}) as connection:
        for statement in statements(accounts, "json"):
            connection.execute(statement)
    yield {"VITALLY_DBT_TARGET": "duckdb", "VITALLY_DUCKDB_PATH": str(path)}


@contextmanager
def _postgres(folder: Path, accounts: int) -> Iterator[dict[str, str]]:
    folder.mkdir()
    with running_postgres() as address:
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
