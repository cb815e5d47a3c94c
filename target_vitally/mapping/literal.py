"""Rows that say literally what a record says: compared as they came, before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from target_vitally.mapping.parse_row import Key, Nulls, ParsedRow, RecordRef
from target_vitally.mapping.plan import has_links
from target_vitally.mapping.resource import Fields, Kind, Record, TraitField
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.mapping.values import same_trait, typed
from vitally_api.values import InvalidValue, is_canonical, key_text, same_json

LITERAL: Mapping[type, frozenset[Kind]] = {
    str: frozenset({"text", "html", "email"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"number", "integer"}),
}
"""Values that a property of some kind takes as they are."""
DOTS = (".", "..")
MOST_PATHS = 10_000
PROTECTED, UNKNOWN = TraitField(""), TraitField("")


class LiteralRows:
    """Compares rows of one stream: sure of what it takes for the same, and of nothing else.

    A row is the same only if `parse_row` would take it, and `plan` find nothing to do for it. Traits count
    that a row before it had, which has been parsed: what there is to say of them was said then.
    """

    def __init__(self, mapping: StreamMapping, nulls: Nulls) -> None:
        resource = mapping.resource
        self._mapping = mapping
        self._by = mapping.match or resource.key or ""
        self._marks = [*mapping.markers]
        self._marks += [c for n, c in mapping.properties.items() if n == "deleteOn"]
        self._compared = [
            (prop.name, prop.kind, column)
            for prop, column, _ in mapping.property_columns
            if prop.name not in {self._by, "id", "deleteOn"}
        ]
        self._key_columns = {
            by: mapping.properties.get(by, "") for by in (self._by, *resource.keys)
        }
        self._paths: dict[str, TraitField | None] = {}
        self.possible = bool(self._key_columns[self._by]) and not (
            mapping.copy
            or mapping.undo
            or mapping.composite_keys
            or mapping.fixed
            or mapping.unknown == "traits"
            or mapping.links != "add"
            or mapping.mode not in {"upsert", "update"}
            or (self._by != "id" and "id" in mapping.properties)
            or nulls != "omit"
            or resource.in_path
        )
        """False if rows of this stream have to be parsed, each."""

    def learn(self, parsed: ParsedRow, fields: Fields) -> None:
        """Take in the traits of a row that has been parsed."""
        if parsed.traits.keys() <= self._paths.keys() >= parsed.protected:
            return
        if len(self._paths) < MOST_PATHS:
            self._paths |= {path: fields.get(path) for path in parsed.traits}
            self._paths |= dict.fromkeys(parsed.protected, PROTECTED)

    def keys(self, row: Record) -> list[Key]:
        """Return the keys that a row has, first the one that its record is found by, which may be empty.

        None of them are returned for a row that has to be parsed to know them.
        """
        found = []
        for by, column in self._key_columns.items():
            value = row.get(column) if column else None
            if (
                not (value is None or value.__class__ is str or value.__class__ is int)
                or value in DOTS
            ):
                return []
            found.append(Key(by, key_text(by, value)))
        return found

    def may_match(self, row: Record) -> bool:
        """Return whether a row has only values that are taken as they are, and no marks."""
        marks, unmapped = self._mapping.check_columns(row)
        if marks or (unmapped and self._mapping.unknown != "ignore"):
            return False
        if any(row.get(column) is not None for column in self._marks):
            return False
        for _, kind, column in self._compared:
            value = row.get(column)
            if value is None or kind in LITERAL.get(value.__class__, ()):
                continue
            if kind != "instant" or not is_canonical(value):
                return False
        return True

    def links(self, row: Record) -> dict[str, tuple[RecordRef]] | None:
        """Return the record that each property refers to; None if that takes to parse the row."""
        found: dict[str, tuple[RecordRef]] = {}
        for name, lookups in self._mapping.lookups.items():
            for by, column in lookups:
                value = row.get(column)
                if value is None or value == "":
                    continue
                if name in found or by == "id" or value.__class__ is not str or not _is_text(value):
                    return None
                found[name] = (RecordRef(self._mapping.resource.references[name].of, by, value),)
        return found

    def matches(self, row: Record, ids: Mapping[str, Sequence[str]], record: Record) -> bool:
        """Return whether a record that has the row's key says all that the row does.

        ``ids`` are those of what it refers to, by property.
        """
        if record.get("archivedAt") or not (
            not ids or has_links(self._mapping.resource, ids, record)
        ):
            return False
        for name, _, column in self._compared:
            value = row.get(column)
            if value is not None and not _is_same(value, record.get(name)):
                return False
        said = row.get(self._mapping.trait_map) if self._mapping.trait_map else None
        if not isinstance(said, dict | None):
            return False
        named = ((path, row.get(column)) for path, column in self._mapping.traits.items())
        held = record.get("traits")
        return self._says(said.items() if said else (), held) and self._says(named, held)

    def _says(self, said: Iterable[tuple[str, Any]], held: Any) -> bool:
        paths = self._paths
        for path, value in said:
            if value is None:
                continue
            field = paths.get(path, UNKNOWN)
            if field is PROTECTED:
                continue
            if field is UNKNOWN or not isinstance(held, dict):
                return False
            present = held.get(path)
            if not _is_same(value, present) or not (field is None or _takes(field, value, present)):
                return False
        return True


def _is_text(value: str) -> bool:
    """Return whether text names one record, and is no list that is written as text."""
    return value not in DOTS and not value.lstrip().startswith("[")


def _is_same(value: Any, present: Any) -> bool:
    if value.__class__ is not present.__class__ or value != present:
        return False
    return value.__class__ not in {list, dict} or same_json(value, present)


def _takes(field: TraitField, value: Any, present: Any) -> bool:
    """Return whether a field takes a value, and for the same as what is there."""
    text = value.__class__ is str
    if not field.kind or (text and field.kind == "text"):
        return True
    if text and field.kind == "choice" and value in field.choices:
        return True
    try:
        return same_trait(field, typed(field, value), present)
    except InvalidValue:
        return False
