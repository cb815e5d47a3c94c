"""What a row says: its key, properties, traits and references, as its resource takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from target_vitally.planning.entries import Mode
from target_vitally.planning.links import unite
from target_vitally.planning.markers import says_deleted
from target_vitally.planning.meaning import Meaning, explained
from target_vitally.planning.resource import Fields, Property, Record, Reference, Resource, Way
from target_vitally.planning.row_traits import trait_value, traits_of
from target_vitally.planning.traits import typed
from target_vitally.planning.values import Unfit, check_id, fitted, listed
from vitally_api.values import InvalidValue, key_text

Nulls = Literal["omit", "clear"]
JOINED_BY = "-"
"""What stands between the columns of a key in its text."""


class Rejection(Exception):
    """A row that cannot be written; the message says why, without any of its values."""


@dataclass(frozen=True)
class Key:
    """What a record is found by: ``id``, ``externalId``, ``email``, ``name`` or ``trait:<path>``."""

    by: str
    value: str


@dataclass(frozen=True)
class Named:
    """A record that a row refers to; ``by`` is ``source`` for an id of the workspace it came from."""

    resource: str
    by: str
    value: str


@dataclass
class Fitted:
    """A row as its resource takes it.

    ``references`` has the records that a property refers to, or None where it is to be emptied;
    ``people`` the properties that hold people; ``protected`` the traits that were left out. ``joined``
    has the texts that were made of several columns with a hyphen in them, and those columns' values.
    """

    key: Key | None
    mode: Mode = "upsert"
    properties: Record = field(default_factory=dict)
    traits: Record = field(default_factory=dict)
    references: dict[str, tuple[Named, ...] | None] = field(default_factory=dict)
    people: dict[str, list[Record]] = field(default_factory=dict)
    delete: bool = False
    archived: bool = False
    copy: bool = False
    protected: frozenset[str] = frozenset()
    joined: frozenset[tuple[Named, tuple[str, ...]]] = frozenset()
    united: frozenset[str] = frozenset()


def is_delete(meaning: Meaning, record: Mapping[str, Any]) -> bool:
    """Return whether a row says that its record is gone; raise `Rejection` if that is unreadable."""
    said = False
    for column in meaning.markers:
        try:
            said |= says_deleted(record.get(column))
        except InvalidValue as invalid:
            msg = f"{column}: {invalid}"
            raise Rejection(msg) from None
    return said or meaning.mode == "delete"


def fit(
    meaning: Meaning,
    record: Record,
    nulls: Nulls,
    protected: Sequence[str] = (),
    fields: Fields = MappingProxyType({}),
) -> Fitted:
    """Read a row; `Rejection` is raised for one that cannot be written."""
    if marks := meaning.unread_marks(record):
        msg = f"{', '.join(marks)}: it looks like a mark of deleted rows (deleted, in streams)"
        raise Rejection(msg)
    delete = is_delete(meaning, record)
    record, joined = _with_joined(meaning, record)
    properties = dict(_properties(meaning, record, nulls, keys_only=delete))
    found = Fitted(
        key=_key(meaning, record, properties, fields),
        mode=meaning.mode,
        properties=properties,
        delete=delete,
        copy=meaning.copy,
        archived=meaning.copy and bool(record.get("archivedAt")),
        joined=joined,
        united=meaning.resource.united,
    )
    nothing = {
        name
        for name, ways in meaning.ways.items()
        if (not delete or meaning.resource.reference[name].in_path)
        and not _refer(found, meaning.resource.reference[name], ways, record)
    }
    _fixed_references(meaning, found)
    if nulls == "clear" and not delete and not meaning.copy:
        _clear_references(meaning, found, nothing, record)
    if delete:
        return found
    if meaning.unknown == "fail" and (stray := meaning.stray(record)):
        named = explained(meaning.resource, sorted(stray))
        msg = f"{named}: not in the SCHEMA, and nothing that is taken"
        raise Rejection(msg)
    for name, prop in meaning.resource.by_name.items():
        if prop.kind == "people" and name in found.properties:
            found.people[name] = found.properties.pop(name) or []
    try:
        found.traits, found.protected = traits_of(
            meaning, record, fields, protected, clear=nulls == "clear"
        )
    except InvalidValue as invalid:
        raise Rejection(str(invalid)) from None
    return found


def marks(resource: Resource, fitted: Fitted) -> set[Key]:
    """Name every key by which other rows may speak of the same record."""
    given = {by: key_text(by, fitted.properties.get(by)) for by in resource.keys}
    said = {Key(by, text) for by, text in given.items() if text}
    return said | {fitted.key} if fitted.key else said


def key_of(meaning: Meaning, record: Record) -> Key | None:
    """Find what a row's record is found by, if the row can be read that far."""
    try:
        record, _ = _with_joined(meaning, record)
        return _key(meaning, record, dict(_properties(meaning, record, "omit", keys_only=True)))
    except Rejection:
        return None


