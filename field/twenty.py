"""Twenty workspaces, one of them with a wrong key, and what a run over all of them has come to."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Final

from demo.processes import ROOT, Vitally, running
from field.awkward import update
from field.programs import program, run
from field.runners import EXAMPLES, project, variables
from field.servers import free_port, wait_for

NAMES: Final = tuple(f"customer-{number}" for number in range(1, 21))
WRONG: Final = NAMES[6]
"""Its key is not accepted."""
RIGHT: Final = tuple(name for name in NAMES if name != WRONG)
SCRIPTS: Final = ("workspaces.sh", "one.sh", "all.sh")
COUNTED: Final = """#!/bin/sh
# Notes when a run begins and when it ends.
[ "$1" = run ] || exec {meltano} "$@"
echo begins >> {notes}
{meltano} "$@"
code=$?
echo ends >> {notes}
exit $code
"""

Workspaces = Mapping[str, Vitally]


@contextmanager
def workspaces(folder: Path) -> Iterator[dict[str, Vitally]]:
    """Run a small sandbox for each name, each with other customers."""
    with ExitStack() as stack:
        found = {}
        for seed, name in enumerate(NAMES, 1):
            port = free_port()
            command = [
                sys.executable,
                "-m",
                "sandbox",
                "--accounts",
                "3",
                "--seed",
                str(seed),
                "--port",
                str(port),
            ]
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            process = stack.enter_context(running(command, cwd=ROOT, stdout=log, stderr=log))
            found[name] = (Vitally(f"http://127.0.0.1:{port}"), process)
        for name, (vitally, process) in found.items():
            wait_for(lambda at=vitally: bool(at.requests_made() + 1), process, name, OSError)  # type: ignore[misc]
        yield {name: vitally for name, (vitally, _) in found.items()}


@dataclass(frozen=True)
class Folder:
    """A folder with the project of the page, for some of the workspaces."""

    path: Path
    names: tuple[str, ...]
    found: Workspaces
    within: str = "meltano"
    """The environment of Meltano."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those that the page names."""

    def lay_out(self) -> Folder:
        """Write its files, and return the same folder."""
        project(self.path, "workspaces/meltano.yml")
        for script in SCRIPTS:
            shutil.copy(EXAMPLES / "workspaces" / script, self.path / script)
        (self.path / "workspaces.txt").write_text("".join(f"{name}\n" for name in self.names))
        for made in ("secrets", "counted"):
            (self.path / made).mkdir()
        for name in self.names:
            (self.path / "secrets" / name).write_text("wrong" if name == WRONG else "sandbox")
        counted = self.path / "counted" / "meltano"
        real = program("meltano", self.within)
        counted.write_text(COUNTED.format(meltano=real, notes=self._notes))
        counted.chmod(0o755)
        return self

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the runs, whose Meltano notes when it begins and ends."""
        addresses = {
            f"TAP_VITALLY_{name.upper().replace('-', '_')}_API_URL": at.url
            for name, at in self.found.items()
        }
        known = variables(self.within, **addresses, **self.more)
        return {**known, "PATH": f"{self.path / 'counted'}:{known['PATH']}"}

    def accounts(self, name: str) -> list[str]:
        """Return the keys of the accounts that were loaded for a workspace, in their order."""
        paths = sorted((self.path / "output" / name).glob("accounts*.jsonl"))
        return [json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()]

    def rows_apart(self) -> bool:
        """Return whether each workspace has all of its own accounts in its folder, and no others."""
        return all(
            set(self.accounts(name))
            == {row["id"] for row in self.found[name].expected_rows("accounts")}
            for name in self.names
            if name != WRONG
        )

    def states(self) -> int:
        """Return how many workspaces have a STATE."""
        command = [program("meltano", self.within), "state", "list"]
        done = run(command, folder=self.path, variables=self.variables)
        return len(re.findall(r"tap-vitally-customer-\d+-to-target-jsonl", done.out))

    def at_once(self) -> int:
        """Return how many runs there were at once, at most, and forget what was noted."""
        steps = [1 if note == "begins" else -1 for note in self._notes.read_text().split()]
        self._notes.unlink()
        return max(accumulate(steps))

    @property
    def _notes(self) -> Path:
        return self.path / "runs.txt"


def brought(folder: Folder, run_again: Callable[[], object]) -> bool:
    """Change an account of each workspace and run again; return whether that brings what changed.

    The account at which the bookmark stands comes again, since another may have changed in the
    same moment; no other one does.
    """
    before = {name: len(folder.accounts(name)) for name in RIGHT}
    changed = {name: change(folder.found[name]) for name in RIGHT}
    run_again()
    return all(
        changed[name][0] in (found := set(folder.accounts(name)[before[name] :]))
        and found <= set(changed[name])
        for name in RIGHT
    )


def change(vitally: Vitally) -> tuple[str, str]:
    """Rename an account; return its key, and that of the one which had changed last until then."""
    rows = sorted(vitally.expected_rows("accounts"), key=lambda row: str(row["updatedAt"]))
    update(vitally, "accounts", rows[0]["id"], {"name": "Renamed between two runs"})
    return rows[0]["id"], rows[-1]["id"]
