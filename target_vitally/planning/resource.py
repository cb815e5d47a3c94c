"""What is declared of a resource: its properties, its references, how its records are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

Record = dict[str, Any]
"""A row that came in, or a record as Vitally shows it."""

Kind = Literal[
    "text",
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
]
"""What a property holds, which decides how values are fitted and compared."""


@dataclass(frozen=True)
class Property:
    """One property that Vitally takes.

    ``needed`` on create; ``clears`` if a null empties it; ``fixed`` if only a create takes it;
    ``always`` if every update has to carry it; ``shown`` is where a record shows it, if elsewhere,
    and ``hidden`` that no record shows it.
    """

    name: str
    kind: Kind = "text"
    needed: bool = False
    clears: bool = True
    fixed: bool = False
    always: bool = False
    shown: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Way:
    """A column that names a record by what the warehouse has: ``accountExternalId``."""

    column: str
    resource: str
    by: str


@dataclass(frozen=True)
class Reference:
    """A property that holds ids of other records, and the ways in which rows may name these.

    ``of`` is the resource whose ids they are. ``embedded`` is the object that travels with the tap's
    rows. ``in_path`` is for an id that belongs into the address, not into the body.
    """

    name: str
    of: str
    ways: tuple[Way, ...] = ()
    embedded: str = ""
    many: bool = False
    in_path: bool = False


@dataclass(frozen=True)
class Resource:
    """A kind of record that Vitally takes.

    ``single`` tells for ``id`` and for each key how one record is read: by its ``path``, by a
    ``search``, or (absent) only out of the list. ``model`` is the name of its custom fields, None
    where it has no traits. ``one_of`` are groups of which a create needs one property. ``lists`` are
    the queries of its lists; a workspace may refuse those after the first.
    """

    name: str
    path: str
    rank: int
    properties: tuple[Property, ...]
    references: tuple[Reference, ...] = ()
    key: str | None = "externalId"
    keys: tuple[str, ...] = ("id", "externalId")
    key_needed: bool = True
    single: Mapping[str, Literal["path", "search"]] = field(default_factory=dict)
    one_of: tuple[tuple[str, ...], ...] = ()
    model: str | None = None
    lists: tuple[Mapping[str, str], ...] = (MappingProxyType({}),)
    archives: bool = False
    read_only: frozenset[str] = frozenset()
    door: str = "record"
    needs_flag: str = ""

    @cached_property
    def by_name(self) -> Mapping[str, Property]:
        """The properties by their names."""
        return {prop.name: prop for prop in self.properties}

    @cached_property
    def reference(self) -> Mapping[str, Reference]:
        """The references by the property that they fill."""
        return {ref.name: ref for ref in self.references}

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
            found |= {way.column: "reference" for way in reference.ways}
        if self.model:
            found["traits"] = "traits"
        if self.name == "users":
            found["deleteOn"] = "property"
        return found
