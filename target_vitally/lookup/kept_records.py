"""The records of a list, as far as they are known: as JSON, with only what may be compared."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, cast

from target_vitally.lookup.source import key_of_record
from target_vitally.lookup.store import Store
from target_vitally.mapping.resource import Record, Resource
from vitally_api import decoded_or_none, encoded

UNIQUE = frozenset({"id", "externalId"})
"""Keys that one record has; e-mails, names and traits may be those of several."""
LARGE = 2000
"""Bytes from which on a record is kept compressed: a note's text shrinks to a third, in 40 µs."""

Traits = frozenset[str] | None
"""The traits that are kept, None for all."""


class KeptRecords:
    """The records of one list, by id and by each of their keys, in the `Store` that all lists share."""

    def __init__(self, resource: Resource, store: Store) -> None:
        self._resource = resource
        self._store = store
        self._parts = KeptParts(resource)
        self._scope = 0
        self.forget()

    def forget(self) -> None:
        """Forget all but what a dry run has made up."""
        before, self._scope = self._scope, self._store.new_scope()
        self._sorted_by = [by for by in self._resource.keys if by in UNIQUE]
        self._empty, self._any_asked = True, False
        for _, raw in self._store.all(before, planned=True):
            self.add([deserialized(raw)], planned=True)

    def want(self, traits: Iterable[str] | None) -> bool:
        """Keep more traits, or all where it is None; return whether these are more than before."""
        return self._parts.want(traits)

    def add(self, records: Iterable[Record], *, planned: bool = False) -> None:
        """Keep records that are not kept yet; a planned one whole, since more may be wanted of it."""
        pack = serialized_whole if planned else self._parts.serialized
        kept = [(pack(record), list(self._keys_of(record))) for record in records]
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
        """Return those texts of a key that records have."""
        found = self._store.known([(self._scope, by, text) for text in texts])
        return {cast("tuple[int, str, str]", key)[2] for key in found}

    def having(self, by: str, text: str) -> list[Record]:
        """Return the records that have a text of a key."""
        return self.having_any(by, [text]).get(text, [])

    def having_any(self, by: str, texts: Collection[str]) -> Mapping[str, list[Record]]:
        """Return the records that have one of these texts, by the text."""
        self._sort_by(by)
        found: dict[str, list[Record]] = {}
        raws = self._store.find_many([(self._scope, by, text) for text in texts])
        for key, of_key in raws.items():
            text = cast("tuple[int, str, str]", key)[2]
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
        """Return whether that has been remembered."""
        return self._any_asked and bool(self._store.recall((self._scope, by, text, "asked")))

    @property
    def empty(self) -> bool:
        """Return whether nothing is known yet."""
        return self._empty and not self._any_asked

    def _keys_of(self, record: Record) -> Iterator[Hashable]:
        for by in self._sorted_by:
            if text := key_of_record(by, record):
                yield self._scope, by, text

    def _sort_by(self, by: str) -> None:
        """Let records be found by a key; those that are there already are sorted once."""
        if by in self._sorted_by:
            return
        self._sorted_by.append(by)
        for number, raw in () if self._empty else self._store.all(self._scope):
            if text := key_of_record(by, deserialized(raw)):
                self._store.add_keys([((self._scope, by, text), number)])


class KeptParts:
    """Writes what is kept of the records of one resource, and the ``traits`` among it."""

    def __init__(self, resource: Resource) -> None:
        self._whole, self._linked = resource.compared
        self._all = frozenset((*self._whole, *self._linked))
        self.traits: Traits = frozenset()

    def want(self, traits: Iterable[str] | None) -> bool:
        """Keep more traits, or all where it is None; return whether these are more than before."""
        before = self.traits
        self.traits = None if traits is None or before is None else before | set(traits)
        return self.traits != before

    def serialized(self, record: Record) -> bytes:
        """Return what is kept of a record."""
        if self.traits is None and record.keys() <= self._all:
            return serialized_whole(record)
        found = {name: record[name] for name in self._whole if name in record}
        for name in self._linked:
            if name in record:
                value = record[name]
                found[name] = _ids_only(value) if isinstance(value, dict | list) else value
        held = record.get("traits")
        if isinstance(held, dict):
            wanted = self.traits
            found["traits"] = (
                held if wanted is None else {path: held[path] for path in wanted if path in held}
            )
        return serialized_whole(found)


def serialized_whole(record: Record) -> bytes:
    """Return all of a record."""
    raw = encoded(record)
    return zlib.compress(raw, 1) if len(raw) > LARGE else raw


def deserialized(raw: bytes) -> Record:
    """Return what was kept of a record."""
    record: Record = decoded_or_none(raw if raw[:1] == b"{" else zlib.decompress(raw))
    return record


def _ids_only(value: Any) -> Any:
    """Cut objects that stand for other records down to their ids."""
    if isinstance(value, dict) and "id" in value:
        return {"id": value["id"]}
    if isinstance(value, list):
        return [_ids_only(item) for item in value]
    return value
