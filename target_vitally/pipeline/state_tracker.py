"""Which rows have ended, and which STATE may therefore go out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

SECONDS = 60.0
"""STATE goes out at least so often, if it may."""


class StateTracker:
    """Numbers rows as they come, and lets STATE out when every row before it has ended."""

    def __init__(
        self, emit: Callable[[Any], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._rows = 0
        self._open: deque[int] = deque()
        self._ended: set[int] = set()
        self._states: deque[tuple[int, Any]] = deque()
        self._emitted_at = clock()
        self._rejected: int | None = None
        self._held: int | None = None

    def row(self) -> int:
        """Number a row that has come."""
        with self._lock:
            self._rows += 1
            if self._rejected is None:
                self._open.append(self._rows)
            return self._rows

    def state(self, value: Any) -> None:
        """Keep a STATE for when the rows before it have ended."""
        with self._lock:
            if self._rejected is not None:
                return
            if self._states and self._states[-1][0] == self._rows:
                self._states.pop()
            self._states.append((self._rows, value))

    def end(self, row: int) -> None:
        """Let a row be done with."""
        with self._lock:
            if self._rejected is None or row < self._rejected:
                self._ended.add(row)

    def reject(self, row: int) -> None:
        """Let no STATE out that stands behind a row, for good; nothing of what follows is kept.

        Kept, it was 21 MB in 274,000 rows.
        """
        with self._lock:
            self._rejected = row if self._rejected is None else min(row, self._rejected)
            while self._open and self._open[-1] >= self._rejected:
                self._open.pop()
            while self._states and self._states[-1][0] >= self._rejected:
                self._states.pop()
            self._ended = {number for number in self._ended if number < row}

    def hold(self, row: int) -> None:
        """Keep STATE before a row until `release`, even when the row has ended."""
        with self._lock:
            self._held = row if self._held is None else self._held

    def release(self) -> None:
        """Let STATE go by the rows that have ended alone."""
        with self._lock:
            self._held = None

    def emit(self, *, only_if_due: bool = False) -> None:
        """Send out the last STATE that may go out, if there is one."""
        with self._lock:
            if only_if_due and self._clock() - self._emitted_at < SECONDS:
                return
            while self._open and self._open[0] in self._ended:
                self._ended.discard(self._open.popleft())
            reached = self._rows if self._rejected is None else self._rejected - 1
            done = self._open[0] - 1 if self._open else reached
            done = done if self._held is None else min(done, self._held - 1)
            latest: list[Any] = []
            while self._states and self._states[0][0] <= done:
                latest = [self._states.popleft()[1]]
            self._emitted_at = self._clock()
            if latest:
                self._emit(latest[0])
