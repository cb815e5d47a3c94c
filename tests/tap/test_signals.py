"""Signals, and targets that stop, stumble or go away: real processes with real pipes."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pytest

from harness.forked import forked
from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import ROOT, Row, Warehouse, command, config_for, read
from sandbox import Entry, Fault, Sandbox, World, serve
from vitally_api import VitallyError

SELECT = ["account_users", "accounts", "notes", "users"]
SOON = 5
"""Seconds in which the tap promises to end."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(seed=4, accounts=20, sizes={"users": 25, "notes": 30})
    with serve(world) as sandbox:
        yield sandbox


@pytest.fixture
def large() -> Iterator[Sandbox]:
    """More than fits into a pipe and the tap's own buffer."""
    with serve(World(seed=4, accounts=400, sizes={"users": 0, "notes": 0})) as sandbox:
        yield sandbox


def message(line: bytes) -> Row:
    decoded: Row = json.loads(line, parse_float=Decimal)
    return decoded


@dataclass
class Running:
    """The tap as a process of its own, and the target's end of its pipe."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout
        return self.process.stdout

    def rest(self) -> list[Row]:
        """Read on to the end, and take the lines for messages."""
        # What comes after the last end of a line is no message yet, and no target takes it for one.
        *lines, unfinished = self.output.read().split(b"\n")
        self.process.wait(SOON)
        assert unfinished == b"" or self.process.returncode == -signal.SIGKILL
        return [message(line) for line in lines]

    @property
    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def tap(
    folder: Path,
    sandbox: Sandbox,
    select: list[str],
    *,
    env: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Running]:
    """Start the tap; end it with the block, whatever has become of it."""
    config = config_for(sandbox.url, **{"page_size": 2, "concurrency": 4, **settings})
    arguments = command(folder, config, select=select)
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            arguments if env else forked(arguments),  # which takes no options of Python
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            yield Running(process, log)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def completes(sandbox: Sandbox, warehouse: Warehouse, select: list[str]) -> None:
    """See that the next run brings everything."""
    sandbox.before_request = None
    sandbox.faults.clear()
    messages = read(config_for(sandbox.url), select=select, state=warehouse.state)
    warehouse.load(messages)
    for name in select:
        assert warehouse.differences(name, sandbox.world.expected_rows(name)) == {}


def at_request(sandbox: Sandbox, number: int, act: Callable[[], object]) -> threading.Event:
    """Do something when a request comes in, before it is answered."""
    done = threading.Event()

    def change_filter(entry: Entry) -> None:
        if entry.number >= number and not done.is_set():
            act()
            done.set()

    sandbox.before_request = change_filter
    return done


@pytest.mark.parametrize(
    ("number", "at"), [(signal.SIGTERM, 12), (signal.SIGINT, 40), (signal.SIGTERM, 60)]
)
def test_a_signal_ends_the_run_with_its_state(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals, at: int
) -> None:
    with tap(tmp_path, sandbox, SELECT) as running:
        done = at_request(sandbox, at, lambda: running.process.send_signal(number))
        warehouse = Warehouse()
        messages = running.rest()
    assert done.is_set()
    warehouse.load(messages)
    assert running.process.returncode == 128 + number
    # STATE that has not changed is not written again behind the SCHEMA of the next stream.
    last = next(message for message in reversed(messages) if message["type"] != "SCHEMA")
    assert last["type"] == "STATE"
    assert last["value"]["bookmarks"]
    assert "Traceback" not in running.said
    assert "Ended by a signal" in running.said
    asked = len(sandbox.requests)
    assert asked < 100
    completes(sandbox, warehouse, SELECT)


def blocked(running: Running) -> None:
    """Wait until the pipe is full, so that the tap is in the middle of a write."""
    pipe = running.output.fileno()
    full = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    deadline = time.monotonic() + 60
    waiting = 0
    while waiting < full - 4096:
        assert time.monotonic() < deadline, "the pipe does not fill"
        (waiting,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
        time.sleep(0.01)


UNBUFFERED = [{"PYTHONUNBUFFERED": ""}, {"PYTHONUNBUFFERED": "1"}]


@pytest.mark.parametrize("env", UNBUFFERED, ids=["buffered", "unbuffered"])
def test_a_signal_in_the_middle_of_a_write_leaves_whole_lines(
    large: Sandbox, tmp_path: Path, env: Mapping[str, str]
) -> None:
    with tap(tmp_path, large, ["accounts"], env=env, page_size=20) as running:
        blocked(running)
        running.process.send_signal(signal.SIGTERM)
        warehouse = Warehouse()
        messages = running.rest()
    assert running.process.returncode == 128 + signal.SIGTERM
    assert messages[-1]["type"] == "STATE"
    warehouse.load(messages)
    completes(large, warehouse, ["accounts"])


@pytest.mark.parametrize("env", UNBUFFERED, ids=["buffered", "unbuffered"])
def test_a_run_that_is_halted_in_the_middle_of_a_write_goes_on(
    large: Sandbox, tmp_path: Path, env: Mapping[str, str]
) -> None:
    with tap(tmp_path, large, ["accounts"], env=env, page_size=20) as running:
        blocked(running)
        running.process.send_signal(signal.SIGSTOP)
        running.process.send_signal(signal.SIGCONT)
        warehouse = Warehouse()
        warehouse.load(running.rest())
    assert running.process.returncode == 0
    assert warehouse.differences("accounts", large.world.expected_rows("accounts")) == {}


def test_control_c_while_the_tap_is_loaded_leaves_no_traceback() -> None:
    program = (
        "import os, signal, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'tap_vitally.tap':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from tap_vitally.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGINT
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("at", [12, 40, 60])
def test_a_kill_costs_time_only(sandbox: Sandbox, tmp_path: Path, at: int) -> None:
    with tap(tmp_path, sandbox, SELECT) as running:
        at_request(sandbox, at, running.process.kill)
        warehouse = Warehouse()
        warehouse.load(running.rest())
    assert running.process.returncode == -signal.SIGKILL
    completes(sandbox, warehouse, SELECT)


def test_a_signal_before_the_first_record(sandbox: Sandbox, tmp_path: Path) -> None:
    with tap(tmp_path, sandbox, SELECT) as running:
        at_request(sandbox, 1, lambda: running.process.send_signal(signal.SIGTERM))
        messages = running.rest()
    assert running.process.returncode == 143
    assert "RECORD" not in {each["type"] for each in messages}
    assert "Traceback" not in running.said


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_signal_during_a_long_wait(sandbox: Sandbox, tmp_path: Path, concurrency: int) -> None:
    wait = {"RateLimit-Reset": "60"}
    sandbox.faults.append(Fault("status", path="users", status=429, headers=wait))
    with tap(tmp_path, sandbox, ["users"], concurrency=concurrency) as running:
        assert at_request(sandbox, 2, lambda: None).wait(30)
        # The tap tells when it begins to wait.
        while not re.search(r"Trying again in (59|60)\.\d s", running.said):
            assert running.process.poll() is None
        running.process.send_signal(signal.SIGTERM)
        running.rest()
    assert running.process.returncode == 143
    assert "Traceback" not in running.said


def test_two_signals_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """An orchestrator that is interrupted passes the signal on, and the terminal sends it too."""

    def act() -> None:
        running.process.send_signal(signal.SIGINT)
        running.process.send_signal(signal.SIGTERM)

    with tap(tmp_path, sandbox, SELECT) as running:
        at_request(sandbox, 30, act)
        messages = running.rest()
    assert running.process.returncode in {130, 143}
    assert "Traceback" not in running.said
    warehouse = Warehouse()
    warehouse.load(messages)
    completes(sandbox, warehouse, SELECT)


@pytest.mark.parametrize("lines", [1, 30])
def test_a_target_that_goes_away(sandbox: Sandbox, tmp_path: Path, lines: int) -> None:
    with tap(tmp_path, sandbox, SELECT, page_size=1) as running:
        warehouse = Warehouse()
        warehouse.load(message(running.output.readline()) for _ in range(lines))
        running.output.close()
        assert running.process.wait(30) == 1
    assert "The target stopped reading before the end" in running.said
    assert "Traceback" not in running.said
    assert "BrokenPipe" not in running.said
    completes(sandbox, warehouse, SELECT)


def test_a_target_that_goes_away_while_nothing_is_written(sandbox: Sandbox, tmp_path: Path) -> None:
    # The answers to come are held back for longer than the test may take.
    sandbox.faults.append(Fault("stall", path="users", seconds=300))
    with tap(tmp_path, sandbox, ["users"], request_timeout=300) as running:
        silent = at_request(sandbox, 2, lambda: None)
        running.output.readline()
        assert silent.wait(30)
        running.output.close()
        assert running.process.wait(30) == 1
    assert "Traceback" not in running.said


def reads_ahead_of_a_target_that_does_not_read(
    folder: Path, large: Sandbox, then: Callable[[Running], object]
) -> Running:
    """Leave the tap's output alone until it has asked for everything, then do something."""
    read(config_for(large.url, page_size=100), select=["accounts"])
    all_of_them = len(large.requests)
    large.requests.clear()
    with tap(folder, large, ["accounts"], page_size=100) as running:
        asked = at_request(large, all_of_them - 1, lambda: None)
        assert asked.wait(30)
        then(running)
    return running


