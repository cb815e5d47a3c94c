"""The account of a run: what each stream read, asked, waited for and left out."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_REASONS = 20
"""Skipped records named one by one, per stream; more are counted."""
PROGRESS_SECONDS = 10.0


@dataclass
class Tally:
    """One stream's counts. Worker threads and the main thread add to it.

    Attributes:
        records: Records written.
        pages: Pages taken in.
        requests: Requests sent, repeated ones included.
        retries: Requests repeated.
        waited: Seconds waited for the budget and between tries.
        stopped_early: Lists left before their end because the rest was older than the start.
        out_of_order: Lists whose order did not hold, and which were read to the end.
        skipped: How much was left out.
        reasons: What was left out and why, the first of them.
        bookmark_before: The bookmark the run started from.
        bookmark_after: The bookmark it left.
    """

    records: int = 0
    pages: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    stopped_early: int = 0
    out_of_order: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    bookmark_before: str | None = None
    bookmark_after: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: float) -> None:
        """Add to some of the counts.

        Args:
            **counts: Amounts by attribute name.
        """
        with self._lock:
            for name, amount in counts.items():
                setattr(self, name, getattr(self, name) + amount)

    def leave_out(self, reason: str) -> bool:
        """Count something left out.

        Args:
            reason: What and why.

        Returns:
            Whether it is among those named one by one.
        """
        self.add(skipped=1)
        with self._lock:
            named = len(self.reasons) < MOST_REASONS
            if named:
                self.reasons.append(reason)
        return named

    def as_record(self) -> dict[str, Any]:
        """Give the counts the names they have in the warehouse.

        Returns:
            A record without its key.
        """
        return {
            "records": self.records,
            "pages": self.pages,
            "requests": self.requests,
            "retries": self.retries,
            "waitedSeconds": round(self.waited, 3),
            "stoppedEarly": self.stopped_early,
            "outOfOrder": self.out_of_order,
            "skipped": self.skipped,
            "skippedReasons": list(self.reasons),
            "bookmarkBefore": self.bookmark_before,
            "bookmarkAfter": self.bookmark_after,
        }


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
    """Draw the account of the run.

    Args:
        tallies: The counts by stream.

    Returns:
        A table of several lines, with what was skipped below it.
    """
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

        Args:
            say: Logs a line.
            left: Tells how many requests the budget has left, or None if nothing limits them.
        """
        self._say = say
        self._left = left
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._interval = 0.5 if self._live else PROGRESS_SECONDS
        self._began = self._said = time.monotonic()

    def update(self, current: str, counts: Callable[[], Mapping[str, Tally]]) -> None:
        """Say where the run is, if it is time to.

        Args:
            current: The stream being written.
            counts: Collects the counts by stream.
        """
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
