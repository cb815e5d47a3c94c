"""Processes to measure, and the sandbox they talk to.

Only the standard library is imported here: where the system tells no better, what a new process inherits
from this one counts as its own peak of memory, so this one has to stay small.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent
STARTS_WITHIN = 180.0
ENDS_WITHIN = 1800.0
TICK = 0.002
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
MEGABYTE = 1_000_000
OK = 200


class BenchmarkError(Exception):
    """Something that makes a measurement worthless."""


class TookTooLongError(BenchmarkError):
    """A process was stopped after the time that it had."""


@dataclass
class Output:
    """What a process wrote, in brief."""

    records: int = 0
    """How many records, those that were written twice included."""
    digest: int = 0
    """The same for the same keys, in whatever order and however often each was written."""
    state: Any = None
    """The last STATE."""

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Output:
        """Read what a contestant wrote: messages of Singer or Airbyte, or bare rows, one a line."""
        output = cls()
        keys: set[int] = set()
        states: dict[str, Any] = {}
        for path in paths:
            with path.open(encoding="utf-8") as lines:
                for message in map(json.loads, lines):
                    if message.get("type") == "STATE":
                        # Singer's is one for all streams, Airbyte's one for each.
                        if "value" in message:
                            output.state = message["value"]
                        else:
                            descriptor = message["state"]["stream"]["stream_descriptor"]
                            states[descriptor["name"]] = message["state"]
                    elif "record" in message or "id" in message:
                        row = message.get("record", message)
                        row = row["data"] if "emitted_at" in row else row
                        parent = row.get("parentAccountId", row.get("_accounts_id"))
                        key = f"{parent} {row['id']}".encode()
                        output.records += 1
                        keys.add(int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()))
        if states:
            output.state = list(states.values())
        output.digest = sum(keys) % 2**64
        return output

    @classmethod
    def read_aside(cls, paths: list[Path]) -> Output:
        """Read in another process, because the keys of a million records are large."""
        with get_context("spawn").Pool(1) as pool:
            return pool.apply(cls.read, (paths,))


@dataclass
class Usage:
    """What a process cost."""

    wall: float
    """Seconds from start to end."""
    cpu: float
    """Seconds of processor time, in user and system mode."""
    peak: float
    """Megabytes of memory at the most."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The sandbox's log of what it asked for."""
    output: Output = field(default_factory=Output)

    def chains(self) -> Counter[str]:
        """Count the requests of each list, all its pages together."""
        return Counter(
            f"{entry['path']}?"
            + "&".join(
                f"{name}={value}"
                for name, value in sorted(parse_qsl(entry["query"]))
                if name in {"archived", "target", "status"}
            )
            for entry in self.requests
        )


def run(
    command: Sequence[str],
    output: Path,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    within: float = ENDS_WITHIN,
) -> Usage:
    """Run a process to its end and measure it; its standard error goes beside its output.

    ``folder`` is a checkout of an earlier build, whose modules are run in place of these. Raises
    TookTooLongError after ``within`` seconds.
    """
    errors = output.with_suffix(".err")
    status, peak = None, 0
    with output.open("wb") as out, errors.open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command, stdout=out, stderr=err, cwd=folder or ROOT, env={**os.environ, **(env or {})}
        )
        try:
            while time.perf_counter() - began < within:
                peak = max(peak, _peak_of(process.pid))
                pid, status_now, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    wall, status = time.perf_counter() - began, status_now
                    process.returncode = os.waitstatus_to_exitcode(status)
                    break
                time.sleep(TICK)
        finally:
            if status is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
    if status is None:
        message = f"{' '.join(command)} was stopped after {within:.0f} s"
        raise TookTooLongError(message)
    if process.returncode:
        tail = errors.read_text(encoding="utf-8", errors="replace")[-2000:]
        message = f"{' '.join(command)} ended with {process.returncode}:\n{tail}"
        raise BenchmarkError(message)
    peak = peak or usage.ru_maxrss * MAXRSS_UNIT
    return Usage(wall, usage.ru_utime + usage.ru_stime, peak / MEGABYTE)


def _peak_of(pid: int) -> int:
    """Return the most bytes of memory that a process has held since it runs its program; 0 if unknown.

    What `wait4` tells begins with the memory of this process, of which the new one was a copy: after a
    case with 10,000 requests, a program that took 58 MB seemed to take 79.
    """
    with suppress(OSError), Path(f"/proc/{pid}/status").open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@dataclass
class Sandbox:
    """A sandbox in a process of its own."""

    port: int
    """Where it listens."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """Use its control interface."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, f"/control/{path}", body)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != OK:
            message = f"{method} {path}: {answer}"
            raise BenchmarkError(message)
        return answer


@contextmanager
def sandbox(folder: Path, *options: str) -> Iterator[Sandbox]:
    """Start a sandbox, and end it afterwards."""
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "--port-file", str(port_file), *options]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not (port_file.exists() and port_file.read_text(encoding="utf-8")):
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"{' '.join(command)} did not start"
                raise BenchmarkError(message)
            time.sleep(0.02)
        yield Sandbox(int(port_file.read_text(encoding="utf-8")))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
