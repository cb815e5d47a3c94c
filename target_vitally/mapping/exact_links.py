"""What the rows of a run name, for streams whose links are exact: what none of them names is unlinked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from target_vitally.mapping.links import PARTICIPANTS, unite
from target_vitally.mapping.parse_row import Key, ParsedRow, record_keys
from target_vitally.mapping.resource import Record, Resource
from vitally_api.values import key_text

IdsByName = dict[str, list[Any]]


class ExactLinks:
    """Remembers links by every key of their record: rows of one record may come in several batches."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, Key], IdsByName] = {}
        self._spared: set[tuple[str, Key | None]] = set()

    def note(self, resource: Resource, parsed: ParsedRow) -> None:
        """Take in what a row names."""
        for key in record_keys(resource, parsed):
            self._add(self._named.setdefault((resource.name, key), {}), _links(resource, parsed))

    def note_link(self, parsed: ParsedRow) -> None:
        """Take in a row that is a link of a user to an account, and of no stream of users."""
        accounts = parsed.references.get("accountId")
        for user in parsed.references.get("userId") or ():
            named = self._named.setdefault((user.resource, Key(user.by, user.value)), {})
            self._add(named, {"accountIds": list(accounts or ())})

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
            self._add(named, self._named.get((resource.name, key), {}))
        named = {name: unite(items, ()) for name, items in named.items()}
        people = {n: v for n, v in named.items() if n == PARTICIPANTS}
        references = {n: tuple(v) for n, v in named.items() if n != PARTICIPANTS}
        return replace(
            parsed,
            references={**parsed.references, **references},
            people={**parsed.people, **people},
        )

    @staticmethod
    def _add(to: IdsByName, links: IdsByName) -> None:
        for name, items in links.items():
            to.setdefault(name, []).extend(items)


def _keys(resource: Resource, parsed: ParsedRow, record: Record) -> set[Key]:
    return record_keys(resource, parsed) | {
        Key(by, key_text(by, record[by])) for by in resource.keys if record.get(by)
    }


def _links(resource: Resource, parsed: ParsedRow) -> IdsByName:
    found: IdsByName = {
        ref.name: list(parsed.references.get(ref.name) or ())
        for ref in resource.references
        if ref.many
    }
    if PARTICIPANTS in parsed.people:
        found[PARTICIPANTS] = parsed.people[PARTICIPANTS]
    return {name: items for name, items in found.items() if items}