def _with_joined(
    meaning: Meaning, record: Record
) -> tuple[Record, frozenset[tuple[Named, tuple[str, ...]]]]:
    """Add the keys that several columns make; a null or a blank in one of them makes none.

    Return also those texts that other values could make: ``a-b`` and ``c``, or ``a`` and ``b-c``.
    """
    if not meaning.joined:
        return record, frozenset()
    made, values = dict(record), {}
    for name, columns in meaning.joined.items():
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
    return made, frozenset(_ambiguous(meaning, made, values))


def _ambiguous(
    meaning: Meaning, made: Record, values: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[Named, tuple[str, ...]]]:
    uses = [(meaning.resource.name, by, column) for by, column in meaning.properties.items()]
    uses += [
        (way.resource, way.by, column)
        for ways in meaning.ways.values()
        for way, column in ways
        if way
    ]
    for resource, by, column in uses:
        if column in values:
            yield Named(resource, by, made[column]), values[column]


def _properties(
    meaning: Meaning, record: Record, nulls: Nulls, *, keys_only: bool
) -> Iterator[tuple[str, Any]]:
    """Read the columns that are properties."""
    wanted = {"deleteOn", *meaning.resource.keys} if keys_only else None
    for name, column in meaning.properties.items():
        if column not in record or (wanted is not None and name not in wanted):
            continue
        prop = meaning.resource.by_name.get(name) or Property(name, clears=False)
        value = record[column]
        if name in {"id", "externalId"} and value == "":
            value = None
        if value is None:
            if nulls == "clear" and not meaning.copy and name not in meaning.resource.keys:
                _check_clears(prop)
                yield name, None
            continue
        try:
            read = fitted(prop.kind, value)
            check_id(name, read)
        except Unfit as unfit:
            msg = f"{name}: {unfit}"
            raise Rejection(msg) from None
        yield name, read


def _check_clears(prop: Property) -> None:
    if prop.needed or not prop.clears:
        msg = f"{prop.name}: it cannot be emptied, and the row has a null there (nulls: clear)"
        raise Rejection(msg)


def _key(
    meaning: Meaning, record: Record, properties: Record, fields: Fields = MappingProxyType({})
) -> Key | None:
    """Choose what the row's record is found by."""
    match, resource = meaning.match, meaning.resource
    if match and match.startswith("trait:"):
        path = match.removeprefix("trait:")
        try:
            text = key_text(match, typed(fields, path, trait_value(meaning, record, path)))
        except InvalidValue as invalid:
            msg = f"{match}: {invalid}"
            raise Rejection(msg) from None
        return Key(match, text) if text else None
    usual = (*((resource.key,) if resource.key else ()), "id")
    for by in (match,) if match else usual:
        if text := key_text(by, properties.get(by)):
            return Key(by, text)
    return None if resource.key or resource.model else _place(meaning, record)


