"""Measures the tap and writes what was found into the README: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench, Line
from benchmarks.bulk import BULK
from benchmarks.cases import CASES as READING
from benchmarks.models import build
from benchmarks.writing import WRITING

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
CASES = {**READING, **WRITING, **BULK, "models": build}
QUICK = 0.1


def main() -> None:
    """Run the cases, print the table, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeat", type=int, default=3, help="runs to take the median of")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, one run each")
    parser.add_argument(
        "--before", type=Path, help="a checkout of an earlier build, to compare with"
    )
    args = parser.parse_args()
    if args.repeat < 1:
        parser.error("--repeat must be at least 1")
    # Unwinds the stack, so that no process is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    repeat, scale = (1, QUICK) if args.quick else (args.repeat, 1.0)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), repeat, scale, args.before)
        for name in args.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            lines += CASES[name](bench)
            arguments = ["DIR" if each == str(args.before) else each for each in sys.argv[1:]]
            report = f"{machine(' '.join(arguments), repeat)}\n\n{table(lines)}"
            missing = args.only[args.only.index(name) + 1 :]
            keep(report + (f"\n\nThe run ended before {', '.join(missing)}." if missing else ""))
    print(report)


def keep(report: str) -> None:
    """Write the results into the README, in place of older ones."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{report}\n\n{END}{after}", encoding="utf-8")


def machine(arguments: str, repeat: int) -> str:
    """Say what was run, when and where."""
    today = dt.datetime.now(tz=dt.UTC).date()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = os.getloadavg()[0]
    runs = "one run" if repeat == 1 else f"the median of {repeat} runs"
    return (
        f"`{f'python -m benchmarks {arguments}'.strip()}` on {today}: {os.cpu_count()} cores, "
        f"{memory:.0f} GB of memory, Python {platform.python_version()}, "
        f"load average {load:.1f} at the end; each line is {runs}."
    )


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


if __name__ == "__main__":
    main()
