"""Links of a record to others: those that are there, those that rows name, and what is neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from target_vitally.mapping.items import difference, unite, with_fields
from target_vitally.mapping.parse_row import Key, ParsedRow, record_keys
from target_vitally.mapping.resource import Property, Record, Resource
from vitally_api.values import key_text

PARTICIPANTS = "participants"
IdsByName = dict[str, list[Any]]


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


def with_present(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    """Add the links and fields that a record has to those that are wanted, so that a PUT takes none away.

    Where a record is linked to several and a PUT takes one, one of them is there already.
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
    """Return the links that a record has and that are not wanted, by their properties."""
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


class ExactLinks:
    """Remembers what the rows of a run name, for streams from which the rest is unlinked.

    Links are kept by every key of their record: rows of one record may come in several batches.
    """

    def __init__(self) -> None:
        self._named: dict[tuple[str, Key], IdsByName] = {}
        self._spared: set[tuple[str, Key | None]] = set()

    def note(self, resource: Resource, parsed: ParsedRow) -> None:
        """Take in what a row names."""
        named = {ref.name: parsed.references.get(ref.name) for ref in resource.links if ref.many}
        links = {**named, PARTICIPANTS: parsed.properties.get(PARTICIPANTS)}
        for key in record_keys(resource, parsed):
            self._add(resource.name, key, links)

    def note_link(self, parsed: ParsedRow) -> None:
        """Take in a row that is a link of a user to an account, and of no stream of users."""
        for user in parsed.references.get("userId") or ():
            links = {"accountIds": parsed.references.get("accountId")}
            self._add(user.resource, Key(user.by, user.value), links)

    def _add(self, resource: str, key: Key, links: Mapping[str, Any]) -> None:
        named = self._named.setdefault((resource, key), {})
        for name, items in links.items():
            if items:
                named.setdefault(name, []).extend(items)

    def spare(self, resource: Resource, key: Key | None) -> None:
        """Unlink nothing from a record if one of its rows cannot be read; from any, if the key cannot."""
        self._spared.add((resource.name, key))

    def is_spared(self, resource: Resource, parsed: ParsedRow, record: Record) -> bool:
        """Return whether links that no row names may have been named by one that cannot be read."""
        keys: set[Key | None] = {None, *_keys(resource, parsed, record)}
        return any((resource.name, key) in self._spared for key in keys)

    def together(self, resource: Resource, parsed: ParsedRow, record: Record) -> ParsedRow:
        """Return a row with all that rows of its record have named so far."""
        named: IdsByName = {}
        for key in sorted(_keys(resource, parsed, record), key=str):
            for name, items in self._named.get((resource.name, key), {}).items():
                named[name] = unite(named.get(name, ()), items)
        people = {PARTICIPANTS: named.pop(PARTICIPANTS)} if PARTICIPANTS in named else {}
        references = {name: tuple(refs) for name, refs in named.items()}
        return replace(
            parsed,
            references={**parsed.references, **references},
            properties={**parsed.properties, **people},
        )


def _keys(resource: Resource, parsed: ParsedRow, record: Record) -> set[Key]:
    return record_keys(resource, parsed) | {
        Key(by, key_text(by, record[by])) for by in resource.keys if record.get(by)
    }
