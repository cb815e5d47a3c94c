"""Feed each loader what the tap writes, and compare what it has stored with that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import requests
from psycopg import sql

from demo.processes import Vitally
from field.awkward import add_fields, change_fields, make_awkward, make_extreme, make_long
from field.compare import Found, compare
from field.loaders import LOADERS, Loader
from field.messages import Written, kind
from field.programs import Done, FieldError, Row, environment, program, run, version
from field.servers import ENDED_SECONDS, Servers
from field.storage import Destination, Loaded

RUNS: Final[Mapping[str, Callable[[Vitally], object]]] = {
    "first": lambda _: None,
    "a day later": lambda vitally: vitally.post("day"),
    "awkward": make_awkward,
    "extreme": make_extreme,
}
"""The runs of one destination, and what happens in Vitally before each."""
COLUMNS: Final[Mapping[str, Callable[[Vitally], object]]] = {
    "fields as columns": add_fields,
    "other fields": change_fields,
}
"""The same for another destination, with a column for each custom field."""
LONG: Final[Mapping[str, Callable[[Vitally], object]]] = {"a long text": make_long}
"""The same for a third one."""
FLAT: Final = {"flattening_enabled": True, "flattening_max_depth": 1}


@dataclass(frozen=True)
class Recorded:
    """What the tap has written, in files."""

    folder: Path
    url: str

    def path(self, shape: str, name: str) -> Path:
        """The file of one run."""
        return self.folder / f"{shape}-{name.replace(' ', '-')}.singer"


def record(servers: Servers, folder: Path) -> Recorded:
    """Run the tap at some times in each shape, and once with BATCH messages."""
    recorded = Recorded(folder, servers.vitally.url)
    for runs in (RUNS, COLUMNS, LONG):
        states: dict[str, Path] = {}
        for name, happens in runs.items():
            happens(servers.vitally)
            for shape in ("nested", "flat"):
                states[shape] = _record(recorded, shape, name, states.get(shape))
            _fill(recorded.path("flat", name), recorded.path("full", name))
    _record(recorded, "batch", "first", None)
    return recorded


def _settings(recorded: Recorded, shape: str, name: str) -> Row:
    settings: Row = {"api_key": "sandbox", "api_url": recorded.url}
    if name in COLUMNS:
        # Without looking back: rows that have not changed since do not come with the other types.
        settings |= {"trait_columns": True, "lookback_seconds": 0}
    if shape in {"flat", "full"}:
        settings |= FLAT
    if shape == "batch":
        root = recorded.folder / "batches"
        root.mkdir()
        form = {"format": "jsonl", "compression": "gzip"}
        settings["batch_config"] = {
            "encoding": form,
            "storage": {"root": root.as_uri(), "prefix": ""},
        }
    return settings


def _record(recorded: Recorded, shape: str, name: str, state: Path | None) -> Path:
    """Run the tap once, and return the file of its newest STATE."""
    config = recorded.folder / f"{shape}{'-columns' * (name in COLUMNS)}.json"
    if not config.exists():
        config.write_text(json.dumps(_settings(recorded, shape, name)))
    path = recorded.path(shape, name)
    command = [program("tap-vitally"), "--config", str(config)]
    done = run([*command, *(["--state", str(state)] if state else [])], sink=path)
    if done.code:
        msg = f"tap-vitally ended with {done.code}: {done.error}"
        raise FieldError(msg)
    with path.open("rb") as lines:
        newest = Written().add(line for line in lines if b'"BATCH"' not in line[:40]).state
    after = path.with_suffix(".state")
    after.write_text(json.dumps(newest, default=str))
    return after


def _fill(source: Path, sink: Path) -> None:
    """Write messages again with every property in each record, null where it was not there."""
    names: dict[str, list[str]] = {}
    with source.open() as lines, sink.open("w") as filled:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "SCHEMA":
                names[message["stream"]] = list(message["schema"]["properties"])
            if message["type"] == "RECORD":
                record = message["record"]
                message["record"] = {name: record.get(name) for name in names[message["stream"]]}
            filled.write(json.dumps(message) + "\n")


class Loading:
    """All runs of one loader."""

    def __init__(self, loader: Loader, recorded: Recorded, servers: Servers, folder: Path) -> None:
        self.loader = loader
        self.recorded = recorded
        self.servers = servers
        self.folder = folder
        self.numbers = count()

    def results(self) -> Row:
        """Return all that is known of the loader afterwards."""
        written = Written()
        runs, loaded = self._loads(RUNS, written)
        return {
            "version": version(self.loader.package, self.loader.environment),
            "shape": self.loader.shape,
            "note": self.loader.note,
            "names": {name: loaded.columns.get(name) for name in ("createdAt", "accountId")},
            "types": _types(loaded, written),
            "runs": runs | self._loads(COLUMNS, Written())[0] | self._loads(LONG, Written())[0],
            "SIGTERM to the loader": self.loader_ended(),
            "SIGTERM to the tap": self.tap_ended(),
            "BATCH": self.batch(),
        }

    def _loads(self, names: Iterable[str], written: Written) -> tuple[Row, Loaded]:
        """Load runs into one destination; return what became of each, and what it holds then."""
        destination = self._destination()
        runs: Row = {}
        loaded = Loaded()
        for name in names:
            path = self.recorded.path(self.loader.shape, name)
            written.add(path.read_bytes().splitlines())
            done = run(self._command(destination), source=path, **self._how(destination))
            loaded = self._read(destination, written)
            runs[name] = {**self._ended(done, written), **compare(written, loaded.rows).as_data()}
            _wait_for_next_second()
        return runs, loaded

    def loader_ended(self) -> Row:
        """End the loader when it has read half of the rows, and see what is kept.

        The pipe holds 64 KiB: when all of the half is in it, nearly all of the half was read.
        """
        destination = self._destination()
        lines = (
            self.recorded.path(self.loader.shape, "first").read_bytes().splitlines(keepends=True)
        )
        half = lines[: len(lines) // 2]
        with self._started(destination) as process:
            _give(process, half)
            process.send_signal(signal.SIGTERM)
            done = _ended(process)
        found = self._kept(destination, half, done)
        # How much of the rest is still in the pipe is another in each run.
        return {**found, "keys": found["keys"] != "none", "STATE": found["STATE"] != "none"}

    def tap_ended(self) -> Row:
        """End the tap while it writes, and see whether the loader stores all that it wrote."""
        destination = self._destination()
        config = self.recorded.folder / (
            "nested.json" if self.loader.shape == "nested" else "flat.json"
        )
        command = [program("tap-vitally"), "--config", str(config)]
        written: list[bytes] = []
        with (
            self._started(destination) as process,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap,
        ):
            for line in tap.stdout or ():
                written.append(line)
                if len(written) == 150:  # noqa: PLR2004 - in the middle of the second stream
                    tap.terminate()
            tap.wait(timeout=120)
            source = self.folder / f"{destination.name}.singer"
            source.write_bytes(b"".join(written))
            if self.loader.shape == "full":
                filled = source.with_suffix(".full")
                _fill(source, filled)
                written = filled.read_bytes().splitlines(keepends=True)
            _give(process, written)
            done = _ended(process)
        return {"tap": tap.returncode, **self._kept(destination, written, done)}

    def batch(self) -> Row:
        """Feed it BATCH messages."""
        destination = self._destination()
        source = self.recorded.path("batch", "first")
        done = run(self._command(destination), source=source, **self._how(destination))
        written = Written().add(self.recorded.path("nested", "first").read_bytes().splitlines())
        rows = sum(map(len, self._read(destination, written).rows.values()))
        return {"exit code": done.code, "rows": rows > 0, "STATE": bool(done.last_line)}

    def _kept(self, destination: Destination, given: list[bytes], done: Done) -> Row:
        """Return how much is stored of what was given, and whether the STATE promises more."""
        written = Written().add(given)
        found = self._compared(destination, written)
        answer = self._ended(done, written)
        if done.last_line:
            promised = Written()
            state = json.loads(done.last_line)
            before = list(_until(given, state))
            lost = self._compared(destination, promised.add(before)).missing
            answer["STATE promises more"] = lost > 0
        return {**answer, "keys": found.kept}

    def _compared(self, destination: Destination, written: Written) -> Found:
        return compare(written, self._read(destination, written).rows)

    def _read(self, destination: Destination, written: Written) -> Loaded:
        """Read what is stored; what was ended before it stored anything has left nothing to read."""
        try:
            return self.loader.read(destination, written.schemas)
        except (OSError, ValueError, requests.RequestException):
            return Loaded()

    def _ended(self, done: Done, written: Written) -> Row:
        state = done.last_line
        newest = bool(state) and json.loads(state) == json.loads(
            json.dumps(written.state, default=str)
        )
        return {
            "exit code": done.code,
            "STATE": "newest" if newest else "older" if state else "none",
        }

    def _destination(self) -> Destination:
        folder = self.folder / f"{self.loader.name}-{next(self.numbers)}"
        folder.mkdir(parents=True)
        destination = Destination(folder, self.servers)
        requests.put(f"{self.servers.s3}/{destination.name}", timeout=60).raise_for_status()
        with psycopg.connect(self.servers.postgres) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(destination.name)))
        return destination

    def _command(self, destination: Destination) -> list[str]:
        config = destination.folder.with_suffix(".config")
        config.write_text(json.dumps(self.loader.settings(destination)))
        return [
            str(environment(self.loader.environment) / "bin" / self.loader.executable),
            "--config",
            str(config),
        ]

    def _how(self, destination: Destination) -> Row:
        return {"folder": destination.folder, "variables": self.loader.variables}

    def _started(self, destination: Destination) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command(destination),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=destination.folder,
            env={**os.environ, **self.loader.variables},
        )


def _wait_for_next_second() -> None:
    """Wait until the clock shows another second.

    target-singer-jsonl names its files by it, and replaces one that is there.
    """
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(0.01)


def _give(process: subprocess.Popen[bytes], lines: list[bytes]) -> None:
    """Write to a loader; one that has ended does not read it."""
    with suppress(BrokenPipeError):
        if process.stdin:
            process.stdin.write(b"".join(lines))
            process.stdin.flush()


def _ended(process: subprocess.Popen[bytes]) -> Done:
    """Close the input of a loader and wait for its end."""
    out, log = process.communicate(timeout=ENDED_SECONDS)
    return Done(process.returncode, out.decode(errors="replace"), log.decode(errors="replace"))


def _until(lines: list[bytes], state: Row) -> Iterator[bytes]:
    """Yield the messages up to the one that holds a STATE."""
    for line in lines:
        yield line
        if b'"STATE"' in line[:30] and json.loads(line)["value"] == state:
            return


def _types(loaded: Loaded, written: Written) -> dict[str, list[str]]:
    """Return which column types stand for each type of property."""
    found: dict[str, set[str]] = {}
    for stream, types in loaded.types.items():
        for name, column in types.items():
            found.setdefault(kind(written.schemas[stream][name]), set()).add(column)
    return {name: sorted(types) for name, types in sorted(found.items())}


def load_all(servers: Servers, folder: Path, only: str = "") -> Row:
    """Run all loaders, or those in whose name a text stands; return what each did."""
    recorded_in = folder / "recorded"
    recorded_in.mkdir()
    recorded = record(servers, recorded_in)
    results: Row = {}
    for loader in LOADERS:
        if only in loader.name:
            print(f"  {loader.name}", flush=True)
            results[loader.name] = Loading(loader, recorded, servers, folder).results()
    return results
