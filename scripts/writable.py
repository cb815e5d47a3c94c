"""The tables of what can be written, from what the target declares of each resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from scripts.dictionary import table
from target_vitally.mapping.entries import EVENTS
from target_vitally.mapping.resource import Kind, Property, Resource
from target_vitally.resources import RESOURCES

KINDS: Final[Mapping[Kind, str]] = {
    "text": "text",
    "email": "e-mail",
    "html": "HTML",
    "number": "number",
    "integer": "whole number",
    "boolean": "boolean",
    "instant": "moment",
    "date": "day",
    "tags": "list of texts",
    "ids": "list of ids",
    "list": "list",
    "json": "text or JSON",
    "people": "people",
    "participants": "people",
    "messages": "messages",
    "fields": "list",
}
NULL: Final = "null, with `nulls: clear`"
MODES: Final = {"delete": "deleted for good", "archive": "archived"}


def writable() -> str:
    """Return a table for each resource: properties, types, what clears them, how they are named."""
    return "\n\n".join(part for resource in RESOURCES.values() for part in _resource(resource))


def _resource(resource: Resource) -> Iterator[str]:
    yield f"## {resource.name}"
    if resource.name == EVENTS:
        yield "Sent through the Analytics API, once; nothing of them is changed or deleted later."
    elif resource.only_message:
        yield "Each row is a link, sent through the Analytics API; one that is marked as deleted unlinks."
    else:
        keys = ", ".join(f"`{key}`" for key in resource.keys)
        yield (
            f"Found by {keys if resource.keys and resource.key else '`id`, or what `match` names'}. A "
            f"record that is deleted is {MODES['archive' if resource.archives else 'delete']}."
            if resource.name != "meeting_transcripts"
            else "Found by their meeting. A transcript can be replaced, not deleted."
        )
    rows = [_row(resource, prop) for prop in resource.by_name.values()]
    rows += [(f"`{ref.name}`", "id", "", _named(ref)) for ref in resource.properties if ref.in_path]
    if resource.model and not resource.only_message:
        rows.append(("`traits`", "map of paths", NULL, "each path alone; others are kept"))
    yield table(("property", "type", "what empties it", "what else"), rows)


def _row(resource: Resource, prop: Property) -> tuple[str, str, str, str]:
    more = []
    if prop.needed:
        more.append("needed to create")
    group = next((group for group in resource.one_of if prop.name in group), ())
    if group:
        others = " or ".join(f"`{name}`" for name in group)
        more.append(f"{others} needed to create")
    if prop.fixed:
        more.append("only a create takes it")
    if prop.of:
        more.append(_named(prop))
    if prop.name in resource.united:
        more.append("added to what is there")
    kind = "id" if prop.of and not prop.many else KINDS[prop.kind]
    clears = "" if resource.only_message else _clears(prop)
    return f"`{prop.name}`", kind, clears, "; ".join(filter(None, more))


def _clears(prop: Property) -> str:
    if prop.kind == "tags":
        return "`[]`"
    return NULL if prop.clears and not prop.needed else ""


def _named(reference: Property) -> str:
    columns = ", ".join(f"`{column}`" for column in reference.lookups)
    return f"also by {columns}" if columns else ""
