"""What a stream means: which resource it fills, in which mode, which column is what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from target_vitally.planning.resource import Reference, Resource, Way

Mode = Literal["upsert", "create", "update", "delete"]
Unknown = Literal["fail", "ignore", "traits"]
MODES: tuple[Mode, ...] = ("upsert", "create", "update", "delete")
UNKNOWN: tuple[Unknown, ...] = ("fail", "ignore", "traits")
ENTRY = (
    "resource", "mode", "match", "properties", "traits", "unknown", "custom_object"
)  # fmt: skip
TAP_MARKS = frozenset({"id", "createdAt", "updatedAt"})
"""Columns that only a copy of Vitally's own records has."""
TAP_TRAIT = "trait_"
"""What the columns begin with that a tap adds for custom fields, whose values are traits, too."""
DELETED, REJECTED = "_deleted", "_rejected"


class Misunderstood(ValueError):
    """A stream that cannot be written; each of ``problems`` says why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Meaning:
    """What the rows of a stream are to Vitally.

    ``properties`` gives the column of a property, ``traits`` that of a trait path; ``ways`` are the
    columns of references. ``match`` is None where each row decides between externalId and id.
    """

    stream: str
    resource: Resource
    mode: Mode
    match: str | None
    properties: Mapping[str, str]
    ways: Mapping[str, tuple[tuple[Way | None, str], ...]]
    traits: Mapping[str, str]
    trait_map: str | None
    unknown: Unknown
    known: frozenset[str]
    copy: bool
    all_traits: bool
    fixed: Mapping[str, str] = field(default_factory=dict)

    def stray(self, columns: Iterable[str]) -> list[str]:
        """Find the columns that are nothing to the resource."""
        return [
            name
            for name in columns
            if name not in self.known
            and not _is_metadata(name)
            and not (self.copy and name.startswith(TAP_TRAIT))
        ]


def _is_metadata(column: str) -> bool:
    return column.startswith(("_sdc_", "__sdc")) or column in {DELETED, REJECTED}


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


def meaning_of(
    stream: str,
    columns: Iterable[str],
    entry: Mapping[str, Any],
    resource: Resource,
    default_mode: Mode,
) -> Meaning:
    """Work out what a stream means; `Misunderstood` is raised with everything that is wrong."""
    columns = list(columns)
    problems: list[str] = []
    named = _named(entry, resource, problems, stream)
    taken = set(named.values())
    configured = entry.get("traits")
    all_traits = configured == "all"
    traits = trait_columns(configured)
    taken |= set(traits.values())
    if traits and not resource.model:
        problems.append(f"streams.{stream}: {resource.name} have no traits")
    found: dict[str, str] = {}
    for column in columns:
        if column not in taken and (name := _matching(column, resource)):
            found.setdefault(name, column)
    found |= named
    known = taken | set(found.values())
    unknown: Unknown = entry.get("unknown") or "fail"
    absent = sorted(taken - set(columns)) if columns else []
    if absent:
        problems.append(
            f"streams.{stream} names columns that it does not have: {', '.join(absent)}"
        )
    copy = "properties" not in entry and columns != [] and set(columns) >= TAP_MARKS
    kinds = resource.columns
    meaning = Meaning(
        stream=stream,
        resource=resource,
        mode=entry.get("mode") or default_mode,
        match=entry.get("match"),
        properties={n: c for n, c in found.items() if kinds[n] == "property"},
        ways={
            ref.name: ways for ref in resource.references if (ways := _ways(ref, found, copy=copy))
        },
        traits=traits,
        trait_map=found.get("traits"),
        unknown=unknown,
        known=frozenset(known),
        copy=copy,
        all_traits=all_traits,
        fixed={"customObjectName": str(entry["custom_object"])}
        if entry.get("custom_object")
        else {},
    )
    stray = meaning.stray(columns)
    if stray and unknown == "fail":
        problems.append(
            f"{stream}: {', '.join(stray)} of its columns are nothing that {resource.name} take. Name "
            f"them under streams.{stream} (properties or traits), or set unknown there to ignore or "
            "traits"
        )
    if problems:
        raise Misunderstood(problems)
    return meaning


def columns_of_row(
    row: Mapping[str, Any], entry: Mapping[str, Any], resource: Resource
) -> tuple[str, ...]:
    """Name the columns that stand for something, where the SCHEMA of a stream names none.

    What is nothing to the resource is left out: the row is rejected for it, and not the run.
    """
    named = [
        *(entry.get("properties") or {}).values(),
        *trait_columns(entry.get("traits")).values(),
    ]
    return (*named, *(name for name in row if name not in named and _matching(name, resource)))


def trait_columns(configured: Any) -> dict[str, str]:
    """Read the columns of trait paths; Meltano hands over a path with dots as maps within maps."""
    found: dict[str, str] = {}
    for name, column in configured.items() if isinstance(configured, dict) else ():
        if isinstance(column, dict):
            found |= {f"{name}.{rest}": to for rest, to in trait_columns(column).items()}
        else:
            found[str(name)] = str(column)
    return found


def _named(
    entry: Mapping[str, Any], resource: Resource, problems: list[str], stream: str
) -> dict[str, str]:
    """Read ``properties``: property to column."""
    named = {str(k): str(v) for k, v in (entry.get("properties") or {}).items()}
    wrong = [name for name in named if resource.columns.get(name, "left out") == "left out"]
    if wrong:
        problems.append(
            f"streams.{stream}.properties: {', '.join(wrong)} cannot be written to {resource.name}"
        )
    return {name: column for name, column in named.items() if name not in wrong}


def _matching(column: str, resource: Resource) -> str:
    """Find what a column is by its name."""
    return next((name for name in (column, camel(column)) if name in resource.columns), "")


def _ways(
    reference: Reference, found: Mapping[str, str], *, copy: bool
) -> tuple[tuple[Way | None, str], ...]:
    """Say which columns name the records that a reference holds, the surest first.

    A way is None for the column that has Vitally's own ids.
    """
    ways: list[tuple[Way | None, str]] = [
        (way, found[way.column]) for way in reference.ways if way.column in found
    ]
    if copy and reference.embedded in found:
        ways.append((Way("", reference.of, "embedded"), found[reference.embedded]))
    if reference.name in found:
        ways.append((None, found[reference.name]))
    return tuple(ways)


def problems_with(streams: Mapping[str, Any], resources: Mapping[str, Resource]) -> list[str]:
    """Find what is wrong with the setting ``streams``, before any row has come."""
    problems = []
    for stream, entry in streams.items():
        where = f"streams.{stream}"
        if not isinstance(entry, dict):
            problems.append(f"{where} is not an object")
            continue
        if wrong := sorted(set(entry) - set(ENTRY)):
            problems.append(f"{where} has {', '.join(wrong)}, which it does not take: see the docs")
        resource = entry.get("resource")
        if resource is not None and resource not in resources:
            problems.append(f"{where}.resource is none of {', '.join(resources)}")
        for name, allowed in (("mode", MODES), ("unknown", UNKNOWN)):
            if entry.get(name) is not None and entry[name] not in allowed:
                problems.append(f"{where}.{name} is none of {', '.join(allowed)}")
        problems += _wrong_maps(where, entry)
        problems += _wrong_match(where, entry, resources.get(cast("str", resource)))
    return problems


def _wrong_maps(where: str, entry: Mapping[str, Any]) -> list[str]:
    maps = {name: entry[name] for name in ("properties", "traits") if entry.get(name) is not None}
    if maps.get("traits") == "all":
        del maps["traits"]
    return [
        f"{where}.{name} is no map of names to columns"
        for name, value in maps.items()
        if not _is_map(value, nested=name == "traits")
    ]


def _is_map(value: Any, *, nested: bool) -> bool:
    return isinstance(value, dict) and all(
        isinstance(column, str) or (nested and _is_map(column, nested=True))
        for column in value.values()
    )


def _wrong_match(where: str, entry: Mapping[str, Any], resource: Resource | None) -> list[str]:
    match = entry.get("match")
    if match is None or resource is None or match in resource.keys:
        return []
    if resource.key is None and str(match).startswith("trait:"):
        return []
    more = ", trait:<path>" if resource.key is None else ""
    return [f"{where}.match is none of {', '.join(resource.keys)}{more}"]
