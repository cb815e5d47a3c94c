"""Values as Vitally takes them, and whether two of them say the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from target_vitally.mapping.markup import same_html
from target_vitally.mapping.resource import Kind
from vitally_api.values import (
    EMPTY,
    InvalidValue,
    boolean_of,
    day_of,
    email_text,
    format_moment,
    is_canonical,
    list_of,
    moment_of,
    number_of,
    parse_json,
    same_json,
    text_of,
    whole_number_of,
)

NAMES = ("type", "id", "externalId", "email", "userId", "vitallyUserId", "responseStatus")


def coerce(kind: Kind, value: Any) -> Any:
    """Make of a value that is not null what a property of a kind takes, or raise `InvalidValue`."""
    return COERCIONS[kind](value)


def _instant(value: Any) -> str:
    return value if is_canonical(value) else format_moment(moment_of(value))


def _date(value: Any) -> str:
    return day_of(value).isoformat()


def _texts(value: Any) -> list[str]:
    return list(dict.fromkeys(text_of(item) for item in list_of(value) if item is not None))


def _people(value: Any) -> list[dict[str, Any]]:
    people = [value] if isinstance(value, dict) else list_of(value)
    if not all(isinstance(person, dict) for person in people):
        msg = "it takes people as objects, such as {type, email}"
        raise InvalidValue(msg)
    return [person_of(person) for person in people]


def check_id(name: str, value: Any) -> None:
    """Raise `InvalidValue` for an id that no address can hold: ``/accounts/..`` is ``/`` to HTTP."""
    if name in {"id", "externalId"} and value in {".", ".."}:
        msg = "it cannot be asked for, since . and .. have a meaning of their own in addresses"
        raise InvalidValue(msg)


def person_of(person: dict[str, Any]) -> dict[str, Any]:
    """Return a person with text in everything that names somebody; `InvalidValue` if it is none."""
    try:
        named = {name: text_of(person[name]) for name in NAMES if person.get(name) is not None}
        for name, value in named.items():
            check_id(name, value)
    except InvalidValue as invalid:
        msg = f"of a person, {invalid}"
        raise InvalidValue(msg) from None
    if {named.get("id"), named.get("externalId")} & {".", ".."}:
        msg = "of a person, . and .. cannot be asked for"
        raise InvalidValue(msg)
    return {**person, **named}


def _messages(value: Any) -> list[dict[str, Any]]:
    return [_message(message) for message in list_of(value)]


def _message(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict) or not message.get("externalId"):
        msg = "each takes an externalId"
        raise InvalidValue(msg)
    fitters = {
        **dict.fromkeys(("externalId", "message"), text_of),
        "timestamp": _instant,
        **dict.fromkeys(("from", "to", "cc", "bcc"), _people),
    }
    fit = {name: fitters[name](message[name]) for name in fitters if message.get(name) is not None}
    if "from" in fit and len(fit["from"]) != 1:
        msg = "from: it takes one person"
        raise InvalidValue(msg)
    return {**message, **fit}


def _json_or_text(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        read = parse_json(value)
        return value if read is None else read
    return value


COERCIONS: dict[Kind, Callable[[Any], Any]] = {
    "text": text_of,
    "html": text_of,
    "email": lambda value: text_of(value).strip(),
    "number": number_of,
    "integer": whole_number_of,
    "boolean": boolean_of,
    "instant": _instant,
    "date": _date,
    "tags": _texts,
    "ids": _texts,
    "list": list_of,
    "json": _json_or_text,
    "people": _people,
    "messages": _messages,
}


def trait(value: Any) -> Any:
    """Return a trait's value as JSON has it: days and moments as text."""
    if isinstance(value, date):  # or a datetime
        return _instant(value) if isinstance(value, datetime) else value.isoformat()
    return value


READ_AS: dict[Kind, Callable[[Any], Any]] = {
    "email": email_text,
    "date": day_of,
    "instant": moment_of,
}
"""Kinds of values that are compared by what their text says."""


def same(kind: Kind, wanted: Any, present: Any) -> bool:
    """Return whether a property that shows one value already says the other."""
    if wanted is None or present is None:
        return wanted in EMPTY and present in EMPTY
    if kind == "html":
        return same_html(str(wanted), str(present))
    if kind in {"tags", "ids"}:
        displayed = present if isinstance(present, list) else [present]
        return {str(item) for item in wanted} == {str(item) for item in displayed}
    if kind in READ_AS:
        return _alike(READ_AS[kind], wanted, present)
    return same_json(wanted, present)


def _alike(read: Any, wanted: Any, present: Any) -> bool:
    try:
        return bool(read(wanted) == read(present))
    except InvalidValue:
        return bool(wanted == present)
