"""The programs that the demo runs: the sandbox, and Meltano with the tap and a loader."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import requests
import yaml

from demo.warehouse import DATABASE, ROOT, SHOWN, Report, Row, count, short

LOG: Final = ROOT / "output" / "demo.log"
RUN: Final = ("run", "tap-vitally", "target-duckdb")
ENDING_SECONDS: Final = 10
MOST_LINES: Final = 15
SYNC_RUNS: Final = "vitally_sync_runs"


class DemoError(Exception):
    """What stopped the demo, in one line."""


@dataclass(frozen=True)
class Vitally:
    """The sandbox, seen from outside.

    Attributes:
        url: Where it listens.
    """

    url: str

    def truth(self, stream: str) -> list[Row]:
        """Return the rows that a table should hold."""
        rows: list[Row] = self._ask("GET", f"truth/{stream}")["rows"]
        return rows

    def post(self, what: str) -> Any:
        """Make something happen, and return what did."""
        return self._ask("POST", what)

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
def sandbox(accounts: int) -> Iterator[Vitally]:
    """Run a sandbox on a free port."""
    command = [sys.executable, "-m", "sandbox", "--accounts", str(accounts)]
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


class Meltano:
    """A Meltano project like the one of this repository, with everything already installed."""

    def __init__(self, folder: Path, vitally: Vitally) -> None:
        """Set up the project."""
        self._folder = folder
        self._vitally = vitally
        self._program = program("meltano")
        project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
        tap = plugin(project, "extractors", "tap-vitally")
        tap["executable"] = str(Path(sys.executable).with_name("tap-vitally"))
        tap["select"].append(f"{SYNC_RUNS}.*")
        target = plugin(project, "loaders", "target-duckdb")
        target["executable"] = program("target-duckdb")
        text = yaml.safe_dump(project, sort_keys=False)
        (folder / "meltano.yml").write_text(text, encoding="utf-8")
        others = ("TAP_VITALLY_", "TARGET_DUCKDB_", "MELTANO_")
        surveys = {row["surveyId"] for row in vitally.truth("survey_responses")}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(others)},
            "TAP_VITALLY_API_KEY": "sandbox",
            "TAP_VITALLY_API_URL": vitally.url,
            "TAP_VITALLY_SURVEY_IDS": json.dumps(sorted(surveys)),
            "TARGET_DUCKDB_PATH": str(DATABASE),
        }

    def run(self) -> Report:
        """Run the tap and the target."""
        self._vitally.requests_made()
        began = time.monotonic()
        command = [self._program, "--log-format=json", *RUN]
        with (
            LOG.open("ab") as log,
            running(
                command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            ) as process,
        ):
            code = process.wait()
        seconds = time.monotonic() - began
        lines = [json.loads(line) for line in LOG.read_text().splitlines() if line[:1] == "{"]
        if code:
            for line in lines[-MOST_LINES:]:
                print(line.get("event", line), file=sys.stderr)
            msg = f"meltano ended with exit code {code}; all it said is in {short(LOG)}"
            raise DemoError(msg)
        return self._report(lines, seconds)

    def _report(self, lines: Iterable[Row], seconds: float) -> Report:
        metrics = [line["metric_info"] for line in lines if "metric_info" in line]
        with duckdb.connect(str(DATABASE), read_only=True) as database:
            account = database.execute(
                f"SELECT stream, records, requests FROM {SYNC_RUNS} WHERE startedat = "  # noqa: S608
                f"(SELECT max(startedat) FROM {SYNC_RUNS})"
            ).fetchall()
            return Report(
                rows={name: count(database, name) for name in SHOWN},
                records={stream: records for stream, records, _ in account},
                requests={stream: requests for stream, _, requests in account},
                seconds={
                    metric["tags"]["stream"]: metric["value"]
                    for metric in metrics
                    if metric["metric"] == "sync_duration"
                },
                total_requests=self._vitally.requests_made(),
                total_seconds=seconds,
            )


def plugin(project: Mapping[str, Any], kind: str, name: str) -> Row:
    """Find a plugin in a Meltano project, and keep Meltano from installing it."""
    found: Row = next(item for item in project["plugins"][kind] if item["name"] == name)
    del found["pip_url"]
    return found


def program(name: str) -> str:
    """Find a program that `make tools` has installed."""
    variable = name.upper().replace("-", "_")
    return os.environ.get(variable) or str(ROOT / ".venvs" / name / "bin" / name)
