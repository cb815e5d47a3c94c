"""What the rows of a run name, for streams whose links are exact: what none of them names is unlinked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from target_vitally.planning.fit import Fitted, Key, marks
from target_vitally.planning.links import PARTICIPANTS, unite
from target_vitally.planning.resource import Record, Resource

Named = dict[str, list[Any]]


class ExactLinks:
    """Remembers links by every key of their record: rows of one record may come in several batches."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, Key], Named] = {}

    def note(self, resource: Resource, fitted: Fitted) -> None:
        """Take in what a row names."""
        for key in marks(resource, fitted):
            self._add(self._named.setdefault((resource.name, key), {}), _links(resource, fitted))

    def together(self, resource: Resource, fitted: Fitted, record: Record) -> Fitted:
        """Return a row with all that rows of its record have named so far."""
        keys = {Key(by, str(record[by])) for by in resource.keys if record.get(by)}
        named: Named = {}
        for key in sorted(keys | marks(resource, fitted), key=str):
            self._add(named, self._named.get((resource.name, key), {}))
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
            to[name] = unite(to.get(name, ()), items)


def _links(resource: Resource, fitted: Fitted) -> Named:
    found: Named = {
        ref.name: list(fitted.references.get(ref.name) or ())
        for ref in resource.references
        if ref.many
    }
    if PARTICIPANTS in fitted.people:
        found[PARTICIPANTS] = fitted.people[PARTICIPANTS]
    return {name: items for name, items in found.items() if items}
