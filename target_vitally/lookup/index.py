"""What Vitally holds now of one resource, read one by one or by the page, whichever costs less."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Any

from target_vitally.lookup.client import RecordClient
from target_vitally.lookup.source import Source, key_of_record
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from vitally_api import (
    CursorRefused,
    RateLimited,
    Refused,
    Unavailable,
    Unreadable,
    VitallyError,
    encoded,
)
from vitally_api.values import key_text

FEW = 8
"""Records that are read one by one without a look at the list."""
UNIQUE = frozenset({"id", "externalId"})
"""Keys that one record has; e-mails, names and traits may be those of several."""
LARGE = 600
"""Bytes from which on a record is kept compressed: a note's text shrinks to a third."""

_decoder = json.JSONDecoder(parse_float=Decimal)

Traits = frozenset[str] | None
"""The traits that are kept, None for all."""
Concurrently = Callable[[Callable[[str], None], Iterable[str]], None]
"""Calls a function for each of many values, on as many threads as may ask at once."""


class LookupFailed(VitallyError):
    """The look-up of one record was not answered with data, while that of others is."""


class Index:
    """The records of one list, by id and by each of their keys.

    A record is kept as JSON with only what may be compared: 100,000 users are tens of megabytes.
    """

    def __init__(
        self, client: RecordClient, resource: Resource, path: str, map_concurrently: Concurrently
    ) -> None:
        self._client = client
        self._resource = resource
        self._lookups = resource.api.lookups
        self._source = Source(client, resource, path)
        self._map_concurrently = map_concurrently
        self._lock = threading.RLock()
        self._traits: Traits = frozenset()
        self._kept = _kept(resource)
        self._simulated: dict[str, bytes] = {}
        self._refused: dict[tuple[str, str], str] = {}
        self._search_ignores_case: bool | None = None
        self._unlisted = False
        self._forget()

    def _forget(self) -> None:
        self._records: dict[str, bytes] = {}
        self.listed = 0
        self._ids: dict[str, dict[str, tuple[str, ...]]] = {}
        self._asked: set[tuple[str, str]] = set()
        self._pages = self._source.pages()
        self._complete = self._archived_read = False
        for raw in list(self._simulated.values()):
            self.simulate(_decode(raw))

    def want(self, traits: Iterable[str] | None) -> None:
        """Keep more traits of each record, or all where it is None; what was read without is forgotten."""
        with self._lock:
            wanted = None if traits is None or self._traits is None else self._traits | set(traits)
            if wanted != self._traits:
                self._traits = wanted
                if self._records or self._asked:
                    self._forget()

    def find(self, by: str, values: Iterable[str]) -> None:
        """Make sure that it is known which records have these values of a key.

        Pages are read until asking one by one has become the cheaper way: a few are left, no more
        than pages were read, and the last page brought none or one of them.
        """
        wanted = {key_text(by, value): value for value in values}
        missing = {text for text in wanted if not self._knows(by, text)}
        alone = bool(missing) and self._one_request_tells(by)
        pages = brought = 0
        while missing and not self._complete and not self._unlisted:
            if alone and brought <= 1 and len(missing) <= max(FEW, pages):
                break
            try:
                found = missing & {key_of_record(by, record) for record in self._read_page()}
            except Refused as refused:
                if refused.key:
                    raise
                if not (alone and isinstance(refused, CursorRefused)):
                    self._refused |= dict.fromkeys(((by, text) for text in missing), str(refused))
                    return
                break
            # What several records may have is known at the end of the list alone.
            missing -= found if by in UNIQUE else set()
            pages, brought = pages + 1, len(found)
        if missing and not self._complete:
            since = self._client.metrics.reads
            self._map_concurrently(
                lambda text: self._read_one(by, text, wanted[text], since), missing
            )
            self._read_archived({text for text in missing if not self.ids(by, text)})

    def get(self, by: str, value: str) -> list[Record]:
        """Return the records that have a value of a key, as far as they have been read.

        Archived ones count only where no other has it, and then as one: whichever way they were
        found. `LookupFailed` is raised where the answer to this look-up was none.
        """
        with self._lock:
            ids = self.ids(by, value)
            if self._refused:
                self.check(by, key_text(by, value))
                for id_ in ids:
                    self.check("id", id_)
            found = [_decode(self._records[id_]) for id_ in ids]
        return [record for record in found if not record.get("archivedAt")] or found[:1]

    def check(self, by: str, text: str) -> None:
        """Raise `LookupFailed` where what was asked about a record was not answered."""
        if (by, text) in self._refused:
            raise LookupFailed(self._refused[by, text])

    def ids(self, by: str, value: str) -> tuple[str, ...]:
        """Return the ids of the records that have a value of a key, as far as they have been read."""
        with self._lock:
            if by == "id":
                return (value,) if value in self._records else ()
            # An e-mail alone has a text of its own; 100,000 keys are looked up twice each.
            text = key_text(by, value) if by == "email" else value
            return self._ids_of(by).get(text, ())

    def refresh(self, by: str, values: Iterable[str], write_: PendingWrite | None = None) -> None:
        """Look records up once more, to see whether writes were carried out."""
        wanted = {key_text(by, value): value for value in values}
        if by in UNIQUE and by in self._lookups and len(wanted) <= FEW:
            found = [r for value in wanted.values() for r in self._source.ask(by, value, write_)]
        else:
            newest = self._source.newest(write_)
            found = [r for page in newest for r in page if key_of_record(by, r) in wanted]
        for record in found:
            self.put(record)

    def attempt(self, by: str, text: str, ask: Callable[[], object], since: int) -> None:
        """Ask something about one record; where that alone is not answered, remember why.

        An answer that is no data, or none at all while others get theirs, concerns this record alone.
        ``since`` is how many reads of the run had been answered before the first of several were asked.
        """
        metrics = self._client.metrics
        reads = metrics.reads
        try:
            ask()
        except RateLimited:
            raise
        except (Refused, Unavailable, Unreadable) as failure:
            if isinstance(failure, Refused):
                if failure.key:
                    raise
            # The others may have been answered just before this one was asked.
            elif metrics.reads == reads and (since == reads or not self._client.answers()):
                raise
            with self._lock:
                self._refused[by, text] = str(failure)
        else:
            with self._lock:
                self._refused.pop((by, text), None)

    def simulate(self, record: Record) -> None:
        """Take in a record as a plan has it, which no reading would bring back."""
        self.put(record)
        self._simulated[str(record["id"])] = encoded(record)

    def read_on(self) -> bool:
        """Read one more page of what is not archived; return False if there is none."""
        if self._complete or self._unlisted:
            return False
        return not any(record.get("archivedAt") for record in self._read_page())  # these come last

    def put(self, record: Record) -> None:
        """Take in a record as it is now."""
        id_ = str(record.get("id") or "")
        if not id_:
            return
        with self._lock:
            self.drop(id_)
            self._records[id_] = _encode(record, self._resource.by_name, self._kept, self._traits)
            for by, ids in self._ids.items():
                value = key_of_record(by, record)
                if value:
                    ids[value] = (*ids.get(value, ()), id_)

    def drop(self, id_: str) -> None:
        """Forget a record that is gone."""
        with self._lock:
            self._simulated.pop(id_, None)
            raw = self._records.pop(id_, None)
            record = {} if raw is None else _decode(raw)
            for by, ids in self._ids.items() if record else ():
                value = key_of_record(by, record)
                if value in ids:
                    ids[value] = tuple(other for other in ids[value] if other != id_)

    def _knows(self, by: str, text: str) -> bool:
        """Return whether all records with a value of a key are known; some do not make that sure."""
        with self._lock:
            if self._complete or (by, text) in self._asked or (by, text) in self._refused:
                return True
            return by in UNIQUE and bool(self.ids(by, text))

    def _one_request_tells(self, by: str) -> bool:
        """Return whether one request finds every record that has a value of a key.

        A search for an e-mail may go by its case: whether it does is tried out, once, with somebody of
        the list. Where there is no list but a search, the search has to do.
        """
        if by != "email" or by not in self._lookups or self._complete:
            return by in self._lookups
        if self._search_ignores_case is None:
            self._search_ignores_case = False
            try:
                page = self._read_page()
            except (Refused, Unreadable) as failure:
                if isinstance(failure, Refused) and failure.key:
                    raise
                self._unlisted = self._search_ignores_case = True
                return True
            self._search_ignores_case = self._source.search_ignores_case(page)
        return bool(self._search_ignores_case)

    def _ids_of(self, by: str) -> dict[str, tuple[str, ...]]:
        """Return the ids by a key, which are sorted at the first call."""
        if by not in self._ids:
            found: dict[str, tuple[str, ...]] = {}
            for id_, raw in self._records.items():
                if value := key_of_record(by, _decode(raw)):
                    found[value] = (*found.get(value, ()), id_)
            self._ids[by] = found
        return self._ids[by]

    def _read_page(self) -> list[Record]:
        try:
            page = next(self._pages)
        except StopIteration:
            self._complete = True
            return []
        except BaseException:
            # A generator that failed looks as if it were at its end: a list read in part is none.
            self._pages, self.listed = self._source.pages(), 0
            raise
        self._put_new(page)
        self.listed += sum(not record.get("archivedAt") for record in page)
        return page

    def _put_new(self, page: list[Record]) -> None:
        for record in page:
            # What was written meanwhile is newer than the list.
            if str(record.get("id")) not in self._records:
                self.put(record)

    def _read_archived(self, texts: set[str]) -> None:
        """Read what is archived, where records were not found one by one: a look-up may hide it."""
        if texts and self._resource.archives and not self._archived_read:
            for page in self._source.archived():
                self._put_new(page)
            self._archived_read = True

    def _read_one(self, by: str, text: str, value: str, since: int) -> None:
        def ask() -> None:
            found = self._source.ask(by, value, both=self._unlisted)
            with self._lock:
                for record in found:
                    self.put(record)
                if by not in UNIQUE or not found:
                    self._asked.add((by, text))

        self.attempt(by, text, ask, since)


