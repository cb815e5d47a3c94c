"""The setting ``streams``: how its entries are written, and what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, cast

from target_vitally.mapping.resource import Resource

Mode = Literal["upsert", "create", "update", "delete"]
Unknown = Literal["fail", "ignore", "traits", "properties"]
Channel = Literal["rest", "bulk", "auto"]
MODES: tuple[Mode, ...] = ("upsert", "create", "update", "delete")
UNKNOWN: tuple[Unknown, ...] = ("fail", "ignore", "traits", "properties")
CHANNELS: tuple[Channel, ...] = ("rest", "bulk", "auto")
LINKS = ("add", "exact")
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "mode": MODES,
    "unknown": UNKNOWN,
    "links": LINKS,
    "channel": CHANNELS,
}
ENTRY = (
    "resource", "mode", "match", "properties", "traits", "unknown", "custom_object",
    "links", "deleted", "copy", "first_push", "channel", "event", "event_properties",
)  # fmt: skip
EVENTS = "events"
"""The resource whose rows are no records, so that they have properties of any name in place of traits."""
LIKE = 0.75
"""How much two names have in common, of 1, for one to be taken for a misspelling of the other."""
STREAM = "undo-"
"""What the names of streams begin with that take a run back; the resource's name follows."""
IGNORE = "ignore"
"""What ``deleted`` is for a stream in which no column marks deletes."""


def camel(column: str) -> str:
    """Write a column's name as Vitally writes names: ``external_id`` is ``externalId``."""
    head, *rest = [part for part in re.split(r"[_\s]+", column.strip()) if part] or [""]
    if not rest and head.isupper():
        return head.lower()
    head = head.lower() if head.isupper() else head[:1].lower() + head[1:]
    return head + "".join(part[:1].upper() + part[1:].lower() for part in rest)


