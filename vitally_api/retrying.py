"""Trying again until there is an answer: one policy, one loop."""

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
"""Seconds of patience that count as none: a rest that rounds to 0 would never come to its end."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries, at most and on average half of it."""
LONGEST_REFUSAL = 60.0
"""Seconds between two tries, at most, where a 429 does not say when to come again."""
ALL_LOGGED, SOME_LOGGED = 10, 5
"""Tries of one request that are all logged, and which of those that follow: every fifth."""

logger = logging.getLogger("tap-vitally.api")


@dataclass(frozen=True)
class Policy:
    """How patient a request is; ``dataclasses.replace`` makes another one for a single call.

    Times are in seconds. ``patience`` outlives a whole rate window and an outage of minutes. Until
    the first answer has come, failures that time seldom ends (an address, a name, a proxy) end after
    ``first_patience``. ``unreadable_tries`` are answers 2xx that are not JSON, and ``odd_tries``
    those of another shape, until the request fails. ``repeats`` are the methods that may be sent
    again when the first request may have been carried out.
    """

    patience: float = 300.0
    first_patience: float = 30.0
    unreadable_tries: int = 5
    odd_tries: int = 2
    connect_timeout: float = 15.0
    request_timeout: float = 60.0
    repeats: frozenset[str] = frozenset({"GET"})


class RequestMetrics(Protocol):
    """Where requests, retries and seconds waited are counted, from any thread."""

    def add(self, **counts: float) -> None:
        """Add to the counts ``requests``, ``retries`` and ``waited``."""


@dataclass
class TryAgain(Exception):
    """One try failed in a way that another may not.

    ``failure`` makes the error that ends the tries, from the seconds that went by since the first
    of them failed, of whatever kind. ``patience`` is how many seconds that may be. ``tries`` is how
    often ``kind`` may fail; kinds that are counted end together, too, when all of them have failed
    as often as the most patient of them may. ``wait`` are the seconds until the next try, None to
    let them grow; ``for_all`` holds back all threads. ``failures`` is set to how many have failed.
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
    """Return the result of the first attempt that has one, or raise the error of the last; log each wait."""
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
