"""Find and run the programs, each of which has an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.processes import ROOT

OWN: Final = ("tap-vitally", "target-vitally")
SHARED: Final = (
    "meltano",
    "tap-jsonl",
    "tap-postgres",
    "target-csv",
    "target-duckdb",
    "target-jsonl",
    "target-postgres",
)
"""Environments that the tests use, too: these are named after their program."""

Row = dict[str, Any]


class FieldError(Exception):
    """What stopped the run, in one line."""


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    log: str

    @property
    def last_line(self) -> str:
        """The last line on stdout, for a target the newest STATE; empty if there is none."""
        return self.out.strip().rpartition("\n")[2]

    @property
    def error(self) -> str:
        """The last line of the log."""
        return self.log.strip().rpartition("\n")[2]


def checked(done: Done) -> Done:
    """Return how a program ended; raise its last line if it failed."""
    if done.code:
        raise FieldError(done.error)
    return done


def environment(name: str) -> Path:
    """Return the folder of an environment.

    ``FIELD_PROGRAMS`` names another folder for those that only this package uses.
    """
    shared = ROOT / ".venvs"
    path = (
        shared / name
        if name in SHARED
        else Path(os.environ.get("FIELD_PROGRAMS", shared / "field")) / name
    )
    if not path.exists():
        msg = f"{path} is not there: run make field, which installs it"
        raise FieldError(msg)
    return path


def program(name: str, within: str | None = None) -> str:
    """Return the path of a program, by default in the environment of its name."""
    if name in OWN:
        return str(Path(sys.executable).with_name(name))
    return str(environment(within or name) / "bin" / name)


def version(package: str, within: str) -> str:
    """Return the version of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    python = environment(within) / "bin" / "python"
    return subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def run(  # noqa: PLR0913 - all but the command are optional, and named
    command: list[str],
    *,
    source: Path | None = None,
    sink: Path | None = None,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: int = 300,
) -> Done:
    """Run a program to its end, its input from a file and its output into one, if they are given.

    It is ended after some seconds, and its exit code is then -9.
    """
    with (source or Path(os.devnull)).open("rb") as stdin:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=sink.open("wb") if sink else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(variables or {})},
            cwd=folder,
        )
        try:
            out, log = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, log = process.communicate()
    return Done(
        process.returncode, (out or b"").decode(errors="replace"), log.decode(errors="replace")
    )
