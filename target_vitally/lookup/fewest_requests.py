"""Choose between pages of a list and single look-ups, whichever takes fewer requests."""

from __future__ import annotations

from collections import deque

FEW = 8
"""Records that are read one by one without a look at the list."""
RECENT, LATEST = 100, 4
"""How many of the last pages tell what the next one may bring: if more rows are to come, and if not."""


class FewestRequests:
    """Chooses from what was read of one list in the run so far.

    The number of further rows is unknown. As long as there were no more single look-ups than pages, a run
    takes at most about twice the requests that it would take if the number were known.
    """

    def __init__(self) -> None:
        self._brought: deque[int] = deque(maxlen=RECENT)
        self._pages = self._single = self._batches = 0

    def batch(self) -> None:
        """Count a batch of rows that is not known to be the last."""
        self._batches += 1

    def page(self, brought: int) -> None:
        """Count a page that had ``brought`` of the missing records."""
        self._pages += 1
        self._brought.append(brought)

    def single(self, number: int) -> None:
        """Count single look-ups."""
        self._single += number

    def one_by_one(self, missing: int, *, more: bool) -> bool:
        """Return True if single look-ups of the missing records take fewer requests than pages.

        They do if a page has less than one of them. If ``more`` rows will follow, as many as so far are
        expected, for which the pages are useful, too.
        """
        times = 1 + (self._batches if more else 0)
        recent = list(self._brought)[-(RECENT if more else LATEST) :]
        each = sum(recent) / len(recent) if recent else 0.0
        return each * times < 1 and self._single + missing * times <= max(FEW, self._pages)
