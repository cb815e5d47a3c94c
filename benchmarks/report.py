"""The results of a case as a block of the README: what was run, when, of which commit, and a table."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
import re
import subprocess
from pathlib import Path

from benchmarks.bench import Line
from benchmarks.processes import BenchmarkError

README = Path(__file__).parent / "README.md"


def keep(page: Path, case: str, report: str) -> None:
    """Write the results of a case into its block of a page, and leave all others as they are.

    Raises:
        BenchmarkError: The page has no block for the case.
    """
    begin, end = f"<!-- {case} -->", f"<!-- end of {case} -->"
    text = page.read_text(encoding="utf-8")
    block = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    written, found = block.subn(lambda _: f"{begin}\n\n{report}\n\n{end}", text)
    if found != 1:
        message = f"{page} has {found} blocks from {begin} to {end}: there must be one"
        raise BenchmarkError(message)
    page.write_text(written, encoding="utf-8")


def machine(arguments: str, commit: str, repeat: int) -> str:
    """Say what was run, when, of which commit and where."""
    today = dt.datetime.now(tz=dt.UTC).date()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = os.getloadavg()[0]
    runs = "one run" if repeat == 1 else f"the median of {repeat} runs"
    return (
        f"`{f'python -m benchmarks {arguments}'.strip()}` on {today}, {commit}: "
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory, Python {platform.python_version()}, "
        f"load average {load:.1f} at the end; each line is {runs}."
    )


def measured_commit() -> str:
    """Name the commit that is checked out, and say if the code differs from it."""
    asked = ["git", "describe", "--always", "--exclude=*", "--dirty=-changed"]
    done = subprocess.run(  # noqa: S603 - no value of anybody else is in it
        asked, cwd=README.parent, capture_output=True, text=True, check=False
    )
    name, _, changed = done.stdout.strip().partition("-")
    return f"commit {name or 'unknown'}{' with changes' if changed else ''}"


def table(lines: list[Line]) -> str:
    """Lay out the results as a table in Markdown."""
    rows = [
        "| case | program | wall, s | CPU, s | peak, MB | requests | records | result |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for line in lines:
        measures = {
            ".2f": (line.wall, line.cpu),
            ".0f": (line.peak,),
            ",.0f": (line.requests, line.records),
        }
        numbers = [
            "" if math.isnan(value) else f"{value:{form}}"
            for form, values in measures.items()
            for value in values
        ]
        rows.append(f"| {' | '.join([line.case, line.contestant, *numbers, line.result])} |")
    return "\n".join(rows)
