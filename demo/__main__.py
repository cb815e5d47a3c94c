"""Shows the whole way from a Vitally to a warehouse, without a Vitally: ``make demo``.

Starts the sandbox, lets Meltano run the tap into DuckDB, lets a day go by, runs it again, and
compares the tables with what the sandbox holds.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

import duckdb

from demo.meltano import RUN, Meltano
from demo.processes import ROOT, DemoError, sandbox
from demo.tables import SHOWN, differences
from demo.words import farewell, first_report, second_report


def main(arguments: Sequence[str] | None = None, output: Path = ROOT / "output") -> int:
    """Run the demo, leaving its tables and its log in a folder, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=50, help="size of the made-up workspace")
    accounts = parser.parse_args(arguments).accounts
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with tempfile.TemporaryDirectory(prefix="vitally-demo-") as folder:
            show(accounts, Path(folder), output)
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def show(accounts: int, folder: Path, output: Path) -> None:
    """Go through all steps; the first that fails ends the demo."""
    with sandbox(accounts) as vitally:
        print(f"A sandbox plays a Vitally of {accounts} customers at {vitally.url}.")
        meltano = Meltano(folder, output, vitally)

        print(f"\nFirst run: meltano {shlex.join(RUN)}\n")
        print(first_report(meltano.run()))

        changes = vitally.post("day")
        told = ", ".join(f"{count} {what}" for what, count in sorted(changes.items()))
        print(f"\nA day goes by in the sandbox, with {sum(changes.values())} changes:\n")
        print(textwrap.fill(told, width=96, initial_indent="  ", subsequent_indent="  "))

        before = folder / "before.duckdb"
        shutil.copyfile(meltano.database, before)
        print(f"\nSecond run: meltano {shlex.join(RUN)}\n")
        print(second_report(meltano.run(), meltano.database, before))

        truth = {stream: vitally.truth(stream) for stream in SHOWN}
    with duckdb.connect(str(meltano.database), read_only=True) as database:
        wrong = [line for name in SHOWN for line in differences(database, name, truth[name])]
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        msg = f"the tables differ from what the sandbox holds: {wrong[0]}{more}"
        raise DemoError(msg)
    rows = sum(map(len, truth.values()))
    print(f"\nChecked: all {rows:,} rows of {len(truth)} tables equal what the sandbox holds now.")
    print(farewell(meltano.database))


if __name__ == "__main__":
    raise SystemExit(main())
