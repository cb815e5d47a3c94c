"""Parse a row: its key, properties, traits and references, converted for its resource."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from target_vitally.mapping.entries import Mode
from target_vitally.mapping.items import unite
from target_vitally.mapping.markers import says_deleted
from target_vitally.mapping.resource import Fields, Property, Record, Resource
from target_vitally.mapping.stream_mapping import Lookups, StreamMapping, explained
from target_vitally.mapping.values import COERCIONS, IDS, check_id, coerce, typed, typed_traits
from vitally_api.values import InvalidValue, key_text, list_of, object_of

Nulls = Literal["omit", "clear"]
NO_FIELDS: Fields = MappingProxyType({})
JOINED_BY = "-"
"""The separator between the columns of a composite key."""
NOT_CLEARED = "{}: it cannot be emptied, and the row has a null there (nulls: clear)"


class Rejection(Exception):
    """A row that cannot be written; the message says why, without any of its values."""


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Turn `InvalidValue` into a `Rejection` that names the column or property."""
    try:
        yield
    except InvalidValue as invalid:
        raise Rejection(f"{name}: {invalid}") from None


class Key(NamedTuple):
    """The key of a record; ``by`` is ``id``, ``externalId``, ``email``, ``name`` or ``trait:<path>``."""

    by: str
    value: str


class RecordRef(NamedTuple):
    """A record that a row refers to; ``by`` is ``source`` for an id of the workspace of the tap."""

    resource: str
    by: str
    value: str


Ambiguous = frozenset[tuple[RecordRef, tuple[str, ...]]]
"""Composite keys with a hyphen in one of their columns, each with the values of these columns."""


@dataclass(slots=True)
class ParsedRow:
    """A row, converted for its resource.

    ``references`` has the records that each property refers to, None to empty it; ``protected`` the
    traits that were left out, since ``protected_traits`` names them.
    """

    key: Key | None
    mode: Mode = "upsert"
    properties: Record = field(default_factory=dict)
    traits: Record = field(default_factory=dict)
    references: dict[str, tuple[RecordRef, ...] | None] = field(default_factory=dict)
    delete: bool = False
    archived: bool = False
    copy: bool = False
    protected: frozenset[str] = frozenset()
    ambiguous_keys: Ambiguous = frozenset()
    united: frozenset[str] = frozenset()


def parse_row(  # noqa: C901 - one part of a row after the other
    mapping: StreamMapping,
    record: Record,
    nulls: Nulls,
    protected: Sequence[str] = (),
    fields: Fields = NO_FIELDS,
) -> ParsedRow:
    """Parse a row; raise `Rejection` if it cannot be written."""
    marks, unmapped = mapping.check_columns(record)
    if marks:
        raise Rejection(
            f"{', '.join(marks)}: it looks like a mark of deleted rows (deleted, in streams)"
        )
    clear = nulls == "clear" and not mapping.copy
    delete = mapping.mode == "delete"
    for column in mapping.markers:
        if record.get(column) is not None:
            with _naming(column):
                delete |= says_deleted(record[column])
    ambiguous_keys: Ambiguous = frozenset()
    if mapping.composite_keys:
        record, ambiguous_keys = _with_composite_keys(mapping, record)
    properties = _properties(mapping, record, clear=clear, keys_only=delete)
    found = ParsedRow(
        key=_key(mapping, record, properties, fields),
        mode=mapping.mode,
        properties=properties,
        delete=delete,
        copy=mapping.copy,
        archived=mapping.copy and bool(record.get("archivedAt")),
        ambiguous_keys=ambiguous_keys,
        united=mapping.resource.united,
    )
    references = mapping.resource.references
    for name, lookups in mapping.lookups.items():
        if not delete or references[name].in_path:
            _refer(found, references[name], lookups, record)
    for name, ref in mapping.fixed_references.items():
        found.references.setdefault(name, (RecordRef(*ref),))
    if delete:
        return found
    if clear:
        _clear_references(mapping, found, record)
    if mapping.unknown == "fail" and unmapped:
        named = explained(mapping.resource, sorted(unmapped))
        raise Rejection(f"{named}: not in the SCHEMA, and nothing that is taken")
    said = _traits(mapping, record)
    owned = owned_traits(tuple(said), () if mapping.all_traits else tuple(protected))
    try:
        found.traits = typed_traits(fields, said, owned, keep_nulls=clear)
    except InvalidValue as invalid:
        raise Rejection(str(invalid)) from None
    if owned:
        found.protected = frozenset(p for p in owned if clear or said[p] is not None)
    return found