def _place(meaning: Meaning, record: Record) -> Key | None:
    """Name what there is one of in each record that the address takes, such as a transcript."""
    ways = [
        way for ref in meaning.resource.references if ref.in_path for way in meaning.ways[ref.name]
    ]
    found = ((column, _text_in(record, column)) for _, column in ways)
    return next((Key(column, text) for column, text in found if text), None)


def _refer(
    found: Fitted,
    reference: Reference,
    ways: Sequence[tuple[Way | None, str]],
    record: Record,
) -> bool:
    """Read what a row refers to by the surest of its columns that says anything, if one does.

    Where there may be several, all columns count: each may name another. In a copy they name the same.
    """
    names: tuple[Named, ...] = ()
    empty = ""
    for way, column in ways:
        value = record.get(column)
        if value in (None, ""):
            continue
        if way and way.by == "embedded":
            more = tuple(_embedded(reference, value))
        else:
            more = tuple(_named(reference, way, value, copy=found.copy))
        names, empty = tuple(unite(names, more)), empty or column
        if names and (found.copy or not reference.many):
            break
    if empty and not names and not found.copy:
        msg = f"{empty}: an empty list is never sent, since it would unlink everything"
        raise Rejection(msg)
    if names:
        found.references[reference.name] = names
    return bool(names)


def _clear_references(
    meaning: Meaning, found: Fitted, nothing: Iterable[str], record: Record
) -> None:
    """Read nulls in the columns of references: of two parents, one may well be null."""
    groups = meaning.resource.one_of
    for name in nothing:
        reference = meaning.resource.reference[name]
        told = any(column in record for _, column in meaning.ways[name])
        if not told or reference.in_path or name in found.references:
            continue
        group = next((group for group in groups if name in group), ())
        if any(found.references.get(other) for other in group):
            continue
        if group or reference.many:
            msg = f"{name}: it cannot be emptied, and the row has a null there (nulls: clear)"
            raise Rejection(msg)
        found.references[name] = None


def _named(reference: Reference, way: Way | None, value: Any, *, copy: bool) -> Iterator[Named]:
    try:
        values = listed(value) if reference.many and not _is_one(value) else [value]
        texts = [fitted("text", item) for item in values if item not in (None, "")]
        for text in texts:
            check_id(way.by if way else "id", text)
    except Unfit as unfit:
        msg = f"{way.column if way else reference.name}: {unfit}"
        raise Rejection(msg) from None
    for text in dict.fromkeys(texts):
        if way:
            yield Named(way.resource, way.by, text)
        else:
            yield Named(reference.of, "source" if copy else "id", text)


def _is_one(value: Any) -> bool:
    """A single text stands for a list of one, unless it is a list written as text."""
    written = isinstance(value, str) and value.lstrip().startswith("[")
    return not isinstance(value, list) and not written


def _embedded(reference: Reference, value: Any) -> Iterator[Named]:
    """Name the records that travel inside a row of the tap."""
    by = reference.ways[0].by if reference.ways else "externalId"
    resource = reference.ways[0].resource if reference.ways else reference.of
    try:
        items = listed(value) if not isinstance(value, dict) else [value]
    except Unfit:
        items = []
    for item in items:
        for of, member, called in ((resource, by, by), (reference.of, "id", "source")):
            if text := _text_in(item, member):
                yield Named(of, called, text)
                break


def _text_in(item: Any, member: str) -> str:
    try:
        return key_text(member, item.get(member)) if isinstance(item, dict) else ""
    except InvalidValue:
        return ""


def _fixed_references(meaning: Meaning, found: Fitted) -> None:
    """Add what ``streams`` says of all rows."""
    for reference in meaning.resource.references:
        for way in reference.ways:
            if way.column in meaning.fixed:
                named = Named(way.resource, way.by, meaning.fixed[way.column])
                found.references.setdefault(reference.name, (named,))
