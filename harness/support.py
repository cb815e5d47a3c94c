"""What the tests share: running the tap, and a warehouse that keeps what it wrote."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from unittest import mock

import msgspec
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage

from harness.forked import forked
from tap_vitally.tap import TapVitally
from tap_vitally.writer import MessageWriter
from vitally_api import Budget, retrying

ROOT = Path(__file__).parent.parent
KEY = "sandbox"

Row = dict[str, Any]
Key = tuple[str, ...]

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def plain(value: Any) -> Any:
    """Bring a value into the form it has after a trip through JSON, every digit kept."""
    return json.loads(_encoder.encode(value), parse_float=Decimal)


def with_moments(row: Row) -> Row:
    """The API tells of some moments by their day alone; the tap promises one spelling."""
    days = {
        name: f"{row[name]}T00:00:00.000Z"
        for name in ("actualStartDate", "actualCompletionDate")
        if len(row.get(name) or "") == len("2026-03-04")
    }
    return row | days


def config_for(url: str, **settings: Any) -> Row:
    """The smallest configuration for the sandbox, with further settings."""
    return {"api_key": KEY, "api_url": url, **settings}


def catalog(select: Iterable[str] | None = None, config: Mapping[str, Any] | None = None) -> Row:
    """The tap's catalog, with just these streams selected; None selects all."""
    chosen = None if select is None else set(select)
    tap = TapVitally(config=dict(config or {}), validate_config=False, setup_mapper=False)
    entries: Row = tap.catalog_dict
    unknown = (chosen or set()) - {entry["stream"] for entry in entries["streams"]}
    assert not unknown, f"unknown streams: {unknown}"
    for entry in entries["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"] == []:
                item["metadata"]["selected"] = chosen is None or entry["stream"] in chosen
    return entries


@dataclass
class Warehouse:
    """What a target that upserts by key would hold: the latest version of every row."""

    tables: dict[str, dict[Key, Row]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    schemas: dict[str, Row] = field(default_factory=dict)
    state: Row | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def load(self, messages: Iterable[Row]) -> None:
        """Load messages in their order."""
        for message in messages:
            kind = message["type"]
            if kind == "SCHEMA":
                name = message["stream"]
                self.keys[name] = message["key_properties"]
                self.schemas[name] = message["schema"]
                self.tables.setdefault(name, {})
            elif kind == "RECORD":
                name, record = message["stream"], message["record"]
                key = tuple(str(record[part]) for part in self.keys[name])
                self.tables[name][key] = record
                self.counts[name] = self.counts.get(name, 0) + 1
            elif kind == "STATE":
                self.state = message["value"]

    def differences(self, stream: str, expected_rows: Mapping[Any, Row]) -> dict[str, list[Any]]:
        """Compare a table with what the sandbox says it should hold; empty if it is equal."""
        wanted = {
            tuple(str(part) for part in key): plain(with_moments(row))
            for key, row in expected_rows.items()
        }
        found = self.tables.get(stream, {})
        changed = [
            key
            for key in wanted.keys() & found.keys()
            if any(found[key].get(name) != value for name, value in wanted[key].items())
        ]
        result = {
            "missing": sorted(wanted.keys() - found.keys()),
            "unexpected": sorted(found.keys() - wanted.keys()),
            "different": sorted(changed),
        }
        return {what: keys for what, keys in result.items() if keys}


@dataclass
class Result:
    """One run of the tap as a process."""

    returncode: int
    stdout: str
    stderr: str

    @cached_property
    def messages(self) -> list[Row]:
        """The Singer messages, decoded with every digit of their numbers."""
        return [json.loads(line, parse_float=Decimal) for line in self.stdout.split("\n") if line]

    def records(self, stream: str) -> list[Row]:
        """The records of one stream."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    @property
    def state(self) -> Row | None:
        """The last STATE."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else None


def command(
    folder: Path,
    config: Mapping[str, Any],
    *,
    select: Iterable[str] | None = None,
    state: Mapping[str, Any] | None = None,
    default_selection: bool = False,
) -> list[str]:
    """The command line that runs the tap, with its files written to a folder."""
    arguments = [sys.executable, "-m", "tap_vitally"]
    files: dict[str, Any] = {"config": config}
    if not default_selection:
        files["catalog"] = catalog(select, config)
    if state is not None:
        files["state"] = state
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content))
        arguments += [f"--{name}", str(path)]
    return arguments


