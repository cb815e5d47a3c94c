"""Map a stream to a resource: the mode, and what each of its columns holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from target_vitally.mapping.entries import EVENTS, IGNORE, Entry, Mode, camel, near
from target_vitally.mapping.markers import UNDERSTOOD, marks_deletes
from target_vitally.mapping.resource import Property, Resource

Lookups = tuple[tuple[str, str], ...]
"""Columns that refer to records: what each holds (``id``, ``externalId``, ``embedded``...), its name."""
STAMPS = frozenset({"createdAt", "updatedAt"})
UNDECLARED = "additionalProperties"
"""The column in which the tap keeps undeclared members; other sources do not have it."""
TAP_ADDED = frozenset({UNDECLARED, "accountIds", "organizationIds", "userIds", "adminIds"})
"""Columns that the tap adds to any stream; where one is written, it is declared."""
TAP_ID = "Id given by Vitally."
"""How the tap's SCHEMA describes the id of a record."""
NOT_WRITTEN = frozenset({"left out", "embedded"})
FED = {
    "mrr": "MRR",
    "nextRenewalDate": "the next renewal date",
    "churnedAt": "the churn date",
    "trialEndDate": "the end of the trial",
}
"""What Vitally takes from a trait that the workspace chooses (API notes on writing, 1.4)."""
TAP_TRAIT = "trait_"
"""Prefix of the columns that the tap adds for custom fields; their values are in traits, too."""
REJECTED = "_rejected"
MOST_COLUMN_SETS = 1000


