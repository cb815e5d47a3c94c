"""Values as both programs read and compare them, however a source spells them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

LONGEST_NUMBER = 40
"""Digits up to which a number is written without an exponent; 1E+400 would take 400."""


class InvalidValue(ValueError):
    """A value that a property does not take; the message says what it takes."""


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
    if by.startswith("trait:") and not isinstance(value, str):
        value = as_double(number_of(value))
    return text_of(value)
