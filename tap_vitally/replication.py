"""What to read, what to keep, when to stop and what to remember: decisions on values.

Vitally's lists come newest first, cannot be asked for changes since a moment, and have no
ascending order (API notes, "Pagination (list endpoints)"). A stream is therefore read so:

* The *first pass* sorts by ``createdAt``, which no change can move, and goes to the end.
* *Later passes* sort by ``updatedAt`` and stop after the first page that reaches behind the start.
* The bookmark is written when every list of the stream has been read, and is never later than
  the *signpost*: the server's own clock before the first row was asked for.

Why nothing is lost between runs. Take any row and its last change.

* It happened at or after the signpost: its ``updatedAt`` is at or after the signpost, so at or
  after the bookmark of this run. The next run keeps rows at or after that bookmark.
* It happened before the signpost: either before the start of this run, then the run that wrote
  the old bookmark had delivered it by the same argument; or inside the part this run reads.

Local clocks take no part in it. Rows without ``updatedAt`` are always kept and never end a pass.
A page whose ``updatedAt`` rises from row to row disproves the order, and the pass goes to the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

EARLIEST = datetime.min.replace(tzinfo=UTC)
SortKey = Literal["createdAt", "updatedAt"]
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)


def parse_instant(value: Any) -> datetime | None:
    """Read a timestamp as a moment, whatever its spelling.

    Args:
        value: An ISO 8601 string; a date alone means its midnight, no zone means UTC.

    Returns:
        The moment in UTC, or None for anything that is not a timestamp.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_instant(moment: datetime) -> str:
    """Write a moment the way Vitally does, never rounding it up.

    Args:
        moment: A moment with a time zone.

    Returns:
        For example ``2024-05-06T07:08:09.123Z``.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Pass:
    """How one list is read in one run.

    Attributes:
        sort_by: The order asked for; None where the API has no choice of order.
        start: Rows updated at or after it are kept; None keeps all and reads to the end.
    """

    sort_by: SortKey | None
    start: datetime | None = None


FIRST_PASS = Pass("createdAt")


def plan_pass(
    bookmark: datetime | None,
    start_date: datetime | None,
    lookback: timedelta,
) -> Pass:
    """Decide how to read a stream with ``updatedAt``.

    Args:
        bookmark: What the last complete run left, or None.
        start_date: The operator's limit, or None.
        lookback: Subtracted from the bookmark when reading, never stored.

    Returns:
        The first pass, or a later one with its start.
    """
    starts = [start_date] if start_date else []
    if bookmark:
        starts.append(EARLIEST + max(bookmark - EARLIEST - lookback, timedelta(0)))
    return Pass("updatedAt", max(starts)) if starts else FIRST_PASS


class Window:
    """Keeps the rows of one list that a pass wants, and tells when it may stop.

    Attributes:
        ordered: False once a row was newer than one before it.
        finished: True when every row to come is older than the start.
        newest: The latest ``updatedAt`` among the rows kept, up to now.
    """

    def __init__(self, start: datetime | None, key: str = "updatedAt") -> None:
        """Open a window on a list.

        Args:
            start: The pass's start.
            key: The property that holds the moment of change.
        """
        self._start = start
        self._key = key
        self._last: datetime | None = None
        self.ordered = True
        self.finished = False
        self.newest: datetime | None = None

    def keep(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Take in a page.

        Args:
            rows: The page, in the API's order.

        Returns:
            The rows at or after the start, and those without a timestamp.
        """
        kept = []
        for row in rows:
            moment = parse_instant(row.get(self._key))
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
            self._start is not None
            and self.ordered
            and self._last is not None
            and self._last < self._start
        )
        return kept


def next_bookmark(
    old: datetime | None,
    newest: datetime | None,
    signpost: datetime | None,
) -> datetime | None:
    """Decide what a complete run may remember.

    Args:
        old: The bookmark before the run.
        newest: The latest change delivered in it.
        signpost: The server's clock before the run's first row, or None if it told none.

    Returns:
        The new bookmark: never later than the signpost, never earlier than the old one. Without
        a signpost it stays where it was, which costs time and loses nothing.
    """
    if newest is None or signpost is None:
        return old
    reached = min(newest, signpost)
    return max(old, reached) if old else reached


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Find the latest of some moments, any of which may be missing.

    Args:
        moments: The moments.

    Returns:
        The latest, or None if there is none.
    """
    return max((moment for moment in moments if moment), default=None)


@dataclass(frozen=True)
class Resume:
    """Where an interrupted pass goes on, as STATE carries it under ``resume``.

    Attributes:
        signpost: The server's clock when the pass began, in the run that began it.
        newest: The latest change delivered in it.
        context: The list it was in: a label such as ``archived=true``; empty for a single list.
            For child streams: all lists of each parent, and which parents, as the settings were.
        cursor: The cursor after the last page delivered whole.
        sort_by: The order that cursor is bound to.
        parents_after: For child streams: parents created after this moment, and before the
            signpost, are done.
    """

    signpost: datetime
    newest: datetime | None = None
    context: str = ""
    cursor: str | None = None
    sort_by: SortKey | None = None
    parents_after: datetime | None = None

    def to_state(self) -> dict[str, str]:
        """Write it as a small, readable object.

        Returns:
            Only what is set.
        """
        values = {
            "signpost": format_instant(self.signpost),
            "newest": format_instant(self.newest) if self.newest else None,
            "context": self.context,
            "cursor": self.cursor,
            "sort_by": self.sort_by,
            "parents_after": format_instant(self.parents_after) if self.parents_after else None,
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_state(cls, state: Any) -> Resume | None:
        """Read what an earlier run wrote.

        Args:
            state: The object under ``resume``, from any version of the tap.

        Returns:
            The place, or None where it is missing or of no use.
        """
        if not isinstance(state, Mapping):
            return None
        signpost = parse_instant(state.get("signpost"))
        if signpost is None:
            return None
        cursor, sort_by = state.get("cursor"), state.get("sort_by")
        return cls(
            signpost=signpost,
            newest=parse_instant(state.get("newest")),
            context=str(state.get("context", "")),
            cursor=cursor if isinstance(cursor, str) else None,
            sort_by=next((key for key in SORT_KEYS if key == sort_by), None),
            parents_after=parse_instant(state.get("parents_after")),
        )
