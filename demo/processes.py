"""The processes of the demo: the sandbox, and whatever else ends with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests

ROOT: Final = Path(__file__).parent.parent
ENDING_SECONDS: Final = 10

Row = dict[str, Any]


class DemoError(Exception):
    """What stopped the demo, in one line."""


@dataclass(frozen=True)
class Vitally:
    """The sandbox, seen from outside."""

    url: str

    def expected_rows(self, stream: str) -> list[Row]:
        """Return the rows that a table should hold."""
        rows: list[Row] = self._ask("GET", f"truth/{stream}")["rows"]
        return rows

    def post(self, what: str) -> Any:
        """Make something happen, and return what did."""
        return self._ask("POST", what)

    def writes_made(self) -> int:
        """Return how many requests to write have come in since the count began."""
        methods: dict[str, int] = self._ask("GET", "requests")["byMethod"]
        return sum(count for method, count in methods.items() if method != "GET")

    def events_tracked(self) -> int:
        """Return how many events there are."""
        count: int = self._ask("GET", "events?rows=false")["count"]
        return count

    def requests_made(self) -> int:
        """Return how many requests came in, and start counting anew."""
        count: int = self._ask("GET", "requests")["count"]
        self._ask("DELETE", "requests")
        return count

    def _ask(self, method: str, path: str) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to this machine
            answer = session.request(method, f"{self.url}/control/{path}", timeout=60)
        if not answer.ok:
            msg = f"the sandbox answered {answer.status_code} to {method} {path}"
            raise DemoError(msg)
        return answer.json()


@contextmanager
def sandbox(accounts: int, now: datetime) -> Iterator[Vitally]:
    """Run a sandbox of some accounts on a free port, whose clock starts at a moment."""
    offset = (now - datetime.now(UTC)).total_seconds()
    size = ["--accounts", str(accounts), f"--clock-offset={offset}"]
    command = [sys.executable, "-m", "sandbox", *size]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        address = re.search(r"http://[\w.:]+", line)
        if not address:
            msg = "the sandbox did not start; its own message is above"
            raise DemoError(msg)
        yield Vitally(address[0])


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process that ends with the context, and everything it started with it."""
    try:
        process = subprocess.Popen(command, start_new_session=True, **how)
    except FileNotFoundError as error:
        msg = f"{error.filename} is not there: run make demo, which installs it"
        raise DemoError(msg) from None
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            # Its own children may outlive it in its process group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING_SECONDS)
        if process.stdout:
            process.stdout.close()


def logged(command: Sequence[str], log: Path, **how: Any) -> tuple[int, str]:
    """Run a process with all that it says added to a log; return its exit code and that."""
    with log.open("ab") as file:
        began = file.tell()
        with running(command, stdout=file, stderr=file, **how) as process:
            code = process.wait()
    return code, log.read_bytes()[began:].decode()


def program(name: str) -> str:
    """Find a program that `make tools` has installed."""
    variable = name.upper().replace("-", "_")
    return os.environ.get(variable) or str(ROOT / ".venvs" / name / "bin" / name)


def short(path: Path) -> Path:
    """Name a file of this repository from its top."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
