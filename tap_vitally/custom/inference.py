"""Infer a JSON schema from sample records, with types that also fit other records."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

MOST_RECORDS = 100
LARGEST_KEY = 2**63 - 1
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
OPEN: Mapping[str, Any] = {"additionalProperties": True}
ITEM = {"type": ["object", "null"], "properties": {}, "additionalProperties": True}
"""An object in a list; the SDK's type conformance fails on items without ``properties``."""
TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    Decimal: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def inferred(
    records: Sequence[Mapping[str, Any]], keys: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the schema of each property that the records have, in the order in which they come.

    All properties except the ``keys`` may be null. A whole number becomes ``number``, since the next may
    have a fraction; a key stays ``integer``, or is text if it has two types or exceeds 64 bits. Text
    becomes a date-time or a date if all samples are. Objects allow further members. A property with
    samples of two types allows both; one whose samples are all null allows anything. Of names that a
    database may treat as the same only one becomes a column, a key first; the others stay undeclared.
    """
    samples: dict[str, list[Any]] = {}
    for record in records[:MOST_RECORDS]:
        for name, value in record.items():
            samples.setdefault(name, []).append(value)
    return {
        name: _key(samples[name]) if name in keys else _column(samples[name])
        for name in _different(samples, keys)
    }


def _different(names: Iterable[str], keys: Collection[str]) -> list[str]:
    """Return the names, in order, without those that a database may treat as the same as another."""
    known: dict[str, str | None] = {"": None}
    names = list(names)
    for name in sorted(names, key=lambda name: name not in keys):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
        spelled = {re.sub(r"\W+|_+", "_", text).strip("_").lower() for text in (name, words)}
        spelled |= {text.replace("_", "") for text in spelled}
        if known.keys().isdisjoint(spelled):
            known |= dict.fromkeys(spelled, name)
    return [name for name in names if name in known.values()]


def _types(values: Iterable[Any]) -> list[str]:
    return sorted({TYPES[type(value)] for value in values if value is not None})


def _key(values: Iterable[Any]) -> dict[str, Any]:
    there = [value for value in values if value is not None]
    whole = there and all(type(each) is int and abs(each) <= LARGEST_KEY for each in there)
    return {"type": ["integer"] if whole else ["string"]}


def _column(values: Sequence[Any]) -> dict[str, Any]:
    types = _types(values)
    if not types:
        return {"type": ["string", "number", "boolean", "object", "array", "null"], **OPEN}
    wide: dict[str, Any] = {"type": [*types, "null"]}
    if types == ["string"]:
        texts = [value for value in values if value is not None]
        if all(map(DAY.fullmatch, texts)):
            wide["format"] = "date"
        elif all(map(MOMENT.fullmatch, texts)):
            wide["format"] = "date-time"
    if "object" in types:
        wide |= OPEN
    if "array" in types:
        items = _types(item for value in values if isinstance(value, list) for item in value)
        simple = {"type": [*items, "null"]} if len(items) == 1 else {}
        # A list in a list may hold anything.
        wide["items"] = {"object": ITEM, "array": {}}.get("".join(items), simple)
    return wide
