"""A prefetcher that is watched, and streams of any shape for it to read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st

from tap_vitally.sync import prefetch
from tap_vitally.sync.prefetch import Prefetcher

PATIENCE = 20.0
"""Seconds after which what has not happened is taken never to happen."""

often = settings(max_examples=75)


@dataclass(frozen=True)
class Item:
    name: str
    size_bytes: int = field(compare=False)

    def compressed(self) -> Item:
        """Ten take as much as one did."""
        return Item(self.name, -(-self.size_bytes // 10))


Plan = Sequence[tuple[str, Any]]
"""The lists of each stream, or a tuple of its phases."""
PLAN = "the plan"


class WorkerFailed(Exception):
    """What a chain raises here."""


class Watched(Prefetcher):
    """Remembers the most it ever held, and tells when its reader has to wait."""

    def __init__(
        self, plan: Plan, workers: int, on_wait: Callable[[], object] = lambda: None
    ) -> None:
        self.most = 0
        self._on_wait = on_wait
        self._since = time.monotonic()
        self._stepped = threading.Semaphore(0)
        phases = {name: tasks if isinstance(tasks, tuple) else [tasks] for name, tasks in plan}
        super().__init__(phases, workers, self._waiting, {})

    def _waiting(self) -> None:
        assert time.monotonic() - self._since < PATIENCE, "the threads wait for each other"
        self._on_wait()

    @property
    def held(self) -> int:
        return sum(stream.held for stream in self._turns)

    @property
    def fetching(self) -> int:
        return self._busy[prefetch._Queue]

    @property
    def at_rest(self) -> bool:
        return not self._busy.total()

    def _keep(self, source: Any, value: Any) -> None:
        super()._keep(source, value)
        self._since = time.monotonic()
        self.most = max(self.most, self.held)
        self._stepped.release()

    def _next_source(self) -> Any:
        source = super()._next_source()
        self._stepped.release()
        return source

    def until(self, state: Callable[[], bool]) -> None:
        """Wait for a state that a step of the workers leads to."""
        while True:
            with self._lock:
                if state():
                    return
            assert self._stepped.acquire(timeout=PATIENCE)

    def end(self) -> None:
        """No thread outlives it."""
        self.stop()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@contextmanager
def reading(
    plan: Plan,
    workers: int,
    max_bytes: int = 1 << 30,
    **more: Any,
) -> Iterator[Watched]:
    with mock.patch.multiple(prefetch, MAX_BYTES=max_bytes, WAIT_SECONDS=0.001):
        ahead = Watched(plan, workers, **more)
        try:
            yield ahead
        finally:
            ahead.end()


# Streams of any shape

Shape = Sequence[Sequence[tuple[Sequence[int], bool]]]
"""Per stream and chain: the weights of its items, and whether it breaks after them."""


def shapes(weights: st.SearchStrategy[int]) -> st.SearchStrategy[Shape]:
    page_tasks = st.lists(st.tuples(st.lists(weights, max_size=5), st.booleans()), max_size=12)
    return st.lists(page_tasks, max_size=4)


def plan_of(shape: Shape, before_each: Callable[[], object] = lambda: None) -> Plan:
    def chain(name: str, weights: Sequence[int], *, breaks: bool) -> Iterator[Any]:
        for number, size_bytes in enumerate(weights):
            before_each()
            yield Item(f"{name}, item {number}", size_bytes)
        if breaks:
            raise WorkerFailed(name)

    return [
        (
            f"stream {stream}",
            [
                partial(chain, f"stream {stream}, chain {number}", weights, breaks=breaks)
                for number, (weights, breaks) in enumerate(page_tasks)
            ],
        )
        for stream, page_tasks in enumerate(shape)
    ]


def outcome(items: Iterator[Any]) -> tuple[list[Any], str | None]:
    """The items, and the error that came in place of the next, if one did."""
    found = []
    try:
        for item in items:
            found.append(item)  # noqa: PERF402 - what came before an error counts
    except WorkerFailed as error:
        return found, str(error)
    return found, None
