"""Convert and compare values; functions ending in ``_of`` raise `InvalidValue`, others return None."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
FieldKind = Literal["", "text", "choice", "number", "boolean", "moment", "day", "choices"]
FIELD_KINDS: Mapping[FieldKind, str] = {
    "text": "string text textarea longtext shorttext richtext html url link email phone id uuid",
    "choice": "select singleselect picklist singlepicklist dropdown enum option radio",
    "number": "number numeric integer int long float double decimal currency money percent percentage",
    "boolean": "boolean bool checkbox toggle",
    "moment": "datetime timestamp",
    "day": "date day",
    "choices": (
        "multiselect multipicklist multiselectpicklist multienum multistring stringarray "
        "arraystring arrayofstrings array list strings tags"
    ),
}
"""Names of the types of custom fields, without separators; the API documents none."""
_KINDS = {word: kind for kind, words in FIELD_KINDS.items() for word in words.split()}
LONGEST_NUMBER = 40
"""Digits up to which a number is written without an exponent; 1E+400 would take 400."""
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1
"""The integers that a database can hold."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT_SHAPE = b"0000-00-00T00:00:00.000Z"
"""The form in which Vitally writes nearly all timestamps, with a zero for each digit."""
AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
DAY_OR_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
ZONE_NAMED = re.compile(r"(?<=\d) ?(?:UTC|GMT|Z)\Z", re.IGNORECASE)
BLANK_BEFORE_ZONE = re.compile(r"(?<=\d) (?=[+-]\d)")
"""What Snowflake and BigQuery write: a blank before the zone, or ``UTC``."""
SECONDS, MILLISECONDS = range(9, 12), range(12, 15)
"""The number of digits of seconds and milliseconds since 1970, for dates of this century."""
EMPTY: tuple[Any, ...] = (None, "", [], {})
"""Values that stand for null in sources without nulls, such as CSV files."""


class InvalidValue(ValueError):
    """A value that a property does not accept; the message says what it accepts."""


def field_kind(type_: Any) -> FieldKind:
    """Return the kind of value for a custom field's type; empty for an unknown type."""
    return _KINDS.get(re.sub(r"[^a-z]", "", str(type_).lower()), "")


def number_of(value: Any) -> int | Decimal:
    """Return a number, also from text such as ``"4711.00"``, without rounding."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float | Decimal | str):
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            number = Decimal("nan")
        if number.is_finite():
            return number
    raise InvalidValue("it takes a number")


def plain_number(number: int | Decimal) -> str:
    """Write a number as people do: 4711 for 4711.00, 100 for 1E+2, 12.5 for 12.50."""
    exact = Decimal(number)
    if not -LONGEST_NUMBER < exact.adjusted() < LONGEST_NUMBER:
        return str(exact)
    text = format(exact, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def as_double(number: float | Decimal) -> Decimal:
    """Round a number to the nearest double, as Vitally does with JSON numbers."""
    try:
        double = float(number)
    except OverflowError:
        return Decimal(number)
    # Infinite is what lies beyond all doubles: it can only be compared as it is.
    return Decimal(repr(double)) if abs(double) != float("inf") else Decimal(str(number))


def text_of(value: Any) -> str:
    """Return text as it is (``"007"``, ``"1e5"``), and a number as by `plain_number`."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | dict | list):
        raise InvalidValue("it takes text")
    return plain_number(number_of(value))


def email_text(value: Any) -> str:
    """Return an e-mail in lower case without surrounding blanks, as it is compared."""
    return text_of(value).strip().lower()


def key_text(by: str, value: Any) -> str:
    """Return a key as text that is equal for a row and for its record in Vitally; empty for None.

    ``by`` is ``email``, ``trait:<path>``, or ``id``, ``externalId`` or ``name``, which Vitally keeps as
    text, with all digits. Numbers in traits are doubles there: 9007199254740993 comes back as
    9007199254740992. Raise `InvalidValue` for anything other than text and numbers.
    """
    if value is None:
        return ""
    if by == "email":
        return email_text(value)
    if by.startswith("trait:") and type(value) in {int, float, Decimal}:
        value = as_double(number_of(value))
    return text_of(value)


