"""What is declared of a resource: its properties, its references, how its records are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from vitally_api.resources import ARCHIVED, ApiList
from vitally_api.values import FieldKind

Record = dict[str, Any]
"""A row that came in, or a record as Vitally shows it."""

Kind = Literal[
    "text",
    "email",
    "html",
    "number",
    "integer",
    "boolean",
    "instant",
    "date",
    "tags",
    "ids",
    "list",
    "json",
    "people",
    "messages",
]
"""What a property holds, which decides how values are fitted and compared."""


@dataclass(frozen=True)
class TraitField:
    """A custom field: what it holds, and its choices by the texts that stand for them."""

    kind: FieldKind
    choices: Mapping[str, Any] = field(default_factory=dict)


Fields = Mapping[str, TraitField]
"""Custom fields by their paths."""


@dataclass(frozen=True)
class Property:
    """One property that Vitally takes.

    ``needed`` on create; ``clears`` if a null empties it; ``fixed`` if only a create takes it;
    ``always`` if every update has to carry it; ``displayed`` is where a record shows it, if
    elsewhere. ``united`` if rows of one key add to it, each an item.
    """

    name: str
    kind: Kind = "text"
    needed: bool = False
    clears: bool = True
    fixed: bool = False
    always: bool = False
    displayed: str = ""
    united: bool = False


@dataclass(frozen=True)
class LookupColumn:
    """A column that names a record by what the warehouse has: ``accountExternalId``.

    ``many`` if it is named after a list: ``accountExternalIds``.
    """

    column: str
    resource: str
    by: str
    many: bool = False


@dataclass(frozen=True)
class Reference:
    """A property that holds ids of other records, and the ways in which rows may name these.

    ``of`` is the resource whose ids they are. ``embedded`` is the object that travels with the tap's
    rows. ``in_path`` is for an id that belongs into the address, not into the body. ``among`` is where
    a record shows all that it is linked to, where the property takes only one of them.
    """

    name: str
    of: str
    lookups: tuple[LookupColumn, ...] = ()
    embedded: str = ""
    many: bool = False
    in_path: bool = False
    among: str = ""


@dataclass(frozen=True)
class Resource:
    """A kind of record that Vitally takes.

    ``api`` is its list, whose path also takes what is created. ``model`` is the name of its custom
    fields, None where it has no traits; ``fields`` are those, as far as the workspace tells.
    ``one_of`` are groups; a create needs one property of each. ``upserts`` if a second POST with its
    key is an update, as the API notes (writing, 1.3) have it. ``message`` is the type of message that
    carries it to the Analytics API, empty where there is none; ``only_message`` if nothing else does.
    """

    name: str
    api: ApiList
    rank: int
    properties: tuple[Property, ...]
    references: tuple[Reference, ...] = ()
    key: str | None = "externalId"
    keys: tuple[str, ...] = ("id", "externalId")
    key_needed: bool = True
    one_of: tuple[tuple[str, ...], ...] = ()
    model: str | None = None
    upserts: bool = False
    message: str = ""
    only_message: bool = False
    read_only: frozenset[str] = frozenset()
    needs_flag: str = ""
    fields: Fields = field(default_factory=dict)

    @property
    def archives(self) -> bool:
        """Return whether a delete only archives its records."""
        return self.api.variants is ARCHIVED

    @cached_property
    def by_name(self) -> Mapping[str, Property]:
        """The properties by their names."""
        return {prop.name: prop for prop in self.properties}

    @cached_property
    def reference(self) -> Mapping[str, Reference]:
        """The references by the property that they fill."""
        return {ref.name: ref for ref in self.references}

    @cached_property
    def fixed(self) -> tuple[Property, ...]:
        """The properties that only a create takes."""
        return tuple(prop for prop in self.properties if prop.fixed)

    @cached_property
    def links(self) -> tuple[Reference, ...]:
        """The references that are one of several links, or hold several."""
        return tuple(ref for ref in self.references if ref.many or ref.among)

    @cached_property
    def united(self) -> frozenset[str]:
        """The properties that several rows of one key say together, one part each."""
        return frozenset(
            {ref.name for ref in self.references if ref.many}
            | {prop.name for prop in self.properties if prop.united}
        )

    @cached_property
    def compared(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The members of a record that may be compared, first what finds it, and those that link others."""
        whole = dict.fromkeys(("id", *self.keys, "createdAt", "updatedAt", "archivedAt", "traits"))
        whole |= self.by_name
        linked = {prop.displayed: None for prop in self.properties if prop.displayed}
        ids = (name.removesuffix("Id") for name in self.by_name if name.endswith("Id"))
        linked |= dict.fromkeys(ids)
        linked |= {ref.among: None for ref in self.references if ref.among}
        return tuple(whole), tuple(name for name in linked if name not in whole)

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Every name that a column may have, and what it is: property, way, left out, traits."""
        found = dict.fromkeys(self.read_only, "left out")
        for reference in self.references:
            if reference.embedded:
                found[reference.embedded] = "embedded"
        found |= {prop.name: "property" for prop in self.properties}
        found |= dict.fromkeys(self.keys, "property")
        for reference in self.references:
            found[reference.name] = "reference"
            found |= {lookup.column: "reference" for lookup in reference.lookups}
        if self.model:
            found["properties" if self.name == "events" else "traits"] = "traits"
        if self.name == "users":
            found["deleteOn"] = "property"
        return found