def record_keys(resource: Resource, parsed: ParsedRow) -> set[Key]:
    """Return all keys that other rows may have for the same record."""
    given = {by: key_text(by, parsed.properties.get(by)) for by in resource.keys}
    said = {Key(by, text) for by, text in given.items() if text}
    return said | {parsed.key} if parsed.key else said


def key_of(mapping: StreamMapping, record: Record) -> Key | None:
    """Return the key of a row; None if it has none, or one that is not valid."""
    if mapping.undo:
        return None
    try:
        if mapping.composite_keys:
            record, _ = _with_composite_keys(mapping, record)
        properties = _properties(mapping, record, clear=False, keys_only=True)
        return _key(mapping, record, properties, NO_FIELDS)
    except Rejection:
        return None


def _with_composite_keys(mapping: StreamMapping, record: Record) -> tuple[Record, Ambiguous]:
    """Add the composite keys to a row; reject it if only some of a key's columns have values.

    Return also the keys that other values could result in: ``a-b`` and ``c``, or ``a`` and ``b-c``.
    """
    made, values = dict(record), {}
    for name, columns in mapping.composite_keys.items():
        if all(column not in record for column in columns):
            continue
        with _naming(name):
            texts = tuple(key_text("externalId", record.get(c)).strip() for c in columns)
        if any(texts) and not all(texts):
            empty = ", ".join(c for c, text in zip(columns, texts, strict=True) if not text)
            raise Rejection(f"{name}: {empty} is empty, and a key takes all of its columns")
        made[name] = JOINED_BY.join(texts) if all(texts) else None
        if any(JOINED_BY in text for text in texts):
            values[name] = texts
    uses = [(mapping.resource.name, by, column) for by, column in mapping.properties.items()]
    uses += [
        (mapping.resource.references[name].of, by, column)
        for name, lookups in mapping.lookups.items()
        for by, column in lookups
        if by != "id"
    ]
    return made, frozenset(
        (RecordRef(of, by, made[column]), values[column])
        for of, by, column in uses
        if column in values
    )


def _properties(mapping: StreamMapping, record: Record, *, clear: bool, keys_only: bool) -> Record:
    """Convert the columns of properties; skip nulls unless ``clear``."""
    found: Record = {}
    for prop, column, is_key in mapping.property_columns:
        value, name = record.get(column), prop.name
        if (keys_only and not is_key) or (value is None and not clear):
            continue
        blank = name in IDS and isinstance(value, str) and not value.strip()
        if value is None or blank:
            if column in record and clear and name not in mapping.resource.keys:
                check_clears(name, prop)
                found[name] = None
            continue
        try:
            found[name] = COERCIONS[prop.kind](value)
            if is_key:
                check_id(name, found[name])
        except InvalidValue as invalid:
            raise Rejection(f"{name}: {invalid}") from None
    return found


def check_clears(name: str, prop: Property | None) -> None:
    """Raise `Rejection` if a property cannot be emptied with a null."""
    if prop is None or prop.needed or not prop.clears:
        raise Rejection(NOT_CLEARED.format(name))


def _key(mapping: StreamMapping, record: Record, properties: Record, fields: Fields) -> Key | None:
    """Return the key of a row; None if it has none."""
    match, resource = mapping.match, mapping.resource
    if match and match.startswith("trait:"):
        path = match.removeprefix("trait:")
        with _naming(match):
            column = mapping.traits.get(path)
            said = record.get(column) if column else _trait_map(mapping, record).get(path)
            text = key_text(match, typed(fields.get(path), said))
        return Key(match, text) if text else None
    usual = (*((resource.key,) if resource.key else ()), "id")
    for by in (match,) if match else usual:
        if text := key_text(by, properties.get(by)):
            return Key(by, text)
    return None if resource.key or resource.model else _place(mapping, record)


def _place(mapping: StreamMapping, record: Record) -> Key | None:
    """Return the parent's key, as the key of a resource with one record per parent, such as transcripts.

    If it has several parents, their keys are written as a JSON list; None if one is missing.
    """
    columns, texts = [], []
    for name, reference in mapping.resource.references.items():
        if not reference.in_path:
            continue
        for _, column in mapping.lookups.get(name, ()):
            if text := _text_in(record, column):
                columns.append(column)
                texts.append(text)
                break
        else:
            return None
    return Key("+".join(columns), texts[0] if len(texts) == 1 else json.dumps(texts))


