"""Values as Vitally takes them, and whether two of them say the same."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from target_vitally.planning.resource import Kind
from vitally_api.values import LONGEST_NUMBER, InvalidValue, email_text, number_of, text_of

TRUE, FALSE = frozenset({"true", "t", "yes", "1"}), frozenset({"false", "f", "no", "0"})


Unfit = InvalidValue


def fitted(kind: Kind, value: Any) -> Any:
    """Make of a value that is not null what a property of a kind takes, or raise `Unfit`."""
    return FITTERS[kind](value)


def _integer(value: Any) -> int:
    number = number_of(value)
    whole = isinstance(number, int) or number.adjusted() < LONGEST_NUMBER
    if not whole or number != int(number):
        msg = "it takes a whole number"
        raise Unfit(msg)
    return int(number)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if isinstance(value, str | int) and text in TRUE | FALSE:
        return text in TRUE
    msg = "it takes true or false"
    raise Unfit(msg)


def moment(value: Any) -> datetime:
    """Read an instant; without a zone it is UTC. `Unfit` is raised for what is none."""
    try:
        if isinstance(value, datetime):
            read = value
        elif isinstance(value, date):
            read = datetime(value.year, value.month, value.day, tzinfo=UTC)
        else:
            read = datetime.fromisoformat(value.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, AttributeError, OverflowError, TypeError):
        msg = "it takes a date and time, such as 2026-01-31T12:00:00Z"
        raise Unfit(msg) from None


def _instant(value: Any) -> str:
    return f"{moment(value).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _date(value: Any) -> str:
    try:
        return moment(value).date().isoformat()
    except Unfit:
        msg = "it takes a date, such as 2026-01-31"
        raise Unfit(msg) from None


def listed(value: Any) -> list[Any]:
    """Read a list, also out of JSON text, as warehouses without lists keep it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json(value)
    if isinstance(value, list):
        return value
    msg = "it takes a list"
    raise Unfit(msg)


def mapped(value: Any) -> dict[str, Any]:
    """Read an object, also out of JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _json(value)
    if isinstance(value, dict):
        return value
    msg = "it takes an object"
    raise Unfit(msg)


def _json(value: str) -> Any:
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _texts(value: Any) -> list[str]:
    return list(dict.fromkeys(text_of(item) for item in listed(value) if item is not None))


def _people(value: Any) -> list[dict[str, Any]]:
    people = [value] if isinstance(value, dict) else listed(value)
    if all(isinstance(person, dict) for person in people):
        return people
    msg = "it takes people as objects, such as {type, email}"
    raise Unfit(msg)


def _as_it_is(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        read = _json(value)
        return value if read is None else read
    return value


FITTERS = {
    "text": text_of,
    "email": text_of,
    "html": text_of,
    "number": number_of,
    "integer": _integer,
    "boolean": _boolean,
    "instant": _instant,
    "date": _date,
    "tags": _texts,
    "ids": _texts,
    "list": listed,
    "json": _as_it_is,
    "people": _people,
}


READ_AS = {"email": email_text, "date": _date, "instant": moment}
"""What values of a kind are read as before they are compared."""


def trait(value: Any) -> Any:
    """Make a trait's value one that JSON has; what is none is left as it is."""
    if isinstance(value, datetime):
        return _instant(value)
    return value.isoformat() if isinstance(value, date) else value


def same(kind: Kind, wanted: Any, present: Any) -> bool:
    """Tell whether a property that shows one value already says the other."""
    if wanted is None or present is None:
        empty: tuple[Any, ...] = (
            (None, [], {}) if kind in {"tags", "ids", "list", "json"} else (None,)
        )
        return wanted in empty and present in empty
    if kind == "html":
        return _same_text(str(wanted), str(present))
    if kind in {"tags", "ids"}:
        shown = present if isinstance(present, list) else [present]
        return {str(item) for item in wanted} == {str(item) for item in shown}
    if kind in READ_AS:
        return _alike(READ_AS[kind], wanted, present)
    return same_json(wanted, present)


def _alike(read: Any, wanted: Any, present: Any) -> bool:
    try:
        return bool(read(wanted) == read(present))
    except Unfit:
        return bool(wanted == present)


def same_json(wanted: Any, present: Any) -> bool:
    """Compare JSON values: numbers as numbers, instants as instants, the rest as it is."""
    if isinstance(wanted, bool) or isinstance(present, bool):
        return wanted is present
    if isinstance(wanted, int | float | Decimal) and isinstance(present, int | float | Decimal):
        return Decimal(str(wanted)) == Decimal(str(present))
    if isinstance(wanted, str) and isinstance(present, str):
        return wanted == present or _same_instant(wanted, present)
    if isinstance(wanted, list) and isinstance(present, list):
        return len(wanted) == len(present) and all(map(same_json, wanted, present))
    if isinstance(wanted, dict) and isinstance(present, dict):
        return wanted.keys() == present.keys() and all(
            same_json(value, present[name]) for name, value in wanted.items()
        )
    return bool(wanted == present)


def _same_instant(wanted: str, present: str) -> bool:
    """Only what is written as date *and* time is taken for an instant."""
    shape = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*"
    if not (re.fullmatch(shape, wanted) and re.fullmatch(shape, present)):
        return False
    return _alike(moment, wanted, present)


def words(text: str) -> str:
    """Take the text out of HTML: Vitally strips tags and attributes it does not know."""
    plain = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", " ", text)
    plain = html.unescape(re.sub(r"<[^<>]*>", " ", plain))
    return "".join(plain.split())


def _same_text(wanted: str, present: str) -> bool:
    """Compare texts of HTML; where one has ``{{...}}``, Vitally has filled in something."""
    ours, theirs = words(wanted), words(present)
    if ours == theirs or "{{" not in ours:
        return ours == theirs
    pattern = ".*".join(re.escape(part) for part in re.split(r"\{\{.*?\}\}", ours))
    return re.fullmatch(pattern, theirs, re.DOTALL) is not None
