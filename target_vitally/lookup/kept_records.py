"""Keep the records of one list as JSON in the store, reduced to the members that are compared."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from target_vitally.lookup.store import Store
from target_vitally.mapping.resource import Record, Resource
from vitally_api import decoded_or_none, encoded
from vitally_api.values import InvalidValue, key_text

UNIQUE = frozenset({"id", "externalId"})
"""Keys that one record has; e-mails, names and traits may be those of several."""
LARGE = 2000
"""Bytes from which on a record is kept compressed: a note's text shrinks to a third, in 40 µs."""

StoredKey = tuple[int, str, str]
"""Scope, what the key is, and its text."""


class KeptRecords:
    """The records of one list, by id and by each of their keys, in the `Store` that all lists share."""

    def __init__(self, resource: Resource, store: Store) -> None:
        self._resource = resource
        self._store = store
        self._whole, self._linked = resource.compared
        self._all = frozenset((*self._whole, *self._linked))
        self._traits: frozenset[str] | None = frozenset()
        self._scope = 0
        self.forget()

    def forget(self) -> None:
        """Forget all records except planned ones."""
        before, self._scope = self._scope, self._store.new_scope()
        self._sorted_by = [by for by in self._resource.keys if by in UNIQUE]
        self._empty, self._any_asked = True, False
        for _, raw in self._store.all(before, planned=True):
            self.add([deserialized(raw)], planned=True)

    def want(self, traits: Iterable[str] | None) -> bool:
        """Keep these traits, too, None for all; return True if these are more than before."""
        before = self._traits
        self._traits = None if traits is None or before is None else before | set(traits)
        return self._traits != before

    def add(self, records: Iterable[Record], *, planned: bool = False) -> None:
        """Keep new records; a planned one with all members, as it cannot be read again."""
        kept = [
            (serialized(record if planned else self.part(record)), list(self._keys_of(record)))
            for record in records
        ]
        self._empty = self._empty and not kept
        self._store.add(self._scope, kept, planned=planned)

    def add_new(self, page: Iterable[Record]) -> None:
        """Keep those records whose ids are not known yet."""
        by_id = {str(record["id"]): record for record in page if record.get("id")}
        known = self.known("id", by_id)
        self.add(record for id_, record in by_id.items() if id_ not in known)

    def drop(self, id_: str) -> None:
        """Forget a record."""
        for number, raw in self._store.find((self._scope, "id", id_)):
            record = deserialized(raw)
            if str(record["id"]) == id_:
                self._store.remove(number, list(self._keys_of(record)))

    def planned(self) -> Iterator[Record]:
        """Yield the planned records."""
        for _, raw in self._store.all(self._scope, planned=True):
            yield deserialized(raw)

    def known(self, by: str, texts: Collection[str]) -> set[str]:
        """Return those texts that some record has as this key."""
        found = self._store.known([(self._scope, by, text) for text in texts])
        return {text for _, _, text in found}

    def having(self, by: str, text: str) -> list[Record]:
        """Return the records that have a text of a key."""
        return self.having_any(by, [text]).get(text, [])

    def having_any(self, by: str, texts: Collection[str]) -> Mapping[str, list[Record]]:
        """Return the records that have one of these texts, by the text."""
        self._sort_by(by)
        found: dict[str, list[Record]] = {}
        raws = self._store.find_many([(self._scope, by, text) for text in texts])
        for (_, _, text), of_key in raws.items():
            records = [
                record for record in map(deserialized, of_key) if key_of_record(by, record) == text
            ]
            if records:
                found[text] = records
        return found

    def remember_asked(self, by: str, text: str) -> None:
        """Remember that all records with a text of a key are known."""
        self._any_asked = True
        self._store.remember((self._scope, by, text, "asked"))

    def was_asked(self, by: str, text: str) -> bool:
        """Return True if `remember_asked` was called for a text of a key."""
        return self._any_asked and bool(self._store.recall((self._scope, by, text, "asked")))

    @property
    def empty(self) -> bool:
        """True if no record is kept, and none was asked for."""
        return self._empty and not self._any_asked

    def part(self, record: Record) -> Record:
        """Return the members of a record to keep: those compared, wanted traits, the ids of its links."""
        if self._traits is None and record.keys() <= self._all:
            return record
        found = {name: record[name] for name in self._whole if name in record}
        found |= {name: _ids_only(record[name]) for name in self._linked if name in record}
        traits = record.get("traits")
        if isinstance(traits, dict) and self._traits is not None:
            found["traits"] = {path: traits[path] for path in self._traits if path in traits}
        return found

    def _keys_of(self, record: Record) -> Iterator[StoredKey]:
        for by in self._sorted_by:
            if text := key_of_record(by, record):
                yield self._scope, by, text

    def _sort_by(self, by: str) -> None:
        """Make records known by a further key; those that are there already are read once for that."""
        if by in self._sorted_by:
            return
        self._sorted_by.append(by)
        for number, raw in () if self._empty else self._store.all(self._scope):
            if text := key_of_record(by, deserialized(raw)):
                self._store.add_keys([((self._scope, by, text), number)])


class SimulatedRecords:
    """What a dry run would have made of records that are read anew for every row, by their queues.

    It goes on from the simulations before it (``runs``), and remembers what is its own.
    """

    def __init__(self, store: Store, runs: tuple[int, ...] = ()) -> None:
        self._store = store
        self._runs = (*runs, store.new_scope())

    def apart(self) -> SimulatedRecords:
        """Return a copy, which may remember more that this one does not see."""
        return SimulatedRecords(self._store, self._runs)

    def put(self, queue: str, record: Record) -> None:
        """Remember a record as it would be; an empty one is only not read again."""
        self._store.remember(("simulated", self._runs[-1], queue), serialized(record))

    def get(self, queue: str) -> Record | None:
        """Return the last record that a dry run stored for this queue; None if there is none."""
        for run in reversed(self._runs):
            raw = self._store.recall(("simulated", run, queue))
            if raw is not None:
                return deserialized(raw)
        return None


def key_of_record(by: str, record: Mapping[str, Any]) -> str:
    """Return a key of a record as text; empty if it has none."""
    value = record.get(by)
    if value.__class__ is str and by != "email":
        return str(value)  # as it is: every record has two of these
    if by.startswith("trait:"):
        traits = record.get("traits")
        value = traits.get(by.removeprefix("trait:")) if isinstance(traits, dict) else None
    try:
        return key_text(by, value)
    except InvalidValue:
        return ""  # what is no key of any row, such as a list in a trait


def serialized(record: Record) -> bytes:
    """Return a record as it is kept."""
    raw = encoded(record)
    return zlib.compress(raw, 1) if len(raw) > LARGE else raw


def deserialized(raw: bytes) -> Record:
    """Return a record that was kept."""
    record: Record = decoded_or_none(raw if raw[:1] == b"{" else zlib.decompress(raw))
    return record


def _ids_only(value: Any) -> Any:
    """Reduce embedded records to their ids."""
    if isinstance(value, dict) and "id" in value:
        return {"id": value["id"]}
    return [_ids_only(item) for item in value] if isinstance(value, list) else value