def identity_of(value: Any) -> str | None:
    """Return an id as text, from text or a whole number; None for anything else."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal) and SMALLEST <= value <= LARGEST and value == int(value):
        return str(int(value))
    return None


def boolean_of(value: Any) -> bool:
    """Return a boolean, also from ``1``, ``"Yes"``, ``"t"`` or ``"0.0"``."""
    text = ""
    if isinstance(value, str):
        text = re.sub(r"\A([01])\.0+\Z", r"\1", value.strip().lower())
    elif isinstance(value, int | float | Decimal) and value in {0, 1}:
        text = str(int(value))
    if text in TRUE | FALSE:
        return text in TRUE
    raise InvalidValue("it takes true or false")


def whole_number_of(value: Any) -> int:
    """Return a whole number, also from ``"3.0"``."""
    number = number_of(value)
    # int(Decimal("1E+5000")) would not fit into memory with some zeros more.
    whole = isinstance(number, int) or number.adjusted() < LONGEST_NUMBER
    if not whole or number != int(number):
        raise InvalidValue("it takes a whole number")
    return int(number)


def list_of(value: Any) -> list[Any]:
    """Return a list, also from JSON text, as in warehouses without a type for lists."""
    found = parse_json(value) if isinstance(value, str) else value
    if isinstance(found, list):
        return found
    raise InvalidValue("it takes a list")


def object_of(value: Any) -> dict[str, Any]:
    """Return an object, also from JSON text."""
    found = parse_json(value) if isinstance(value, str) else value
    if isinstance(found, dict):
        return found
    raise InvalidValue("it takes an object")


def parse_json(value: str) -> Any:
    """Decode JSON text without rounding numbers; return None for other text."""
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _parse_iso(value: Any) -> datetime | None:
    """Parse ISO 8601 and its variants in warehouses; keep the time zone, if there is one."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = value.strip() if isinstance(value, str) else ""
    # `datetime` takes the first eight digits of 1712010112345 for a day of the year 1712.
    if not text or (len(text) >= SECONDS.start and text.isdecimal()):
        return None
    for read in (text, BLANK_BEFORE_ZONE.sub("", ZONE_NAMED.sub("+00:00", text))):
        try:
            return datetime.fromisoformat(read)
        except ValueError:
            pass
    return None


def _parse_epoch(value: Any) -> datetime | None:
    """Parse seconds or milliseconds since 1970, as a number or text."""
    try:
        number = number_of(value)
        size = Decimal(number).adjusted() + 1
        if size in MILLISECONDS:
            return EPOCH + timedelta(seconds=float(number) / 1000)
        return EPOCH + timedelta(seconds=float(number)) if size in SECONDS else None
    except (InvalidValue, OverflowError):
        return None


def _in_utc(moment: datetime | None) -> datetime | None:
    """Convert to UTC, which is assumed if there is no time zone; None beyond the year 9999."""
    try:
        return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def parse_moment(value: Any) -> datetime | None:
    """Parse a timestamp in any known form, or an epoch; return it in UTC, a date as its midnight."""
    return _in_utc(_parse_iso(value) or _parse_epoch(value))


def moment_of(value: Any) -> datetime:
    """Parse a timestamp, not an epoch; return it in UTC, cut to milliseconds as Vitally keeps it."""
    moment = _in_utc(_parse_iso(value))
    if moment is None:
        raise InvalidValue("it takes a date and time, such as 2026-01-31T12:00:00Z")
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def format_moment(moment: datetime) -> str:
    """Format a timestamp as Vitally does, ``2026-01-31T12:00:00.000Z``; cut, not rounded."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def canonical_moments(values: Sequence[Any]) -> list[datetime] | None:
    """Parse values if all have the form of `format_moment`; return None if one has not.

    All forms are checked at once, which takes a third of the time.
    """
    try:
        texts = "\n".join(values)
        shapes = b"\n".join([MOMENT_SHAPE] * len(values))
        # Python 3.14 reads T24:00 as the next midnight.
        if values and texts.encode("ascii").translate(AS_ZEROS) == shapes and "T24" not in texts:
            return list(map(datetime.fromisoformat, values))
    except (TypeError, ValueError):
        pass
    return None


def is_canonical(value: Any) -> bool:
    """Return True if a value is a timestamp in the form of `format_moment`."""
    return isinstance(value, str) and canonical_moments([value]) is not None


def parse_moments(values: Sequence[Any]) -> Iterable[datetime | None]:
    """Apply `parse_moment` to each value, in a fifth of the time if all have Vitally's own form."""
    return canonical_moments(values) or map(parse_moment, values)


def as_moment(value: Any) -> str | None:
    """Return a timestamp in any known form as RFC 3339 in UTC with milliseconds, as in all tables."""
    if is_canonical(value):
        return str(value)
    moment = parse_moment(value)
    return format_moment(moment) if moment else None


def day_of(value: Any) -> date:
    """Return the date in a text as it is written, without converting its time zone."""
    moment = _parse_iso(value)
    if moment is None:
        raise InvalidValue("it takes a date, such as 2026-01-31")
    return moment.date()


def as_day(value: Any) -> str | None:
    """Return the date as it is written in a text, or of an epoch in UTC, as ``2026-03-10``."""
    moment = _parse_iso(value) or _parse_epoch(value)
    return moment.date().isoformat() if moment else None


def has_time_of_day(value: Any) -> bool:
    """Return True if a value has a time other than midnight, which `as_day` drops."""
    moment = _parse_iso(value) or _parse_epoch(value)
    return moment is not None and moment.time() != time()


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Return the latest timestamp, ignoring None; None if there is no other."""
    return max((moment for moment in moments if moment), default=None)


def same_json(one: Any, other: Any) -> bool:
    """Return True if JSON values are equal; numbers are compared as doubles, timestamps in UTC."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return one == other or as_double(one) == as_double(other)
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _same_moment(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            same_json(value, other[name]) for name, value in one.items()
        )
    return bool(one == other)


def _same_moment(one: str, other: str) -> bool:
    try:
        both = DAY_OR_MOMENT.fullmatch(one) and DAY_OR_MOMENT.fullmatch(other)
        return bool(both) and moment_of(one) == moment_of(other)
    except InvalidValue:
        return False
