"""What of a row a record does not say yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.mapping.traits import same_trait
from target_vitally.mapping.values import same

Changes = dict[str, tuple[Any, Any]]
"""By property or ``traits.<path>``: what the record says, and what the row does."""


def displayed(prop: Property, record: Mapping[str, Any]) -> Any:
    """Find what a record says of a property, which may stand elsewhere in it."""
    if prop.displayed:
        value = record.get(prop.displayed)
        if isinstance(value, list):
            return [item.get("id") for item in value if isinstance(item, dict)]
    value = record.get(prop.name)
    if value is None and prop.name.endswith("Id"):
        inner = record.get(prop.name.removesuffix("Id"))
        return inner.get("id") if isinstance(inner, dict) else None
    return value


def as_displayed(resource: Resource, body: Mapping[str, Any]) -> Record:
    """Say what a record shows of what was written into it."""
    elsewhere = {
        prop.displayed: body[prop.name] for prop in resource.properties if prop.name in body
    }
    linked = {n: [{"id": id_} for id_ in ids or ()] for n, ids in elsewhere.items() if n}
    return {name: value for name, value in body.items() if name != "traits"} | linked


def changes(
    resource: Resource,
    body: Mapping[str, Any],
    traits: Mapping[str, Any],
    record: Mapping[str, Any],
) -> Changes:
    """Find the properties and traits in which a record differs from what a row says."""
    found: Changes = {}
    for name, wanted in body.items():
        prop = resource.by_name.get(name)
        if prop is None or prop.fixed or prop.hidden:
            continue
        present = displayed(prop, record)
        if not same(prop.kind, wanted, present):
            found[name] = (present, wanted)
    has = record.get("traits")
    held: Record = has if isinstance(has, dict) else {}
    for path, wanted in traits.items():
        if not same_trait(resource.fields.get(path), wanted, held.get(path)):
            found[f"traits.{path}"] = (held.get(path), wanted)
    return found


def unchangeable(resource: Resource, body: Mapping[str, Any], record: Record) -> list[str]:
    """Name what only a create takes and a row says otherwise, as far as the record shows it."""
    found = []
    for prop in resource.properties:
        wanted = body.get(prop.name) if prop.fixed else None
        there = prop.name in record or displayed(prop, record) is not None
        if wanted is not None and there and not same(prop.kind, wanted, displayed(prop, record)):
            found.append(prop.name)
    return found