def _encode(record: Record, whole: Collection[str], kept: Iterable[str], traits: Traits) -> bytes:
    """Write what is kept of a record; ``whole`` are the properties of which nothing is left out."""
    found = {}
    for name in kept:
        if name in record:
            value = record[name]
            nested = isinstance(value, dict | list) and name not in whole
            found[name] = _ids_only(value) if nested else value
    held = record.get("traits")
    if isinstance(held, dict):
        found["traits"] = (
            held if traits is None else {path: held[path] for path in traits if path in held}
        )
    raw = encoded(found)
    return zlib.compress(raw, 1) if len(raw) > LARGE else raw


def _kept(resource: Resource) -> tuple[str, ...]:
    """Name what is kept of a record, first what finds it."""
    names = dict.fromkeys(("id", *resource.keys, "createdAt", "archivedAt"))
    if resource.message:  # which may change it later, as this shows
        names["updatedAt"] = None
    for prop in resource.properties:
        names |= dict.fromkeys((prop.name, prop.displayed or prop.name))
        if prop.name.endswith("Id"):
            names[prop.name.removesuffix("Id")] = None
    names |= {ref.among: None for ref in resource.references if ref.among}
    return tuple(names)


def _ids_only(value: Any) -> Any:
    """Cut embedded accounts, organizations and users down to their ids."""
    if isinstance(value, dict) and "id" in value and "traits" in value:
        return {"id": value["id"]}
    if isinstance(value, list):
        return [_ids_only(item) for item in value]
    return value


def _decode(raw: bytes) -> Record:
    text = raw if raw[:1] == b"{" else zlib.decompress(raw)
    record: Record = _decoder.raw_decode(text.decode())[0]
    return record
