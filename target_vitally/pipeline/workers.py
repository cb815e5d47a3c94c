"""The threads of a run, and what ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from vitally_api import Budget, Cancelled

Item = TypeVar("Item")
POLL_SECONDS = 1.0
"""Seconds between two looks of the main thread at what the workers have done."""


class RunAborted(Exception):
    """The run has to end: a signal, or a row that was rejected under ``on_reject: stop``.

    ``exit_code`` is what the command ends with.
    """

    def __init__(self, message: str, signal: int = 0) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal if signal else 1


class Workers:
    """As many threads as may have a request under way; ``poll`` is called while they work."""

    def __init__(
        self, concurrency: int, budgets: Sequence[Budget], poll: Callable[[], None]
    ) -> None:
        self._concurrency = concurrency
        self._budgets = budgets
        self._poll = poll
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self.failure: BaseException | None = None

    def abort(self, failure: BaseException, *, now: bool = False) -> None:
        """Begin nothing new; the first reason counts. ``now`` also ends waiting for a request's turn."""
        with self._lock:
            # What was cancelled was so because of something else, which is reported by itself.
            if self.failure is None or isinstance(self.failure, Cancelled):
                self.failure = failure
        if now:
            for budget in self._budgets:
                budget.stop()

    def check(self) -> None:
        """Raise what ends the run, if something does."""
        if self.failure is not None:
            raise self.failure

    def map_concurrently(self, do: Callable[[Item], Any], items: Iterable[Item]) -> None:
        """Call a function for each of many items; the first failure ends all, and is raised."""

        def guarded(item: Item) -> None:
            if self.failure is None:
                try:
                    do(item)
                except BaseException as failure:
                    self.abort(failure)
                    raise

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._concurrency, "write")
        futures = {self._pool.submit(guarded, item) for item in items}
        while futures:
            done, futures = wait(futures, POLL_SECONDS, FIRST_EXCEPTION)
            self._poll()
            for future in done:
                future.exception()
        self.check()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
