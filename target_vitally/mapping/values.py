"""Convert values to what properties and traits accept, and compare them with what Vitally shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from target_vitally.mapping.items import difference, with_fields
from target_vitally.mapping.markup import same_html
from target_vitally.mapping.resource import Fields, Kind, Record, TraitField
from vitally_api.values import (
    EMPTY,
    EPOCH,
    FieldKind,
    InvalidValue,
    as_double,
    boolean_of,
    day_of,
    email_text,
    field_kind,
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

IDS = frozenset({"id", "externalId"})
NAMES = ("type", "id", "externalId", "email", "userId", "vitallyUserId", "responseStatus")
"""Members that name a person, or say which role they have."""
MESSAGE: Final[Mapping[str, Kind]] = {
    "externalId": "text",
    "message": "html",
    "timestamp": "instant",
    **dict.fromkeys(("from", "to", "cc", "bcc"), "people"),
}
"""What a conversation takes of each of its messages."""
MADE_BY_VITALLY = frozenset({"id", "createdAt", "path", "options"})
"""Members of a field of a custom object that are shown, and not taken."""
SHOWN_CHOICES = 20


def coerce(kind: Kind, value: Any) -> Any:
    """Convert a value, not None, for a property of this kind; raise `InvalidValue` if it does not fit."""
    return COERCIONS[kind](value)


def check_id(name: str, value: Any) -> None:
    """Raise `InvalidValue` for an id that a URL cannot hold: HTTP reads ``/accounts/..`` as ``/``."""
    if name in IDS and value in {".", ".."}:
        raise InvalidValue(
            "it cannot be asked for, since . and .. have a meaning of their own in addresses"
        )


def _instant(value: Any) -> str:
    return value if is_canonical(value) else format_moment(moment_of(value))


def _date(value: Any) -> str:
    return day_of(value).isoformat()


def _texts(value: Any) -> list[str]:
    return list(dict.fromkeys(text_of(item) for item in list_of(value) if item is not None))


def _objects(value: Any, what: str) -> list[Record]:
    items = [value] if isinstance(value, dict) else list_of(value)
    if not all(isinstance(item, dict) for item in items):
        raise InvalidValue(f"it takes {what}")
    return items


def _people(value: Any) -> list[Record]:
    return [
        _person(person) for person in _objects(value, "people as objects, such as {type, email}")
    ]


def _person(person: Record) -> Record:
    """Return a person whose ids, e-mail and role are text."""
    try:
        named = {name: text_of(person[name]) for name in NAMES if person.get(name) is not None}
        for name, value in named.items():
            check_id(name, value)
    except InvalidValue as invalid:
        raise InvalidValue(f"of a person, {invalid}") from None
    return {**person, **named}


def _message(message: Any) -> Record:
    if not isinstance(message, dict) or not message.get("externalId"):
        raise InvalidValue("each takes an externalId")
    given = {name: kind for name, kind in MESSAGE.items() if message.get(name) is not None}
    read = {name: coerce(kind, message[name]) for name, kind in given.items()}
    if "from" in read and len(read["from"]) != 1:
        raise InvalidValue("from: it takes one person")
    return {**message, **read}


def _field(field: Record) -> Record:
    return {"model": "CustomObject"} | {n: v for n, v in field.items() if n not in MADE_BY_VITALLY}


def _json_or_text(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        read = parse_json(value)
        return value if read is None else read
    return value


COERCIONS: Final[Mapping[Kind, Callable[[Any], Any]]] = {
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
    "participants": _people,
    "messages": lambda value: [_message(message) for message in list_of(value)],
    "fields": lambda value: with_fields(map(_field, _objects(value, "fields as objects")), ()),
}
READ_AS: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    "email": email_text,
    "date": day_of,
    "instant": moment_of,
}
"""Kinds of values that are compared by what their text says."""


def same(kind: Kind, wanted: Any, present: Any) -> bool:  # noqa: PLR0911 - a table of kinds
    """Return True if a property that shows ``present`` needs no update to become ``wanted``."""
    if wanted is None or present is None:
        return wanted in EMPTY and present in EMPTY
    if kind == "html":
        return same_html(str(wanted), str(present))
    if kind in {"tags", "ids"}:
        return _texts_in(wanted) == _texts_in(present)
    if kind == "people":
        return _ids_in(wanted) == _ids_in(present)
    if kind == "participants":
        return not any(difference(wanted, present))
    if kind == "messages":
        return not changed_messages(wanted, present)
    if kind == "fields":
        return same_json(with_fields(wanted, present), present or [])
    if kind in READ_AS:
        try:
            return bool(READ_AS[kind](wanted) == READ_AS[kind](present))
        except InvalidValue:
            return bool(wanted == present)
    return same_json(wanted, present)


def changed_messages(wanted: Iterable[Record], present: Any) -> list[Record]:
    """Return the messages of a row that a conversation lacks or shows differently, by external id."""
    held = {str(message.get("externalId")): message for message in present or ()}
    return [
        message
        for message in wanted
        if (there := held.get(message["externalId"])) is None
        or not all(same(MESSAGE.get(n, "json"), v, there.get(n)) for n, v in message.items())
    ]


def _texts_in(value: Any) -> set[str]:
    return {str(item) for item in (value if isinstance(value, list) else [value])}


def _ids_in(value: Any) -> set[str]:
    people = value if isinstance(value, list) else [value]
    return {str(person.get("id")) for person in people if isinstance(person, dict)}


def fields_of(rows: Iterable[Any]) -> Fields:
    """Return the custom fields by their paths, from the rows of ``GET /customFields``."""
    return {
        row["path"]: TraitField(field_kind(row.get("type")), _choices(row.get("options")))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("path"), str)
    }


def _choices(options: Any) -> Mapping[str, Any]:
    """Return the value of each choice, by its value as text and by its label; values take precedence."""
    found: dict[str, Any] = {}
    for name in ("value", "label"):
        for option in options if isinstance(options, list) else ():
            given = option if isinstance(option, dict) else {"value": option}
            if isinstance(given.get(name), str | int | float) and given.get("value") is not None:
                found.setdefault(str(given[name]).strip(), given["value"])
    return found


def typed(field: TraitField | None, value: Any) -> Any:
    """Convert the value of a trait for its custom field; raise `InvalidValue` if it does not fit.

    An empty text is None, unless the field is of text. Without a field the value stays as it is.
    """
    if isinstance(value, date):  # or a datetime
        value = _instant(value) if isinstance(value, datetime) else value.isoformat()
    if field is None or not field.kind or value is None:
        return value
    if value == "" and field.kind != "text":
        return None
    return READERS[field.kind](field, value)


def typed_traits(
    fields: Fields, traits: Record, without: Collection[str] = (), *, keep_nulls: bool
) -> Record:
    """Convert traits for their custom fields, except the paths in ``without``.

    Nulls are left out unless ``keep_nulls``. Raise `InvalidValue` with the path of the trait.
    """
    made: Record = {}
    for path, read in traits.items():
        if path in without:
            continue
        field = fields.get(path)
        if field is not None or isinstance(read, date):
            try:
                read = typed(field, read)  # noqa: PLW2901
            except InvalidValue as invalid:
                raise InvalidValue(f"{path}: {invalid}") from None
        if keep_nulls or read is not None:
            made[path] = read
    return made


def same_trait(field: TraitField | None, wanted: Any, present: Any) -> bool:
    """Return True if a trait that shows ``present`` needs no update to become ``wanted``."""
    if (wanted in EMPTY and present in EMPTY) or same_json(wanted, present):
        return True
    if field is None or not field.kind or wanted is None or present is None:
        return False
    if field.kind in {"day", "moment"} and isinstance(present, int) and not isinstance(wanted, int):
        present = format_moment(EPOCH + timedelta(milliseconds=present))
    read = COMPARED.get(field.kind, READERS[field.kind])
    try:
        return bool(read(field, wanted) == read(field, present))
    except (InvalidValue, OverflowError):
        return False


def _text(_: TraitField, value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, dict | list) else text_of(value)


def _choice(field: TraitField, value: Any) -> Any:
    text = text_of(value)
    for spelling in (text, text.strip()):
        if spelling in field.choices:
            return field.choices[spelling]
    if not field.choices:
        return text
    displayed = [str(choice) for choice in dict.fromkeys(field.choices.values())]
    more = ", ..." if len(displayed) > SHOWN_CHOICES else ""
    raise InvalidValue(
        f"it is not one of its choices: it takes {', '.join(displayed[:SHOWN_CHOICES])}{more}"
    )


def _several(field: TraitField, value: Any) -> list[Any]:
    values = value if isinstance(value, list) else _out_of_text(field, text_of(value))
    return list(dict.fromkeys(_choice(field, item) for item in values if item not in EMPTY))


def _out_of_text(field: TraitField, text: str) -> list[Any]:
    """Split text into choices: JSON, a Python list or set, a PostgreSQL array or a MySQL SET."""
    text = text.strip()
    if text == "set()":
        return []
    if text[:1] in {"[", "{", "("}:
        try:
            return list_of(text)
        except InvalidValue:
            pass
        try:
            read = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            read = None
        if isinstance(read, list | set | tuple):
            return sorted(read, key=str)
        if text.startswith("{") and text.endswith("}"):
            return _split(text[1:-1])
    parts = _split(text)
    known = bool(field.choices) and text not in field.choices
    return parts if known and all(part in field.choices for part in parts) else [text]


def _split(text: str) -> list[str]:
    return [part.strip().strip('"') for part in re.findall(r'"[^"]*"|[^,]+', text)]


Reader = Callable[[TraitField, Any], Any]
READERS: Final[Mapping[FieldKind, Reader]] = {
    "text": _text,
    "number": lambda _, value: number_of(value),
    "boolean": lambda _, value: boolean_of(value),
    "day": lambda _, value: _date(value),
    "moment": lambda _, value: _instant(value),
    "choice": _choice,
    "choices": _several,
}
COMPARED: Final[Mapping[FieldKind, Reader]] = {
    "number": lambda _, value: as_double(number_of(value)),
    "choices": lambda field, value: {str(item) for item in _several(field, value)},
}
"""How values are read for a comparison, where that is not how they are sent."""
