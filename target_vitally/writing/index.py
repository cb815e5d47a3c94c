"""What Vitally holds now of one resource, read one by one or by the page, whichever costs less."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from target_vitally.planning.resource import Record, Resource
from target_vitally.writing.wire import Wire, segment
from vitally_api import Refused, encoded
from vitally_api.values import InvalidValue, key_text

FEW = 8
"""Records that are read one by one without a look at the list."""
LARGE = 300
"""Bytes from which on a record is kept compressed: a note's text shrinks to a third."""

_decoder = json.JSONDecoder(parse_float=Decimal)

Spread = Callable[[Callable[[str], None], Iterable[str]], None]
"""Calls a function for each of many values, on as many threads as may ask at once."""


class Index:
    """The records of one list, by id and by each of their keys.

    A record is kept as JSON with only what may be compared: 100,000 users are tens of megabytes.
    """

    def __init__(self, wire: Wire, resource: Resource, path: str, spread: Spread) -> None:
        self._wire = wire
        self._resource = resource
        self._path = path
        self._spread = spread
        self._lock = threading.RLock()
        self._traits: frozenset[str] | None = frozenset()
        self._kept = _kept(resource)
        self._pretended: dict[str, bytes] = {}
        self._forget()

    def _forget(self) -> None:
        self._records: dict[str, bytes] = {}
        self._ids: dict[str, dict[str, tuple[str, ...]]] = {}
        self._absent: set[tuple[str, str]] = set()
        self._walk = self._pages()
        self._complete = False
        for raw in self._pretended.values():
            self.put(_unpacked(raw))

    def want(self, traits: Iterable[str] | None) -> None:
        """Keep more traits of each record, or all where it is None; what was read without is forgotten."""
        with self._lock:
            wanted = None if traits is None or self._traits is None else self._traits | set(traits)
            if wanted != self._traits:
                self._traits = wanted
                if self._records or self._absent:
                    self._forget()

    def find(self, by: str, values: Iterable[str]) -> None:
        """Make sure that it is known which records have these values of a key.

        Pages are read until asking one by one has become the cheaper way: a few are left, no more
        than pages were read, and the last page brought none or one of them.
        """
        missing = {value for value in values if not self._knows(by, value)}
        alone = by in self._resource.single
        pages = brought = 0
        while missing and not self._complete:
            if alone and brought <= 1 and len(missing) <= max(FEW, pages):
                break
            found = missing & {_key(by, record) for record in self._read_page()}
            missing -= found
            pages, brought = pages + 1, len(found)
        if missing and alone and not self._complete:
            self._spread(lambda value: self._read_one(by, value), missing)

    def get(self, by: str, value: str) -> list[Record]:
        """Give the records that have a value of a key, as far as they have been read."""
        with self._lock:
            return [_unpacked(self._records[id_]) for id_ in self.ids(by, value)]

    def ids(self, by: str, value: str) -> tuple[str, ...]:
        """Give the ids of the records that have a value of a key, as far as they have been read."""
        with self._lock:
            if by == "id":
                return (value,) if value in self._records else ()
            return self._ids_of(by).get(value, ())

    def fresh(self, by: str, value: str, counts: Any) -> list[Record]:
        """Look a record up once more, to see whether a write was carried out."""
        if by in self._resource.single:
            found = self._ask(by, value, counts)
        else:
            found = [
                record
                for page in self._newest(counts)
                for record in page
                if _key(by, record) == value
            ]
        for record in found:
            self.put(record)
        return found

    def pretend(self, record: Record) -> None:
        """Take in a record as a plan has it, which no reading would bring back."""
        self._pretended[str(record["id"])] = encoded(record)
        self.put(record)

    def put(self, record: Record) -> None:
        """Take in a record as it is now."""
        id_ = str(record.get("id") or "")
        if not id_:
            return
        with self._lock:
            self._drop(id_)
            self._records[id_] = self._packed(record)
            for by, ids in self._ids.items():
                value = _key(by, record)
                if value:
                    ids[value] = (*ids.get(value, ()), id_)

    def drop(self, id_: str) -> None:
        """Forget a record that is gone."""
        with self._lock:
            self._drop(id_)

    def _drop(self, id_: str) -> None:
        raw = self._records.pop(id_, None)
        if raw is None:
            return
        record = _unpacked(raw)
        for by, ids in self._ids.items():
            value = _key(by, record)
            if value in ids:
                rest = tuple(other for other in ids[value] if other != id_)
                if rest:
                    ids[value] = rest
                else:
                    del ids[value]

    def _knows(self, by: str, value: str) -> bool:
        with self._lock:
            if self._complete or (by, value) in self._absent:
                return True
            return value in self._records if by == "id" else value in self._ids_of(by)

    def _ids_of(self, by: str) -> dict[str, tuple[str, ...]]:
        """Give the ids by a key; the first who asks has them sorted."""
        if by not in self._ids:
            found: dict[str, tuple[str, ...]] = {}
            for id_, raw in self._records.items():
                if value := _key(by, _unpacked(raw)):
                    found[value] = (*found.get(value, ()), id_)
            self._ids[by] = found
        return self._ids[by]

    def _read_page(self) -> list[Record]:
        try:
            page = next(self._walk)
        except StopIteration:
            self._complete = True
            return []
        except BaseException:
            # A generator that failed looks as if it were at its end: a list read in part is none.
            self._walk = self._pages()
            raise
        for record in page:
            # What was written meanwhile is newer than the list.
            if str(record.get("id")) not in self._records:
                self.put(record)
        return page

    def _pages(self) -> Iterator[list[Record]]:
        """Read the whole list; sorted by creation, a change does not move a record."""
        for more in self._variants():
            yield from self._list(more, None)

    def _newest(self, counts: Any) -> Iterator[list[Record]]:
        """Read the lists down to what was there before this run."""
        began = self._wire.clock
        for more in self._variants()[: 1 if self._resource.archives else None]:
            for page in self._list(more, counts):
                yield page
                oldest = str(page[-1].get("createdAt") or "") if page else ""
                if began and oldest and oldest < began.strftime("%Y-%m-%dT%H:%M"):
                    break

    def _list(self, more: Mapping[str, str], counts: Any) -> Iterator[list[Record]]:
        query = {"sortBy": "createdAt", **more}
        try:
            yield from self._wire.pages(self._path, self._label, query, counts)
        except Refused as refused:
            if refused.key or more not in self._resource.lists[1:]:
                raise

    def _variants(self) -> tuple[Mapping[str, str], ...]:
        if self._resource.archives:
            return ({"archived": "false"}, {"archived": "true"})
        return self._resource.lists

    @property
    def _label(self) -> str:
        return f"/resources/{self._resource.path}"

    def _read_one(self, by: str, value: str) -> None:
        found = self._ask(by, value, None)
        with self._lock:
            for record in found:
                self.put(record)
            if not found:
                self._absent.add((by, value))

    def _ask(self, by: str, value: str, counts: Any) -> list[Record]:
        if self._resource.single[by] == "search":
            found = self._wire.records(
                f"{self._path}/search", f"{self._label}/search", {by: value}, counts
            )
        else:
            found = self._wire.records(
                f"{self._path}/{segment(value)}", f"{self._label}/...", None, counts
            )
        # A path takes ids and external ids alike, and one may look like the other.
        return [record for record in found if _key(by, record) == value]

    def _packed(self, record: Record) -> bytes:
        whole = self._resource.by_name
        kept = {
            name: record[name] if name in whole else _small(record[name])
            for name in self._kept
            if name in record
        }
        traits = record.get("traits")
        if isinstance(traits, dict):
            kept["traits"] = {
                path: value
                for path, value in traits.items()
                if self._traits is None or path in self._traits
            }
        raw = encoded(kept)
        return zlib.compress(raw, 1) if len(raw) > LARGE else raw


