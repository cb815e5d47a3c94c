"""Which way of reading costs fewer requests: pages of a list, or single look-ups."""

from __future__ import annotations

from collections import deque

FEW = 8
"""Records that are read one by one without a look at the list."""
RECENT, LATEST = 100, 4
"""How many of the last pages tell what the next one may bring: if more rows are to come, and if not."""


class FewestRequests:
    """Chooses by what has been read of one list in the whole run.

    Nobody knows how many rows are to come. As long as no more records were asked for one by one than
    pages were read, a run costs at most about twice what it would cost if that were known.
    """

    def __init__(self) -> None:
        self._brought: deque[int] = deque(maxlen=RECENT)
        self._pages = self._single = self._batches = 0

    def batch(self) -> None:
        """Count a batch of rows that more are to follow, as far as anybody knows."""
        self._batches += 1

    def page(self, brought: int) -> None:
        """Count a page that brought so many of the records that were missing."""
        self._pages += 1
        self._brought.append(brought)

    def single(self, number: int) -> None:
        """Count single look-ups."""
        self._single += number

    def one_by_one(self, missing: int, *, more: bool) -> bool:
        """Return whether it is cheaper to ask for the missing records one by one.

        It is if a page brings less than one of them. If ``more`` rows are to come, as many again as before
        are expected, and the pages that are read serve them, too.
        """
        times = 1 + (self._batches if more else 0)
        recent = list(self._brought)[-(RECENT if more else LATEST) :]
        each = sum(recent) / len(recent) if recent else 0.0
        return each * times < 1 and self._single + missing * times <= max(FEW, self._pages)
