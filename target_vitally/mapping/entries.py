"""The setting ``streams``: how its entries are written, and what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from target_vitally.mapping.resource import Resource

Mode = Literal["upsert", "create", "update", "delete"]
Unknown = Literal["fail", "ignore", "traits", "properties"]
Channel = Literal["rest", "bulk", "auto"]
ENTRY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "resource": {"type": "string"},
        "mode": {"type": "string", "enum": list(get_args(Mode))},
        "match": {"type": "string"},
        "properties": {
            "type": "object",
            "additionalProperties": {
                "type": ["string", "array"],
                "items": {"type": "string"},
                "minItems": 1,
            },
        },
        "traits": {"type": ["object", "string"]},
        "unknown": {"type": "string", "enum": list(get_args(Unknown))},
        "custom_object": {"type": "string"},
        "links": {"type": "string", "enum": ["add", "exact"]},
        "deleted": {"type": "string"},
        "copy": {"type": "boolean"},
        "first_push": {"type": "boolean"},
        "channel": {"type": "string", "enum": list(get_args(Channel))},
        "event": {"type": "string"},
        "event_properties": {"type": "object"},
    },
}
"""The JSON schema of an entry, which the SDK checks; `problems_with` finds what it cannot say."""
EVENTS = "events"
"""The resource whose rows are no records, so that they have properties of any name in place of traits."""
LIKE = 0.75
"""How much two names have in common, of 1, for one to be taken for a misspelling of the other."""
STREAM = "undo-"
"""Prefix of the streams of an undo file; the name of the resource follows."""
IGNORE = "ignore"
"""The value of ``deleted`` for a stream in which no column marks deletes."""


def camel(column: str) -> str:
    """Write a column's name as Vitally writes names: ``external_id`` is ``externalId``."""
    head, *rest = [part for part in re.split(r"[_\s]+", column.strip()) if part] or [""]
    if not rest and head.isupper():
        return head.lower()
    head = head.lower() if head.isupper() else head[:1].lower() + head[1:]
    return head + "".join(part[:1].upper() + part[1:].lower() for part in rest)


