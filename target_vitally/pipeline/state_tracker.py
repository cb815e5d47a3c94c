"""Track which rows have outcomes, and so which STATE may be sent out."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

INFINITE = 1 << 62
SECONDS = 60.0
"""STATE goes out at least so often, if it may."""
MOST_STATES = 1000
"""Messages that are kept until the rows before them have ended."""


class StateTracker:
    """Numbers rows, and sends a STATE out once every row before it has its outcome."""

    def __init__(
        self, emit: Callable[[Any], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        # A byte for each row, at its number: a million rows are a megabyte.
        self._ended = bytearray(b"\1")
        self._done = 0
        self._states: deque[tuple[int, Any]] = deque()
        self._emitted_at = clock()
        self._rejected: int | None = None
        self._held: int | None = None

    @property
    def _rows(self) -> int:
        return len(self._ended) - 1

    def row(self) -> int:
        """Return the number of the next row, counted from 1."""
        with self._lock:
            self._ended.append(0)
            return self._rows

    def state(self, value: Any) -> None:
        """Keep a STATE until the rows before it have outcomes."""
        with self._lock:
            if self._rejected is not None:
                return
            if self._states and self._states[-1][0] == self._rows:
                self._states.pop()
            self._states.append((self._rows, value))
            if len(self._states) > MOST_STATES:  # a row waits: some of those behind it will do
                self._states = deque(
                    [*itertools.islice(self._states, 0, None, 2), self._states[-1]]
                )

    def end(self, row: int) -> None:
        """Note that a row has its outcome."""
        with self._lock:
            self._ended[row] = 1

    def reject(self, row: int) -> None:
        """Send out no STATE from after this row, for the rest of the run."""
        with self._lock:
            self._rejected = row if self._rejected is None else min(row, self._rejected)
            while self._states and self._states[-1][0] >= self._rejected:
                self._states.pop()

    def hold(self, row: int) -> None:
        """Send out no STATE from after this row until `release`, even once the row has its outcome."""
        with self._lock:
            self._held = row if self._held is None else self._held

    def release(self) -> None:
        """End the `hold`."""
        with self._lock:
            self._held = None

    def emit(self, *, only_if_due: bool = False) -> None:
        """Send out the latest STATE whose rows all have outcomes, if there is a new one.

        With ``only_if_due``, only if the last time was `SECONDS` ago.
        """
        with self._lock:
            if only_if_due and self._clock() - self._emitted_at < SECONDS:
                return
            still_open = self._ended.find(0, self._done)
            self._done = still_open - 1 if still_open > 0 else self._rows
            bounds = (self._done, (self._rejected or INFINITE) - 1, (self._held or INFINITE) - 1)
            done = min(bounds)
            latest: list[Any] = []
            while self._states and self._states[0][0] <= done:
                latest = [self._states.popleft()[1]]
            self._emitted_at = self._clock()
            if latest:
                self._emit(latest[0])
