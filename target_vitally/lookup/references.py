"""Look up Vitally's ids for external ids, e-mails and names, once in a run."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from target_vitally.lookup.client import RecordClient, segment
from target_vitally.lookup.index import Concurrently, Index
from target_vitally.lookup.store import Store
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.parse_row import RecordRef
from target_vitally.mapping.resource import Property, Resource
from target_vitally.mapping.rows import Unresolved
from vitally_api.resources import LISTS

LOOKED_UP: Mapping[str, Resource] = {
    name: Resource(name, LISTS[name], 0, (Property(by),), key=by, keys=("id", by))
    for name, by in {
        "admins": "email",
        "note_categories": "name",
        "task_categories": "name",
        "project_categories": "name",
        "project_templates": "name",
    }.items()
}
"""What rows refer to and only the app edits: it cannot come with the input."""


class References:
    """Finds the records that rows refer to, in the same indexes that writers use."""

    def __init__(
        self,
        client: RecordClient,
        resources: Mapping[str, Resource],
        map_concurrently: Concurrently,
        store: Store,
    ) -> None:
        self.client = client
        self._resources = {**LOOKED_UP, **resources}
        self.map_concurrently = map_concurrently
        self._indexes: dict[tuple[str, tuple[str, ...]], Index] = {}
        self._traits: dict[str, set[str] | None] = {}
        self.store = store
        self._lock = threading.Lock()

    def index(self, resource: str, inside: Mapping[str, str] | None = None) -> Index:
        """Return the index of a resource; ``inside`` has the ids that its path takes."""
        place = resource, tuple((inside or {}).values())
        index = self._indexes.get(place)
        if index is not None:
            return index
        with self._lock:
            if place not in self._indexes:
                declared = self._resources[resource]
                path = declared.api.path.format(
                    **{n: segment(v) for n, v in (inside or {}).items()}
                )
                made = Index(self.client, declared, path, self.map_concurrently, self.store)
                made.want(self._traits.get(resource, set()))
                self._indexes[place] = made
            return self._indexes[place]

    def want(self, resource: str, traits: set[str] | None) -> None:
        """Keep these traits of the resource's records, or all of them."""
        so_far = self._traits.get(resource, set())
        self._traits[resource] = None if traits is None or so_far is None else so_far | traits
        for (name, _), index in self._indexes.items():
            if name == resource:
                index.want(self._traits[resource])

    def remember_source(self, resource: str, id_: str, key: str) -> None:
        """Remember which key a record of the input has, by its id in the workspace that it came from."""
        self.store.remember(("source", resource, id_), key)

    def can_come(self, ref: RecordRef) -> bool:
        """Return True if a missing record may still be created by a row of the input."""
        return ref.by == "source" or (ref.resource not in LOOKED_UP and ref.by != "id")

    def prefetch(self, refs: Iterable[RecordRef], *, more: bool = False) -> None:
        """Look up many references at once; ``more`` is True if further rows will follow."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for ref in refs:
            known = self._known(ref)
            if known and known.by != "id":
                wanted.setdefault((known.resource, known.by), set()).add(known.value)
        for (resource, by), values in wanted.items():
            self.index(resource).find(by, values, more=more)

    def resolve(self, ref: RecordRef) -> str:
        """Return the id of a record that was looked up; raise `Unresolved` unless there is exactly one."""
        known = self._known(ref)
        if known is None:
            raise Unresolved(ref)
        if known.by == "id":
            return known.value
        try:
            found = self.index(known.resource).get(known.by, known.value)
        except LookupFailed as failed:
            raise Unresolved(known, why=str(failed)) from None
        if len(found) != 1:
            raise Unresolved(ref, len(found))
        return str(found[0]["id"])

    def spelled(self, email: str) -> str:
        """Return a user's e-mail in Vitally's spelling; as it is given if no user has it.

        Raise `Unresolved` if the look-up was not answered.
        """
        try:
            id_ = self.resolve(RecordRef("users", "email", email))
        except Unresolved as unresolved:
            if unresolved.unanswered:
                raise
            return email
        return str(self.index("users").get("id", id_)[0]["email"])

    def _known(self, ref: RecordRef) -> RecordRef | None:
        """Replace an id of the workspace that rows came from by the record's key; None if unknown."""
        if ref.by != "source":
            return ref
        key = self.store.recall(("source", ref.resource, ref.value))
        by = self._resources[ref.resource].key
        return ref._replace(by=by, value=key) if key and by else None
