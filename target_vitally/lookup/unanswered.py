"""Look-ups of records that were not answered: nobody knows whether these are there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from target_vitally.lookup.client import RecordClient
from vitally_api import RateLimited, Refused, Unavailable, Unreadable, VitallyError


class LookupFailed(VitallyError):
    """The look-up of one record was not answered with data, while that of others is."""


class Unanswered:
    """Remembers, by a key and its text, why a look-up was not answered."""

    def __init__(self, client: RecordClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._reasons: dict[tuple[str, str], str] = {}

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._reasons)

    def texts(self, *keys: str) -> set[str]:
        """Return the texts of some keys whose look-ups were not answered."""
        with self._lock:
            return {text for by, text in self._reasons if by in keys}

    def check(self, by: str, text: str) -> None:
        """Raise `LookupFailed` where what was asked about a record was not answered."""
        if (by, text) in self._reasons:
            raise LookupFailed(self._reasons[by, text])

    def add(self, by: str, texts: Iterable[str], reason: str) -> None:
        """Remember look-ups that were not answered together; what is known of one alone stays."""
        with self._lock:
            self._reasons = dict.fromkeys(((by, text) for text in texts), reason) | self._reasons

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
            # The others may have been answered just before this one was asked.
            answered = isinstance(failure, Refused) or metrics.reads != reads
            if not answered and (since == reads or not self._client.answers()):
                raise
            with self._lock:
                self._reasons[by, text] = str(failure)
        else:
            with self._lock:
                self._reasons.pop((by, text), None)
