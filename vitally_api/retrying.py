"""Repeat failed requests until there is an answer."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import backoff

from vitally_api.budget import Budget
from vitally_api.errors import VitallyError

T = TypeVar("T")

SHORTEST_PAUSE = 0.001
"""Seconds of patience that count as none: waits that round to 0 would be repeated for ever."""
LONGEST_PAUSE = 30.0
"""The longest wait between two tries in seconds; the average is half of it."""
LONGEST_REFUSAL = 60.0
"""The longest wait in seconds after a 429 that does not say how long to wait."""
ALL_LOGGED, SOME_LOGGED = 10, 5
"""The first 10 tries of a request are all logged, then every fifth."""

logger = logging.getLogger("tap-vitally.api")


@dataclass(frozen=True)
class Policy:
    """How often and how long a failed request is repeated. Times are in seconds.

    ``patience`` is the time after the first failure, longer than a rate window and a short outage.
    Before the first answer, failures that may be due to the settings (an address, a name, a proxy) are
    repeated for ``first_patience`` only. After ``unreadable_tries`` answers 2xx that are not JSON, or
    ``odd_tries`` with an unexpected structure, the request fails. ``repeats`` are the methods that are
    repeated although the first request may have been carried out.
    """

    patience: float = 300.0
    first_patience: float = 30.0
    unreadable_tries: int = 5
    odd_tries: int = 2
    connect_timeout: float = 15.0
    request_timeout: float = 60.0
    repeats: frozenset[str] = frozenset({"GET"})


class RequestMetrics(Protocol):
    """Counts requests, retries and seconds waited; used by all threads."""

    def add(self, **counts: float) -> None:
        """Add to the counts ``requests``, ``retries`` and ``waited``."""


@dataclass
class TryAgain(Exception):
    """A try failed, and another may succeed.

    ``failure`` returns the error to raise in the end, given the seconds since the first failure of any
    kind; ``patience`` is the limit of these seconds. ``tries`` is how often ``kind`` may fail, None for
    any number; the sum of all kinds that are counted may not exceed the largest of their limits.
    ``wait`` are the seconds until the next try, None for growing waits; ``for_all`` lets all threads
    wait. ``failures`` is set to the number of failures that were counted.
    """

    reason: str
    failure: Callable[[float], VitallyError]
    patience: float
    tries: int | None = None
    wait: float | None = None
    for_all: bool = False
    kind: str = ""
    failures: int = 0


def until_answered(attempt: Callable[[], T], budget: Budget, counts: RequestMetrics) -> T:
    """Call ``attempt`` until it returns, or raise the error of the last `TryAgain`; log the waits."""
    growing = backoff.expo(max_value=LONGEST_PAUSE)
    next(growing)
    began: float | None = None
    failures: Counter[str] = Counter()
    most = reported = refusals = 0
    while True:
        try:
            return attempt()
        except TryAgain as failed:
            again = failed
        now = time.monotonic()
        began = now if began is None else began
        spent = now - began + SHORTEST_PAUSE > again.patience
        if again.tries is not None:
            failures[again.kind] += 1
            again.failures = failures.total()
            most = max(most, again.tries)
            # Two cut bodies and then JSON of another shape took nine requests while one number
            # counted both.
            spent |= failures[again.kind] >= again.tries or again.failures >= most
        if spent:
            raise again.failure(now - began)
        wait = again.wait
        if wait is None and again.for_all:
            wait = min(2.0**refusals, LONGEST_REFUSAL)
            refusals += 1
        elif wait is None:
            wait = min(backoff.full_jitter(next(growing)), again.patience - (now - began))
        counts.add(retries=1)
        reported += 1
        if reported <= ALL_LOGGED or reported % SOME_LOGGED == 0:
            logger.warning("Trying again in %.1f s after %s.", wait, again.reason)
        if again.for_all:
            budget.pause(wait)
        else:
            budget.sleep(wait)
            counts.add(waited=wait)
