"""The state that all streams of a run share: the API, the server's clock, lists of parents, links."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any, Protocol
from urllib.parse import quote

from tap_vitally.state.parent_scan import Parent
from tap_vitally.state.stream_state import StreamState
from tap_vitally.sync.batches import Page
from tap_vitally.sync.linked_ids import LinkedIds, linked_ids_of
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Record
from tap_vitally.sync.settings import Settings
from tap_vitally.sync.summary import StreamMetrics
from vitally_api import Answer, Refused, Unreadable, Vitally, VitallyError, rows_at, single
from vitally_api.statuses import NOT_FOUND
from vitally_api.values import identity_of, parse_moment

MOST_LATER = 2
"""Accounts kept in addition to the oldest one, since new accounts are deleted more often."""


class Readable(Protocol):
    """The part of a stream's reader that the workspace uses."""

    name: str
    list_client: ListClient
    stream_state: StreamState
    metrics: StreamMetrics


class Workspace:
    """The workspace that a run reads.

    ``signpost`` is the server's clock before the first record was asked for, None without a Date
    header; ``started_at`` the same, or this machine's clock; ``inventoried`` the lists of ids that
    came to their end, as records of `inventory_runs`; ``changes`` the lists whose changed rows nested
    streams ask for; ``linked_ids`` the links of records that were looked up, by their paths, with their
    moments of change, None if there is no record; ``newest`` the latest change seen in anything;
    ``metrics`` counts what was asked for no stream.
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
        # What STATE knows the host by: nothing of the key, and no address to read in it.
        self.fingerprint = sha256(api.endpoint.base_url.lower().encode()).hexdigest()[:12]
        self.linked_ids: dict[str, tuple[LinkedIds | None, datetime | None]] = {}
        self._began = time.monotonic()
        self._parents: dict[str, SharedParents] = {}
        self._sharing = threading.Lock()

    def begin(self) -> None:
        """Send the first request, which checks the key, and set the signpost to the server's time."""
        first = self.first_answer()
        self.signpost = first.date
        self.identity.begin(next(filter(None, first.data), None))
        self.started_at = self.signpost or datetime.now(UTC)
        self._began = time.monotonic()

    def first_answer(self) -> Answer[list[str | None]]:
        """Request one account, the cheapest request there is, and return its id in a list.

        Raise `VitallyError` if the key does not give access.
        """
        query = {"limit": "1", "status": "activeOrChurned"}
        try:
            return self.api.get("/accounts", query, _ids_in_page, self.metrics)
        except Refused as refusal:
            asked = self.api.endpoint.base_url
            where = "" if asked in str(refusal) else f" It was asked at {asked}."
            msg = f"{refusal}{where}"
            if refusal.status in NOT_FOUND:  # nothing is found at all
                msg = (
                    f"There is no Vitally REST API at {asked}: {refusal} Check data_center, "
                    "subdomain and api_url."
                )
            raise VitallyError(msg) from None

    def _has_account(self, identity: str) -> bool:
        """Return True if an account exists; False if not, or if the look-up fails."""
        path = f"/accounts/{quote(identity, safe='')}"
        try:
            found = self.api.get(path, {}, single, self.metrics).data
        except (Refused, Unreadable):
            return False
        return any(identity_of(row.get("id")) == identity for row in found)

    def clock(self) -> datetime:
        """Return the time by the server's clock."""
        return self.started_at + timedelta(seconds=time.monotonic() - self._began)

    def list_client(self, name: str) -> ListClient:
        """Return the client for the lists of a stream, selected or not."""
        return self.readers[name].list_client

    def parents(self, name: str) -> Iterable[Parent]:
        """Return the parents of nested streams, newest first; they are listed once per run, as needed."""
        with self._sharing:
            if name not in self._parents:
                client = self.list_client(name)
                # Declared streams below it may have columns of it in their addresses.
                resources = [reader.list_client.resource for reader in self.readers.values()]
                below = [r.declared for r in resources if r.parent and r.parent.name == name]
                client.kept = frozenset().union(*(d.parent_columns for d in below if d))
                self._parents[name] = SharedParents(client.parents())
            return self._parents[name]

    def lists_parents(self, name: str) -> bool:
        """Return True if a selected child stream lists all records of this stream anyway."""
        resources = [reader.list_client.resource for reader in self.selected]
        return any(r.parent and r.parent.name == name and not r.only_changed for r in resources)

    def changed(self, name: str) -> Changes:
        """Return the changes in a stream's list, which are collected from now on."""
        return self.changes.setdefault(name, Changes(self.list_client(name)))

    def remember_linked_ids(self, path: str, record: Any) -> None:
        """Remember the links of a record that was looked up, or None if it does not exist.

        Do nothing if no stream needs them, since they would take much memory in a first pass.
        """
        if self.changes and isinstance(record, dict):
            self.linked_ids[path] = linked_ids_of(record), parse_moment(record.get("updatedAt"))
        elif self.changes:
            self.linked_ids[path] = None, None

    def forget_older(self, path: str, moment: datetime | None) -> None:
        """Forget the links of a record if they were read before its last change, at ``moment``."""
        _, noted = self.linked_ids.get(path, (None, None))
        if noted and moment and noted < moment:
            self.linked_ids.pop(path, None)


