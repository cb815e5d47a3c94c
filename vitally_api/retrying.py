"""Trying again until there is an answer: one policy, one loop."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import backoff

from vitally_api.budget import Budget
from vitally_api.errors import VitallyError
from vitally_api.policy import RequestMetrics

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
    """Return the result of the first attempt that has one, or raise the error of the last.

    Waits can be ended by stopping the budget, and each is logged with its reason.
    """
    growing = backoff.expo(max_value=LONGEST_PAUSE)
    next(growing)
    began: float | None = None
    failures: Counter[str] = Counter()
    most = reported = refusals = 0
    while True:
        try:
            return attempt()
        except TryAgain as failed:
            now = time.monotonic()
            began = now if began is None else began
            spent = now - began + SHORTEST_PAUSE > failed.patience
            if failed.tries is not None:
                failures[failed.kind] += 1
                failed.failures = failures.total()
                most = max(most, failed.tries)
                # Two cut bodies and then JSON of another shape took nine requests while one number
                # counted both.
                spent |= failures[failed.kind] >= failed.tries or failed.failures >= most
            if spent:
                raise failed.failure(now - began) from None
            wait = failed.wait
            if wait is None and failed.for_all:
                wait = min(2.0**refusals, LONGEST_REFUSAL)
                refusals += 1
            elif wait is None:
                rest = failed.patience - (now - began)
                wait = min(backoff.full_jitter(next(growing)), rest)
            again = failed
        counts.add(retries=1)
        reported += 1
        if reported <= ALL_LOGGED or reported % SOME_LOGGED == 0:
            logger.warning("Trying again in %.1f s after %s.", wait, again.reason)
        if again.for_all:
            budget.pause(wait)
        else:
            budget.sleep(wait)
            counts.add(waited=wait)
