"""What all streams of a run share: the connection, the server's clock, lists of parents, links."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from tap_vitally.state.parent_scan import Parent
from tap_vitally.state.stream_state import StreamState
from tap_vitally.sync.changed_rows import Changes
from tap_vitally.sync.identity import Identity
from tap_vitally.sync.linked_ids import LinkedIds, linked_ids_of
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.settings import Settings
from tap_vitally.sync.summary import StreamMetrics
from vitally_api import Answer, Refused, Unreadable, Vitally, VitallyError, rows_at, single
from vitally_api.statuses import NOT_FOUND
from vitally_api.values import identity_of, parse_moment

T = TypeVar("T")


class Readable(Protocol):
    """What the workspace knows of a stream."""

    name: str
    list_client: ListClient
    stream_state: StreamState

    @property
    def metrics(self) -> StreamMetrics:
        """Its counts."""


class Workspace:
    """The workspace that a run reads.

    ``signpost`` is the server's clock before the first record was asked for, None without a Date
    header; ``started_at`` the same, or this machine's clock; ``inventoried`` the lists of ids that
    came to their end, as records of `inventory_runs`; ``changes`` the lists whose changed rows nested
    streams ask for; ``newest`` the latest change seen in anything; ``metrics`` counts what was asked
    for no stream.
    """

    def __init__(self, settings: Settings, api: Vitally) -> None:
        self.settings = settings
        self.api = api
        self.readers: Mapping[str, Readable] = {}
        self.signpost: datetime | None = None
        self.started_at = datetime.now(UTC)
        self.inventoried: list[dict[str, Any]] = []
        self.selected: list[Readable] = []
        self.changes: dict[str, Changes] = {}
        self.newest: datetime | None = None
        self.metrics = StreamMetrics()
        self.looking_up = threading.Lock()
        self.identity = Identity(self._has_account)
        self._linked_ids: dict[str, tuple[LinkedIds | None, datetime | None]] = {}
        self._began = time.monotonic()
        self._parents: dict[str, SharedList[Parent]] = {}
        self._sharing = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """What STATE knows the host by: nothing of the key, and no address to read in it."""
        return sha256(self.api.endpoint.base_url.lower().encode()).hexdigest()[:12]

    def begin(self) -> None:
        """Prove the key and set the signpost."""
        first = self._first_answer()
        self.signpost = first.date
        self.identity.begin(next(filter(None, first.data), None))
        self.started_at = self.signpost or datetime.now(UTC)
        self._began = time.monotonic()

    def probe(self) -> datetime | None:
        """Prove the key with the cheapest request there is, and return the server's clock.

        `VitallyError` is raised if the key does not give access.
        """
        return self._first_answer().date

    def _first_answer(self) -> Answer[list[str | None]]:
        """Ask for one account; the answer holds its id, or nothing."""
        query = {"limit": "1", "status": "activeOrChurned"}
        try:
            return self.api.get("/accounts", query, _ids_in_page, self.metrics)
        except Refused as refusal:
            if refusal.status not in NOT_FOUND:  # nothing is found at all
                asked = self.api.endpoint.base_url
                where = "" if asked in str(refusal) else f" It was asked at {asked}."
                msg = f"{refusal}{where}"
                raise VitallyError(msg) from None
            msg = (
                f"There is no Vitally REST API at {self.api.endpoint.base_url}: {refusal} Check "
                "data_center, subdomain and api_url."
            )
            raise VitallyError(msg) from None

    def _has_account(self, identity: str) -> bool:
        """Return True if an account is found; False as well if it cannot be looked up."""
        path = f"/accounts/{quote(identity, safe='')}"
        try:
            found = self.api.get(path, {}, single, self.metrics).data
        except (Refused, Unreadable) as failure:
            if isinstance(failure, Refused) and failure.key:
                raise
            return False
        return any(identity_of(row.get("id")) == identity for row in found)

    def clock(self) -> datetime:
        """Return the time by the server's clock."""
        return self.started_at + timedelta(seconds=time.monotonic() - self._began)

    def list_client(self, name: str) -> ListClient:
        """Return what reads the lists of a stream, selected or not."""
        return self.readers[name].list_client

    def parents(self, name: str) -> Iterable[Parent]:
        """Return the parents of nested streams, newest first; they are listed once per run, as needed."""
        with self._sharing:
            if name not in self._parents:
                self.list_client(name).kept = self._needed_of(name)
                self._parents[name] = SharedList(self.list_client(name).parents())
            return self._parents[name]

    def _needed_of(self, name: str) -> frozenset[str]:
        """Return the columns of a stream that declared streams below it have in their addresses."""
        resources = [reader.list_client.resource for reader in self.readers.values()]
        below = [r for r in resources if r.parent and r.parent.name == name and r.declared]
        return frozenset().union(*(r.declared.parent_columns for r in below if r.declared))

    def lists_parents(self, name: str) -> bool:
        """Return True if all records of a stream are listed anyway, as parents of others."""
        resources = [reader.list_client.resource for reader in self.selected]
        return any(r.parent and r.parent.name == name and not r.only_changed for r in resources)

    def changed(self, name: str) -> Changes:
        """Return the changes in the list of a stream, which is noted from now on."""
        return self.changes.setdefault(name, Changes(self.list_client(name)))

    def remember_linked_ids(self, path: str, record: Any) -> None:
        """Remember the links of a record that was looked up, None of one that there is not.

        Only if a stream may need them: a first pass would fill the memory.
        """
        if self.changes and isinstance(record, dict):
            self._linked_ids[path] = linked_ids_of(record), parse_moment(record.get("updatedAt"))
        elif self.changes:
            self._linked_ids[path] = None, None

    def forget_older(self, path: str, moment: datetime | None) -> None:
        """Forget the links of a record that has changed since, at a ``moment``."""
        _, noted = self._linked_ids.get(path, (None, None))
        if noted and moment and noted < moment:
            self._linked_ids.pop(path, None)

    def unknown(self, paths: Iterable[str]) -> list[str]:
        """Return the records that would have to be looked up for their links."""
        return sorted(set(paths) - self._linked_ids.keys())

    def linked_ids_of(self, path: str) -> LinkedIds | None:
        """Return the links of a record that was looked up; None if there is no record."""
        return self._linked_ids[path][0]


def _ids_in_page(body: Any) -> list[str | None]:
    try:
        rows = rows_at(body, "$.results[*]")
    except Unreadable:
        msg = "it is no list of accounts"
        raise Unreadable(msg) from None
    return [identity_of(row.get("id")) for row in rows if isinstance(row, dict)]


class SharedList(Generic[T]):
    """A list that is read as far as one of its iterators needs it, each item once."""

    def __init__(self, source: Iterator[T]) -> None:
        self._source = source
        self._found: list[T] = []
        self._error: Exception | None = None
        self._finding = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        """Yield the items; an error of the source is raised at the same place every time."""
        position = 0
        while position < len(self._found) or self._find_more(position):
            yield self._found[position]
            position += 1

    def _find_more(self, position: int) -> bool:
        with self._finding:
            if self._error:
                raise self._error
            if position == len(self._found):
                try:
                    self._found.append(next(self._source))
                except StopIteration:
                    return False
                except Exception as error:
                    self._error = error
                    raise
            return True