def _ids_in_page(body: Any) -> list[str | None]:
    try:
        rows = rows_at(body, "$.results[*]")
    except Unreadable:
        raise Unreadable("it is no list of accounts") from None
    return [identity_of(row.get("id")) for row in rows if isinstance(row, dict)]


class Identity:
    """Recognizes the workspace that STATE was written for, where the host alone does not say.

    All workspaces of the eu data center share one host, and so may those behind a proxy. STATE
    remembers a few accounts: ids that no other workspace has, and that stay when an API key is
    replaced, which a digest of the key would not. ``is_there`` looks an account up, which takes a
    request: only where none of those remembered is the one that the first answer of a run brings
    anyway, which is the last that changed.
    """

    def __init__(self, is_there: Callable[[str], bool]) -> None:
        self._is_there = is_there
        self._first: str | None = None
        self._other: str | None = None
        self._found: dict[str, bool] = {}

    def begin(self, account: str | None) -> None:
        """Set the account of the first answer; None if the workspace has none."""
        self._first = account
        if account:
            self._found[account] = True

    def note(self, account: str) -> None:
        """Note the last account of a page; after a full read that is the oldest one."""
        self._other = account
        self._found[account] = True

    def recognizes(self, accounts: Sequence[str] | None) -> bool:
        """Return False if STATE with these accounts was written for another workspace.

        STATE without accounts (None) is accepted.
        """
        if accounts is None:
            return True
        if not accounts:
            return self._first is None
        return any(map(self._found.get, accounts)) or any(map(self._look_up, accounts))

    def _look_up(self, account: str) -> bool:
        if account not in self._found:
            self._found[account] = self._is_there(account)
        return self._found[account]

    def to_remember(self, accounts: Sequence[str] | None) -> list[str]:
        """Return the accounts for STATE: those in it until now, and new ones; the oldest first."""
        known = [each for each in accounts or () if self._found.get(each) is not False]
        ids = list(dict.fromkeys([*known, *filter(None, (self._other, self._first))]))
        return [*ids[:1], *ids[1:][-MOST_LATER:]]


class Changes:
    """Passes the changed rows of a list of the whole workspace to all nested streams that need them.

    The list is read once per run: by its own stream, if that is selected, else by the first that needs it.
    """

    def __init__(self, list_client: ListClient) -> None:
        self._client = list_client
        self._start: datetime | None = None
        self._takers: list[Callable[[Record, str], None]] = []
        self._every = False
        self._read: set[str] = set()
        self._reading, self._taking = threading.Lock(), threading.Lock()

    def ask_for(self, since: datetime, take: Callable[[Record, str], None], *, every: bool) -> None:
        """Register ``take`` for all rows that changed since a time.

        It is called with a row and the label of its list, on any thread. ``every`` includes lists that the
        settings leave out.
        """
        self._start = min(since, self._start or since)
        self._every = self._every or every
        self._takers.append(take)

    def reach(self, start: datetime | None) -> datetime | None:
        """Return the start for the list's own stream: ``start``, or earlier if a nested stream needs it."""
        return min(start, self._start or start) if start else None

    def note(self, page: Page) -> None:
        """Pass the rows of a page on."""
        with self._taking:
            for take in self._takers:
                for row in page.records:
                    take(row, page.request.label)
        if page.ends:
            self._read.add(page.request.label)

    def read(self, most: int) -> bool:
        """Read the lists that were not read yet; return False if that takes more than ``most`` requests."""
        with self._reading:
            for context in self._client.contexts(every=self._every):
                if context.label in self._read:
                    continue
                for page in self._client.scan(context, "updatedAt", self._start):
                    self.note(page)
                    most -= 1
                    if most < 0 and not page.ends:
                        return False
        with self._taking:
            # All is known; what its own stream may still read would come while it is used.
            self._takers.clear()
        return True


class SharedParents:
    """A list of parents that several streams iterate over, and that is requested only once."""

    def __init__(self, source: Iterator[Parent]) -> None:
        self._source = source
        self._found: list[Parent] = []
        self._error: Exception | None = None
        self._finding = threading.Lock()

    def __iter__(self) -> Iterator[Parent]:
        """Yield the parents; raise an error of the source at the same position in each iteration."""
        for position in count():
            with self._finding:
                if position == len(self._found):
                    if self._error:
                        raise self._error
                    try:
                        self._found.append(next(self._source))
                    except StopIteration:
                        return
                    except Exception as error:
                        self._error = error
                        raise
            yield self._found[position]
