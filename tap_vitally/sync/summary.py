"""Count what each stream of a run read, requested, waited for and skipped, and log remarks."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from vitally_api import safe_name

MOST_REASONS = 20
"""Skipped records named one by one, per stream; more are counted."""


@dataclass
class StreamMetrics:
    """One stream's counts, and what is logged of it; any thread adds to it.

    ``requests`` are with the repeated ones, ``retries``; ``waited`` is in seconds, for the budget and
    between tries. ``stopped_early`` counts lists left where the rest was older than the start,
    ``out_of_order`` lists whose order did not hold, ``have_none`` parents that are there and have no
    record, ``skipped`` what was left out, with the first ``reasons``; ``days`` the values of each
    property that holds days, ``cut`` those that lost their time of day. ``scanned`` counts the
    parents read of ``parents_known``, by the reason; ``full_walk_at`` is when the last scan of all
    began, ``whole_read_at`` the last read of all records. ``remarks`` are lines about no loss.
    """

    records: int = 0
    pages: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    stopped_early: int = 0
    out_of_order: int = 0
    have_none: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    ended: bool = False
    made_null: Counter[str] = field(default_factory=Counter)
    made_null_traits: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    bookmark_before: str | None = None
    bookmark_after: str | None = None
    scanned: Counter[str] = field(default_factory=Counter)
    parents_known: int | None = None
    full_walk_at: str | None = None
    whole_read_at: str | None = None
    remarks: list[str] = field(default_factory=list)
    name: str = ""
    logger: logging.Logger = field(default=logging.getLogger("tap-vitally"), repr=False)
    _logged: set[str] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: float) -> None:
        """Add to some of the counts, by their names."""
        with self._lock:
            for name, amount in counts.items():
                setattr(self, name, getattr(self, name) + amount)

    def skip(self, reason: str, label: str = "") -> None:
        """Count a record or list that was skipped; log the first of each reason."""
        where = f" ({label})" if label else ""
        with self._lock:
            self.skipped += 1
            if len(self.reasons) == MOST_REASONS:
                return
            self.reasons.append(f"{reason}{where}")
        self.warn_once(reason, f"Skipped in '{self.name}'{where}: {reason}")

    def warn_once(self, about: str, message: str) -> None:
        """Log a warning if none was logged yet about the same."""
        if about not in self._logged:
            self._logged.add(about)
            self.logger.warning("%s", message)

    def report(self, column: str, what: str) -> None:
        """Log, once per property, how its values were changed."""
        message = f"Property '{safe_name(column)}' {what}."
        self.warn_once(message, message)

    def remark(self, line: str, follows: str = "") -> None:
        """Log a line, with the consequence ``follows``, and keep the line for the summary."""
        self.logger.warning("'%s': %s%s.", self.name, line, follows)
        self.remarks.append(line)

    def make_null(self, name: str, *, trait: bool = False) -> None:
        """Count a value that did not fit its type and became null; a trait's value is still in `traits`."""
        with self._lock:
            (self.made_null_traits if trait else self.made_null)[name] += 1

    def note_day(self, name: str, cut: bool) -> None:  # noqa: FBT001 - one of two counts
        """Count a value of a date property; ``cut`` is True if it had a time of day, which was dropped."""
        with self._lock:
            self.days[name] += 1
            self.cut[name] += cut

    def too_narrow(self) -> list[str]:
        """Return the date properties for which most values had a time of day."""
        return [name for name, count in self.cut.items() if 2 * count > self.days[name]]

    def as_record(self) -> dict[str, Any]:
        """Return the counts as a record without its key."""
        return {
            "records": self.records,
            "pages": self.pages,
            "requests": self.requests,
            "retries": self.retries,
            "waitedSeconds": round(self.waited, 3),
            "stoppedEarly": self.stopped_early,
            "outOfOrder": self.out_of_order,
            "haveNone": self.have_none,
            "skipped": self.skipped,
            "skippedReasons": list(self.reasons),
            "madeNull": self.made_null.total(),
            "madeNullProperties": dict(self.made_null),
            "madeNullTraits": self.made_null_traits.total(),
            "cutToDay": self.cut.total(),
            "cutToDayProperties": dict(+self.cut),
            "bookmarkBefore": self.bookmark_before,
            "bookmarkAfter": self.bookmark_after,
            "parentsWalked": None if self.parents_known is None else self.scanned.total(),
            "parentsKnown": self.parents_known,
            "fullWalkAt": self.full_walk_at,
            "wholeReadAt": self.whole_read_at,
        }