def test_a_target_that_stops_reading_for_a_while(large: Sandbox, tmp_path: Path) -> None:
    warehouse = Warehouse()
    running = reads_ahead_of_a_target_that_does_not_read(
        tmp_path, large, lambda running: warehouse.load(running.rest())
    )
    assert running.process.returncode == 0
    assert warehouse.differences("accounts", large.world.expected_rows("accounts")) == {}


def test_a_signal_while_the_target_does_not_read(large: Sandbox, tmp_path: Path) -> None:
    def end(running: Running) -> None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(SOON)

    running = reads_ahead_of_a_target_that_does_not_read(tmp_path, large, end)
    assert running.process.returncode == 143
    assert "Traceback" not in running.said


ENDS: dict[str, Attempt] = {
    "complete": Attempt(),
    "killed": Attempt(ends_by="kill", at=20),
    "ended": Attempt(ends_by="term", at=20),
}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("end", [*ENDS, "failed"])
def test_nothing_is_left_running(sandbox: Sandbox, end: str, concurrency: int) -> None:
    before = set(threading.enumerate())
    if end == "failed":
        sandbox.faults.append(Fault("status", path="notes", status=401))
    config = config_for(sandbox.url, concurrency=concurrency, page_size=2)
    pipe = Pipe(ENDS.get(end))
    try:
        read(config, select=SELECT, collector=pipe.collector)
        assert end == "complete"
    except Killed:
        assert end == "killed"
    except SystemExit:
        assert end == "ended"
    except VitallyError:
        assert end == "failed"
    for thread in set(threading.enumerate()) - before:
        thread.join(SOON)
    assert set(threading.enumerate()) <= before
    asked = len(sandbox.requests)
    with serve(World(accounts=1)) as another:
        read(config_for(another.url), select=["accounts"])
    assert len(sandbox.requests) == asked
