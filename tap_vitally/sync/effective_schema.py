"""The schema in use: that of the catalog, changed so that every record fits it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tap_vitally.sync.coerce import COLUMN

Schema = dict[str, Any]
Mask = Mapping[tuple[str, ...], bool]
"""Which properties are selected, by their breadcrumbs."""


def effective_schema(
    given: Mapping[str, Any], own: Mapping[str, Any], keys: Sequence[str]
) -> Schema:
    """Return the schema to use, from the catalog's (``given``) and the stream's (``own``).

    The key is always in it, as no row can be loaded without. Nothing else is required, and all other
    columns may be null, since the API may leave them out or send null.
    """
    columns = {
        name: how if name in keys else _nullable(how)
        for name, how in (given.get("properties") or {}).items()
    }
    for key in keys:
        columns.setdefault(key, own["properties"][key])
    kept = {name: how for name, how in given.items() if name != "$schema"}
    return {**kept, "properties": columns, "required": list(keys)}


def _nullable(how: Mapping[str, Any]) -> Schema:
    kinds = how.get("type")
    if not kinds or "null" in kinds:
        return dict(how)
    nullable = {**how, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
    if "enum" in how and None not in how["enum"]:
        nullable["enum"] = [*how["enum"], None]
    return nullable


def effective_keys(
    named: Iterable[Sequence[str] | None], own: Sequence[str], columns: Collection[str]
) -> tuple[Sequence[str], str]:
    """Return the key to use, of those that a catalog has, and a warning about it or an empty text."""
    other = next((keys for keys in named if keys and list(keys) != list(own)), own)
    if not set(other).issubset(columns):
        return own, "is no column: its own is used"
    if set(other).issuperset(own):
        return other, ""
    return other, "lacks its own: records that agree in it replace each other"


def to_fill(schema: Schema, mask: Mask) -> Schema:
    """Return a schema without the column for undeclared members, if that is not selected."""
    if mask["properties", COLUMN]:
        return schema
    kept = {name: how for name, how in schema["properties"].items() if name != COLUMN}
    return {**schema, "properties": kept}


def masked(stream: str, maps: Mapping[str, Any], mask: Mask) -> set[str]:
    """Return the properties of a stream that a catalog deselects or a stream map mentions."""
    mapped = {
        name
        for pattern, how in maps.items()
        if isinstance(how, Mapping) and fnmatchcase(stream, how.get("__source__", pattern))
        for name in how
    }
    return mapped.union(where[1] for where, on in mask.items() if len(where) == 2 and not on)  # noqa: PLR2004
