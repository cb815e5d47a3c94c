"""How a run is shown to people: the summary at its end, and a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

from tap_vitally.reading.summary import Tally

PROGRESS_SECONDS = 10.0

COLUMNS: Mapping[str, Callable[[Tally], str]] = {
    "records": lambda tally: f"{tally.records:,}",
    "pages": lambda tally: f"{tally.pages:,}",
    "requests": lambda tally: f"{tally.requests:,}",
    "retries": lambda tally: f"{tally.retries:,}",
    "waited s": lambda tally: f"{tally.waited:,.1f}",
    "read": lambda tally: "to bookmark" if tally.stopped_early else "to the end",
    "order": lambda tally: "BROKEN" if tally.out_of_order else "ok",
    "skipped": lambda tally: f"{tally.skipped:,}",
    "bookmark before": lambda tally: tally.bookmark_before or "-",
    "bookmark after": lambda tally: tally.bookmark_after or "-",
}


def table(tallies: Mapping[str, Tally]) -> str:
    """Draw the summary of a run: a table of several lines, with what was skipped below it."""
    rows = [["stream", *COLUMNS]]
    rows += [[name, *(show(tally) for show in COLUMNS.values())] for name, tally in tallies.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i in {0, 6, 7, 9, 10} else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    for name, tally in tallies.items():
        lines += [f"skipped in {name}: {reason}" for reason in tally.reasons]
        if tally.skipped > len(tally.reasons):
            lines.append(f"skipped in {name}: and {tally.skipped - len(tally.reasons):,} more")
    return "\n".join(lines)


class Progress:
    """Says now and then how far a long run has come: a log line, or on a terminal a live one."""

    def __init__(self, say: Callable[[str], None], left: Callable[[], int | None]) -> None:
        """Start the clock.

        ``say`` logs a line, ``left`` tells how many requests the budget has left, None if nothing
        limits them.
        """
        self._say = say
        self._left = left
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._interval = 0.5 if self._live else PROGRESS_SECONDS
        self._began = self._said = time.monotonic()

    def update(self, current: str, counts: Callable[[], Mapping[str, Tally]]) -> None:
        """Say where the run is, if it is time to; ``current`` is the stream being written."""
        now = time.monotonic()
        if now - self._said < self._interval:
            return
        self._said = now
        tallies = counts()
        records = sum(tally.records for tally in tallies.values())
        pages = sum(tally.pages for tally in tallies.values())
        requests = sum(tally.requests for tally in tallies.values())
        rate = 60 * requests / (now - self._began)
        left = self._left()
        budget = "no limit told" if left is None else f"{left:,} left in the budget"
        line = (
            f"{current}: {records:,} records, {pages:,} pages, {requests:,} requests "
            f"({rate:,.0f} a minute, {budget})"
        )
        if self._live:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        else:
            self._say(line)

    def clear(self) -> None:
        """Take the live line away."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
