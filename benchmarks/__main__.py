"""Measures tap, target and models, and writes what was found into the README: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.bulk import BULK
from benchmarks.cases import CASES as READING
from benchmarks.models import against_before, build
from benchmarks.report import README, keep, machine, measured_commit, table
from benchmarks.writing import WRITING

CASES = {**READING, **WRITING, **BULK, "models": build, "models-before": against_before}
QUICK = 0.1


def main(page: Path = README) -> None:
    """Run the cases; print the results of each, and keep them unless the run is a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeat", type=int, default=3, help="runs to take the median of")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the sizes, one run each, printed only"
    )
    parser.add_argument(
        "--before", type=Path, help="a checkout of an earlier build, to compare with"
    )
    args = parser.parse_args()
    if args.repeat < 1:
        parser.error("--repeat must be at least 1")
    # Unwinds the stack, so that no process is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    repeat, scale = (1, QUICK) if args.quick else (args.repeat, 1.0)
    arguments = ["DIR" if each == str(args.before) else each for each in sys.argv[1:]]
    commit = measured_commit()  # before the first results change a file of it
    for name in args.only:
        # What a case leaves behind is nothing that the next one may find.
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name} ...", file=sys.stderr, flush=True)
            bench = Bench(Path(folder), repeat, scale, args.before)
            lines = list(CASES[name](bench))
        report = f"{machine(' '.join(arguments), commit, repeat)}\n\n{table(lines)}"
        print(f"{report}\n", flush=True)
        if not args.quick:
            keep(page, name, report)


if __name__ == "__main__":
    main()
