"""Look-ups that were not answered, so that it is unknown if their records exist."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from target_vitally.lookup.client import RecordClient
from vitally_api import RateLimited, Refused, Unavailable, Unreadable, VitallyError


class LookupFailed(VitallyError):
    """The look-up of one record was not answered with data, while others are."""


class Unanswered:
    """Remembers, by a key and its text, why a look-up was not answered."""

    def __init__(self, client: RecordClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._reasons: dict[tuple[str, str], str] = {}

    @property
    def any(self) -> bool:
        """True if some look-up was not answered."""
        return bool(self._reasons)

    def has(self, by: str, text: str) -> bool:
        """Return True if the look-up of a text of a key was not answered."""
        return (by, text) in self._reasons

    def check(self, by: str, text: str) -> None:
        """Raise `LookupFailed` where what was asked about a record was not answered."""
        if (by, text) in self._reasons:
            raise LookupFailed(self._reasons[by, text])

    def add(self, by: str, texts: Iterable[str], reason: str) -> None:
        """Remember a reason for look-ups that were not answered; keep a reason that is known already."""
        with self._lock:
            for text in texts:
                self._reasons.setdefault((by, text), reason)

    def attempt(self, by: str, text: str, ask: Callable[[], object], since: int) -> None:
        """Call ``ask`` for one record; if it fails for this record alone, remember the reason.

        It does if the answer is not data, or if there is none while other requests are answered. ``since``
        is the number of reads of the run that had been answered before.
        """
        metrics = self._client.metrics
        reads = metrics.reads
        try:
            ask()
        except RateLimited:
            raise
        except (Refused, Unavailable, Unreadable) as failure:
            # The others may have been answered just before this one was asked.
            answered = isinstance(failure, Refused) or metrics.reads != reads
            if not answered and (since == reads or not self._client.answers()):
                raise
            with self._lock:
                self._reasons[by, text] = str(failure)
        else:
            with self._lock:
                self._reasons.pop((by, text), None)
