"""Values as both programs read and compare them; what ends in ``_of`` raises, the rest returns None."""

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
"""How the types of custom fields are called, without marks between words: the API lists none."""
_KINDS = {word: kind for kind, words in FIELD_KINDS.items() for word in words.split()}
LONGEST_NUMBER = 40
"""Digits up to which a number is written without an exponent; 1E+400 would take 400."""
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1
"""The integers that a database can hold."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT_SHAPE = b"0000-00-00T00:00:00.000Z"
"""How Vitally spells nearly every moment, with a zero for each digit."""
AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
DAY_OR_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
ZONE_NAMED = re.compile(r"(?<=\d) ?(?:UTC|GMT|Z)\Z", re.IGNORECASE)
BLANK_BEFORE_ZONE = re.compile(r"(?<=\d) (?=[+-]\d)")
"""What Snowflake and BigQuery write: a blank before the zone, or ``UTC``."""
SECONDS, MILLISECONDS = range(9, 12), range(12, 15)
"""Digits that a number of seconds or milliseconds since 1970 has, for moments of this century."""
EMPTY: tuple[Any, ...] = (None, "", [], {})
"""What a source without nulls writes in their place, such as a CSV file."""


class InvalidValue(ValueError):
    """A value that a property does not take; the message says what it takes."""


def field_kind(type_: Any) -> FieldKind:
    """Return what a custom field of a type holds; empty for a type that is not known."""
    return _KINDS.get(re.sub(r"[^a-z]", "", str(type_).lower()), "")


def number_of(value: Any) -> int | Decimal:
    """Return a number, also out of text such as ``"4711.00"``, with all its digits."""
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
    """Return the double nearest to a number: as such JSON numbers come back from Vitally."""
    try:
        double = float(number)
    except OverflowError:
        return Decimal(number)
    # Infinite is what lies beyond all doubles: it can only be compared as it is.
    return Decimal(repr(double)) if abs(double) != float("inf") else Decimal(str(number))


def text_of(value: Any) -> str:
    """Return text: text stays as it is (``"007"``, ``"1e5"``), a number gets its plain digits."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | dict | list):
        raise InvalidValue("it takes text")
    return plain_number(number_of(value))


def email_text(value: Any) -> str:
    """Return the text under which an e-mail is looked up: case and surrounding blanks do not count."""
    return text_of(value).strip().lower()


def key_text(by: str, value: Any) -> str:
    """Return the one text of a key, for rows and for what Vitally holds; empty where it has none.

    ``by`` is what the key is: ``email``, ``trait:<path>``, or ``id``, ``externalId`` and ``name``, which
    Vitally keeps as text, with all digits. A number in a trait is a double there: 9007199254740993
    comes back as 9007199254740992. `InvalidValue` is raised for what is no text and no number.
    """
    if value is None:
        return ""
    if by == "email":
        return email_text(value)
    if by.startswith("trait:") and type(value) in {int, float, Decimal}:
        value = as_double(number_of(value))
    return text_of(value)


