"""The types that resources are declared with: properties, references, keys."""

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
    "text", "email", "html", "number", "integer", "boolean", "instant", "date",
    "tags", "ids", "list", "json", "people", "participants", "messages", "fields",
]  # fmt: skip
"""The type of a property, which decides how values are converted and compared."""


@dataclass(frozen=True)
class TraitField:
    """A custom field: its type, and the value of each of its choices by value or label as text."""

    kind: FieldKind
    choices: Mapping[str, Any] = field(default_factory=dict)


Fields = Mapping[str, TraitField]
"""Custom fields by their paths."""


@dataclass(frozen=True)
class Property:
    """One property that Vitally takes, or an id that the address takes (``in_path``).

    ``needed`` on create; ``clears`` if a null empties it; ``fixed`` if only a create takes it;
    ``always`` if every update has to carry it; ``displayed`` is where a record shows it, if
    elsewhere. ``united`` if rows of one key add to it, each an item.

    A reference holds ids, of the resource ``of``. ``lookups`` are the columns that name these records by
    what the warehouse has, and what each of them holds: ``{"accountExternalId": "externalId"}``.
    ``embedded`` is the object that travels with the tap's rows, ``among`` where a record shows all that
    it is linked to, where the property takes only one of them.
    """

    name: str
    kind: Kind = "text"
    needed: bool = False
    clears: bool = True
    fixed: bool = False
    always: bool = False
    displayed: str = ""
    united: bool = False
    of: str = ""
    lookups: Mapping[str, str] = field(default_factory=dict)
    embedded: str = ""
    in_path: bool = False
    among: str = ""

    @property
    def many(self) -> bool:
        """True if it holds the ids of several records."""
        return self.kind == "ids"


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
        """True if Vitally archives a record of it that is deleted."""
        return self.api.variants is ARCHIVED

    @cached_property
    def by_name(self) -> Mapping[str, Property]:
        """The properties of a body by their names."""
        return {prop.name: prop for prop in self.properties if not prop.in_path}

    @cached_property
    def references(self) -> Mapping[str, Property]:
        """The properties that hold ids of other records, by their names."""
        return {prop.name: prop for prop in self.properties if prop.of}

    @cached_property
    def in_path(self) -> frozenset[str]:
        """The names of the ids that its address contains."""
        return frozenset(prop.name for prop in self.properties if prop.in_path)

    @cached_property
    def fixed(self) -> tuple[Property, ...]:
        """The properties that only a create takes."""
        return tuple(prop for prop in self.properties if prop.fixed)

    @cached_property
    def links(self) -> tuple[Property, ...]:
        """The references to several records, or to one of several that a record is linked to."""
        return tuple(prop for prop in self.properties if prop.of and (prop.many or prop.among))

    @cached_property
    def united(self) -> frozenset[str]:
        """The properties whose values are merged if several rows have one key."""
        return frozenset(prop.name for prop in self.properties if prop.many or prop.united)

    @cached_property
    def compared(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The members of a record that comparisons need, keys first; and those that hold linked records."""
        found_by = ("id", *self.keys, "createdAt", "updatedAt", "archivedAt", "traits")
        whole = dict.fromkeys((*found_by, *self.by_name))
        linked = [prop.displayed for prop in self.properties]
        linked += [name.removesuffix("Id") for name in self.by_name if name.endswith("Id")]
        linked += [prop.among for prop in self.properties]
        return tuple(whole), tuple(dict.fromkeys(n for n in linked if n and n not in whole))

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """What each column holds: ``property``, ``reference``, ``traits``, ``embedded`` or ``left out``."""
        found = dict.fromkeys(self.read_only, "left out")
        found |= {prop.embedded: "embedded" for prop in self.properties if prop.embedded}
        found |= dict.fromkeys((*self.by_name, *self.keys), "property")
        for reference in self.references.values():
            found |= dict.fromkeys((reference.name, *reference.lookups), "reference")
        if self.model:
            found["properties" if self.name == "events" else "traits"] = "traits"
        if self.name == "users":
            found["deleteOn"] = "property"
        return found
