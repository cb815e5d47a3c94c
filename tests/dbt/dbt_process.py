"""A process in which dbt runs again and again."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

from harness.support import ROOT

DBT: Final = ROOT / "dbt"
SERVER: Final = Path(__file__).with_name("dbt_server.py")


class DbtProcess:
    """Runs dbt by the Python of an environment that has it, one command after the other."""

    def __init__(self, python: Path) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            [python, "-P", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], parsed_for: str
    ) -> tuple[bool, str]:
        """Run a command; return True if it succeeded, and what dbt said."""
        request = {"arguments": arguments, "environment": environment, "parsed_for": parsed_for}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        with self._lock:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        assert line, "dbt's process has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer["success"], answer["said"]

    def close(self) -> None:
        """End the process."""
        with self._process:
            pass


@cache
def process_of(python: Path, warehouse: str) -> DbtProcess:
    """Return the process for a kind of warehouse: dbt has one adapter in a process at a time."""
    del warehouse
    return DbtProcess(python)


def parsed_for(project: Path, environment: Mapping[str, str], variables: Mapping[str, Any]) -> str:
    """Return what decides if a project has to be parsed anew.

    These are the schema of the models and the names of tables. Where the tables are decides the place of
    the sources, which models do not ask for: only small projects, in a second, are parsed for that. All other
    vars are read when models are compiled, or for `dbt source freshness`.
    """
    places = ("vitally_schema", "vitally_database", "vitally_sources") if project != DBT else ()
    names = {
        name: value
        for name, value in variables.items()
        if name in places or name.endswith("_identifier")
    }
    return json.dumps([os.fspath(project), environment["VITALLY_DBT_SCHEMA"], names])