def identity_of(value: Any) -> str | None:
    """Return an id, out of text or a whole number; None for anything else."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal) and SMALLEST <= value <= LARGEST and value == int(value):
        return str(int(value))
    return None


def boolean_of(value: Any) -> bool:
    """Return true or false, also out of ``1``, ``"Yes"``, ``"t"`` or ``"0.0"``."""
    text = ""
    if isinstance(value, str):
        text = re.sub(r"\A([01])\.0+\Z", r"\1", value.strip().lower())
    elif isinstance(value, int | float | Decimal) and value in {0, 1}:
        text = str(int(value))
    if text in TRUE | FALSE:
        return text in TRUE
    raise InvalidValue("it takes true or false")


def whole_number_of(value: Any) -> int:
    """Return a whole number, also out of ``"3.0"``."""
    number = number_of(value)
    # int(Decimal("1E+5000")) would not fit into memory with some zeros more.
    whole = isinstance(number, int) or number.adjusted() < LONGEST_NUMBER
    if not whole or number != int(number):
        raise InvalidValue("it takes a whole number")
    return int(number)


def list_of(value: Any) -> list[Any]:
    """Return a list, also out of JSON text, as warehouses without lists keep it."""
    found = parse_json(value) if isinstance(value, str) else value
    if isinstance(found, list):
        return found
    raise InvalidValue("it takes a list")


def object_of(value: Any) -> dict[str, Any]:
    """Return an object, also out of JSON text."""
    found = parse_json(value) if isinstance(value, str) else value
    if isinstance(found, dict):
        return found
    raise InvalidValue("it takes an object")


def parse_json(value: str) -> Any:
    """Return the value of a JSON text, numbers with all their digits; None for other text."""
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _parse_iso(value: Any) -> datetime | None:
    """Read ISO 8601 and its spellings in warehouses, in the zone of the text, if it has one."""
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
    """Read seconds or milliseconds since 1970, as a number or its digits."""
    try:
        number = number_of(value)
        size = Decimal(number).adjusted() + 1
        if size in MILLISECONDS:
            return EPOCH + timedelta(seconds=float(number) / 1000)
        return EPOCH + timedelta(seconds=float(number)) if size in SECONDS else None
    except (InvalidValue, OverflowError):
        return None


def _in_utc(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC; one without a zone is in UTC already. None beyond the year 9999."""
    try:
        return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def parse_moment(value: Any) -> datetime | None:
    """Return a moment in UTC, out of any spelling or an epoch; a day is its midnight."""
    return _in_utc(_parse_iso(value) or _parse_epoch(value))


def moment_of(value: Any) -> datetime:
    """Return a moment in UTC to the millisecond, which is all that Vitally keeps. An epoch is refused."""
    moment = _in_utc(_parse_iso(value))
    if moment is None:
        raise InvalidValue("it takes a date and time, such as 2026-01-31T12:00:00Z")
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def format_moment(moment: datetime) -> str:
    """Write a moment as Vitally does, ``2026-01-31T12:00:00.000Z``, never rounding it up."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def canonical_moments(values: Sequence[Any]) -> list[datetime] | None:
    """Return the moments of values that are all spelled as `format_moment` does; None if one is not.

    What they are spelled like is looked at in one go, in a third of the time that it takes one by one.
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
    """Return True if a value is a moment as `format_moment` writes it."""
    return isinstance(value, str) and canonical_moments([value]) is not None


def parse_moments(values: Sequence[Any]) -> Iterable[datetime | None]:
    """Return what `parse_moment` does for each value, in a fifth of the time where all are canonical."""
    return canonical_moments(values) or map(parse_moment, values)


def as_moment(value: Any) -> str | None:
    """Return any moment in the one spelling that tables hold: RFC 3339 in UTC, with milliseconds."""
    if is_canonical(value):
        return str(value)
    moment = parse_moment(value)
    return format_moment(moment) if moment else None


def day_of(value: Any) -> date:
    """Return the day that stands in a text, whatever its zone: no day moves to the one before."""
    moment = _parse_iso(value)
    if moment is None:
        raise InvalidValue("it takes a date, such as 2026-01-31")
    return moment.date()


def as_day(value: Any) -> str | None:
    """Return the day that stands in a text, or that of an epoch in UTC, as ``2026-03-10``."""
    moment = _parse_iso(value) or _parse_epoch(value)
    return moment.date().isoformat() if moment else None


def has_time_of_day(value: Any) -> bool:
    """Return True if a value is a moment that loses its time of day in `as_day`."""
    moment = _parse_iso(value) or _parse_epoch(value)
    return moment is not None and moment.time() != time()


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Return the latest of some moments, without those that are None; None if all are."""
    return max((moment for moment in moments if moment), default=None)


def same_json(one: Any, other: Any) -> bool:
    """Compare JSON values: numbers as doubles, moments as moments, the rest as it is."""
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
