"""Remember all links that rows name, for ``links: exact``, which removes the other links of a record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from target_vitally.lookup.store import Store
from target_vitally.mapping.items import unite
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef, record_keys
from target_vitally.mapping.resource import Record, Resource
from vitally_api import decoded_or_none, encoded
from vitally_api.values import key_text


class ExactLinks:
    """Remembers the links that rows name, in the `Store`, by every key of their records.

    Rows of one record may come in several batches, and go by several keys.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scope = store.new_scope()
        self._spared: set[tuple[str, Key | None]] = set()

    def note(self, resource: Resource, parsed: ParsedRow) -> None:
        """Remember the links that a row names."""
        named = {ref.name: parsed.references.get(ref.name) for ref in resource.links if ref.many}
        links = {**named, PARTICIPANTS: parsed.properties.get(PARTICIPANTS)}
        self._add(resource.name, record_keys(resource, parsed), links)

    def note_link(self, parsed: ParsedRow) -> None:
        """Remember a row of user_accounts, which is itself a link of a user to an account."""
        links = {"accountIds": parsed.references.get("accountId")}
        for user in parsed.references.get("userId") or ():
            self._add(user.resource, [Key(user.by, user.value)], links)

    def _add(self, resource: str, keys: Collection[Key], links: Mapping[str, Any]) -> None:
        named = {name: items for name, items in links.items() if items}
        if named:
            places = [(self._scope, resource, key) for key in keys]
            self._store.add(self._scope, [(encoded((list(keys), named)), places)])

    def spare(self, resource: Resource, key: Key | None) -> None:
        """Keep all links of the record of a rejected row; of all records if that row has no valid key."""
        self._spared.add((resource.name, key))

    def is_spared(self, resource: Resource, parsed: ParsedRow, record: Record) -> bool:
        """Return True if a record must keep its links, since a rejected row may have named them."""
        keys: set[Key | None] = {None, *_keys(resource, parsed, record)}
        return any((resource.name, key) in self._spared for key in keys)

    def together(self, resource: Resource, parsed: ParsedRow, record: Record) -> ParsedRow:
        """Return a row with the links of all rows of its record so far."""
        keys = _keys(resource, parsed, record)
        noted = {
            n: raw for k in keys for n, raw in self._store.find((self._scope, resource.name, k))
        }
        named: dict[str, list[Any]] = {}
        for number in sorted(noted):  # in the order of the rows
            known_by, links = decoded_or_none(noted[number])
            for name, items in links.items() if any(Key(*k) in keys for k in known_by) else ():
                named[name] = unite(named.get(name, ()), items)
        people = {PARTICIPANTS: named.pop(PARTICIPANTS)} if PARTICIPANTS in named else {}
        references = {name: tuple(RecordRef(*ref) for ref in refs) for name, refs in named.items()}
        return replace(
            parsed,
            references={**parsed.references, **references},
            properties={**parsed.properties, **people},
        )


def _keys(resource: Resource, parsed: ParsedRow, record: Record) -> set[Key]:
    return record_keys(resource, parsed) | {
        Key(by, key_text(by, record[by])) for by in resource.keys if record.get(by)
    }
