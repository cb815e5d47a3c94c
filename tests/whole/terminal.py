"""The commands that the pages show, and a terminal to run them in as a reader does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from harness.postgres import PROGRAMS
from harness.programs import program
from harness.support import ROOT

PAGES = (
    "README.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
)
SHELLS = "sh|bash|console|shell"
SHELL = shutil.which("dash") or "/bin/sh"
NOT_OURS = ("TAP_", "TARGET_", "MELTANO", "DBT_", "VITALLY_", "PG", "MAKE", "MFLAGS", "ARGS")
"""What is set around the tests, by their developer or by make, and not by the reader."""


def shell_blocks(page: str) -> Iterator[str]:
    """The blocks of shell commands of a page, without the indentation of a list."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.finditer(rf"^( *)```(?:{SHELLS})\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE):
        yield textwrap.dedent(block[2])


def shell(page: str, begins: str) -> str:
    """The one block of commands of a page that begins with some text."""
    found = [block for block in shell_blocks(page) if block.startswith(begins)]
    assert len(found) == 1, f"{page} has {len(found)} blocks that begin with {begins!r}"
    return found[0]


@dataclass
class Terminal:
    """A folder, and the variables that its owner has set."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the programs where they can be called by their names."""
        programs = self.folder / "programs"
        programs.mkdir()
        own = [Path(sys.executable).with_name(name) for name in ("tap-vitally", "target-vitally")]
        others = ("dbt", "meltano", "tap-jsonl", "tap-postgres", "target-duckdb", "target-jsonl")
        installed = [program(name) for name in (*others, "target-postgres")]
        for path in (*own, *installed, PROGRAMS / "psql"):
            (programs / path.name).symlink_to(path)
        self.environment["PATH"] = f"{programs}:/usr/local/bin:/usr/bin:/bin"

    def project(self, example: str) -> None:
        """Lay out a project as an example has it, with all that it names installed already."""
        content = yaml.safe_load((ROOT / "docs" / "examples" / example).read_text(encoding="utf-8"))
        for plugins in content["plugins"].values():
            for plugin in plugins:
                del plugin["pip_url"]
        (self.folder / "meltano.yml").write_text(yaml.safe_dump(content, sort_keys=False))

    def run(self, script: str, *, fails: bool = False) -> str:
        """Run a script in a plain POSIX shell, and return all that it said.

        What a page leaves to its reader, ``NAME=...``, is taken from the environment.
        """
        known = self.environment
        script = re.sub(
            r"\b(\w+)=\.\.\.", lambda at: f"{at[1]}='{known.get(at[1], '...')}'", script
        )
        done = subprocess.run(
            [SHELL, "-e", "-c", script],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert bool(done.returncode) is fails, said
        return said

    @property
    def variables(self) -> dict[str, str]:
        """All variables of its programs."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_OURS)}
        return {**inherited, **self.environment}
