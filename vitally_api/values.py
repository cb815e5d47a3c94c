"""Values as both programs read and compare them, however a source spells them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
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


class InvalidValue(ValueError):
    """A value that a property does not take; the message says what it takes."""


def field_kind(type_: Any) -> FieldKind:
    """Return what a custom field of a type holds; empty for a type that is not known."""
    return _KINDS.get(re.sub(r"[^a-z]", "", str(type_).lower()), "")


def number_of(value: Any) -> int | Decimal:
    """Return a number, also out of text such as ``"4711.00"``, with all its digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        msg = "it takes a number"
        raise InvalidValue(msg)
    if isinstance(value, int):
        return value
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        msg = "it takes a number"
        raise InvalidValue(msg)
    return number


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
        msg = "it takes text"
        raise InvalidValue(msg)
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
    if by.startswith("trait:") and isinstance(value, int | float | Decimal):
        value = as_double(number_of(value)) if not isinstance(value, bool) else value
    return text_of(value)


def boolean_of(value: Any) -> bool:
    """Return true or false, also out of ``1``, ``"Yes"``, ``"t"`` or ``"0.0"``."""
    if isinstance(value, str):
        text = value.strip().lower()
        text = re.sub(r"\A([01])\.0+\Z", r"\1", text)
    else:
        text = "" if value is None or isinstance(value, list | dict) else str(value).lower()
        if isinstance(value, float | Decimal) and value in {0, 1}:
            text = str(int(value))
    if text in TRUE | FALSE:
        return text in TRUE
    msg = "it takes true or false"
    raise InvalidValue(msg)


def _read_moment(value: Any) -> datetime:
    """Read ISO 8601 and what Snowflake and BigQuery write: a blank before the zone, or ``UTC``."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str):
        msg = "it is no text"
        raise TypeError(msg)
    text = re.sub(r"(?<=\d) ?(?:UTC|GMT|Z)\Z", "+00:00", value.strip(), flags=re.IGNORECASE)
    return datetime.fromisoformat(re.sub(r"(?<=\d) (?=[+-]\d)", "", text))


def moment_of(value: Any) -> datetime:
    """Return a moment in UTC to the millisecond, which is all that Vitally keeps; no zone is UTC."""
    try:
        read = _read_moment(value)
        moment = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        msg = "it takes a date and time, such as 2026-01-31T12:00:00Z"
        raise InvalidValue(msg) from None
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def day_of(value: Any) -> date:
    """Return the day that stands in a text, whatever its zone: no day moves to the one before."""
    try:
        return _read_moment(value).date()
    except (ValueError, TypeError):
        msg = "it takes a date, such as 2026-01-31"
        raise InvalidValue(msg) from None


def moment_text(moment: datetime) -> str:
    """Write a moment as Vitally does: ``2026-01-31T12:00:00.000Z``."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
