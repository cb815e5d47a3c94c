"""The sandbox's own idea of the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def iso(moment: datetime) -> str:
    """Write a UTC moment the way the API does: milliseconds and ``Z`` (API notes: dates)."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


class Clock:
    """A clock that can be wrong, stand still or be moved, so that tests need no sleeps."""

    def __init__(self, start: datetime | None = None, *, offset: float = 0.0) -> None:
        """Run in real time, or stand at ``start``, ``offset`` seconds ahead."""
        self._start = start.astimezone(UTC) if start else None
        self.offset = offset

    def now(self) -> datetime:
        """Return the sandbox's current moment, in UTC."""
        return (self._start or datetime.now(UTC)) + timedelta(seconds=self.offset)

    def advance(self, seconds: float) -> None:
        """Move the clock; the only way in which a manual clock ever moves."""
        self.offset += seconds
