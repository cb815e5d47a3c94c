"""Timestamps as moments, whatever their spelling."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


def parse_instant(value: Any) -> datetime | None:
    """Read an ISO 8601 string as a moment in UTC; None for anything that is no timestamp.

    A date alone means its midnight, no zone means UTC.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_instant(moment: datetime) -> str:
    """Write a moment as Vitally does, ``2024-05-06T07:08:09.123Z``, never rounding it up."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Find the latest of some moments, any of which may be missing; None if all are."""
    return max((moment for moment in moments if moment), default=None)