def resource_named(stream: str, resources: Mapping[str, Resource], ignored: Iterable[str]) -> str:
    """Return the resource that a stream has the name of, also behind a hyphen; empty if there is none.

    For a stream of the tap that is ignored, return its own name.
    """
    name = stream.rpartition("-")[2]
    for candidate in (stream, name, stream.replace("-", "_"), _snake(name)):
        if candidate in resources or candidate in set(ignored):
            return candidate
    return ""


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def without_names_of_events(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry with ``event_properties`` renamed to ``traits``, which are read in the same way."""
    made = {name: value for name, value in entry.items() if name != "event_properties"}
    if "event_properties" in entry:
        made["traits"] = entry["event_properties"]
    return made | ({"unknown": "traits"} if entry.get("unknown") == "properties" else {})


def near(name: str, among: Iterable[str]) -> str:
    """Return `` (is it NAME?)`` for a misspelt name, with a similar known one; empty if none is."""
    spelled = {_spelling(each, tail=tail): each for each in among for tail in (True, False)}
    for given in (_spelling(name), _spelling(name, tail=True)):
        for like in difflib.get_close_matches(given, spelled, n=1, cutoff=LIKE):
            return f" (is it {spelled[like]}?)" if spelled[like] != name else ""
    return ""


def _spelling(name: str, *, tail: bool = False) -> str:
    """Return a name in a form that is equal for snake_case, camelCase and capitals.

    ``tail`` drops the schema in front of a table's name.
    """
    return camel(name.rpartition("-")[2] if tail else name).lower()


def not_come(entries: Iterable[str], come: Iterable[str]) -> list[str]:
    """Return a warning for each stream in the setting ``streams`` that had no SCHEMA in the input."""
    streams = list(come)
    if streams and all(stream.startswith(STREAM) for stream in streams):
        return []  # an undo file, which goes by no entry
    return [
        f"streams.{stream}: no SCHEMA of it has come{near(stream, streams)}"
        for stream in entries
        if stream not in streams
    ]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The entry of a stream in the setting ``streams``.

    ``properties`` has the column of each property, ``traits`` that of each trait path. A key of several
    columns has one name there, and ``composite_keys`` has its columns by that name. ``match`` is None if
    each row may have externalId or id; ``fixed`` has values that are the same for all rows; ``channel``
    is empty if the setting ``channel`` applies.
    """

    mode: Mode
    match: str | None
    properties: Mapping[str, str]
    traits: Mapping[str, str]
    composite_keys: Mapping[str, tuple[str, ...]]
    unknown: Unknown
    all_traits: bool
    links: str
    channel: str
    deleted: str | None
    fixed: Mapping[str, str]

    @classmethod
    def read(cls, entry: Mapping[str, Any], default_mode: Mode = "upsert") -> Entry:
        """Read an entry that `problems_with` finds nothing wrong with."""
        said = without_names_of_events(entry)
        properties, traits = said.get("properties") or {}, trait_columns(said.get("traits"))
        lists = [c for c in (*properties.values(), *traits.values()) if isinstance(c, list)]
        fixed = {"customObjectName": said.get("custom_object"), "event": said.get("event")}
        return Entry(
            mode=said.get("mode") or default_mode,
            match=said.get("match"),
            properties={name: _column_name(column) for name, column in properties.items()},
            traits={path: _column_name(column) for path, column in traits.items()},
            composite_keys={_column_name(column): tuple(column) for column in lists},
            unknown=said.get("unknown") or "fail",
            all_traits=said.get("traits") == "all",
            links=said.get("links") or "add",
            channel=said.get("channel") or "",
            deleted=said.get("deleted"),
            fixed={name: str(value) for name, value in fixed.items() if value},
        )

    @property
    def columns(self) -> frozenset[str]:
        """The columns of properties and traits."""
        return self.parts(*self.properties.values(), *self.traits.values())

    @property
    def marker(self) -> frozenset[str]:
        """The column that marks deletes beside the usual ones, if one is named."""
        return frozenset({self.deleted} - {None, IGNORE})  # type: ignore[arg-type]

    def parts(self, *columns: str) -> frozenset[str]:
        """Return columns, with those of a composite key in the place of its name."""
        return frozenset(part for c in columns for part in self.composite_keys.get(c, (c,)))


def trait_columns(configured: Any) -> dict[str, Any]:
    """Return the columns of trait paths; Meltano hands over a path with dots as maps within maps."""
    found: dict[str, Any] = {}
    for name, column in configured.items() if isinstance(configured, dict) else ():
        if isinstance(column, dict):
            found |= {f"{name}.{rest}": to for rest, to in trait_columns(column).items()}
        else:
            found[name] = column
    return found


def _column_name(column: str | list[str]) -> str:
    return column if isinstance(column, str) else " + ".join(column)


def problems_with(streams: Mapping[str, Any], resources: Mapping[str, Resource]) -> list[str]:
    """Find what is wrong with the setting ``streams``, which fits its schema, before any row has come."""
    problems = []
    for stream, entry in streams.items():
        where = f"streams.{stream}"
        if wrong := sorted(entry.keys() - ENTRY["properties"].keys()):
            named = ", ".join(f"{name}{near(name, ENTRY['properties'])}" for name in wrong)
            problems.append(f"{where} has {named}, which it does not take: see the docs")
        name = entry.get("resource", resource_named(stream, resources, ()))
        if "resource" in entry and name not in resources:
            like = near(name, resources)
            problems.append(f"{where}.resource{like} is none of {', '.join(resources)}")
        wrong = [n for n in ("traits", "event_properties") if not _is_map(entry.get(n, {}))]
        if wrong and entry.get("traits") != "all":
            problems += [f"{where}.{name} is no map of names to columns" for name in wrong]
        elif name in resources:
            problems += _wrong_in_events(where, entry, resources[name])
            read = without_names_of_events(entry)
            problems += _wrong_keys(where, read, resources[name])
            problems += _wrong_match(where, read, resources[name])
    return problems


def _is_map(value: Any) -> bool:
    """Return True if trait paths lead to columns, or to the columns that make up a key."""
    return isinstance(value, dict) and all(
        isinstance(column, str)
        or (isinstance(column, list) and column and all(isinstance(part, str) for part in column))
        or _is_map(column)
        for column in value.values()
    )


def _wrong_in_events(where: str, entry: Mapping[str, Any], resource: Resource) -> Iterator[str]:
    """Yield what events alone take, or what they do not."""
    if resource.name != EVENTS:
        for name in ("event", "event_properties"):
            if entry.get(name) is not None:
                yield f"{where}.{name} is for {EVENTS} alone"
        if entry.get("unknown") == "properties":
            yield f"{where}.unknown: properties is for {EVENTS} alone"
        return
    if entry.get("traits") is not None or entry.get("unknown") == "traits":
        yield f"{where}: {EVENTS} have no traits: say event_properties, or unknown: properties"
    if entry.get("mode") not in {None, "create", "upsert"}:
        yield f"{where}.mode: {EVENTS} are only created"
    if not entry.get("event", EVENTS).strip():
        yield f"{where}.event is no name of an event"


def _wrong_keys(where: str, entry: Mapping[str, Any], resource: Resource) -> list[str]:
    """Find properties with several columns that are no key, or hold the keys of several records."""
    columns = {column for ref in resource.references.values() for column in ref.lookups}
    keys = {column for column in {*columns, *resource.keys} if not column.endswith("Ids")} - {"id"}
    keys.add(str(entry.get("match")))
    traits = trait_columns(entry.get("traits")).items()
    columns_of = {**(entry.get("properties") or {}), **{f"trait:{path}": c for path, c in traits}}
    return [
        f"{where}: only a key is made of several columns, and {name.removeprefix('trait:')} is none"
        for name, column in columns_of.items()
        if isinstance(column, list) and name not in keys
    ]


def _wrong_match(where: str, entry: Mapping[str, Any], resource: Resource) -> list[str]:
    match, by_trait = entry.get("match"), resource.key is None
    if match is None or match in resource.keys or (by_trait and match.startswith("trait:")):
        return []
    more = ", trait:<path>" if by_trait else ""
    return [f"{where}.match is none of {', '.join(resource.keys)}{more}"]
