"""The setting ``streams``: how its entries are written, and what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
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
        "event": {"type": "string", "pattern": r"\S"},
        "event_properties": {"type": "object"},
    },
}
"""The JSON schema of an entry, which the SDK checks; `problems_with` finds what it cannot say."""
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
    """Find what is wrong with the setting ``streams``, which fits its schema, before any row has come."""
    problems = []
    for stream, entry in streams.items():
        where = f"streams.{stream}"
        if wrong := sorted(entry.keys() - ENTRY["properties"].keys()):
            named = ", ".join(f"{name}{near(name, ENTRY['properties'])}" for name in wrong)
            problems.append(f"{where} has {named}, which it does not take: see the docs")
        name = entry.get("resource") or resource_named(stream, resources, ())
        if entry.get("resource") and name not in resources:
            like = near(name, resources)
            problems.append(f"{where}.resource{like} is none of {', '.join(resources)}")
        wrong = [n for n in ("traits", "event_properties") if not _is_map(entry.get(n) or {})]
        if wrong and entry.get("traits") != "all":
            problems += [f"{where}.{name} is no map of names to columns" for name in wrong]
        elif name in resources:
            problems += _wrong_in_events(where, entry, resources[name])
            read = without_names_of_events(entry)
            problems += _wrong_keys(where, read, resources[name])
            problems += _wrong_match(where, read, resources[name])
    return problems


def _is_map(value: Any) -> bool:
    """Return whether trait paths lead to columns, of which several make a key."""
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


def _wrong_keys(where: str, entry: Mapping[str, Any], resource: Resource) -> list[str]:
    """Find several columns for what is no key; a list of records may hold several keys in one column."""
    columns = {column for ref in resource.references.values() for column in ref.lookups}
    keys = {column for column in {*columns, *resource.keys} if not column.endswith("Ids")} - {"id"}
    keys.add(str(entry.get("match")))
    columns_of: dict[str, Any] = dict(entry.get("properties") or {})
    columns_of |= {f"trait:{p}": c for p, c in trait_columns(entry.get("traits")).items()}
    composite = composite_columns(entry)
    return [
        f"{where}: only a key is made of several columns, and {name.removeprefix('trait:')} is none"
        for name, column in columns_of.items()
        if name not in keys and column_name(column) in composite
    ]


def _wrong_match(where: str, entry: Mapping[str, Any], resource: Resource) -> list[str]:
    match, by_trait = entry.get("match"), resource.key is None
    if match is None or match in resource.keys or (by_trait and match.startswith("trait:")):
        return []
    more = ", trait:<path>" if by_trait else ""
    return [f"{where}.match is none of {', '.join(resource.keys)}{more}"]
