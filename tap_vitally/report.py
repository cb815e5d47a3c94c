"""How a run is shown to people: the summary at its end, and a line now and then."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Collection, Mapping

from tap_vitally.reading.summary import Tally
from vitally_api import printable

PROGRESS_SECONDS = 10.0

WIDTH = 100
LONGEST_NAME = 28


def _how_far(tally: Tally) -> str:
    """Say how much of a stream was read, as it is and not as it was meant."""
    if not tally.pages and (tally.skipped or not tally.ended):
        return "not read"
    if not tally.ended:
        return f"broken off after {tally.records:,}"
    if tally.out_of_order:
        return "to the end, OUT OF ORDER"
    return "to bookmark" if tally.stopped_early else "to the end"


COLUMNS: Mapping[str, Callable[[Tally], str]] = {
    "records": lambda tally: f"{tally.records:,}",
    "requests": lambda tally: f"{tally.requests:,}",
    "skipped": lambda tally: f"{tally.skipped:,}",
    "read": _how_far,
    "bookmark": lambda tally: (tally.bookmark_after or "-")[:16].replace("T", " "),
}


def table(tallies: Mapping[str, Tally], probe: Tally | None = None) -> str:
    """Draw the summary of a run: a table of several lines, with what was skipped below it.

    ``probe`` is what was asked for no stream; it counts in the last line.
    """
    rows = [["stream", *COLUMNS]]
    rows += [
        [name[:LONGEST_NAME], *(show(tally) for show in COLUMNS.values())]
        for name, tally in tallies.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if i in {1, 2, 3} else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines += [
        line
        for name, tally in tallies.items()
        if tally.parents_known is not None
        for line in textwrap.wrap(_walked(name, tally), WIDTH)
    ]
    for name, tally in tallies.items():
        said = [*_remarks(name, tally), *_left_out(name, tally)]
        lines += [line for told in said for line in textwrap.wrap(told, WIDTH)]
    every = [*tallies.values(), *([probe] if probe else [])]
    lines.append(
        f"In all {sum(t.requests for t in every):,} requests, {sum(t.retries for t in every):,} of "
        f"them repeated, and {sum(t.waited for t in every):,.1f} s waited."
    )
    lines.append("This is what was read; the loader's own log says whether it was loaded.")
    return "\n".join(lines)


def _walked(name: str, tally: Tally) -> str:
    """Say which parents of a stream were walked, and why."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in tally.walked.most_common())
    why = f" ({reasons})" if reasons else ""
    last = tally.full_walk_at
    return (
        f"parents walked in {name}: {tally.walked.total():,} of "
        f"{tally.parents_known or 0:,}{why}, all of them last {f'on {last[:10]}' if last else 'never'}"
    )


def _remarks(name: str, tally: Tally) -> list[str]:
    """Return what is to be said of a stream that is no loss."""
    last = tally.whole_read_at
    whole = [f"read whole: {name} last on {last[:16].replace('T', ' ')}"] if last else []
    return [*whole, *(f"{name}: {remark}" for remark in tally.remarks)]


def left_out(tallies: Collection[Tally]) -> str:
    """Say in a few words how much of a run was left out; empty if nothing was."""
    counts = {
        "skipped": sum(tally.skipped for tally in tallies),
        "values made null": sum(tally.made_null.total() for tally in tallies),
    }
    return " and ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _left_out(name: str, tally: Tally) -> list[str]:
    lines = [f"skipped in {name}: {reason}" for reason in tally.reasons]
    if tally.skipped > len(tally.reasons):
        lines.append(f"skipped in {name}: and {tally.skipped - len(tally.reasons):,} more")
    if tally.have_none:
        lines.append(f"have none in {name}: {tally.have_none:,}, which is no skip")
    lines += [
        f"made null in {name}: {printable(column)}, {count:,} values"
        for column, count in tally.made_null.items()
    ]
    lines += [
        f"cut to the day in {name}: {printable(column)}, {count:,} of {tally.days[column]:,} values"
        f"{', so it is typed too narrowly' if column in tally.too_narrow() else ''}"
        for column, count in (+tally.cut).items()
    ]
    return lines + [
        f"made null in {name}: {printable(column)}, {count:,} values, which traits keeps"
        for column, count in tally.made_null_traits.items()
    ]


Told = tuple[str, int, int]
"""A stream with its records and requests, as they were when they were last told."""


def progress_line(
    current: str, tally: Tally, *, rate: float, left: int | None, before: Told | None
) -> str:
    """Say how far a stream has come, how fast the run asks, and whether it waits, and for what."""
    known = tally.parents_known
    parents = f"{tally.walked.total():,} of {known:,} parents, " if known else ""
    line = (
        f"{current}: {parents}{tally.records:,} records, {tally.pages:,} pages, "
        f"{tally.requests:,} requests; the run asks {rate:,.0f} a minute"
    )
    if left == 0:
        return f"{line} and waits for the rate limit"
    if before == (current, tally.records, tally.requests):
        return f"{line} and waits for an answer"
    return f"{line}, {'no limit told' if left is None else f'{left:,} left in the budget'}"


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
        self._told: Told | None = None

    def update(self, current: str, counts: Callable[[], Mapping[str, Tally]]) -> None:
        """Say where the run is, if it is time to; ``current`` is the stream being written."""
        now = time.monotonic()
        if now - self._said < self._interval:
            return
        self._said = now
        tallies = counts()
        tally = tallies.get(current) or Tally()
        asked = sum(each.requests for each in tallies.values())
        line = progress_line(
            current,
            tally,
            rate=60 * asked / (now - self._began),
            left=self._left(),
            before=self._told,
        )
        self._told = (current, tally.records, tally.requests)
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
