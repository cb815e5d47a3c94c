"""Find the rows of a list that have changed since the last run, whose parents must then be read.

Between two scans of all parents, a nested stream reads only the parents for which the list of the whole
workspace has a row that changed since the *watermark* that the last complete run left. It is a
bookmark as `state.passes` has it, and reading starts ``lookback`` before it, so the rows in between
come again: those that were seen in that very version have not changed.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tap_vitally.state.passes import before, next_bookmark
from vitally_api.values import EARLIEST, format_moment, parse_moment

MOST_SEEN = 200
"""Rows of a list that STATE remembers; if more have changed since the watermark, all count as changed.
Rows without a moment of change are as many again."""


@dataclass(frozen=True)
class Watermark:
    """Where a list was left: ``seen`` has the id and version of the rows since ``lookback`` before it."""

    moment: datetime | None = None
    seen: frozenset[tuple[str, str]] = frozenset()

    def to_state(self) -> dict[str, Any]:
        """Return the watermark for STATE, with all keys, since a runner may merge STATEs."""
        moment = format_moment(self.moment) if self.moment else None
        return {"at": moment, "seen": [list(pair) for pair in sorted(self.seen)]}

    @classmethod
    def from_state(cls, state: Any) -> Watermark:
        """Read the result of `to_state`; return an empty watermark if it is not valid."""
        state = state if isinstance(state, Mapping) else {}
        seen, pairs = set(), state.get("seen")
        for pair in pairs if isinstance(pairs, list) else ():
            match pair:
                case [str(identity), str(version)]:
                    seen.add((identity, version))
        return cls(parse_moment(state.get("at")), frozenset(seen))


@dataclass(frozen=True)
class ScanHistory:
    """What STATE has under ``walk``: the last full scan, and the watermarks of two lists.

    ``full`` is when the last scan of all parents began, None if there was none; ``rows`` is the
    watermark of the list of the whole workspace, ``parents`` that of the list of parents.
    """

    full: datetime | None = None
    rows: Watermark = field(default_factory=Watermark)
    parents: Watermark = field(default_factory=Watermark)

    def to_state(self) -> dict[str, Any]:
        """Return the entry ``walk`` for STATE."""
        return {
            "full": format_moment(self.full) if self.full else None,
            "rows": self.rows.to_state(),
            "parents": self.parents.to_state(),
        }

    @classmethod
    def from_state(cls, state: Any) -> ScanHistory:
        """Read the result of `to_state`; parts that are missing or not valid are empty."""
        state = state if isinstance(state, Mapping) else {}
        rows, parents = (Watermark.from_state(state.get(name)) for name in ("rows", "parents"))
        return cls(parse_moment(state.get("full")), rows, parents)

    @property
    def moments(self) -> tuple[datetime | None, ...]:
        """All times in it, which cannot be later than the server's clock."""
        return (self.full, self.rows.moment, self.parents.moment)

    def is_due(self, now: datetime, days: int) -> bool:
        """Return True if a full scan is due: after ``days`` days, in every run if 0."""
        if self.full is None or None in self.moments:
            return True
        return now - self.full >= timedelta(days=days)


class ChangeFilter:
    """Finds the rows of a list that have changed since the last complete run.

    ``newest`` is the latest change; rows before ``since`` have not changed, None if any row may have.
    """

    def __init__(self, watermark: Watermark, lookback: timedelta) -> None:
        self._mark, self._lookback = watermark, lookback
        self.since = before(watermark.moment, lookback) if watermark.moment else None
        self.newest: datetime | None = None
        self._dated: set[tuple[datetime, str, str]] = set()
        self._oldest = EARLIEST
        self._undated: set[tuple[str, str]] = set()

    def has_changed(self, identity: str, moment: datetime | None, content: str = "") -> bool:
        """Note a row, and return True if it changed since the watermark.

        ``content`` is a digest of the row, which shows a change that the time does not: if there is no
        time, or if the row changed twice in the same millisecond.
        """
        if moment is None:
            if content and len(self._undated) <= MOST_SEEN:
                self._undated.add((identity, content))
        else:
            if self.newest is None or moment > self.newest:
                self.newest = moment
            if moment >= self._oldest:
                self._dated.add((moment, identity, content))
            # A scan of all takes in every row: the latest are kept, and one more than STATE remembers.
            if len(self._dated) > 4 * MOST_SEEN:
                self._dated = set(heapq.nlargest(MOST_SEEN + 1, self._dated))
                self._oldest = min(self._dated)[0]
            if self.since is not None and moment < self.since:
                return False
        version = format_moment(moment) if moment else ""
        return self._mark.seen.isdisjoint({(identity, version), (identity, content)})

    def watermark(self, signpost: datetime) -> Watermark:
        """Return the new watermark of a list, after `has_changed` got all of its rows."""
        moment = next_bookmark(self._mark.moment, self.newest, signpost)
        return self.watermark_at(moment, signpost) if moment else Watermark()

    def watermark_at(self, moment: datetime, signpost: datetime) -> Watermark:
        """Return a watermark at a given time.

        A row that changed at or after the signpost may change again in the same millisecond, so only
        its ``content`` is kept, if that is known.
        """
        since = before(moment, self._lookback)
        seen = {
            (identity, content if at >= signpost else format_moment(at))
            for at, identity, content in self._dated
            if since <= at and (content or at < signpost)
        }
        few = [each for each in (seen, self._undated) if len(each) <= MOST_SEEN]
        return Watermark(moment, frozenset().union(*few))
