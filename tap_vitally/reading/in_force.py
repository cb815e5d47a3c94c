"""The schema in force: what a catalog says of a stream, made such that every record can fit it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

Schema = dict[str, Any]


def in_force(given: Mapping[str, Any], own: Mapping[str, Any], keys: Sequence[str]) -> Schema:
    """Make the schema in force of a catalog's.

    It has the key, without which no row can be loaded, and only that is required: whatever else there
    is, the API may leave out or send null.
    """
    columns = {
        name: how if name in keys else _nullable(how)
        for name, how in (given.get("properties") or {}).items()
    }
    for key in keys:
        columns.setdefault(key, own["properties"][key])
    return {**given, "properties": columns, "required": list(keys)}


def _nullable(how: Mapping[str, Any]) -> Schema:
    kinds = how.get("type")
    if not kinds or "null" in kinds:
        return dict(how)
    nullable = {**how, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
    if "enum" in how and None not in how["enum"]:
        nullable["enum"] = [*how["enum"], None]
    return nullable


def keys_in_force(
    named: Iterable[Sequence[str] | None], own: Sequence[str], columns: Collection[str]
) -> tuple[Sequence[str], str]:
    """Choose the key of a stream among those that a catalog names, and say what is to be said of it."""
    other = next((keys for keys in named if keys and list(keys) != list(own)), own)
    if not set(other).issubset(columns):
        return own, "is no column: its own is used"
    if set(other).issuperset(own):
        return other, ""
    return other, "lacks its own: records that agree in it replace each other"
