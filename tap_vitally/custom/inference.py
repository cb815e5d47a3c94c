"""A JSON schema made from records that were seen, wide enough for those that were not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from genson import SchemaBuilder

MOST_RECORDS = 100
LARGEST_KEY = 2**63 - 1
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
OPEN: Mapping[str, Any] = {"additionalProperties": True}
ITEM = {"type": ["object", "null"], "properties": {}, "additionalProperties": True}
"""An object in a list; the SDK's type conformance fails on items without ``properties``."""


def inferred(
    records: Sequence[Mapping[str, Any]], keys: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the schema of each property that the records have, in the order in which they come.

    All but the ``keys`` may be null. A whole number becomes a number, since the next one may have a
    fraction; a key stays whole, and is text where it has two types or does not fit 64 bits. Text
    becomes a moment or a day where all samples are. Objects stay open. A property that is seen with
    two types takes both; one that was only seen as null takes anything. Of names that are one column
    to a database only the first has a column, a key before others; the rest is undeclared.
    """
    builder = SchemaBuilder(schema_uri=None)
    builder.add_schema({"type": "object", "properties": {}})
    texts: dict[str, list[str]] = {}
    names: dict[str, None] = {}
    long: set[str] = set()
    for record in records[:MOST_RECORDS]:
        builder.add_object(_plain(record))
        names |= dict.fromkeys(record)
        for name, value in record.items():
            if isinstance(value, str):
                texts.setdefault(name, []).append(value)
            elif isinstance(value, int) and abs(value) > LARGEST_KEY:
                long.add(name)
    found = builder.to_schema().get("properties", {})
    return {
        name: _key(found[name], long=name in long)
        if name in keys
        else _widened(found[name], texts.get(name, ()))
        for name in _different(names, keys)
        if name in found
    }


def _different(names: Iterable[str], keys: Collection[str]) -> list[str]:
    """Return the names that no database takes for one that came before, in their order."""
    known: dict[str, str | None] = {"": None}
    names = list(names)
    for name in sorted(names, key=lambda name: name not in keys):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
        spelled = {re.sub(r"\W+|_+", "_", text).strip("_").lower() for text in (name, words)}
        spelled |= {text.replace("_", "") for text in spelled}
        if known.keys().isdisjoint(spelled):
            known |= dict.fromkeys(spelled, name)
    return [name for name in names if name in known.values()]


def _key(schema: Mapping[str, Any], *, long: bool) -> dict[str, Any]:
    types = {kind for kind in _types(schema) if kind != "null"}
    whole = types == {"integer"} and not long
    return {"type": ["integer"] if whole else ["string"]}


def _plain(value: Any) -> Any:
    """Return a value of the types that genson knows: numbers with all their digits are none of them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def _widened(schema: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    types = ["number" if kind == "integer" else kind for kind in _types(schema)]
    types = list(dict.fromkeys(kind for kind in types if kind != "null"))
    if not types:
        return {"type": ["string", "number", "boolean", "object", "array", "null"], **OPEN}
    wide: dict[str, Any] = {"type": [*types, "null"]}
    if types == ["string"] and (texts := list(texts)):
        if all(map(DAY.fullmatch, texts)):
            wide["format"] = "date"
        elif all(map(MOMENT.fullmatch, texts)):
            wide["format"] = "date-time"
    if "object" in types:
        wide |= OPEN
    if "array" in types:
        wide["items"] = _items(schema)
    return wide


def _types(schema: Mapping[str, Any]) -> list[str]:
    """List the types that genson found, which writes ``anyOf`` where objects stand beside others."""
    kinds = schema.get("type", [])
    types = [kinds] if isinstance(kinds, str) else list(kinds)
    for choice in schema.get("anyOf", ()):
        types += _types(choice)
    return types


def _items(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the items of a list are: objects, text, numbers, or anything."""
    arrays = [s for s in (schema, *schema.get("anyOf", ())) if "items" in s]
    types = {kind for array in arrays for kind in _types(array["items"])} - {"null"}
    if types == {"object"}:
        return dict(ITEM)
    if types and types <= {"integer", "number"}:
        return {"type": ["number", "null"]}
    if len(types) == 1 and types <= {"string", "boolean"}:
        return {"type": [*types, "null"]}
    return {}
