"""How a run is shown to people: the summary at its end, and a line now and then."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Collection, Mapping

from tap_vitally.sync.summary import StreamMetrics
from vitally_api import safe_name

PROGRESS_SECONDS = 10.0

WIDTH = 100
LONGEST_NAME = 28


def _how_far(metrics: StreamMetrics) -> str:
    """Say how much of a stream was read, as it is and not as it was meant."""
    if not metrics.pages and (metrics.skipped or not metrics.ended):
        return "not read"
    if not metrics.ended:
        return f"broken off after {metrics.records:,}"
    if metrics.out_of_order:
        return "to the end, OUT OF ORDER"
    return "to bookmark" if metrics.stopped_early else "to the end"


COLUMNS: Mapping[str, Callable[[StreamMetrics], str]] = {
    "records": lambda metrics: f"{metrics.records:,}",
    "requests": lambda metrics: f"{metrics.requests:,}",
    "skipped": lambda metrics: f"{metrics.skipped:,}",
    "read": _how_far,
    "bookmark": lambda metrics: (metrics.bookmark_after or "-")[:16].replace("T", " "),
}


def table(
    metrics_by_stream: Mapping[str, StreamMetrics], probe: StreamMetrics | None = None
) -> str:
    """Draw the summary of a run: a table of several lines, with what was skipped below it.

    ``probe`` is what was asked for no stream; it counts in the last line.
    """
    rows = [["stream", *COLUMNS]]
    rows += [
        [name[:LONGEST_NAME], *(show(metrics) for show in COLUMNS.values())]
        for name, metrics in metrics_by_stream.items()
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
        for name, metrics in metrics_by_stream.items()
        if metrics.parents_known is not None
        for line in textwrap.wrap(_walked(name, metrics), WIDTH)
    ]
    for name, metrics in metrics_by_stream.items():
        said = [*_remarks(name, metrics), *_left_out(name, metrics)]
        lines += [line for reported in said for line in textwrap.wrap(reported, WIDTH)]
    every = [*metrics_by_stream.values(), *([probe] if probe else [])]
    lines.append(
        f"In all {sum(t.requests for t in every):,} requests, {sum(t.retries for t in every):,} of "
        f"them repeated, and {sum(t.waited for t in every):,.1f} s waited."
    )
    lines.append("This is what was read; the loader's own log says whether it was loaded.")
    return "\n".join(lines)


def _walked(name: str, metrics: StreamMetrics) -> str:
    """Say which parents of a stream were walked, and why."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in metrics.scanned.most_common())
    why = f" ({reasons})" if reasons else ""
    last = metrics.full_walk_at
    return (
        f"parents walked in {name}: {metrics.scanned.total():,} of "
        f"{metrics.parents_known or 0:,}{why}, all of them last {f'on {last[:10]}' if last else 'never'}"
    )


def _remarks(name: str, metrics: StreamMetrics) -> list[str]:
    """Return what is to be said of a stream that is no loss."""
    last = metrics.whole_read_at
    whole = [f"read whole: {name} last on {last[:16].replace('T', ' ')}"] if last else []
    return [*whole, *(f"{name}: {remark}" for remark in metrics.remarks)]


def left_out(metrics_by_stream: Collection[StreamMetrics]) -> str:
    """Say in a few words how much of a run was left out; empty if nothing was."""
    counts = {
        "skipped": sum(metrics.skipped for metrics in metrics_by_stream),
        "values made null": sum(metrics.made_null.total() for metrics in metrics_by_stream),
    }
    return " and ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _left_out(name: str, metrics: StreamMetrics) -> list[str]:
    lines = [f"skipped in {name}: {reason}" for reason in metrics.reasons]
    if metrics.skipped > len(metrics.reasons):
        lines.append(f"skipped in {name}: and {metrics.skipped - len(metrics.reasons):,} more")
    if metrics.have_none:
        lines.append(f"have none in {name}: {metrics.have_none:,}, which is no skip")
    lines += [
        f"made null in {name}: {safe_name(column)}, {count:,} values"
        for column, count in metrics.made_null.items()
    ]
    lines += [
        f"cut to the day in {name}: {safe_name(column)}, {count:,} of {metrics.days[column]:,} values"
        f"{', so it is typed too narrowly' if column in metrics.too_narrow() else ''}"
        for column, count in (+metrics.cut).items()
    ]
    return lines + [
        f"made null in {name}: {safe_name(column)}, {count:,} values, which traits keeps"
        for column, count in metrics.made_null_traits.items()
    ]


Told = tuple[str, int, int]
"""A stream with its records and requests, as they were when they were last told."""


def progress_line(
    current: str, metrics: StreamMetrics, *, rate: float, left: int | None, before: Told | None
) -> str:
    """Say how far a stream has come, how fast the run asks, and whether it waits, and for what."""
    known = metrics.parents_known
    parents = f"{metrics.scanned.total():,} of {known:,} parents, " if known else ""
    line = (
        f"{current}: {parents}{metrics.records:,} records, {metrics.pages:,} pages, "
        f"{metrics.requests:,} requests; the run asks {rate:,.0f} a minute"
    )
    if left == 0:
        return f"{line} and waits for the rate limit"
    if before == (current, metrics.records, metrics.requests):
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
        self._reported: Told | None = None

    def update(self, current: str, counts: Callable[[], Mapping[str, StreamMetrics]]) -> None:
        """Say where the run is, if it is time to; ``current`` is the stream being written."""
        now = time.monotonic()
        if now - self._said < self._interval:
            return
        self._said = now
        metrics_by_stream = counts()
        metrics = metrics_by_stream.get(current) or StreamMetrics()
        asked = sum(each.requests for each in metrics_by_stream.values())
        line = progress_line(
            current,
            metrics,
            rate=60 * asked / (now - self._began),
            left=self._left(),
            before=self._reported,
        )
        self._reported = (current, metrics.records, metrics.requests)
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
