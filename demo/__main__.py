"""Shows the way from a Vitally to a warehouse and back, without a Vitally: ``make demo``.

Starts the sandbox, lets Meltano run the tap into DuckDB, lets a day go by, runs it again, and
compares the tables with what the sandbox holds. Then dbt makes answers of the tables, and what one
of them says goes back into Vitally: as a plan, for real, and once more with nothing to do.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from demo.answers import answers, build
from demo.meltano import RUN, Meltano
from demo.processes import ROOT, DemoError, Row, Vitally, sandbox, short
from demo.tables import SHOWN, differences
from demo.words import answer, farewell, first_report, second_report
from demo.writing import (
    EVENT,
    EVENTS,
    QUERY,
    STREAM,
    TRAIT,
    Written,
    check,
    check_events,
    check_read_back,
    work_out,
    work_out_events,
    write,
)

NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AS_OF: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""The same day whenever the demo runs, so that it always prints the same."""


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
    with sandbox(accounts, NOW) as vitally:
        print(f"A sandbox plays a Vitally of {accounts} customers at {vitally.url}.")
        meltano = Meltano(folder, output, vitally)
        load_twice(meltano, vitally, folder)
        ask(meltano, vitally)
        rows = write_back(meltano, vitally, folder)
    print(farewell(meltano.database, rows))


def load_twice(meltano: Meltano, vitally: Vitally, folder: Path) -> None:
    """Show a first run, and one that reads only what a day has changed."""
    print(f"\nFirst run: meltano {shlex.join(RUN)}\n")
    print(first_report(meltano.run()))

    changes = vitally.post("day")
    text = ", ".join(f"{count} {what}" for what, count in sorted(changes.items()))
    print(f"\nA day goes by in the sandbox, with {sum(changes.values())} changes:\n")
    print(textwrap.fill(text, width=96, initial_indent="  ", subsequent_indent="  "))

    before = folder / "before.duckdb"
    shutil.copyfile(meltano.database, before)
    print(f"\nSecond run: meltano {shlex.join(RUN)}\n")
    print(second_report(meltano.run(), meltano.database, before))
    rows = check_tables(meltano.database, truth_of(vitally))
    print(f"\nChecked: all {rows:,} rows of {len(SHOWN)} tables equal what the sandbox holds now.")


def ask(meltano: Meltano, vitally: Vitally) -> None:
    """Show what the tables answer."""
    print("\nAnswers: dbt build\n")
    print(f"  {build(meltano.database, meltano.log, AS_OF)}")
    for question, rows in answers(meltano.database, truth_of(vitally), AS_OF):
        print(f"\n{answer(question.title, question.head, rows)}")
    print("\nChecked: the sandbox's own rows give the same answers.")


def write_back(meltano: Meltano, vitally: Vitally, folder: Path) -> Path:
    """Show how what the warehouse knows gets into Vitally, once; return what was written."""
    file = meltano.database.with_name(f"{STREAM}.jsonl")
    wanted = work_out(meltano.database, file)
    print(f"\nBack into Vitally: the trait {TRAIT} of {len(wanted)} accounts, by this query:")
    print(textwrap.indent(QUERY, "  "))

    def run(text: str, *, dry_run: bool = False) -> Written:
        print(f"{text}: target-vitally < {short(file)}\n")
        written = write(vitally, file, folder, meltano.log, dry_run=dry_run)
        print(f"{written.summary}\n")
        return written

    plan = run("The plan", dry_run=True)
    first = run("Carried out")
    again = run("Once more, with nothing left to do")
    check(plan, first, again, wanted)

    print(f"Read back: meltano {shlex.join(RUN)}\n")
    read = meltano.run().records["accounts"]
    check_read_back(meltano.database, wanted)
    rows = check_tables(meltano.database, truth_of(vitally))
    print(f"  {read} accounts read\n")
    print(
        f"Checked: all {len(wanted)} values came back as they were written, and all {rows:,} rows are equal."
    )
    track(meltano, vitally, folder)
    return file


def track(meltano: Meltano, vitally: Vitally, folder: Path) -> None:
    """Show how what has happened gets into Vitally, twice, and is there once."""
    file = meltano.database.with_name(f"{EVENTS}.jsonl")
    wanted = work_out_events(meltano.database, file)
    print(f"\nEvents, through the Analytics API: {EVENT!r} of {wanted} accounts, pushed twice")
    runs = [write(vitally, file, folder, meltano.log, dry_run=False) for _ in range(2)]
    print(f"{runs[0].summary}\n")
    check_events(vitally, runs, wanted)
    print(f"Checked: {wanted} events are there, each once.")


def truth_of(vitally: Vitally) -> dict[str, list[Row]]:
    """Return all rows that the tables should hold now."""
    return {stream: vitally.expected_rows(stream) for stream in SHOWN}


def check_tables(path: Path, expected_rows: Mapping[str, Sequence[Row]]) -> int:
    """Compare the tables with all rows that they should hold, and count those."""
    with duckdb.connect(str(path), read_only=True) as database:
        wrong = [
            line for name in SHOWN for line in differences(database, name, expected_rows[name])
        ]
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        msg = f"the tables differ from what the sandbox holds: {wrong[0]}{more}"
        raise DemoError(msg)
    return sum(map(len, expected_rows.values()))


if __name__ == "__main__":
    raise SystemExit(main())