class MappingError(ValueError):
    """A stream that cannot be written; each of ``problems`` says why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class StreamMapping(Entry):
    """How the rows of a stream are written, from its entry in ``streams`` and its columns.

    ``copy`` if rows are the tap's own. ``lookups`` has the columns of references, ``markers`` those that
    mark deletes. ``of_links`` if each row is one link of a record, so that several rows have the same
    key; ``undo`` if rows reverse an earlier run. ``warnings`` are to be logged once.
    """

    stream: str
    resource: Resource
    copy: bool
    lookups: Mapping[str, Lookups]
    trait_map: str | None
    known: frozenset[str]
    markers: tuple[str, ...]
    of_links: bool = False
    undo: bool = False
    warnings: tuple[str, ...] = ()

    def unmapped(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that the resource does not take."""
        return [
            name
            for name in columns
            if name not in self.known
            and not _is_metadata(name)
            and not (self.copy and (name.startswith(TAP_TRAIT) or name in TAP_ADDED))
            and not (self.deleted == IGNORE and marks_deletes(name))
        ]

    def unread_marks(self, columns: Iterable[str]) -> list[str]:
        """Return columns whose names suggest that they mark deleted rows, unless ``deleted`` is set."""
        if self.deleted:
            return []
        mine = [c for c in columns if c not in self.known and c not in self.markers]
        return [c for c in mine if marks_deletes(c) and c in self.unmapped([c])]

    @cached_property
    def _checked(self) -> Callable[[tuple[str, ...]], tuple[list[str], list[str]]]:
        # Most rows of a stream have the same columns.
        return lru_cache(MOST_COLUMN_SETS)(lambda c: (self.unread_marks(c), self.unmapped(c)))

    def check_columns(self, row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Return the `unread_marks` and the `unmapped` columns of a row."""
        return self._checked(tuple(row))

    @cached_property
    def property_columns(self) -> tuple[tuple[Property, str, bool], ...]:
        """The properties, with their columns, and True for those that a delete needs."""
        keys = {"deleteOn", *self.resource.keys}
        return tuple(
            (self.resource.by_name.get(name) or Property(name, clears=False), column, name in keys)
            for name, column in self.properties.items()
        )

    @cached_property
    def fixed_references(self) -> Mapping[str, tuple[str, str, str]]:
        """References that are the same for all rows: (resource, key, value) by property."""
        return {
            name: (reference.of, by, self.fixed[column])
            for name, reference in self.resource.references.items()
            for column, by in reference.lookups.items()
            if column in self.fixed
        }


def is_copy(entry: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Return True if rows come from tap-vitally: by ``copy``, or by a column that only the tap has.

    ``properties`` are those of the SCHEMA, or a row. The columns id, createdAt and updatedAt prove
    nothing, since any table may have them.
    """
    if entry.get("copy") is not None:
        return bool(entry["copy"])
    id_ = properties.get("id")
    described = isinstance(id_, dict) and id_.get("description") == TAP_ID
    return "properties" not in entry and (UNDECLARED in properties or described)


def _is_metadata(column: str) -> bool:
    name = column.lower()
    return name.startswith(("_sdc_", "__sdc")) or name in {*UNDERSTOOD, REJECTED}


def map_stream(  # noqa: PLR0913 - the stream as it came, and what the settings say of it
    stream: str,
    columns: Iterable[str],
    entry: Mapping[str, Any],
    resource: Resource,
    default_mode: Mode,
    *,
    keys: Sequence[str] = (),
    copy: bool = False,
) -> StreamMapping:
    """Map a stream to its resource; raise `MappingError` with all mistakes at once.

    ``keys`` are the key_properties of its SCHEMA; ``copy`` is True if its rows are the tap's own.
    """
    columns = list(columns)
    said = Entry.read(entry, default_mode)
    mapped, marker = said.columns, said.marker
    wrong = [n for n in said.properties if resource.columns.get(n, "left out") in NOT_WRITTEN]
    found: dict[str, str] = {}
    for column in columns:
        if column not in mapped and (name := _matching(column, resource, copy=copy)):
            found.setdefault(name, column)
    found |= {name: column for name, column in said.properties.items() if name not in wrong}
    stamps = [] if copy else [c for c in columns if camel(c) in STAMPS and c not in mapped]
    usual = (*UNDERSTOOD, *(c for c in columns if c.lower() in UNDERSTOOD), *marker)
    mapping = StreamMapping(
        **{
            **vars(said),
            "stream": stream,
            "resource": resource,
            "copy": copy,
            "properties": {n: c for n, c in found.items() if resource.columns[n] == "property"},
            "lookups": {
                name: lookups
                for name, reference in resource.references.items()
                if (lookups := _lookups(reference, found, copy=copy))
            },
            "trait_map": next(
                (c for n, c in found.items() if resource.columns[n] == "traits"), None
            ),
            "unknown": "fail" if said.unknown == "traits" and not resource.model else said.unknown,
            "all_traits": said.all_traits or resource.name == EVENTS,
            "known": frozenset({*mapped, *said.composite_keys, *found.values(), *stamps, *marker}),
            "markers": tuple(dict.fromkeys(usual)),
        }
    )
    cut, of_links = _cut(mapping, found, keys)
    absent = sorted((mapped | marker) - set(columns)) if columns else []
    problems = []
    if wrong:
        problems.append(
            f"streams.{stream}.properties: {explained(resource, wrong)} cannot be written to "
            f"{resource.name}"
        )
    if absent and mapped.isdisjoint(columns):
        problems.append(
            f"streams.{stream} names columns that it does not have: {', '.join(absent)}"
        )
        absent = []
    problems += [*_problems(mapping, columns), *cut]
    if problems:
        raise MappingError(problems)
    warnings = []
    if absent:
        warnings.append(f"its SCHEMA lacks {', '.join(absent)}: taken for null")
    if stamps:
        warnings.append(f"{', '.join(stamps)}: left out, since Vitally keeps moments of its own")
    return replace(mapping, of_links=of_links, warnings=tuple(warnings))


def _problems(mapping: StreamMapping, columns: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a stream."""
    stream, resource = mapping.stream, mapping.resource
    if mapping.traits and not resource.model:
        yield f"streams.{stream}: {resource.name} have no traits"
    links = (prop for prop in resource.properties if prop.many or prop.kind == "participants")
    if mapping.links == "exact" and not any(links):
        yield f"streams.{stream}.links: {resource.name} have no links to others"
    if marks := mapping.unread_marks(columns):
        yield (
            f"{stream}: {', '.join(marks)} looks like a mark of deleted rows. Say deleted: {marks[0]} "
            f"under streams.{stream} if it is one, or else deleted: {IGNORE}"
        )
    unmapped = [column for column in mapping.unmapped(columns) if column not in marks]
    if unmapped and mapping.unknown == "fail":
        model = "properties" if resource.name == EVENTS else "traits"
        traits = f" or {model}" if resource.model else ""
        maps = traits.replace("properties", "event_properties")
        copied = ", or copy: true if these are rows of tap-vitally"
        yield (
            f"{stream}: {explained(resource, unmapped)} of its columns are nothing that {resource.name} "
            f"take. Name them under streams.{stream} (properties{maps}), or set unknown there to "
            f"ignore{traits}{copied if {*STAMPS, 'id'} <= set(columns) else ''}"
        )


def _cut(
    mapping: StreamMapping, found: Mapping[str, str], keys: Sequence[str]
) -> tuple[list[str], bool]:
    """Check that rows with different keys are not written to one record.

    A key may consist of the columns of the record's key, of the ids in its address, and of links: rows
    that differ in links alone are merged. Return the mistakes, and True if each row is one link.
    """
    resource = mapping.resource
    usual = (k for k in (resource.key, "id") if k in found)
    by: str = mapping.match or next(usual, None) or ""
    trait = by.removeprefix("trait:")
    column = mapping.traits.get(trait) if trait != by else found.get(by)
    inside: set[str] = set()
    links: set[str] = set()
    for name, lookups in mapping.lookups.items():
        columns = mapping.parts(*(column for _, column in lookups))
        inside |= columns if name in resource.in_path else set()
        links |= columns if resource.references[name].many else set()
    whole = {key for key in keys if not _is_metadata(key)}
    mine = mapping.parts(column) if column else inside
    rest = whole - mine - inside
    if not rest or mine.isdisjoint(whole) or rest <= links:
        return [], bool(rest and not mine.isdisjoint(whole))
    order = ", ".join(key for key in keys if key in whole)
    into = f"properties: {{{by}: [{order}]}}" if trait == by else f"traits: {{{trait}: [{order}]}}"
    reported = (
        f"{mapping.stream}: its key is {order}, and {', '.join(sorted(mine))} alone would make one of "
        f"several of its rows. Make one key of them, under streams.{mapping.stream}: {into}"
    )
    return [reported], False


def explained(resource: Resource, unmapped: Iterable[str]) -> str:
    """Return the names of columns that a resource does not take, with a hint where there is one."""
    return ", ".join(f"{c}{_hint(resource, c)}" for c in unmapped)


def _hint(resource: Resource, column: str) -> str:
    name = next((n for n in (column, camel(column)) if n in resource.columns), "")
    if name in FED:
        return f" (set the trait that feeds {FED[name]} in your workspace)"
    for ref in resource.references.values():
        if ref.embedded == name and ref.lookups and name:
            return f" (name it by {next(iter(ref.lookups))})"
    if name:
        return " (Vitally works it out, or keeps it for its app)"
    return near(column, (n for n, kind in resource.columns.items() if kind not in NOT_WRITTEN))


def no_key(mapping: StreamMapping) -> str:
    """Return a warning if no row of a stream can have a key; else empty."""
    resource, match = mapping.resource, mapping.match or ""
    path = match.removeprefix("trait:")
    if path != match:
        found = path in mapping.traits or mapping.trait_map or mapping.unknown == "traits"
    elif match:
        found = match in mapping.properties
    else:
        keyless = mapping.mode == "create" and not resource.key_needed
        found = (
            keyless
            or resource.key is None
            or not mapping.properties.keys().isdisjoint({resource.key, "id"})
        )
    if found or mapping.copy or mapping.undo:
        return ""
    key = match or resource.key
    return f"none of its columns is the key: name {key} under streams.{mapping.stream}, or match"


def columns_of_row(
    row: Mapping[str, Any], entry: Mapping[str, Any], resource: Resource, *, copy: bool = False
) -> tuple[str, ...]:
    """Return the columns of a row that the resource takes, for a stream whose SCHEMA has no columns.

    Others are left out: they reject the row that has them, and do not end the run.
    """
    said = Entry.read(entry)
    named = said.columns | said.marker
    of_resource = (
        name
        for name in row
        if name not in named and (_matching(name, resource, copy=copy) or camel(name) in STAMPS)
    )
    return (*named, *of_resource)


def _matching(column: str, resource: Resource, *, copy: bool) -> str:
    """Return the property, reference or other column of a resource that has this name; empty if none.

    Properties that the API shows and does not take count in a copy only.
    """
    names = (name for name in (column, camel(column)) if name in resource.columns)
    return next((n for n in names if copy or resource.columns[n] not in NOT_WRITTEN), "")


def _lookups(reference: Property, found: Mapping[str, str], *, copy: bool) -> Lookups:
    """Return the columns that a reference can be looked up by, the most reliable one first."""
    ways = [(by, column) for column, by in reference.lookups.items()]
    ways += [("embedded", reference.embedded)] if copy else []
    return tuple((by, found[name]) for by, name in (*ways, ("id", reference.name)) if name in found)
