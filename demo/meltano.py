"""Meltano, which runs the tap and the loader as a project of its own tells it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import yaml

from demo.processes import ROOT, DemoError, Row, Vitally, logged, program, short
from demo.tables import SHOWN, SYNC_RUNS, count

RUN: Final = ("run", "tap-vitally", "target-duckdb")
MOST_LINES: Final = 15


@dataclass(frozen=True)
class Report:
    """What a run did, by stream: the sandbox counts all requests, and the clock the whole command.

    Rows are those in the tables now, records those that were read.
    """

    rows: Mapping[str, int]
    records: Mapping[str, int]
    requests: Mapping[str, int]
    total_requests: int
    total_seconds: float


class Meltano:
    """A Meltano project like the one of this repository, with everything already installed."""

    def __init__(self, folder: Path, output: Path, vitally: Vitally) -> None:
        """Set up the project in one folder, to leave its tables and its log in the other."""
        output.mkdir(exist_ok=True)
        self.database = output / "vitally.duckdb"
        self.log = output / "demo.log"
        for leftover in (self.log, self.database, output / "vitally.duckdb.wal"):
            leftover.unlink(missing_ok=True)
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
        surveys = {row["surveyId"] for row in vitally.expected_rows("survey_responses")}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(others)},
            "TAP_VITALLY_API_KEY": "sandbox",
            "TAP_VITALLY_API_URL": vitally.url,
            "TAP_VITALLY_SURVEY_IDS": json.dumps(sorted(surveys)),
            "TARGET_DUCKDB_PATH": str(self.database),
        }

    def run(self) -> Report:
        """Run the tap and the target."""
        self._vitally.requests_made()
        began = time.monotonic()
        command = [self._program, "--log-format=json", *RUN]
        code, said = logged(command, self.log, cwd=self._folder, env=self._environment)
        seconds = time.monotonic() - began
        lines = [json.loads(line) for line in said.splitlines() if line[:1] == "{"]
        if code:
            for line in lines[-MOST_LINES:]:
                print(line.get("event", line), file=sys.stderr)
            msg = f"meltano ended with exit code {code}; all it said is in {short(self.log)}"
            raise DemoError(msg)
        return self._report(seconds)

    def _report(self, seconds: float) -> Report:
        with duckdb.connect(str(self.database), read_only=True) as database:
            account = database.execute(
                f"SELECT stream, records, requests FROM {SYNC_RUNS} WHERE startedat = "  # noqa: S608
                f"(SELECT max(startedat) FROM {SYNC_RUNS})"
            ).fetchall()
            return Report(
                rows={name: count(database, name) for name in SHOWN},
                records={stream: records for stream, records, _ in account},
                requests={stream: requests for stream, _, requests in account},
                total_requests=self._vitally.requests_made(),
                total_seconds=seconds,
            )


def plugin(project: Mapping[str, Any], kind: str, name: str) -> Row:
    """Find a plugin in a Meltano project, and keep Meltano from installing it."""
    found: Row = next(item for item in project["plugins"][kind] if item["name"] == name)
    del found["pip_url"]
    return found
