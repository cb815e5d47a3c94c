"""The summary and the progress lines of a run, for people."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Collection, Iterator, Mapping

from singer_command.tables import drawn
from tap_vitally.sync.run import Run
from tap_vitally.sync.summary import StreamMetrics
from vitally_api import safe_name

PROGRESS_SECONDS = 10.0

NUMBERS = {1, 2, 3}
"""Columns of the summary that are set to the right."""
WIDTH = 100
LONGEST_NAME = 40


def _how_far(metrics: StreamMetrics) -> str:
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
    """Return the summary as a table, followed by what was skipped.

    ``probe`` has the requests that were sent for no stream.
    """
    rows = [["stream", *COLUMNS]]
    rows += [
        [name[:LONGEST_NAME], *(show(metrics) for show in COLUMNS.values())]
        for name, metrics in metrics_by_stream.items()
    ]
    lines = drawn(rows, NUMBERS)
    below = [line for each in metrics_by_stream.items() for line in _scanned(*each)]
    below += [line for each in metrics_by_stream.items() for line in _below(*each)]
    lines += [line for each in below for line in textwrap.wrap(each, WIDTH)]
    every = [*metrics_by_stream.values(), *([probe] if probe else [])]
    lines.append(
        f"In all {sum(t.requests for t in every):,} requests, {sum(t.retries for t in every):,} of "
        f"them repeated, and {sum(t.waited for t in every):,.1f} s waited."
    )
    lines.append("This is what was read; the loader's own log says whether it was loaded.")
    return "\n".join(lines)


def _scanned(name: str, metrics: StreamMetrics) -> Iterator[str]:
    if metrics.parents_known is not None:
        reasons = ", ".join(f"{count:,} {why}" for why, count in metrics.scanned.most_common())
        last = f"on {metrics.full_walk_at[:10]}" if metrics.full_walk_at else "never"
        yield (
            f"parents read in {name}: {metrics.scanned.total():,} of {metrics.parents_known:,}"
            f"{f' ({reasons})' if reasons else ''}, all of them last {last}"
        )


def left_out(metrics_by_stream: Collection[StreamMetrics]) -> str:
    """Return a short text on how much was skipped; empty if nothing was."""
    counts = {
        "skipped": sum(metrics.skipped for metrics in metrics_by_stream),
        "values made null": sum(metrics.made_null.total() for metrics in metrics_by_stream),
    }
    return " and ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _below(name: str, metrics: StreamMetrics) -> Iterator[str]:
    """Yield lines for below the table: remarks on a stream, and what was skipped."""
    if last := metrics.whole_read_at:
        yield f"read whole: {name} last on {last[:16].replace('T', ' ')}"
    yield from (f"{name}: {remark}" for remark in metrics.remarks)
    yield from (f"skipped in {name}: {reason}" for reason in metrics.reasons)
    if metrics.skipped > len(metrics.reasons):
        yield f"skipped in {name}: and {metrics.skipped - len(metrics.reasons):,} more"
    if metrics.have_none:
        yield f"have none in {name}: {metrics.have_none:,}, which is no skip"
    for column, count in metrics.made_null.items():
        yield f"made null in {name}: {safe_name(column)}, {count:,} values"
    for column, count in (+metrics.cut).items():
        narrow = ", so it is typed too narrowly" if column in metrics.too_narrow() else ""
        of = f"{count:,} of {metrics.days[column]:,} values"
        yield f"cut to the day in {name}: {safe_name(column)}, {of}{narrow}"
    for column, count in metrics.made_null_traits.items():
        yield f"made null in {name}: {safe_name(column)}, {count:,} values, which traits keeps"


Reported = tuple[str, int, int]
"""A stream with its records and requests, as they were when they were logged last."""


def progress_line(
    current: str, metrics: StreamMetrics, *, rate: float, left: int | None, before: Reported | None
) -> str:
    """Return a line with a stream's records, the rate of requests, and what the run waits for."""
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
    """Calls ``log`` with a progress line at intervals."""

    def __init__(self, log: Callable[[str], None], run: Run) -> None:
        self._log, self._run = log, run
        self._began = self._logged = time.monotonic()
        self._before: Reported | None = None

    def update(self) -> None:
        """Log a progress line, if it is time to."""
        now = time.monotonic()
        if now - self._logged < PROGRESS_SECONDS:
            return
        self._logged, current = now, self._run.current
        every = self._run.metrics_by_stream()
        metrics = every.get(current) or StreamMetrics()
        rate = 60 * sum(each.requests for each in every.values()) / (now - self._began)
        left = self._run.budget.left()
        self._log(progress_line(current, metrics, rate=rate, left=left, before=self._before))
        self._before = current, metrics.records, metrics.requests