def _kept(resource: Resource) -> tuple[str, ...]:
    """Name what is kept of a record, first what finds it."""
    names = dict.fromkeys(("id", *resource.keys, "createdAt", "archivedAt"))
    for prop in resource.properties:
        names |= dict.fromkeys((prop.name, prop.shown or prop.name))
        if prop.name.endswith("Id"):
            names[prop.name.removesuffix("Id")] = None
    return tuple(names)


def _small(value: Any) -> Any:
    """Cut embedded accounts, organizations and users down to their ids."""
    if isinstance(value, dict) and "id" in value and "traits" in value:
        return {"id": value["id"]}
    if isinstance(value, list):
        return [_small(item) for item in value]
    return value


def _unpacked(raw: bytes) -> Record:
    text = raw if raw[:1] == b"{" else zlib.decompress(raw)
    record: Record = _decoder.decode(text.decode())
    return record


def _key(by: str, record: Mapping[str, Any]) -> str:
    if by.startswith("trait:"):
        traits = record.get("traits")
        value = traits.get(by.removeprefix("trait:")) if isinstance(traits, dict) else None
    else:
        value = record.get(by)
    if by == "email":
        return "" if value is None else str(value)
    try:
        return key_text(by, value)
    except InvalidValue:
        return ""  # what is no key of any row, such as a list in a trait
