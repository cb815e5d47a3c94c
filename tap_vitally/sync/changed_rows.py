"""The changed rows of the list of the whole workspace, for the streams below each parent.

The list is read once a run: by its own stream, if that is selected, else by the first that needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from tap_vitally.sync.batches import RawPage
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Record

Take = Callable[[Record, str], None]
"""Takes in a row and the label of the list that it is from; called on any thread."""


class Changes:
    """The changed rows of one resource, which are handed to all that ask for them."""

    def __init__(self, list_client: ListClient) -> None:
        self._client = list_client
        self._start: datetime | None = None
        self._takers: list[Take] = []
        self._every = False
        self._read: set[str] = set()
        self._reading = threading.Lock()
        self._taking = threading.Lock()

    def ask_for(self, since: datetime, take: Take, *, every: bool) -> None:
        """Ask for all rows that changed since a moment; ``every`` also of lists that settings leave out."""
        self._start = min(since, self._start or since)
        self._every = self._every or every
        self._takers.append(take)

    def reach(self, start: datetime | None) -> datetime | None:
        """Return from when on the resource's own stream reads, which would from ``start`` on."""
        return min(start, self._start or start) if start else None

    def note(self, label: str, raw_page: RawPage) -> None:
        """Hand a page of a list on."""
        with self._taking:
            for take in self._takers:
                for row in raw_page.rows:
                    take(row, label)
        if raw_page.ends:
            self._read.add(label)

    def read(self, most: int) -> bool:
        """Read the lists not read yet; return False if that takes more than so many requests."""
        with self._reading:
            for context in self._client.contexts(every=self._every):
                if context.label in self._read:
                    continue
                for raw_page in self._client.scan(context, "updatedAt", self._start):
                    self.note(context.label, raw_page)
                    most -= 1
                    if most < 0 and not raw_page.ends:
                        return False
        with self._taking:
            # All is known; what its own stream may still read would come while it is used.
            self._takers.clear()
        return True
