"""Values that loaders and customers leave in tables, and what a type of the package makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
TEXTS = [
    "2026-01-31",
    "2024-02-29",
    "2000-02-29",
    "1900-02-29",
    "2026-02-29",
    "2026-02-30",
    "2026-04-31",
    "2026-13-01",
    "0000-00-00",
    "0000-01-01",
    "0001-01-01",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:59.9999999+00:00",
    "9999-12-31T23:59:59+00:00",
    "9999-12-31T23:59:59-05:00",
    "10000-01-01",
    "0044-03-15 BC",
    "-0044-03-15",
    "+2026-01-31",
    "2026-01-31Tbd",
    "2026-01-31T",
    "2026-01-31 ",
    " 2026-01-31",
    "2026-01-31\n",
    "2026-01-31T10:00:00Z\n",
    "2026-01-31T10:00",
    "2026-01-31T10:00:00",
    "2026-01-31 10:00:00",
    "2026-01-31T10:00:00.5Z",
    "2026-01-31T10:00:00.123456Z",
    "2026-01-31T10:00:00.123456789Z",
    "2026-01-31T23:59:59.9999999Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T25:00:00Z",
    "2026-01-31T23:60:00Z",
    "2026-01-31T23:59:60Z",
    "2026-01-31T10:00:00+02:00",
    "2026-01-31T01:00:00.25+0200",
    "2026-01-31T10:00:00-03:30",
    "2026-01-31T10:00:00+25:00",
    "2026-01-31T10:00:00+02",
    "2026-01-31T10:00:00 Europe/Berlin",
    "2026-01-31T10:00:00 EST",
    "2026-01-31T10:00:00Zulu",
    "20260131",
    "2026-W05-6",
    "31.01.2026",
    "01/31/2026",
    "Jan 31, 2026",
    "tomorrow",
    "now",
    "infinity",
    "-infinity",
    "epoch",
    "null",
    "NULL",
    "NaN",
    "Infinity",
    "true",
    "TRUE",
    "False",
    "f",
    "yes",
    "",
    " ",
    "0",
    "1",
    "-1",
    "-0",
    "+1",
    "1.",
    ".5",
    "12.50",
    "1,000",
    "1_000",
    "0x10",
    "1e3",
    "1.5E-3",
    "1e30",
    "-1e30",
    "1e400",
    "1e-400",
    "1e",
    "9" * 18,
    "9" * 19,
    "9" * 22,
    "9" * 400,
    "\u0661\u0662",
    "2026\u201001\u201031",
    "it's",
    '"quoted"',
    "{}",
    "[1]",
    "back\\slash",
]
LITERALS = [
    *map(json.dumps, TEXTS),
    *("null", "true", "false", "0", "1", "-1", "0.5", "12.50", "1e3", "1.5E-3"),
    "33.33333333333333",
    *("1e30", "-1e30", "1e400", "-1e400", "1e99", "1e100"),
    "9" * 18,
    "9" * 19,
    "9" * 22,
    "9" * 400,
    "1769853600",
    "1769853600.25",
    "1769853600123",
    "99999999",
    "100000000",
    "99999999999000",
    "100000000000000",
    "-1769853600",
    '{"a": 1}',
    "{}",
    "[1, 2]",
    "[]",
]
"""JSON as it is in a trait."""


def mutated(count: int) -> Iterator[str]:
    """Texts that differ a little from dates, moments and numbers."""
    random = Random(17)
    good = [text for text in TEXTS if moment_of(text) or decimal_of(text) is not None]
    for _ in range(count):
        text = random.choice(good)
        for _ in range(random.randint(1, 2)):
            at = random.randrange(len(text) + 1)
            more = random.choice("0123456789-:.TZ+eE ")
            text = text[:at] + random.choice(("", more)) + text[at + random.randint(0, 1) :]
        yield text


def moment_of(text: str) -> datetime | None:
    """The moment in UTC that a date or a moment in RFC 3339 names."""
    found = MOMENT.fullmatch(text)
    if not found:
        return None
    numbers = [int(part or 0) for part in found.groups()[:6]]
    micro = int((found[7] or "").ljust(6, "0")[:6])
    zone = (found[8] or "Z").replace(":", "")
    hours, minutes = (0, 0) if zone == "Z" else (int(zone[1:3]), int(zone[3:]))
    if hours > 14 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        local = datetime(*numbers, micro, tzinfo=timezone(offset))  # type: ignore[misc,arg-type]
        return local.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def decimal_of(text: str) -> Decimal | None:
    """The number that a text names, as databases read it."""
    if not re.fullmatch(
        r"-?([0-9]{1,120}([.][0-9]{1,120})?([eE][+-]?[0-9]{1,2})?|[.][0-9]{1,99})", text
    ):
        return None
    return Decimal(text)


def within(number: Decimal | None, limit: str) -> Decimal | None:
    """A number, unless it is too large."""
    return None if number is None or abs(number) >= Decimal(limit) else number


def boolean_of(text: str) -> bool | None:
    """What a text says of a boolean."""
    return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(
        text.lower()
    )


def trait_as(type_: str, literal: str) -> Any:
    """What a trait is as a column of a type."""
    value = json.loads(literal, parse_float=Decimal, parse_int=Decimal)
    is_number = isinstance(value, Decimal)
    match type_:
        case "number" if is_number:
            return within(decimal_of(literal), "1e21")
        case "boolean" if isinstance(value, bool):
            return value
        case "timestamp" | "date":
            moment = moment_of(value) if isinstance(value, str) else None
            if is_number and 10**8 <= value < 10**14:
                seconds = float(value if value < 10**11 else value / 1000)
                moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
            return moment.date() if moment and type_ == "date" else moment
    return None


def day_of(text: str) -> date | None:
    """The day that a date or a moment begins with."""
    zone = re.search(r"[+-][0-9]{2}:?[0-9]{2}$", text[10:])
    plain = text[: 10 + zone.start()] if zone else text
    found = moment_of(plain)
    return found.date() if found and (not zone or moment_of("2026-01-31" + text[10:])) else None
