"""Looks for rows that were written twice, or not, or not last.

A history is played: tables come night after night, and each night's run meets faults, is killed or
stopped, and begins again from the last STATE that it wrote, until one comes to its end. Then the
workspace is held against what the rows said.

`tests/target/test_hunt.py` does so for some seconds, `python -m soak` for as long as it is asked to.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from harness.forked import forked
from harness.observed_state import differences
from harness.reference_model import ReferenceModel
from harness.support import ROOT, Row, config_for, read, waits_pass_in_no_time
from harness.target import hasty_target
from sandbox import LATE, Entry, Fault, Rate, World, Writing, serve
from target_vitally.pipeline.workers import RunAborted
from target_vitally.resources import NAMED, RESOURCES
from vitally_api import VitallyError, encoded

ENDS_WITHIN = 240.0
EndsBy = Literal["peace", "kill", "term"]
COMMAND = forked([sys.executable, "-m", "target_vitally"])


@dataclass(frozen=True)
class Spoiled:
    """A `sandbox.Fault` as a value; ``done`` lets the write be carried out all the same."""

    kind: Any
    method: str = "*"
    path: str = "*"
    times: int = 1
    after: int = 0
    status: int = 503
    body: str | None = None
    done: bool = False
    late: bool = False

    def fault(self) -> Fault:
        """Make the fault."""
        return Fault(**{name: getattr(self, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class Attempt:
    """One run of the target, and what happens to it."""

    spoiled: tuple[Spoiled, ...] = ()
    ends_by: EndsBy = "peace"
    at: int = 0
    """The request at which it ends, unless it has come to its end before."""
    process: bool = False
    """True: it is a process of its own."""
    dry: bool = False
    """True: a dry run comes first, and its plan has to be what is done then."""


@dataclass
class Came:
    """What a run came to."""

    states: list[Any]
    lines: list[Row]
    failure: str
    killed: bool

    @property
    def words(self) -> dict[int, str]:
        """The outcome of each row."""
        return {line["row"]: line["outcome"] for line in self.lines}


class WriteFuzzer:
    """One workspace, and the runs that write into it."""

    runs = 0
    """Runs that all fuzzers together have made."""

    def __init__(
        self, *, seed: int, switches: Row, settings: Row, limit: int | None = None
    ) -> None:
        self._running = ExitStack()
        folder = self._running.enter_context(TemporaryDirectory())
        self._results = Path(folder, "results.jsonl")
        self._config = Path(folder, "config.json")
        rate = Rate(limit=limit, window=1.0) if limit else None
        world = World.empty(seed)
        self.sandbox = self._running.enter_context(
            serve(world, rate=rate, writing=Writing().but(switches))
        )
        self._late = LATE[1] + 2 * self.sandbox.writer.switches.analytics_delay
        if not limit:
            self._running.enter_context(waits_pass_in_no_time(world.clock.advance))
        self.settings = settings
        self.reference_model = ReferenceModel()
        self._number = 0
        self._uncertain: set[str | None] = set()

    def close(self) -> None:
        """Stop the sandbox."""
        self._running.close()

    def night(self, said: tuple[Row, ...], attempts: Iterable[Attempt]) -> None:
        """Write an input through all attempts, and check what Vitally holds after it."""
        came = self._through(said, attempts)
        self._let_come_what_is_late()
        settings = self.settings
        self.reference_model.take(
            said,
            deletes=settings.get("deletes") == "delete",
            cap=settings.get("max_deletes", 100),
            nulls=settings.get("nulls", "omit"),
        )
        assert _expected(came.failure), came.failure
        self._check_rejected(came)
        uncertain = bool(self._uncertain)
        found = differences(self.sandbox, self.reference_model, self._number, uncertain=uncertain)
        # Somebody was told by key that it is not known whether these were written.
        problems = [
            p for p in found if not any(repr(key) in p.partition(":")[0] for key in self._uncertain)
        ]
        assert not problems, "; ".join(problems)

    def _let_come_what_is_late(self) -> None:
        self.sandbox.world.clock.advance(self._late)
        self.sandbox.writer.catch_up()

    def _check_rejected(self, came: Came) -> None:
        """In peace, only what cannot be written is rejected."""
        fine = ("none of the accounts has", "archived in Vitally", "max_deletes")
        for line in came.lines:
            if line["outcome"] == "rejected":
                assert any(part in line["reason"] for part in fine), line

    def copy(
        self, said: tuple[Row, ...], attempts: Iterable[Attempt]
    ) -> tuple[Counter[tuple[str, str]], bool]:
        """Copy a workspace through all attempts.

        Return the tables and external ids of what is there, and whether rows were refused because
        what their ids stand for had come before the STATE that the last run began from.
        """
        came = self._through(said, attempts)
        there = Counter(
            (name, str(row["externalId"]))
            for name, table in self.sandbox.world.tables.items()
            for row in table.rows.values()
            if "externalId" in row
        )
        return there, any("has the id that" in line.get("reason", "") for line in came.lines)

    def _through(self, said: tuple[Row, ...], attempts: Iterable[Attempt]) -> Came:
        """Run until a run in peace has come to its end."""
        rest: list[Row] = list(said)
        for attempt in (*attempts, Attempt()):
            if attempt.dry or attempt == Attempt():
                self._apply_all()
            if attempt.dry:
                self._plan(rest)
            came = self._run(rest, attempt)
            self._check_sums(rest, came)
            rest = _after(said, came.states, rest)
            # The next run begins when what this one sent has been done: it cannot know of it.
            self._let_come_what_is_late()
        return came

    def _apply_all(self) -> None:
        """Let every message be taken and applied from now on: a run in peace comes to its end."""
        writer = self.sandbox.writer
        writer.switches = writer.switches.but({"analytics_drops": 0.0, "analytics_blocked": []})

    def again(self, said: tuple[Row, ...]) -> None:
        """Run once more over an input that was written: there is nothing to do."""
        self.sandbox.requests.clear()
        self._run(list(said), Attempt())
        written = [e for e in self.sandbox.requests if e.method != "GET" and e.status == 200]
        assert not written, f"written again: {[(e.method, e.path) for e in written]}"

    def _plan(self, said: list[Row]) -> None:
        """Make a plan, and carry it out: it has to come as planned."""
        self.sandbox.requests.clear()
        planned = self._run(said, Attempt(), dry_run=True)
        written = [entry.path for entry in self.sandbox.requests if entry.method != "GET"]
        assert not written, f"a plan wrote {written}"
        assert not planned.states, "a plan acknowledged something"
        done = self._run(said, Attempt())
        different = {
            row: (word, done.words.get(row))
            for row, word in planned.words.items()
            if done.words.get(row) != word
        }
        assert not different, f"planned and done: {different}"

    def _run(self, said: list[Row], attempt: Attempt, **more: Any) -> Came:
        """Run the target once."""
        WriteFuzzer.runs += 1
        self._number += 1
        self._results.unlink(missing_ok=True)
        config = {
            "api_key": self.sandbox.key,
            "api_url": self.sandbox.url,
            "analytics_api_key": self.sandbox.analytics_key,
            "analytics_url": self.sandbox.url,
            "results_file": str(self._results),
            "first_push": True,
            "max_deletes": 100,
            **self.settings,
            **more,
        }
        text = "".join(f"{encoded(message).decode()}\n" for message in said)
        self.sandbox.requests.clear()
        self.sandbox.faults.clear()
        self.sandbox.faults.extend(each.fault() for each in attempt.spoiled)
        came = (self._process if attempt.process else self._inside)(config, text, attempt)
        self.sandbox.before_request = None
        self.sandbox.faults.clear()
        self._uncertain |= {line["key"] for line in came.lines if _is_lost(line)}
        return came

    def _inside(self, config: Row, text: str, attempt: Attempt) -> Came:
        """Run it in this process; who is killed is not heard any more."""
        target = hasty_target(config)
        heard: list[int] = []
        printed = io.StringIO()

        def end(entry: Entry) -> None:
            if entry.number == attempt.at and attempt.ends_by != "peace":
                if attempt.ends_by == "kill":
                    heard.append(len(printed.getvalue()))
                target.engine.interrupt(signal.SIGTERM)

        self.sandbox.before_request = end
        failure = ""
        with redirect_stdout(printed):
            try:
                target.write_all(io.StringIO(text))
            except (VitallyError, RunAborted) as error:
                failure = str(error)
        states = printed.getvalue()[: heard[0] if heard else None]
        return Came(
            [json.loads(s) for s in states.splitlines()], self._read(), failure, bool(heard)
        )

    def _process(self, config: Row, text: str, attempt: Attempt) -> Came:
        """Run it as a process of its own."""
        self._config.write_text(json.dumps(config))
        started: list[subprocess.Popen[str]] = []
        hit: list[int] = []

        def end(entry: Entry) -> None:
            if entry.number == attempt.at and attempt.ends_by != "peace":
                number = signal.SIGKILL if attempt.ends_by == "kill" else signal.SIGTERM
                hit.append(number)
                started[0].send_signal(number)

        self.sandbox.before_request = end
        pipe = subprocess.PIPE
        command = [*COMMAND, "--config", str(self._config)]
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT
        ) as process:
            started.append(process)
            printed, log = process.communicate(text, timeout=ENDS_WITHIN)
        assert "Traceback" not in log, log
        if hit:
            assert process.returncode in {-signal.SIGKILL, 128 + signal.SIGTERM, 0, 1}, log
        failure = (log.splitlines() or [""])[-1] if process.returncode else ""
        states = [json.loads(line) for line in printed.splitlines()]
        return Came(states, self._read(), failure, signal.SIGKILL in hit)

    def _read(self) -> list[Row]:
        lines = self._results.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _check_sums(self, said: list[Row], came: Came) -> None:
        """Make sure that every row that was read has one outcome."""
        if came.killed:
            return
        numbers = sorted(line["row"] for line in came.lines)
        assert numbers == list(range(1, len(numbers) + 1)), "a row has no outcome, or two"
        read = sum(message["type"] == "RECORD" for message in said)
        assert len(numbers) <= read
        assert came.failure or len(numbers) == read, "rows were not read"


def _is_lost(line: Row) -> bool:
    """Return True if nobody will know what became of a row; what went in bulk is looked for again."""
    reason = line.get("reason", "")
    again = "another run looks" in reason or "an earlier change" in reason
    return bool(line["outcome"] == "uncertain" and not again)


def _after(said: tuple[Row, ...], states: list[Any], before: list[Row]) -> list[Row]:
    """Return the input of a tap that goes on from a STATE: what comes after it, and each SCHEMA."""
    if not states:
        return before
    schemas = [message for message in said[: states[-1]] if message["type"] == "SCHEMA"]
    return [*schemas, *said[states[-1] :]]


def _read_by_the_tap() -> list[str]:
    """Name the resources that have lists."""
    return [name for name, resource in RESOURCES.items() if not resource.only_message]


def _expected(failure: str) -> bool:
    """Return True if a run without faults may fail so: for bad rows, or too many deletes."""
    fine = ("rejected", "max_deletes", "no row matched a record")
    return not failure or any(part in failure for part in fine)


def silence_logs() -> None:
    """Keep what runs tell out of the way."""
    logging.disable(logging.CRITICAL)


@cache
def copied(seed: int, accounts: int) -> tuple[Row, ...]:
    """Read a workspace with the tap; each STATE says how many messages there are up to it."""
    with serve(World(seed, accounts)) as source:
        messages = read(config_for(source.url), select=(*_read_by_the_tap(), *NAMED))
    return tuple(
        {**message, "value": number} if message["type"] == "STATE" else message
        for number, message in enumerate(messages, 1)
    )
