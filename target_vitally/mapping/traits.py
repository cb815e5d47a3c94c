"""Traits as their custom fields take them: fitted and compared by the type of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

from target_vitally.mapping.resource import Fields, Record, TraitField
from target_vitally.mapping.values import trait
from vitally_api.values import (
    EMPTY,
    EPOCH,
    FieldKind,
    InvalidValue,
    as_double,
    boolean_of,
    day_of,
    field_kind,
    format_moment,
    list_of,
    moment_of,
    number_of,
    same_json,
    text_of,
)

SHOWN_CHOICES = 20


def fields_of(rows: Iterable[Any]) -> Fields:
    """Return the custom fields of ``GET /customFields`` by their paths."""
    fields = {}
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("path"), str):
            kind = field_kind(row.get("type"))
            fields[row["path"]] = TraitField(kind, _choices(row.get("options")))
    return fields


def _choices(options: Any) -> Mapping[str, Any]:
    """Return the value of each choice by the texts that may stand for it, its value before its label."""
    found: dict[str, Any] = {}
    for name in ("value", "label"):
        for option in options if isinstance(options, list) else ():
            given = option if isinstance(option, dict) else {"value": option}
            if isinstance(given.get(name), str | int | float) and given.get("value") is not None:
                found.setdefault(str(given[name]).strip(), given["value"])
    return found


def typed(field: TraitField | None, value: Any) -> Any:
    """Return a value as the field of a trait takes it; None for an empty one that is no text.

    A trait without a field stays. Raise `InvalidValue` for what the field does not take.
    """
    value = trait(value)
    if field is None or not field.kind or value is None:
        return value
    if value == "" and field.kind != "text":
        return None
    return READERS[field.kind](field, value)


def typed_traits(fields: Fields, traits: Record, *, keep_nulls: bool) -> Record:
    """Return traits as their fields take them; the `InvalidValue` raised for one names its path."""
    made: Record = {}
    for path, value in traits.items():
        field, read = fields.get(path), value
        if field is not None or isinstance(value, date):
            try:
                read = typed(field, value)
            except InvalidValue as invalid:
                msg = f"{path}: {invalid}"
                raise InvalidValue(msg) from None
        if keep_nulls or read is not None:
            made[path] = read
    return made


def same_trait(field: TraitField | None, wanted: Any, present: Any) -> bool:
    """Return whether a trait that Vitally shows already says what a row does."""
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


def _day(_: TraitField, value: Any) -> str:
    return day_of(value).isoformat()


def _moment(_: TraitField, value: Any) -> str:
    return format_moment(moment_of(value))


def _choice(field: TraitField, value: Any) -> Any:
    text = text_of(value)
    if text in field.choices:
        return field.choices[text]
    if not field.choices:
        return text
    if text.strip() not in field.choices:
        displayed = [str(choice) for choice in dict.fromkeys(field.choices.values())]
        more = ", ..." if len(displayed) > SHOWN_CHOICES else ""
        msg = f"there is no such choice: it takes {', '.join(displayed[:SHOWN_CHOICES])}{more}"
        raise InvalidValue(msg)
    return field.choices[text.strip()]


def _several(field: TraitField, value: Any) -> list[Any]:
    values = value if isinstance(value, list) else _out_of_text(field, text_of(value))
    return list(dict.fromkeys(_choice(field, item) for item in values if item not in EMPTY))


def _out_of_text(field: TraitField, text: str) -> list[Any]:
    """Read several choices: JSON, a list or set of Python, an array of PostgreSQL, a SET of MySQL."""
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
READERS: Final[Mapping[FieldKind, Reader]] = MappingProxyType(
    {
        "text": _text,
        "number": lambda _, value: number_of(value),
        "boolean": lambda _, value: boolean_of(value),
        "day": _day,
        "moment": _moment,
        "choice": _choice,
        "choices": _several,
    }
)
COMPARED: Final[Mapping[FieldKind, Reader]] = MappingProxyType(
    {
        "number": lambda _, value: as_double(number_of(value)),
        "choices": lambda field, value: {str(item) for item in _several(field, value)},
    }
)
"""How values are read for a comparison, where that is not how they are sent."""
