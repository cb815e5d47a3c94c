"""What the rows of a run name, for streams whose links are exact: what none of them names is unlinked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from target_vitally.planning.fit import Fitted, Key, marks
from target_vitally.planning.links import PARTICIPANTS, unite
from target_vitally.planning.resource import Record, Resource
from vitally_api.values import key_text

Named = dict[str, list[Any]]


class ExactLinks:
    """Remembers links by every key of their record: rows of one record may come in several batches."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, Key], Named] = {}
        self._spared: set[tuple[str, Key | None]] = set()

    def note(self, resource: Resource, fitted: Fitted) -> None:
        """Take in what a row names."""
        for key in marks(resource, fitted):
            self._add(self._named.setdefault((resource.name, key), {}), _links(resource, fitted))

    def spare(self, resource: Resource, key: Key | None) -> None:
        """Unlink nothing from a record of which a row cannot be read, or from any if its key cannot."""
        self._spared.add((resource.name, key))

    def is_spared(self, resource: Resource, fitted: Fitted, record: Record) -> bool:
        """Return whether links that no row names may have been named by one that cannot be read."""
        keys: set[Key | None] = {None, *_keys(resource, fitted, record)}
        return any((resource.name, key) in self._spared for key in keys)

    def together(self, resource: Resource, fitted: Fitted, record: Record) -> Fitted:
        """Return a row with all that rows of its record have named so far."""
        named: Named = {}
        for key in sorted(_keys(resource, fitted, record), key=str):
            self._add(named, self._named.get((resource.name, key), {}))
        named = {name: unite(items, ()) for name, items in named.items()}
        people = {n: v for n, v in named.items() if n == PARTICIPANTS}
        references = {n: tuple(v) for n, v in named.items() if n != PARTICIPANTS}
        return replace(
            fitted,
            references={**fitted.references, **references},
            people={**fitted.people, **people},
        )

    @staticmethod
    def _add(to: Named, links: Named) -> None:
        for name, items in links.items():
            to.setdefault(name, []).extend(items)


def _keys(resource: Resource, fitted: Fitted, record: Record) -> set[Key]:
    return marks(resource, fitted) | {
        Key(by, key_text(by, record[by])) for by in resource.keys if record.get(by)
    }


def _links(resource: Resource, fitted: Fitted) -> Named:
    found: Named = {
        ref.name: list(fitted.references.get(ref.name) or ())
        for ref in resource.references
        if ref.many
    }
    if PARTICIPANTS in fitted.people:
        found[PARTICIPANTS] = fitted.people[PARTICIPANTS]
    return {name: items for name, items in found.items() if items}
