"""The threads that send requests, and how a failure on one of them ends the run."""

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
    """A pool of ``concurrency`` threads; ``poll`` is called on the main thread while they work."""

    def __init__(
        self, concurrency: int, budgets: Sequence[Budget], poll: Callable[[], None]
    ) -> None:
        self._concurrency = concurrency
        self._budgets = budgets
        self._poll = poll
        self._pool: ThreadPoolExecutor | None = None
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self.failure: BaseException | None = None

    def abort(self, failure: BaseException, *, now: bool = False) -> None:
        """Stop the run: begin nothing new, and raise the first failure that was given.

        ``now`` also interrupts threads that wait for the rate limit.
        """
        with self._lock:
            # What was cancelled was so because of something else, which is reported by itself.
            if self.failure is None or isinstance(self.failure, Cancelled):
                self.failure = failure
        if now:
            for budget in self._budgets:
                budget.stop()

    def check(self) -> None:
        """Raise the failure that ends the run, if there was one."""
        if self.failure is not None:
            raise self.failure

    def map_concurrently(self, do: Callable[[Item], Any], items: Iterable[Item]) -> None:
        """Call a function for each item, on all threads; raise the first failure, which stops the others.

        Called on one of these threads, it stays there: if each waited for another one, none would go on.
        """
        if getattr(self._of_thread, "inside", False):
            for item in items:
                do(item)
            return

        def guarded(item: Item) -> None:
            self._of_thread.inside = True
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
        """Wait for calls in progress and end the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
