"""What of a row a record does not say yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.mapping.traits import same_trait
from target_vitally.mapping.values import same

SCALARS = frozenset({str, int, bool, Decimal})
Changes = dict[str, tuple[Any, Any]]
"""By property or ``traits.<path>``: what the record says, and what the row does."""


def displayed(prop: Property, record: Mapping[str, Any]) -> Any:
    """Return what a record says of a property, which may stand elsewhere in it."""
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
    """Return what a record shows of what was written into it."""
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
    """Return the properties and traits in which a record differs from what a row says."""
    found: Changes = {}
    properties = resource.by_name
    for name, wanted in body.items():
        if _is_equal(wanted, record.get(name)):
            continue
        prop = properties.get(name)
        if prop is None or prop.fixed:
            continue
        present = displayed(prop, record)
        if not (_is_equal(wanted, present) or same(prop.kind, wanted, present)):
            found[name] = (present, wanted)
    held = record.get("traits")
    if not isinstance(held, dict):
        held = {}
    fields = resource.fields
    for path, wanted in traits.items():
        present = held.get(path)
        if not (_is_equal(wanted, present) or same_trait(fields.get(path), wanted, present)):
            found[f"traits.{path}"] = (present, wanted)
    return found


def has_links(resource: Resource, ids: Mapping[str, Sequence[str]], record: Record) -> bool:
    """Return whether a record is linked to all of these, by property."""
    for name, linked in ids.items():
        there = displayed(resource.by_name[name], record)
        if there is None or not {*linked} <= ({*there} if isinstance(there, list) else {there}):
            return False
    return True


def _is_equal(wanted: Any, present: Any) -> bool:
    """Return whether two scalars are one value: nearly all of an unchanged row, 10 µs for the rest."""
    kind = wanted.__class__
    return kind is present.__class__ and kind in SCALARS and bool(wanted == present)


def unchangeable(resource: Resource, body: Mapping[str, Any], record: Record) -> list[str]:
    """Name what only a create takes and a row says otherwise, as far as the record shows it."""
    found = []
    for prop in resource.fixed:
        wanted = body.get(prop.name)
        if wanted is None:
            continue
        present = displayed(prop, record)
        there = present is not None or prop.name in record
        if there and not (_is_equal(wanted, present) or same(prop.kind, wanted, present)):
            found.append(prop.name)
    return found
