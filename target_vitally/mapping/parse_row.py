"""What a row says: its key, properties, traits and references, as its resource takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from target_vitally.mapping.entries import Mode
from target_vitally.mapping.links import unite
from target_vitally.mapping.markers import says_deleted
from target_vitally.mapping.resource import (
    Fields,
    LookupColumn,
    Property,
    Record,
    Reference,
    Resource,
)
from target_vitally.mapping.row_traits import trait_value, traits_of
from target_vitally.mapping.stream_mapping import StreamMapping, explained
from target_vitally.mapping.traits import typed
from target_vitally.mapping.values import check_id, coerce
from vitally_api.values import InvalidValue, key_text, list_of

Nulls = Literal["omit", "clear"]
JOINED_BY = "-"
"""What stands between the columns of a key in its text."""


class Rejection(Exception):
    """A row that cannot be written; the message says why, without any of its values."""


class Key(NamedTuple):
    """What a record is found by: ``id``, ``externalId``, ``email``, ``name`` or ``trait:<path>``."""

    by: str
    value: str


class RecordRef(NamedTuple):
    """A record that a row refers to; ``by`` is ``source`` for an id of the workspace it came from."""

    resource: str
    by: str
    value: str


@dataclass
class ParsedRow:
    """A row as its resource takes it.

    ``references`` has the records that a property refers to, or None where it is to be emptied;
    ``people`` the properties that hold people; ``protected`` the traits that were left out.
    ``ambiguous_keys`` has the texts that were made of several columns with a hyphen in them, and those
    columns' values.
    """

    key: Key | None
    mode: Mode = "upsert"
    properties: Record = field(default_factory=dict)
    traits: Record = field(default_factory=dict)
    references: dict[str, tuple[RecordRef, ...] | None] = field(default_factory=dict)
    people: dict[str, list[Record]] = field(default_factory=dict)
    delete: bool = False
    archived: bool = False
    copy: bool = False
    protected: frozenset[str] = frozenset()
    ambiguous_keys: frozenset[tuple[RecordRef, tuple[str, ...]]] = frozenset()
    united: frozenset[str] = frozenset()


def is_delete(mapping: StreamMapping, record: Mapping[str, Any]) -> bool:
    """Return whether a row says that its record is gone; raise `Rejection` if that is unreadable."""
    said = False
    for column in mapping.markers:
        if record.get(column) is None:
            continue
        try:
            said |= says_deleted(record[column])
        except InvalidValue as invalid:
            msg = f"{column}: {invalid}"
            raise Rejection(msg) from None
    return said or mapping.mode == "delete"


def parse_row(
    mapping: StreamMapping,
    record: Record,
    nulls: Nulls,
    protected: Sequence[str] = (),
    fields: Fields = MappingProxyType({}),
) -> ParsedRow:
    """Read a row; `Rejection` is raised for one that cannot be written."""
    marks, unmapped = mapping.check_columns(record)
    if marks:
        msg = f"{', '.join(marks)}: it looks like a mark of deleted rows (deleted, in streams)"
        raise Rejection(msg)
    delete = is_delete(mapping, record)
    record, ambiguous_keys = _with_composite_keys(mapping, record)
    properties = _properties(mapping, record, nulls, keys_only=delete)
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
    nothing = {
        name
        for name, lookups in mapping.lookups.items()
        if (not delete or mapping.resource.reference[name].in_path)
        and not _refer(found, mapping.resource.reference[name], lookups, record)
    }
    if mapping.fixed:
        _fixed_references(mapping, found)
    if nulls == "clear" and not delete and not mapping.copy:
        _clear_references(mapping, found, nothing, record)
    if delete:
        return found
    if mapping.unknown == "fail" and unmapped:
        named = explained(mapping.resource, sorted(unmapped))
        msg = f"{named}: not in the SCHEMA, and nothing that is taken"
        raise Rejection(msg)
    for name in mapping.people:
        if name in found.properties:
            found.people[name] = found.properties.pop(name) or []
    try:
        found.traits, found.protected = traits_of(
            mapping, record, fields, protected, clear=nulls == "clear"
        )
    except InvalidValue as invalid:
        raise Rejection(str(invalid)) from None
    return found


def record_keys(resource: Resource, parsed: ParsedRow) -> set[Key]:
    """Name every key by which other rows may speak of the same record."""
    given = {by: key_text(by, parsed.properties.get(by)) for by in resource.keys}
    said = {Key(by, text) for by, text in given.items() if text}
    return said | {parsed.key} if parsed.key else said


def key_of(mapping: StreamMapping, record: Record) -> Key | None:
    """Find what a row's record is found by, if the row can be read that far."""
    if mapping.undo:
        return None
    try:
        record, _ = _with_composite_keys(mapping, record)
        return _key(mapping, record, _properties(mapping, record, "omit", keys_only=True))
    except Rejection:
        return None


