"""How one list is read in one run, and what a complete run may remember.

Vitally's lists come newest first, cannot be asked for changes since a moment, and have no
ascending order (API notes, "Pagination (list endpoints)"). A stream is therefore read so:

* The *first pass* sorts by ``createdAt``, which no change can move, and goes to the end.
* *Later passes* sort by ``updatedAt`` and stop after the first page that reaches behind the start.
* A *whole read* is a first pass beside a bookmark, where values move without ``updatedAt``.
* The bookmark is written when every list of the stream has been read, and is never later than
  the *signpost*: the server's own clock before the first row was asked for.

Why nothing is lost between runs. Take any row and its last change.

* It happened at or after the signpost: its ``updatedAt`` is at or after the signpost, so at or
  after the bookmark of this run. The next run keeps rows at or after that bookmark.
* It happened before the signpost: either before the start of this run, then the run that wrote
  the old bookmark had delivered it by the same argument; or inside the part this run reads, which
  is all of it in a first pass and in a whole read.

A whole read moves the bookmark as a later pass does, which changes nothing in this argument: only
the part that is read is larger, and the old bookmark is not gone back behind. A value that moves
without ``updatedAt`` is as new as the signpost of the last whole read, at least.

Local clocks take no part in it. Rows without ``updatedAt`` are always kept and never end a pass.
A page whose ``updatedAt`` rises from row to row disproves the order, and the pass goes to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from vitally_api.values import EARLIEST, parse_moments

SortKey = Literal["createdAt", "updatedAt"]
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)


@dataclass(frozen=True)
class Pass:
    """How one list is read in one run.

    ``sort_by`` is the order asked for, None where the API has no choice of order. Rows updated at
    or after ``start`` are kept; None keeps all and reads to the end.
    """

    sort_by: SortKey | None
    start: datetime | None = None


FIRST_PASS = Pass("createdAt")


def before(moment: datetime, lookback: timedelta) -> datetime:
    """Subtract the lookback from a time, down to the earliest `datetime`."""
    return EARLIEST + max(moment - EARLIEST - lookback, timedelta(0))


def plan_pass(bookmark: datetime | None, start_date: datetime | None, lookback: timedelta) -> Pass:
    """Decide how to read a stream with ``updatedAt``: a first pass, or a later one with its start.

    ``bookmark`` is what the last complete run left, ``start_date`` the operator's limit;
    ``lookback`` is subtracted from the bookmark when reading, never stored.
    """
    starts = [start_date] if start_date else []
    if bookmark:
        starts.append(before(bookmark, lookback))
    return Pass("updatedAt", max(starts)) if starts else FIRST_PASS


def is_due(last: datetime | None, now: datetime | None, interval: timedelta) -> bool:
    """Return True if at least ``interval`` has passed since ``last``, or if that is None.

    ``now`` is the server's clock; without it, or with an interval of 0, nothing is due.
    """
    return bool(now and interval and (last is None or now - last >= interval))


class Window:
    """Keeps the rows of a list at or after the start of a pass, and finds out when the pass may stop.

    ``ordered`` is False once a row was newer than the one before it; ``finished`` is True once all
    further rows are older than the start; ``newest`` is the latest change of the rows kept so far.
    """

    def __init__(
        self,
        start: datetime | None,
        key: str = "updatedAt",
        ordered: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Begin at a list's first page; ``key`` is the property with the time of the last change.

        If the list is not ``ordered``, it is read to its end.
        """
        self._start = start
        self._key = key
        self._last: datetime | None = None
        self.ordered = ordered
        self.finished = False
        self.newest: datetime | None = None

    def keep(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of a page at or after the start, and those without a time."""
        kept = []
        moments = parse_moments([row.get(self._key) for row in rows])
        for row, moment in zip(rows, moments, strict=True):
            if moment is None:
                kept.append(row)
                continue
            if self._last is not None and moment > self._last:
                self.ordered = False
            self._last = moment
            if self._start is None or moment >= self._start:
                kept.append(row)
                if self.newest is None or moment > self.newest:
                    self.newest = moment
        self.finished = (
            self.ordered
            and self._start is not None
            and self._last is not None
            and self._last < self._start
        )
        return kept


def next_bookmark(
    old: datetime | None, newest: datetime | None, signpost: datetime | None
) -> datetime | None:
    """Return the bookmark of a complete run; None if there is none yet.

    ``newest`` is the latest change delivered in the run, ``signpost`` the server's clock before its
    first row, None without one. The bookmark is never later than the signpost and never earlier
    than the old one. Without a signpost it stays where it was, which costs time and loses nothing.
    """
    if newest is None or signpost is None:
        return old
    reached = min(newest, signpost)
    return max(old, reached) if old else reached
