"""How far a list was read that points at parents: what has changed since, and what was told before.

A stream below others reads, between two walks of all parents, only those that something points at.
A list points by what changed in it since the *mark* that the last complete run left for it. The
mark is a bookmark as `replication.passes` has it, and reading starts ``lookback`` before it, so the
rows in between come again: those that were seen in that very version point at nobody.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tap_vitally.state.passes import before, next_bookmark
from vitally_api.values import format_moment, parse_moment

MOST_SEEN = 200
"""Rows of a list that STATE remembers; if more have changed since the mark, all of them point. Rows
without a moment of change are as many again."""


@dataclass(frozen=True)
class Watermark:
    """Where a list was left: ``seen`` holds the id and version of rows at or after the mark's lookback."""

    moment: datetime | None = None
    seen: frozenset[tuple[str, str]] = frozenset()

    def to_state(self) -> dict[str, Any]:
        """Write it as a small, readable object, with no key left out: a runner may merge it."""
        moment = format_moment(self.moment) if self.moment else None
        return {"at": moment, "seen": [list(pair) for pair in sorted(self.seen)]}

    @classmethod
    def from_state(cls, state: Any) -> Watermark:
        """Read what `to_state` wrote; an empty mark if it is of no use."""
        if not isinstance(state, Mapping):
            return cls()
        pairs = state.get("seen")
        seen = set()
        for pair in pairs if isinstance(pairs, list) else ():
            match pair:
                case [str(identity), str(version)]:
                    seen.add((identity, version))
        return cls(parse_moment(state.get("at")), frozenset(seen))


@dataclass(frozen=True)
class ScanHistory:
    """What complete runs left of a stream's walks, as STATE carries it under ``walk``.

    ``full`` is when the last walk of all parents began, None if there was none; ``rows`` the mark
    in the list of the whole workspace, ``parents`` that in the list of the parents.
    """

    full: datetime | None = None
    rows: Watermark = field(default_factory=Watermark)
    parents: Watermark = field(default_factory=Watermark)

    def to_state(self) -> dict[str, Any]:
        """Write it as a small, readable object."""
        return {
            "full": format_moment(self.full) if self.full else None,
            "rows": self.rows.to_state(),
            "parents": self.parents.to_state(),
        }

    @classmethod
    def from_state(cls, state: Any) -> ScanHistory:
        """Read what any version of the tap wrote; nothing known where it is missing."""
        if not isinstance(state, Mapping):
            return cls()
        marks = [Watermark.from_state(state.get(name)) for name in ("rows", "parents")]
        return cls(parse_moment(state.get("full")), *marks)

    @property
    def moments(self) -> tuple[datetime | None, ...]:
        """All moments in it, none of which can be ahead of the server's clock."""
        return (self.full, self.rows.moment, self.parents.moment)

    def is_due(self, now: datetime, days: int) -> bool:
        """Whether all parents are to be walked again; 0 ``days`` is in every run."""
        if self.full is None or None in self.moments:
            return True
        return now - self.full >= timedelta(days=days)


class ChangeFilter:
    """Sees the rows of a list pass by, and tells which of them the last complete run did not see.

    ``newest`` is the latest change among them.
    """

    def __init__(self, watermark: Watermark, lookback: timedelta) -> None:
        self._mark = watermark
        self._lookback = lookback
        self.newest: datetime | None = None
        self._latest: list[tuple[datetime, str, str]] = []
        self._undated: set[tuple[str, str]] = set()

    @property
    def since(self) -> datetime | None:
        """From when on rows are of interest; None for all."""
        return before(self._mark.moment, self._lookback) if self._mark.moment else None

    def has_changed(self, identity: str, moment: datetime | None, content: str = "") -> bool:
        """Take in a row: whether it changed since the mark.

        ``content`` is a digest of it, which tells what no moment tells: that a row without one
        changed, or one that had changed in the same moment before.
        """
        if moment is None:
            if content and len(self._undated) <= MOST_SEEN:
                self._undated.add((identity, content))
        else:
            self._remember((moment, identity, content))
            if self.since is not None and moment < self.since:
                return False
        version = format_moment(moment) if moment else ""
        return self._mark.seen.isdisjoint({(identity, version), (identity, content)})

    def _remember(self, entry: tuple[datetime, str, str]) -> None:
        """Keep the latest rows, one more than STATE has room for."""
        moment, latest = entry[0], self._latest
        if self.newest is None or moment > self.newest:
            self.newest = moment
        if len(latest) > MOST_SEEN and entry <= latest[0]:
            return
        if entry not in latest:
            heapq.heappush(latest, entry)
            if len(latest) > MOST_SEEN + 1:
                heapq.heappop(latest)

    def watermark(self, signpost: datetime) -> Watermark:
        """Say what a complete run may remember of the list, all of which has passed by."""
        moment = next_bookmark(self._mark.moment, self.newest, signpost)
        return self.watermark_at(moment, signpost) if moment else Watermark()

    def watermark_at(self, moment: datetime, signpost: datetime) -> Watermark:
        """Say the same for a mark that is found otherwise.

        A row that changed at or after the signpost may change once more and keep its moment, so
        only its content is remembered, if it is known.
        """
        since = before(moment, self._lookback)
        seen = {
            (identity, content if at >= signpost else format_moment(at))
            for at, identity, content in self._latest
            if since <= at and (content or at < signpost)
        }
        few = [each for each in (seen, self._undated) if len(each) <= MOST_SEEN]
        return Watermark(moment, frozenset().union(*few))
