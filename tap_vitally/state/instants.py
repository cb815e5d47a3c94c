"""Timestamps as moments, whatever their spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


DAY = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", re.ASCII)
CANONICAL = re.compile(DAY.pattern + r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z", re.ASCII)
"""How Vitally spells nearly every moment."""
EVERY_MONTH_HAS = "28"
SECONDS, MILLISECONDS = range(9, 12), range(12, 15)
"""Digits that a number of seconds or milliseconds since 1970 has, for moments of this century."""


def is_canonical(value: Any) -> bool:
    """Whether a value is a moment that is spelt as tables hold it."""
    return isinstance(value, str) and CANONICAL.fullmatch(value) is not None and _is_there(value)


def _is_there(day: str) -> bool:
    """Whether there is the day that text begins with: a month need not have a 29th, 30th or 31st."""
    return day[8:10] <= EVERY_MONTH_HAS or parse_instant(day[:10]) is not None


def as_moment(value: Any) -> str | None:
    """Spell any moment in the one way that tables hold: RFC 3339 in UTC, with milliseconds.

    Epoch seconds and milliseconds are moments, too, as numbers or as digits; None for what is none.
    """
    if is_canonical(value):
        return str(value)
    moment = moment_of(value)
    return format_instant(moment) if moment else None


def as_day(value: Any) -> str | None:
    """Spell a day as ``2026-03-10``: that of a moment is the one that stands in its text.

    It is not brought to UTC, where it might be another day. None for what is no day.
    """
    if isinstance(value, str) and DAY.fullmatch(value) and _is_there(value):
        return value
    moment = _as_it_stands(value)
    return moment.date().isoformat() if moment else None


def has_time_of_day(value: Any) -> bool:
    """Return whether a value is a moment that its day alone does not tell."""
    moment = None if isinstance(value, str) and DAY.fullmatch(value) else _as_it_stands(value)
    return moment is not None and moment.time() != time()


def _as_it_stands(value: Any) -> datetime | None:
    """Read a moment in the zone of its own text; an epoch in UTC."""
    text = value.strip() if isinstance(value, str) else ""
    if not text.isdecimal():
        try:
            return datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text)
        except ValueError:
            pass
    return moment_of(value)


def moment_of(value: Any) -> datetime | None:
    """Read a timestamp in any spelling, or an epoch, as a moment in UTC; None for what is neither."""
    if isinstance(value, str):
        value = value.strip()
        found = parse_instant(value[:-1] + "Z" if value.endswith("z") else value)
        digits = value.isdecimal() and len(value) >= SECONDS.start
        if found and not digits:
            return found
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) else None
        if number is None or isinstance(value, bool) or not number.is_finite():
            return None
        size = number.adjusted() + 1
        if size in MILLISECONDS:
            number /= 1000
        elif size not in SECONDS:
            return None
        return EPOCH + timedelta(seconds=float(number))
    except (InvalidOperation, OverflowError, ValueError):
        return None
