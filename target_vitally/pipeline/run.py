"""What all parts of a run share: the wire, what is known, what became of rows, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cached_property
from typing import Any

from target_vitally.mapping.resource import Resource
from target_vitally.pipeline.activity_writers import DOORS
from target_vitally.pipeline.fields import CustomFields
from target_vitally.pipeline.ledger import StateTracker
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.references import References
from target_vitally.pipeline.resource_writer import ResourceWriter
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.wire import TotalMetrics, Wire
from vitally_api import Budget, Cancelled, Vitally

POLL_SECONDS = 1.0
"""Seconds between two looks of the main thread at what the workers have done."""


class RunAborted(Exception):
    """The run has to end: a signal, or a row that was rejected under ``on_reject: stop``.

    ``exit_code`` is what the command ends with.
    """

    def __init__(self, message: str, signal: int = 0) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = 128 + signal if signal else 1


class Run:
    """One run of the target. Nothing is sent before the first row is written."""

    def __init__(
        self,
        settings: Settings,
        vitally: Vitally,
        budget: Budget,
        resources: Mapping[str, Resource],
        emit: Callable[[Any], None],
    ) -> None:
        self.settings = settings
        self.budget = budget
        self.resources = resources
        self.request_timeout = vitally.policy.request_timeout
        self.metrics = TotalMetrics()
        self.wire = Wire(vitally, self.metrics)
        self._emit = emit
        self.state_tracker = StateTracker(self._acknowledge)
        self.outcomes = Outcomes(settings, self.state_tracker)
        self.fields = CustomFields(self.wire, self.outcomes)
        self.references = References(self.wire, resources, self.map_concurrently)
        self.writers: dict[str, ResourceWriter] = {
            name: DOORS[resource.writer](resource, self.references, self.wire)
            for name, resource in resources.items()
        }
        self.failure: BaseException | None = None
        self._lock = threading.Lock()

    def _acknowledge(self, state: Any) -> None:
        """Send out a STATE, after the lines on the rows before it; a plan acknowledges nothing."""
        if not self.settings.dry_run:
            self._emit(state)

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        """The workers: as many as may have a request under way."""
        return ThreadPoolExecutor(self.settings.concurrency, "write")

    def abort(self, failure: BaseException) -> None:
        """Let nothing new begin; the first reason counts."""
        with self._lock:
            # What was cancelled was so because of something else, which is told by itself.
            if self.failure is None or isinstance(self.failure, Cancelled):
                self.failure = failure
        if isinstance(failure, RunAborted) and failure.signal:
            self.budget.stop()

    def check(self) -> None:
        """Raise what ends the run, if something does."""
        if self.failure is not None:
            raise self.failure

    def each(self, do: Callable[[Any], None], items: Sequence[Any]) -> None:
        """Do something for each of many, on the workers; the first failure ends all."""

        def guarded(item: Any) -> None:
            if self.failure is None:
                try:
                    do(item)
                except BaseException as failure:
                    self.abort(failure)
                    raise

        futures = {self.pool.submit(guarded, item) for item in items}
        while futures:
            done, futures = wait(futures, POLL_SECONDS, FIRST_EXCEPTION)
            self.state_tracker.emit(only_if_due=True)
            for future in done:
                future.exception()
        self.check()

    def map_concurrently(self, do: Callable[[str], None], values: Iterable[str]) -> None:
        """Do something for each of many values."""
        self.each(do, list(values))

    def close(self) -> None:
        """Let the workers go, and close the files."""
        if "pool" in self.__dict__:
            self.pool.shutdown(wait=True, cancel_futures=True)
        self.outcomes.close()
