"""Compare the links that a record has with those that rows name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target_vitally.mapping.items import difference, with_fields
from target_vitally.mapping.resource import Property, Record, Resource

PARTICIPANTS = "participants"


def displayed(prop: Property, record: Mapping[str, Any]) -> Any:
    """Return the value of a property in a record, which may have it under another name."""
    if prop.displayed:
        value = record.get(prop.displayed)
        if isinstance(value, list):
            return [item.get("id") for item in value if isinstance(item, dict)]
    value = record.get(prop.name)
    if value is None and prop.name.endswith("Id"):
        inner = record.get(prop.name.removesuffix("Id"))
        return inner.get("id") if isinstance(inner, dict) else None
    return value


def with_present(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    """Add the links and fields that a record already has, so that a PUT does not remove them.

    If a PUT takes one link and the record has several, a link that it has already is not sent as new.
    """
    made = dict(body)
    for name, there in _gone(resource, body, record).items():
        made[name] = [*there, *body[name]]
    for ref in resource.links:
        linked = record.get(ref.among) or ()
        if any(isinstance(item, dict) and item.get("id") == body.get(ref.name) for item in linked):
            made[ref.name] = displayed(ref, record) or body[ref.name]
    for name, prop in resource.by_name.items():
        if prop.kind == "fields" and body.get(name):
            made[name] = with_fields(body[name], record.get(name))
    return made


def unlinked(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    """Return the links of a record that ``body`` does not name, by property."""
    return {name: gone for name, gone in _gone(resource, body, record).items() if gone}


def _gone(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    found: Record = {}
    for ref in resource.links:
        if ref.many and body.get(ref.name) is not None:
            wanted = set(body[ref.name])
            found[ref.name] = [id_ for id_ in displayed(ref, record) or () if id_ not in wanted]
    if body.get(PARTICIPANTS) is not None:
        found[PARTICIPANTS] = difference(body[PARTICIPANTS], record.get(PARTICIPANTS))[1]
    return found