def run_tap(  # noqa: PLR0913 - they are all optional, and named
    folder: Path,
    config: Mapping[str, Any],
    *,
    select: Iterable[str] | None = None,
    state: Mapping[str, Any] | None = None,
    default_selection: bool = False,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Result:
    """Run the tap as its users do: a process of its own, with files for its settings."""
    arguments = command(
        folder, config, select=select, state=state, default_selection=default_selection
    )
    return run_command(arguments, env=env, timeout=timeout)


def run_command(
    arguments: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float = 120
) -> Result:
    """Run a command to its end, from the top of the repository; a Python is forked."""
    done = subprocess.run(
        forked(arguments) if arguments[0] == sys.executable else arguments,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class Collector(MessageWriter):
    """Keeps messages, in place of writing them, as the target would read them.

    ``before`` is called before each, and may raise what ends the run.
    """

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._before = before
        self.messages: list[Row] = []

    def write_message(self, message: Message) -> None:
        self._before()
        self.messages.append(json.loads(self.format_message(message), parse_float=Decimal))

    def write_records(self, stream: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Yield them one by one: a run may be killed between any two."""
        for record in records:
            self.write_message(
                RecordMessage(stream, dict(record), time_extracted=datetime.now(UTC))
            )

    def flush(self) -> None:
        """Nothing is held back."""


def run_in_process(
    config: Mapping[str, Any],
    *,
    select: Iterable[str] | None = None,
    state: Mapping[str, Any] | None = None,
    collector: Collector | None = None,
    entries: Row | None = None,
) -> list[Row]:
    """Run the tap inside the test, on a catalog of its own or one that is given."""
    collector = collector or Collector()
    tap = TapVitally(
        config=dict(config),
        catalog=entries or catalog(select, config),
        state=copy.deepcopy(dict(state or {})),
        message_writer=collector,
    )
    try:
        tap.sync_all()
    finally:
        tap.run.stop()
    return collector.messages


@contextmanager
def waits_pass_in_no_time(passing: Callable[[float], None] = lambda _: None) -> Iterator[None]:
    """Let the waits between two tries pass at once.

    Its patience is measured on the same clock, so it lasts as long as ever, counted in tries.
    ``passing`` is told of the seconds, for a clock that has to go along.
    """
    passed = 0.0
    lock = Lock()

    def sleep(budget: Budget, seconds: float) -> None:
        nonlocal passed
        wait(budget, 0)  # which a stop ends
        with lock:
            passed += seconds
            passing(seconds)

    def monotonic(_: Budget) -> float:
        return passed

    wait = Budget.sleep
    with (
        mock.patch.object(Budget, "sleep", sleep),
        mock.patch.object(Budget, "pause", sleep),
        mock.patch.object(Budget, "monotonic", monotonic),
        mock.patch.object(retrying, "time", mock.Mock(monotonic=lambda: passed)),
    ):
        yield


def read(
    config: Row,
    *,
    select: Iterable[str],
    state: Row | None = None,
    collector: Collector | None = None,
) -> list[Row]:
    """Run the tap on a catalog without the other streams, which takes half the time."""
    entries = catalog_of(tuple(select))
    return run_in_process(config, state=state, collector=collector, entries=entries)


def catalog_of(streams: tuple[str, ...], declared: Sequence[Row] = ()) -> Row:
    """A catalog of these streams alone, which the SDK takes in sooner than a whole one."""
    return copy.deepcopy(_made_catalog(streams, json.dumps(declared)))


@cache
def _made_catalog(streams: tuple[str, ...], declared: str) -> Row:
    whole = catalog(streams, {"custom_streams": json.loads(declared)})
    return {"streams": [entry for entry in whole["streams"] if entry["stream"] in streams]}