def _refer(found: ParsedRow, reference: Property, lookups: Lookups, record: Record) -> None:
    """Add a reference of a row, from the first of its columns that has a value.

    If it may refer to several records, all columns are read, as each may name others; in a copy only
    the first, as they name the same.
    """
    names: tuple[RecordRef, ...] = ()
    empty = ""
    for by, column in lookups:
        value = record.get(column)
        if value in (None, ""):
            continue
        if by == "embedded":
            more = tuple(_embedded(reference, value))
        else:
            more = tuple(_named(reference, by, column, value, copy=found.copy))
        alone = not names and len(more) == 1
        names, empty = more if alone else tuple(unite(names, more)), empty or column
        if names and (found.copy or not reference.many):
            break
    if empty and not names and not found.copy:
        raise Rejection(f"{empty}: an empty list is never sent, since it would unlink everything")
    if names:
        found.references[reference.name] = names


def _clear_references(mapping: StreamMapping, found: ParsedRow, record: Record) -> None:
    """Empty the references whose columns are null; of two possible parents, one may be null."""
    for name, lookups in mapping.lookups.items():
        reference = mapping.resource.references[name]
        reported = any(column in record for _, column in lookups)
        if not reported or reference.in_path or name in found.references:
            continue
        group = next((group for group in mapping.resource.one_of if name in group), ())
        if any(found.references.get(other) for other in group):
            continue
        if group or reference.many:
            raise Rejection(NOT_CLEARED.format(name))
        found.references[name] = None


def _named(
    reference: Property, by: str, column: str, value: Any, *, copy: bool
) -> Iterator[RecordRef]:
    try:
        values = list_of(value) if reference.many and not _is_one(value) else [value]
        texts = [coerce("text", item) for item in values if item not in (None, "")]
        for text in texts:
            check_id(by, text)
    except InvalidValue as invalid:
        raise Rejection(f"{column}: {invalid}") from None
    called = "source" if copy and by == "id" else by
    return (RecordRef(reference.of, called, text) for text in dict.fromkeys(texts))


def _is_one(value: Any) -> bool:
    """Return True for a single value, False for a list or a list written as JSON text."""
    written = isinstance(value, str) and value.lstrip().startswith("[")
    return not isinstance(value, list) and not written


def _embedded(reference: Property, value: Any) -> Iterator[RecordRef]:
    """Yield the records embedded in a row of the tap, by their keys or else by their ids."""
    by = next(iter(reference.lookups.values()), "externalId")
    try:
        items = list_of(value) if not isinstance(value, dict) else [value]
    except InvalidValue:
        items = []
    for item in items:
        if text := _text_in(item, by):
            yield RecordRef(reference.of, by, text)
        elif text := _text_in(item, "id"):
            yield RecordRef(reference.of, "source", text)


def _text_in(item: Any, member: str) -> str:
    try:
        return key_text(member, item.get(member)) if isinstance(item, dict) else ""
    except InvalidValue:
        return ""


def has_traits(mapping: StreamMapping, record: Record) -> bool:
    """Return True if a row has any traits."""
    columns = (*mapping.traits.values(), *filter(None, [mapping.trait_map]))
    said = any(record.get(column) not in (None, {}, "{}") for column in columns)
    return said or bool(mapping.unknown == "traits" and mapping.check_columns(record)[1])


def _trait_map(mapping: StreamMapping, record: Record) -> Record:
    value = record.get(mapping.trait_map) if mapping.trait_map else None
    try:
        return {} if value is None else object_of(value)
    except InvalidValue as invalid:
        raise Rejection(f"{mapping.trait_map}: {invalid}") from None


def _traits(mapping: StreamMapping, record: Record) -> Record:
    """Return the traits of a row, with nulls."""
    said = _trait_map(mapping, record)
    if mapping.traits:
        said = said | {path: record[c] for path, c in mapping.traits.items() if c in record}
    if mapping.unknown == "traits" and mapping.resource.model:
        said = said | {column: record[column] for column in mapping.check_columns(record)[1]}
    return said


@lru_cache(maxsize=4096)
def owned_traits(paths: tuple[str, ...], protected: tuple[str, ...]) -> frozenset[str]:
    """Return the paths that match ``protected_traits``; cached, since it takes 33 µs for each row."""
    return frozenset(path for path in paths if _is_owned(path, protected))


@lru_cache(maxsize=4096)
def _is_owned(path: str, protected: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in protected)