def resource_named(stream: str, resources: Mapping[str, Resource], ignored: Iterable[str]) -> str:
    """Find the resource whose name a stream has, or ends in after a hyphen; empty if there is none.

    A stream of the tap that nothing takes is its own name.
    """
    name = stream.rpartition("-")[2]
    for candidate in (stream, name, stream.replace("-", "_"), _snake(name)):
        if candidate in resources or candidate in set(ignored):
            return candidate
    return ""


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def without_names_of_events(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry in which the properties of events are called traits, which they are like."""
    made = {name: value for name, value in entry.items() if name != "event_properties"}
    if "event_properties" in entry:
        made["traits"] = entry["event_properties"]
    return made | ({"unknown": "traits"} if entry.get("unknown") == "properties" else {})


def near(name: str, among: Iterable[str]) -> str:
    """Return words to put behind a misspelt name: which of some it may be, nothing where none is like it."""
    spelled = {_spelling(each, tail=tail): each for each in among for tail in (True, False)}
    for given in (_spelling(name), _spelling(name, tail=True)):
        for like in difflib.get_close_matches(given, spelled, n=1, cutoff=LIKE):
            return f" (is it {spelled[like]}?)" if spelled[like] != name else ""
    return ""


def _spelling(name: str, *, tail: bool = False) -> str:
    """Return a name without what tells spellings apart; ``tail`` leaves out the schema of a table."""
    return camel(name.rpartition("-")[2] if tail else name).lower()


def not_come(entries: Iterable[str], come: Iterable[str]) -> list[str]:
    """Say which streams have an entry, and no SCHEMA in the input."""
    streams = list(come)
    if streams and all(stream.startswith(STREAM) for stream in streams):
        return []  # an undo file, which goes by no entry
    return [
        f"streams.{stream}: no SCHEMA of it has come{near(stream, streams)}"
        for stream in entries
        if stream not in streams
    ]


def trait_columns(configured: Any) -> dict[str, str]:
    """Read the columns of trait paths; Meltano hands over a path with dots as maps within maps."""
    found: dict[str, str] = {}
    for name, column in configured.items() if isinstance(configured, dict) else ():
        if isinstance(column, dict):
            found |= {f"{name}.{rest}": to for rest, to in trait_columns(column).items()}
        else:
            found[str(name)] = column_name(column)
    return found


def column_name(column: Any) -> str:
    """Return the name that stands for a column, or for several that make one key."""
    return " + ".join(map(str, column)) if isinstance(column, list) else str(column)


def composite_columns(entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the columns that make one key, by the name that stands for them."""
    lists = [
        value
        for name in ("properties", "traits")
        if isinstance(entry.get(name), dict)
        for value in _leaves(entry[name])
        if isinstance(value, list)
    ]
    return {column_name(value): tuple(map(str, value)) for value in lists}


def marker_of(entry: Mapping[str, Any]) -> set[str]:
    """Return the column that marks deletes beside the usual ones, if one is named."""
    named = entry.get("deleted")
    return {str(named)} if named not in {None, IGNORE} else set()


def _leaves(value: Any) -> Iterator[Any]:
    for each in value.values():
        if isinstance(each, dict):
            yield from _leaves(each)
        else:
            yield each


def parts(composite_keys: Mapping[str, tuple[str, ...]], *columns: str) -> set[str]:
    """Return columns, each that stands for several as these."""
    return {part for column in columns for part in composite_keys.get(column, (column,))}


def problems_with(streams: Mapping[str, Any], resources: Mapping[str, Resource]) -> list[str]:
    """Find what is wrong with the setting ``streams``, before any row has come."""
    problems = []
    for stream, entry in streams.items():
        where = f"streams.{stream}"
        if not isinstance(entry, dict):
            problems.append(f"{where} is not an object")
            continue
        if wrong := sorted(set(entry) - set(ENTRY)):
            named = ", ".join(f"{name}{near(name, ENTRY)}" for name in wrong)
            problems.append(f"{where} has {named}, which it does not take: see the docs")
        resource = entry.get("resource")
        if resource is not None and resource not in resources:
            like = near(str(resource), resources)
            problems.append(f"{where}.resource{like} is none of {', '.join(resources)}")
        for name, allowed in ALLOWED.items():
            if entry.get(name) is not None and entry[name] not in allowed:
                problems.append(f"{where}.{name} is none of {', '.join(allowed)}")
        problems += [
            f"{where}.{name} is neither true nor false"
            for name in ("copy", "first_push")
            if not isinstance(entry.get(name), bool | None)
        ]
        if not isinstance(entry.get("deleted"), str | None):
            problems.append(f"{where}.deleted is neither a column nor {IGNORE}")
        known = resources.get(cast("str", resource or resource_named(stream, resources, ())))
        problems += _wrong_in_events(where, entry, known)
        read = without_names_of_events(entry)
        problems += _wrong_maps(where, entry) or _wrong_keys(where, read, known)
        problems += _wrong_match(where, read, known)
    return problems


def _wrong_in_events(
    where: str, entry: Mapping[str, Any], resource: Resource | None
) -> Iterator[str]:
    """Yield what events alone take, or what they do not."""
    is_events = resource is not None and resource.name == EVENTS
    names = ("event", "event_properties")
    for name in names if resource is not None and not is_events else ():
        if entry.get(name) is not None:
            yield f"{where}.{name} is for {EVENTS} alone"
    if resource is not None and not is_events and entry.get("unknown") == "properties":
        yield f"{where}.unknown: properties is for {EVENTS} alone"
    if not is_events:
        return
    if entry.get("traits") is not None or entry.get("unknown") == "traits":
        yield f"{where}: {EVENTS} have no traits: say event_properties, or unknown: properties"
    if entry.get("mode") not in {None, "create", "upsert"}:
        yield f"{where}.mode: {EVENTS} are only created"
    if entry.get("event") is not None and not (
        isinstance(entry["event"], str) and entry["event"].strip()
    ):
        yield f"{where}.event is no name of an event"


def _wrong_maps(where: str, entry: Mapping[str, Any]) -> list[str]:
    names = ("properties", "traits", "event_properties")
    maps = {name: entry[name] for name in names if entry.get(name) is not None}
    if maps.get("traits") == "all":
        del maps["traits"]
    return [
        f"{where}.{name} is no map of names to columns"
        for name, value in maps.items()
        if not _is_map(value, nested=name != "properties")
    ]


def _wrong_keys(where: str, entry: Mapping[str, Any], resource: Resource | None) -> list[str]:
    """Find several columns for what is no key; a list of records may hold several keys in one column."""
    if resource is None:
        return []
    lookups = {lookup.column for ref in resource.references for lookup in ref.lookups}
    lists = {lookup.column for ref in resource.references for lookup in ref.lookups if lookup.many}
    keys = {*lookups, *resource.keys} - {"id", *lists}
    match = str(entry.get("match")).removeprefix("trait:")
    properties = entry.get("properties") or {}
    wrong = [n for n, c in properties.items() if isinstance(c, list) and n not in keys]
    composite_keys = composite_columns({"traits": entry.get("traits")})
    wrong += [
        p
        for p, c in trait_columns(entry.get("traits")).items()
        if c in composite_keys and p != match
    ]
    return [f"{where}: only a key is made of several columns, and {name} is none" for name in wrong]


def _is_map(value: Any, *, nested: bool) -> bool:
    return isinstance(value, dict) and all(
        _is_column(column) or (nested and _is_map(column, nested=True)) for column in value.values()
    )


def _is_column(value: Any) -> bool:
    several = isinstance(value, list) and len(value) > 0
    return isinstance(value, str) or (several and all(isinstance(part, str) for part in value))


def _wrong_match(where: str, entry: Mapping[str, Any], resource: Resource | None) -> list[str]:
    match = entry.get("match")
    if match is None or resource is None or match in resource.keys:
        return []
    if resource.key is None and str(match).startswith("trait:"):
        return []
    more = ", trait:<path>" if resource.key is None else ""
    return [f"{where}.match is none of {', '.join(resource.keys)}{more}"]
