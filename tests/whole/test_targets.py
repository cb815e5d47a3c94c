"""Through Meltano into four loaders, twice: every row arrives, with its numbers and its types."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import psycopg
import pytest
from psycopg import sql

from harness.expectations import Tables, all_expected, expected
from harness.forked import forked
from harness.programs import program
from harness.support import ROOT, config_for, run_tap
from sandbox import Clock, Entry, World, serve
from sandbox.fake_values import ODD_TEXTS
from tests.whole.lists import WHOLE
from tests.whole.loaders import (
    DATABASES,
    ENTRIES,
    TARGETS,
    TYPED,
    TYPES,
    Loaded,
    in_csv,
    keyed,
    kind,
    loaders,
    project,
    with_all_columns,
)

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def by_default() -> list[str]:
    return [
        stream
        for stream, entry in ENTRIES.items()
        for item in entry["metadata"]
        if item["metadata"].get("selected-by-default")
    ]


@dataclass(frozen=True)
class Run:
    """One run of Meltano: what was to be loaded, what was, and what was asked for it."""

    expected_rows: Tables
    tables: dict[str, Tables]
    requests: list[Entry]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]) -> Loaded:
    return Loaded(tmp_path_factory.mktemp("project"), make_database())


@pytest.fixture(scope="module")
def runs(loaded: Loaded) -> list[Run]:
    """A first run into all loaders, and one after a day."""
    world = World(seed=1, accounts=10, clock=Clock(START))
    results = []
    blocks = [part for target in TARGETS for part in ("tap-vitally", target)]
    # What a developer has set for a real workspace would win over the project.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAP_VITALLY_")}
    with serve(world) as sandbox:
        project(loaded, sandbox.url, world.ids("surveys"))
        for _ in range(2):
            done = subprocess.run(
                forked([program("meltano"), "run", *blocks]),
                cwd=loaded.folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            expected_rows = {stream: expected(world, stream) for stream in by_default()}
            results.append(
                Run(expected_rows, loaded.snapshot(expected_rows), list(sandbox.requests))
            )
            sandbox.requests.clear()
            world.clock.advance(7200)
            world.live_a_day()
    return results


each_run = pytest.mark.parametrize("number", [0, 1], ids=["first", "second"])
each_stream = pytest.mark.parametrize("stream", by_default())


@each_run
@each_stream
def test_jsonl(stream: str, number: int, runs: list[Run]) -> None:
    run = runs[number]
    assert run.tables["target-jsonl"][stream] == run.expected_rows[stream]


@each_run
@each_stream
@pytest.mark.parametrize("target", DATABASES)
def test_databases(target: str, stream: str, number: int, runs: list[Run]) -> None:
    run = runs[number]
    wanted = with_all_columns(stream, run.expected_rows[stream].values(), TYPED[target])
    assert run.tables[target][stream] == wanted


@each_run
@each_stream
def test_csv(stream: str, number: int, runs: list[Run]) -> None:
    run = runs[number]
    assert run.tables["target-csv"][stream] == with_all_columns(
        stream, run.expected_rows[stream].values(), in_csv
    )


@each_stream
def test_there_is_something_to_load(stream: str, runs: list[Run]) -> None:
    assert runs[0].expected_rows[stream]
    if stream not in {"custom_fields", "custom_object_fields", "survey_questions"}:
        assert runs[1].expected_rows[stream] != runs[0].expected_rows[stream]


@pytest.mark.parametrize("odd", ODD_TEXTS, ids=ascii)
def test_texts_that_file_formats_trip_over_are_among_the_notes(odd: str, runs: list[Run]) -> None:
    for target in TARGETS:
        assert any(odd in row["note"] for row in runs[0].tables[target]["notes"].values())


def test_second_run_is_incremental(runs: list[Run]) -> None:
    first, second = (
        {
            (entry.path.rpartition("/")[2], entry.query.rpartition("sortBy=")[2])
            for entry in run.requests
            if "sortBy" in entry.query
        }
        for run in runs
    )
    whole = {resource for resource, order in second if order == "createdAt"}
    assert {order for _, order in first} == {"createdAt"}
    assert whole == set(WHOLE)
    assert {order for resource, order in second if resource not in whole} == {"updatedAt"}


def test_numbers_keep_every_digit(runs: list[Run], loaded: Loaded) -> None:
    (user, *_) = [
        key for key, row in runs[0].expected_rows["users"].items() if "usage_mrr" in row["traits"]
    ]
    for target in ("target-jsonl", "target-duckdb", "target-postgres"):
        traits = runs[0].tables[target]["users"][user]["traits"]
        assert traits["events_total"] == 12345678901234567890
        assert traits["usage_mrr"] == Decimal("0.10")
        assert isinstance(traits["usage_mrr"], Decimal)
    with psycopg.connect(loaded.postgres) as connection:
        row = connection.execute(
            "SELECT traits->>'events_total', traits->>'usage_mrr' FROM vitally.users WHERE id = %s",
            user,
        ).fetchone()
    assert row == ("12345678901234567890", "0.10")
    assert "12345678901234567890" in runs[0].tables["target-csv"]["users"][user]["traits"]


@pytest.mark.parametrize("target", DATABASES)
@each_stream
def test_types(stream: str, target: str, runs: list[Run], loaded: Loaded) -> None:
    assert runs
    table = loaded.duckdb_table if target == "target-duckdb" else loaded.postgres_table
    types = table(stream).types
    for name, declared in ENTRIES[stream]["schema"]["properties"].items():
        assert types[name] in TYPES[target][kind(declared)], name


# Everything that can be selected


@pytest.fixture(scope="module")
def everything(loaded: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One run of all streams, piped into both databases."""
    folder = tmp_path_factory.mktemp("everything")
    world = World(seed=1, accounts=10, clock=Clock(START))
    with serve(world) as sandbox:
        config = config_for(
            sandbox.url,
            survey_ids=world.ids("surveys"),
            inventory_resources=["accounts", "notes"],
        )
        run = run_tap(folder, config)
        expected_rows = all_expected(world)
    assert run.returncode == 0, run.stderr
    for target in DATABASES:
        path = folder / f"{target}.json"
        path.write_text(json.dumps(loaders(loaded)[target] | {"default_target_schema": "whole"}))
        done = subprocess.run(
            forked([program(target), "--config", path]),
            input=run.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    for stream in ("inventory", "inventory_runs", "vitally_sync_runs"):
        expected_rows[stream] = keyed(stream, run.records(stream))
    return expected_rows


@pytest.mark.parametrize("target", DATABASES)
@pytest.mark.parametrize("stream", ENTRIES)
def test_every_stream_loads(stream: str, target: str, everything: Tables, loaded: Loaded) -> None:
    table = loaded.duckdb_table if target == "target-duckdb" else loaded.postgres_table
    rows, types = table(stream, "whole")
    assert rows
    assert types.keys() >= ENTRIES[stream]["schema"]["properties"].keys()
    assert rows == with_all_columns(stream, everything[stream].values(), TYPED[target])


@pytest.mark.parametrize("target", DATABASES)
def test_deleted_records_are_found_by_the_documented_query(
    target: str, everything: Tables, loaded: Loaded
) -> None:
    query = (ROOT / "docs" / "sql" / "deleted.sql").read_text()
    gone = min(key[0] for key in everything["accounts"])
    forget = f"""
        INSERT INTO inventory_runs (resource, "startedAt", count)
        SELECT resource, "startedAt" + INTERVAL '1 day', count FROM inventory_runs;
        DELETE FROM inventory WHERE id = '{gone}';
        UPDATE inventory SET "seenAt" = "seenAt" + INTERVAL '1 day';
    """  # noqa: S608 - an id of the sandbox
    if target == "target-duckdb":
        with duckdb.connect(loaded.folder / "warehouse.duckdb") as database:
            database.execute("SET schema = 'whole'")
            before = database.execute(query).fetchall()
            database.execute("BEGIN").execute(forget)
            after = database.execute(query).fetchall()
            database.execute("ROLLBACK")
    else:
        with psycopg.connect(loaded.postgres, options="-c search_path=whole") as connection:
            before = connection.execute(sql.SQL(query)).fetchall()
            connection.execute(sql.SQL(forget))
            after = connection.execute(sql.SQL(query)).fetchall()
            connection.rollback()
    assert before == []
    assert [row[0] for row in after] == [gone]
