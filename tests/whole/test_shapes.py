"""What the API sends in another shape than it did arrives all the same, or is told."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import sql

from harness.expectations import expected, last_state, loaded, records_of
from harness.forked import forked
from harness.programs import program
from harness.support import Row, catalog, config_for, read, run_in_process, run_tap
from sandbox import Fault, Sandbox
from tests.whole.loaders import Loaded, loaders
from tests.whole.workspaces import frozen

EVERY = (
    *("accounts", "organizations", "users", "admins", "conversations", "messages", "notes"),
    *("note_categories", "tasks", "projects", "nps_responses", "meetings", "account_notes"),
    *("custom_fields", "custom_objects", "custom_object_instances", "custom_object_fields"),
    *("meeting_transcripts", "survey_responses"),
)
NEW = {"since": "2026-03-04", "score": 7}


def tables_of(sandbox: Sandbox, streams: tuple[str, ...]) -> dict[str, Any]:
    config = config_for(sandbox.url, survey_ids=sandbox.world.ids("surveys"))
    return loaded(read(config, select=streams)).tables


@pytest.mark.parametrize("name", ["data", "items", "things"])
def test_lists_and_records_are_read_in_any_envelope(name: str) -> None:
    with frozen(accounts=40) as sandbox:
        sandbox.faults.append(Fault("envelope", name=name))
        tables = tables_of(sandbox, EVERY)
        for stream in EVERY:
            assert tables[stream] == expected(sandbox.world, stream), stream


def test_bare_lists_are_read_from_the_first_request_on() -> None:
    with frozen(accounts=4) as sandbox:
        sandbox.faults.append(Fault("envelope", name=""))
        assert len(sandbox.world.ids("accounts")) < 100
        tables = tables_of(sandbox, ("accounts", "notes"))
        for stream in ("accounts", "notes"):
            assert tables[stream] == expected(sandbox.world, stream), stream


def test_epochs_are_moments_and_cost_no_further_page() -> None:
    asked: dict[str, list[str]] = {}
    bookmarks = []
    select = ("users", "account_users", "messages", "meeting_transcripts")
    for how in ("text", "epochs"):
        with frozen(accounts=60) as sandbox:
            if how == "epochs":
                sandbox.faults.append(Fault("epochs"))
            first = read(config_for(sandbox.url), select=select)
            assert loaded(first).tables["users"] == expected(sandbox.world, "users")
            bookmarks.append(last_state(first)["bookmarks"]["users"]["replication_key_value"])
            sandbox.requests.clear()
            sandbox.world.clock.advance(7200)
            read(config_for(sandbox.url), select=select, state=last_state(first))
            asked[how] = sorted(f"{entry.path}?{entry.query}" for entry in sandbox.requests)
    assert bookmarks[0] == bookmarks[1]
    assert asked["text"] == asked["epochs"]


def test_a_time_of_day_in_a_day_is_cut_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    select = ("tasks", "meetings", "vitally_sync_runs")
    with frozen(accounts=12) as sandbox:
        sandbox.faults.append(Fault("times_of_day", "tasks"))
        with caplog.at_level(logging.WARNING):
            messages = read(config_for(sandbox.url), select=select)
        table = loaded(messages).tables["tasks"]
        assert table == expected(sandbox.world, "tasks")
    days = sum(row["dueDate"] is not None for row in records_of(messages, "tasks"))
    runs = {row["stream"]: row for row in records_of(messages, "vitally_sync_runs")}
    assert days
    assert runs["tasks"]["cutToDay"] == days
    assert runs["tasks"]["cutToDayProperties"] == {"dueDate": days}
    assert runs["tasks"]["madeNull"] == 0
    assert runs["meetings"]["cutToDay"] == 0
    assert not [line for line in caplog.messages if "made null" in line]
    assert all(row["waitedSeconds"] is not None for row in runs.values())
    reported = [line for line in caplog.messages if "dueDate" in line]
    assert len(reported) == 2
    assert "cut to the day" in reported[0]
    assert "typed too narrowly" in reported[1]


def test_a_column_of_days_with_few_times_of_day_is_not_called_narrow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with frozen(accounts=12) as sandbox:
        # Of two requests at once either may be the first, and what is archived may have no such days.
        sandbox.faults.append(Fault("times_of_day", "tasks", times=1))
        config = config_for(sandbox.url, page_size=5, concurrency=1)
        with caplog.at_level(logging.WARNING):
            read(config, select=("tasks",))
    assert [line for line in caplog.messages if "dueDate" in line and "cut" in line]
    assert not [line for line in caplog.messages if "too narrowly" in line]


def without_new(table: dict[Any, Row]) -> dict[Any, Row]:
    return {key: {**row, "additionalProperties": None} for key, row in table.items()}


def test_an_undeclared_property_comes_goes_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with frozen(accounts=12) as sandbox:
        config = config_for(sandbox.url, page_size=5)
        # Every other page: it comes and goes.
        sandbox.faults += [
            Fault("undeclared", "users", name="newOne", after=n, times=1) for n in (0, 2)
        ]
        with caplog.at_level(logging.WARNING):
            messages = read(config, select=("users",))
        assert [line for line in caplog.messages if "newOne" in line] == [
            "Property 'newOne' is not in the schema: kept in additionalProperties."
        ]
        rows = records_of(messages, "users")
        (schema,) = (m["schema"] for m in messages if m["type"] == "SCHEMA")
        assert all(list(row) == list(schema["properties"]) for row in rows)
        held = [row["additionalProperties"] for row in rows]
        assert held.count({"newOne": NEW}) == 10
        assert held.count(None) == len(held) - 10
        found = loaded(messages).tables["users"]
        assert without_new(found) == expected(sandbox.world, "users")


@pytest.mark.parametrize(
    "settings",
    [
        {"stream_maps": {"users": {"newOne": "__NULL__"}}},
        {"stream_maps": {"user*": {"newOne": None}}},
        {"stream_maps": {"users": {"additionalProperties": "__NULL__"}}},
        {"stream_maps": {"users": {"id": "id", "__else__": None}}},
    ],
    ids=str,
)
def test_a_mask_keeps_an_undeclared_property_back(settings: Row, tmp_path: Path) -> None:
    with frozen() as sandbox:
        sandbox.faults.append(Fault("undeclared", "users", name="newOne"))
        run = run_tap(tmp_path, config_for(sandbox.url, **settings), select=["users"])
    assert run.returncode == 0, run.stderr
    assert run.records("users")
    assert "newOne" not in run.stdout
    (schema,) = (m["schema"] for m in run.messages if m["type"] == "SCHEMA")
    assert "$schema" not in schema
    assert all(row.keys() == schema["properties"].keys() for row in run.records("users"))


@pytest.mark.parametrize("off", ["newOne", "additionalProperties"])
def test_what_the_catalog_deselects_stays_out(off: str) -> None:
    with frozen() as sandbox:
        sandbox.faults.append(Fault("undeclared", "users", name="newOne"))
        entries = catalog(["users"])
        (users,) = (entry for entry in entries["streams"] if entry["stream"] == "users")
        where = ["properties", off]
        kept = [item for item in users["metadata"] if item["breadcrumb"] != where]
        users["metadata"] = [*kept, {"breadcrumb": where, "metadata": {"selected": False}}]
        assert "newOne" in json.dumps(read(config_for(sandbox.url), select=("users",)), default=str)
        messages = run_in_process(config_for(sandbox.url), entries=entries)
    assert "newOne" not in json.dumps(messages, default=str)
    (schema,) = (m["schema"] for m in messages if m["type"] == "SCHEMA")
    for row in records_of(messages, "users"):
        assert list(row) == list(schema["properties"])


# Through real loaders


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]) -> Any:
    """Three runs into four loaders; a property is new on the second day and gone on the third."""
    folder = tmp_path_factory.mktemp("days")
    for name in ("jsonl", "csv"):
        (folder / name).mkdir()
    with frozen(accounts=12) as sandbox:
        loaded_into = Loaded(folder, make_database())
        truths, csv_rows = [], []
        state: Row | None = None
        for day in range(3):
            sandbox.faults.clear()
            if day == 1:
                sandbox.faults.append(Fault("undeclared", "*", name="newOne", after=2))
            run = run_tap(
                folder, config_for(sandbox.url), select=["users", "notes", "tasks"], state=state
            )
            assert run.returncode == 0, run.stderr
            state = run.state
            for target, settings in loaders(loaded_into).items():
                path = folder / f"{target}.json"
                path.write_text(json.dumps(settings))
                done = subprocess.run(
                    forked([program(target), "--config", path]),
                    input=run.stdout,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, (day, target, done.stderr)
                assert json.loads(done.stdout.splitlines()[-1])
            with (folder / "csv" / "notes.csv").open(newline="") as file:
                csv_rows.append(list(csv.DictReader(file)))
            truths.append(run.records("notes"))
            sandbox.world.clock.advance(86_400)
            sandbox.world.live_a_day()
        yield loaded_into, truths, csv_rows


def test_a_new_property_does_not_stop_a_csv_file(days: Any) -> None:
    _, truths, csv_rows = days
    for expected_rows, rows in zip(truths, csv_rows, strict=True):
        assert [list(row) for row in rows] == [list(expected_rows[0])] * len(expected_rows)
        assert [row["id"] for row in rows] == [row["id"] for row in expected_rows]
        held = [row["additionalProperties"] for row in expected_rows]
        assert [row["additionalProperties"] for row in rows] == [str(v or "") for v in held]
    assert any(row["additionalProperties"] for row in csv_rows[1])
    assert not any(row["additionalProperties"] for row in csv_rows[0] + csv_rows[2])


def test_a_new_property_arrives_in_every_database(days: Any) -> None:
    into, truths, _ = days
    latest = {
        row["id"]: row["additionalProperties"] for expected_rows in truths for row in expected_rows
    }
    assert {"newOne": NEW} in latest.values()
    assert {
        key[0]: row["additionalProperties"] for key, row in into.jsonl("notes").items()
    } == latest
    query = 'SELECT id, "additionalProperties" FROM {}'
    with duckdb.connect(into.folder / "warehouse.duckdb", read_only=True) as database:
        found = database.execute(query.format("main.notes")).fetchall()
        assert {key: value and json.loads(value) for key, value in found} == latest
    with psycopg.connect(into.postgres) as connection:
        rows = connection.execute(sql.SQL(query).format(sql.Identifier("vitally", "notes")))
        assert dict(rows.fetchall()) == latest