def _with_composite_keys(
    mapping: StreamMapping, record: Record
) -> tuple[Record, frozenset[tuple[RecordRef, tuple[str, ...]]]]:
    """Add the keys that several columns make; a null or a blank in one of them makes none.

    Return also those texts that other values could make: ``a-b`` and ``c``, or ``a`` and ``b-c``.
    """
    if not mapping.composite_keys:
        return record, frozenset()
    made, values = dict(record), {}
    for name, columns in mapping.composite_keys.items():
        if all(column not in record for column in columns):
            continue
        try:
            texts = tuple(key_text("externalId", record.get(c)).strip() for c in columns)
        except InvalidValue as invalid:
            msg = f"{name}: {invalid}"
            raise Rejection(msg) from None
        if any(texts) and not all(texts):
            empty = ", ".join(c for c, text in zip(columns, texts, strict=True) if not text)
            msg = f"{name}: {empty} is empty, and a key takes all of its columns"
            raise Rejection(msg)
        made[name] = JOINED_BY.join(texts) if all(texts) else None
        if any(JOINED_BY in text for text in texts):
            values[name] = texts
    return made, frozenset(_ambiguous(mapping, made, values))


def _ambiguous(
    mapping: StreamMapping, made: Record, values: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[RecordRef, tuple[str, ...]]]:
    uses = [(mapping.resource.name, by, column) for by, column in mapping.properties.items()]
    uses += [
        (lookup.resource, lookup.by, column)
        for lookups in mapping.lookups.values()
        for lookup, column in lookups
        if lookup
    ]
    for resource, by, column in uses:
        if column in values:
            yield RecordRef(resource, by, made[column]), values[column]


def _properties(mapping: StreamMapping, record: Record, nulls: Nulls, *, keys_only: bool) -> Record:
    """Read the columns that are properties."""
    found: Record = {}
    for prop, column, is_key in mapping.property_columns:
        if column not in record or (keys_only and not is_key):
            continue
        name, value = prop.name, record[column]
        if value is None or (value == "" and name in {"id", "externalId"}):
            if nulls == "clear" and not mapping.copy and name not in mapping.resource.keys:
                _check_clears(prop)
                found[name] = None
            continue
        try:
            found[name] = coerce(prop.kind, value)
            check_id(name, found[name])
        except InvalidValue as invalid:
            msg = f"{name}: {invalid}"
            raise Rejection(msg) from None
    return found


def _check_clears(prop: Property) -> None:
    if prop.needed or not prop.clears:
        msg = f"{prop.name}: it cannot be emptied, and the row has a null there (nulls: clear)"
        raise Rejection(msg)


def _key(
    mapping: StreamMapping,
    record: Record,
    properties: Record,
    fields: Fields = MappingProxyType({}),
) -> Key | None:
    """Choose what the row's record is found by."""
    match, resource = mapping.match, mapping.resource
    if match and match.startswith("trait:"):
        path = match.removeprefix("trait:")
        try:
            text = key_text(match, typed(fields.get(path), trait_value(mapping, record, path)))
        except InvalidValue as invalid:
            msg = f"{match}: {invalid}"
            raise Rejection(msg) from None
        return Key(match, text) if text else None
    usual = (*((resource.key,) if resource.key else ()), "id")
    for by in (match,) if match else usual:
        if text := key_text(by, properties.get(by)):
            return Key(by, text)
    return None if resource.key or resource.model else _place(mapping, record)


