"""The records of one list in Vitally, read by single look-ups or pages, whichever takes fewer requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from target_vitally.lookup.client import RecordClient
from target_vitally.lookup.fewest_requests import FEW, FewestRequests
from target_vitally.lookup.kept_records import UNIQUE, KeptRecords, key_of_record
from target_vitally.lookup.source import ArchivedRefused, Source
from target_vitally.lookup.store import Store
from target_vitally.lookup.unanswered import Unanswered
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from vitally_api import (
    CursorRefused,
    Refused,
    Unreadable,
)
from vitally_api.values import key_text

Concurrently = Callable[..., None]
"""Calls a function for each of many values, on as many threads as may ask at once."""


class Index:
    """The records of one list, by id and by each of their keys, as far as they have been read."""

    def __init__(
        self,
        client: RecordClient,
        resource: Resource,
        path: str,
        map_concurrently: Concurrently,
        store: Store,
    ) -> None:
        self._client = client
        self._resource = resource
        self._lookups = resource.api.lookups
        self.source = Source(client, resource, path)
        self._map_concurrently = map_concurrently
        self._lock = threading.RLock()
        self._kept = KeptRecords(resource, store)
        self._fewest = FewestRequests()
        self._unanswered = Unanswered(client)
        self._search_ignores_case: bool | None = None
        self._unlisted = False
        self._begin()

    def _begin(self) -> None:
        self._pages = self.source.pages()
        self.listed = 0
        self._complete = self._archived_read = False

    def want(self, traits: Iterable[str] | None) -> None:
        """Keep these traits of records, too, None for all; forget records that were read without them."""
        with self._lock:
            if self._kept.want(traits) and not self._kept.empty:
                self._kept.forget()
                self._begin()

    def find(self, by: str, values: Iterable[str], *, more: bool = False) -> None:
        """Read the records with these values of a key, unless they are known.

        Read pages until single look-ups take fewer requests; ``more`` is True if further rows will follow.
        """
        wanted = {key_text(by, value): value for value in values}
        missing = self._unknown(by, wanted)
        alone = bool(missing) and self._one_request_tells(by)
        if more and missing:
            self._fewest.batch()
        while missing and not self._complete and not self._unlisted:
            if alone and self._fewest.one_by_one(len(missing), more=more):
                break
            try:
                found = missing & {key_of_record(by, record) for record in self._read_page()}
            except ArchivedRefused as refused:
                self._unanswered.add(by, self._absent(by, missing), str(refused))
                return
            except Refused as refused:
                if not (alone and isinstance(refused, CursorRefused)):
                    self._unanswered.add(by, missing, str(refused))
                    return
                break
            # What several records may have is known at the end of the list alone.
            missing -= found if by in UNIQUE else set()
            self._fewest.page(len(found))
        if missing and not self._complete:
            self._fewest.single(len(missing))
            self.ask_each(by, missing, lambda text: self._read_one(by, text, wanted[text]))
            try:
                self._read_archived(self._absent(by, missing))
            except Refused as refused:
                self._unanswered.add(by, self._absent(by, missing), str(refused))

    def get(self, by: str, value: str) -> list[Record]:
        """Return the records with a value of a key, of those that `find` read.

        Archived records count only if no other has the value, and then only one of them. Raise
        `LookupFailed` if the look-up was not answered.
        """
        with self._lock:
            found = self._matching(by, value)
            if self._unanswered.any:
                self.check(by, key_text(by, value))
                for record in found:
                    self.check("id", str(record["id"]))
        return _one_if_archived(found)

    def get_many(self, by: str, texts: Collection[str]) -> Mapping[str, list[Record]]:
        """Return the result of `get` for each of many values; leave out those that fail."""
        with self._lock:
            found = self._kept.having_any(by, texts)
        if self._unanswered.any:
            has = self._unanswered.has
            found = {
                text: records
                for text, records in found.items()
                if not (has(by, text) or any(has("id", str(r["id"])) for r in records))
            }
        return {text: _one_if_archived(records) for text, records in found.items()}

    def check(self, by: str, text: str) -> None:
        """Raise `LookupFailed` if a look-up of this value was not answered."""
        self._unanswered.check(by, text)

    def ids(self, by: str, value: str) -> tuple[str, ...]:
        """Return the ids of the records that have a value of a key."""
        with self._lock:
            return tuple(str(record["id"]) for record in self._matching(by, value))

    def _matching(self, by: str, value: str) -> list[Record]:
        # An e-mail alone has a text of its own.
        return self._kept.having(by, key_text(by, value) if by == "email" else value)

    def refresh(
        self, by: str, values: Iterable[str], write_: PendingWrite | None = None
    ) -> list[Record]:
        """Look records up again, and return them; if they are few, with all members."""
        wanted = {key_text(by, value): value for value in values}
        if by in UNIQUE and by in self._lookups and len(wanted) <= FEW:
            found = [r for value in wanted.values() for r in self.source.ask(by, value, write_)]
        else:
            newest = self.source.newest(write_)
            found = [r for page in newest for r in page if key_of_record(by, r) in wanted]
        for record in found:
            self.put(record)
        return found

    def ask_each(self, by: str, texts: Iterable[str], ask: Callable[[str], object]) -> None:
        """Call ``ask`` for each value, on several threads; `check` raises for those not answered."""
        since = self._client.metrics.reads
        self._map_concurrently(
            lambda text: self._unanswered.attempt(by, text, lambda: ask(text), since), texts
        )

    def answer(self, by: str, text: str, ask: Callable[[], list[Record]]) -> list[Record]:
        """Return the result of ``ask`` for one record; raise `LookupFailed` if it is not answered."""
        found: list[Record] = []
        since = self._client.metrics.reads
        self._unanswered.attempt(by, text, lambda: found.extend(ask()), since)
        self.check(by, text)
        return found

    def put(self, record: Record, *, planned: bool = False) -> None:
        """Keep a record in place of an older one; never forget a ``planned`` one, as it cannot be read."""
        id_ = str(record.get("id") or "")
        if id_:
            with self._lock:
                self._kept.drop(id_)
                self._kept.add([record], planned=planned)

    def drop(self, id_: str) -> None:
        """Forget a record that was deleted."""
        with self._lock:
            self._kept.drop(id_)

    def drop_planned(self, begins: str) -> None:
        """Forget the planned records whose ids begin with this prefix."""
        with self._lock:
            for record in self._kept.planned():
                if str(record["id"]).startswith(begins):
                    self._kept.drop(str(record["id"]))

    @property
    def complete(self) -> bool:
        """True if all records are known, including archived ones."""
        return self._complete

    def read_on(self) -> bool:
        """Read one more page of records that are not archived; return False if there is none."""
        if self._complete or self._unlisted:
            return False
        return not any(record.get("archivedAt") for record in self._read_page())  # these come last

    def _absent(self, by: str, texts: Iterable[str]) -> set[str]:
        return {text for text in texts if not self.ids(by, text)}

    def _unknown(self, by: str, texts: Iterable[str]) -> set[str]:
        """Return the texts whose records are not known."""
        with self._lock:
            if self._complete:
                return set()
            left = {text for text in texts if not self._unanswered.has(by, text)}
            left -= self._kept.known(by, left) if by in UNIQUE else set()
            return {text for text in left if not self._kept.was_asked(by, text)}

    def _one_request_tells(self, by: str) -> bool:
        """Return True if one request finds all records with a value of a key.

        A search for an e-mail may be case-sensitive, which is tried once with a user of the list. Without
        a list, rely on the search.
        """
        if by != "email" or by not in self._lookups or self._complete:
            return by in self._lookups
        if self._search_ignores_case is None:
            self._search_ignores_case = False
            try:
                page = self._read_page()
            except (Refused, Unreadable):
                self._unlisted = self._search_ignores_case = True
                return True
            self._search_ignores_case = self.source.search_ignores_case(page)
        return bool(self._search_ignores_case)

    def _read_page(self) -> list[Record]:
        try:
            page = next(self._pages)
        except StopIteration:
            self._complete = True
            return []
        except ArchivedRefused:
            self._pages = self.source.archived()
            raise
        except BaseException:
            # A generator that failed looks as if it were at its end: a list read in part is none.
            self._pages, self.listed = self.source.pages(), 0
            raise
        self._put_new(page)
        self.listed += sum(not record.get("archivedAt") for record in page)
        return page

    def _put_new(self, page: list[Record]) -> None:
        """Keep the new records of a page; keep known ones as they are, since they may be newer."""
        with self._lock:
            self._kept.add_new(page)

    def _read_archived(self, texts: set[str]) -> None:
        """Read the archived records if look-ups found none: they may not include archived records."""
        if texts and self._resource.archives and not self._archived_read:
            for page in self.source.archived():
                self._put_new(page)
            self._archived_read = True

    def _read_one(self, by: str, text: str, value: str) -> None:
        found = self.source.ask(by, value, both=self._unlisted)
        with self._lock:
            for record in found:
                self.put(record)
            if by not in UNIQUE or not found:
                self._kept.remember_asked(by, text)


def _one_if_archived(found: list[Record]) -> list[Record]:
    return [record for record in found if not record.get("archivedAt")] or found[:1]