def _place(mapping: StreamMapping, record: Record) -> Key | None:
    """Name what there is one of in each record that the address takes, such as a transcript.

    Where it takes several, what names them all is written as a list, so that no two make one text.
    """
    found = []
    for ref in mapping.resource.references:
        if ref.in_path:
            columns_of = mapping.lookups.get(ref.name, ())  # none where no column names it
            named = ((column, _text_in(record, column)) for _, column in columns_of)
            found.append(next(((column, text) for column, text in named if text), None))
    columns, texts = zip(*(each or ("", "") for each in found), strict=True)
    if not all(texts):
        return None
    return Key("+".join(columns), texts[0] if len(texts) == 1 else json.dumps(texts))


def _refer(
    found: ParsedRow,
    reference: Reference,
    lookups: Sequence[tuple[LookupColumn | None, str]],
    record: Record,
) -> bool:
    """Read what a row refers to by the surest of its columns that says anything, if one does.

    Where there may be several, all columns count: each may name another. In a copy they name the same.
    """
    names: tuple[RecordRef, ...] = ()
    empty = ""
    for lookup, column in lookups:
        value = record.get(column)
        if value in (None, ""):
            continue
        if lookup and lookup.by == "embedded":
            more = tuple(_embedded(reference, value))
        else:
            more = tuple(_named(reference, lookup, value, copy=found.copy))
        alone = not names and len(more) == 1
        names, empty = more if alone else tuple(unite(names, more)), empty or column
        if names and (found.copy or not reference.many):
            break
    if empty and not names and not found.copy:
        msg = f"{empty}: an empty list is never sent, since it would unlink everything"
        raise Rejection(msg)
    if names:
        found.references[reference.name] = names
    return bool(names)


def _clear_references(
    mapping: StreamMapping, found: ParsedRow, nothing: Iterable[str], record: Record
) -> None:
    """Read nulls in the columns of references: of two parents, one may well be null."""
    groups = mapping.resource.one_of
    for name in nothing:
        reference = mapping.resource.reference[name]
        reported = any(column in record for _, column in mapping.lookups[name])
        if not reported or reference.in_path or name in found.references:
            continue
        group = next((group for group in groups if name in group), ())
        if any(found.references.get(other) for other in group):
            continue
        if group or reference.many:
            msg = f"{name}: it cannot be emptied, and the row has a null there (nulls: clear)"
            raise Rejection(msg)
        found.references[name] = None


def _named(
    reference: Reference, lookup: LookupColumn | None, value: Any, *, copy: bool
) -> Iterator[RecordRef]:
    try:
        values = list_of(value) if reference.many and not _is_one(value) else [value]
        texts = [coerce("text", item) for item in values if item not in (None, "")]
        for text in texts:
            check_id(lookup.by if lookup else "id", text)
    except InvalidValue as unfit:
        msg = f"{lookup.column if lookup else reference.name}: {unfit}"
        raise Rejection(msg) from None
    for text in dict.fromkeys(texts):
        if lookup:
            yield RecordRef(lookup.resource, lookup.by, text)
        else:
            yield RecordRef(reference.of, "source" if copy else "id", text)


def _is_one(value: Any) -> bool:
    """A single text stands for a list of one, unless it is a list written as text."""
    written = isinstance(value, str) and value.lstrip().startswith("[")
    return not isinstance(value, list) and not written


def _embedded(reference: Reference, value: Any) -> Iterator[RecordRef]:
    """Name the records that travel inside a row of the tap."""
    by = reference.lookups[0].by if reference.lookups else "externalId"
    resource = reference.lookups[0].resource if reference.lookups else reference.of
    try:
        items = list_of(value) if not isinstance(value, dict) else [value]
    except InvalidValue:
        items = []
    for item in items:
        for of, member, called in ((resource, by, by), (reference.of, "id", "source")):
            if text := _text_in(item, member):
                yield RecordRef(of, called, text)
                break


def _text_in(item: Any, member: str) -> str:
    try:
        return key_text(member, item.get(member)) if isinstance(item, dict) else ""
    except InvalidValue:
        return ""


def _fixed_references(mapping: StreamMapping, found: ParsedRow) -> None:
    """Add what ``streams`` says of all rows."""
    for reference in mapping.resource.references:
        for lookup in reference.lookups:
            if lookup.column in mapping.fixed:
                named = RecordRef(lookup.resource, lookup.by, mapping.fixed[lookup.column])
                found.references.setdefault(reference.name, (named,))
