"""One rate limit for all threads: they wait until they may send, and a stop wakes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vitally_api.errors import Cancelled
from vitally_api.rate import CostEstimator, Quota, RateWindow


@dataclass(frozen=True)
class Permit:
    """The permission to send a request: the units that it is expected to cost, and the seconds waited.

    ``before`` are the units that were left before it, if it is sent alone to measure its cost, else
    None; ``answered`` are the units that had been answered before it.
    """

    method: str
    units: int
    waited: float
    before: int | None
    answered: int | None = None


class Budget:
    """Permits requests at the rate that the API and the operator allow."""

    def __init__(
        self, ceiling: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open a budget; ``ceiling`` is the operator's limit per minute, if there is one."""
        self._rate = RateWindow(ceiling)
        self._estimator = CostEstimator()
        self._clock = clock
        self._turn = threading.Condition()
        self._stopped = False
        self._alone = False

    def acquire(self, method: str = "GET") -> Permit:
        """Wait until a request may be sent, and count it; raise `Cancelled` after a stop.

        The first requests of a writing method are sent alone, to measure their cost, if the API says how
        many units are left.
        """
        began = self._clock()
        with self._turn:
            while True:
                if self._stopped:
                    raise Cancelled
                now = self._clock()
                offered = self.offer(method, now, now - began)
                if isinstance(offered, Permit):
                    return offered
                self._turn.wait(offered)

    def offer(self, method: str, now: float, waited: float = 0.0) -> Permit | float | None:
        """Permit a request, or return how many seconds to wait; None to wait for an answer."""
        units = self._estimator.of(method)
        credit = self._rate.credit
        shows = credit is not None and not self._estimator.known(method)
        delay = self._rate.delay(now, units)
        if delay:
            return delay
        if delay is None or self._alone or (shows and self._rate.in_flight):
            return None
        self._alone = shows
        answered = self._rate.start(units)
        return Permit(method, units, waited, credit if shows else None, answered)

    def release(self, turn: Permit, quota: Quota, *, carried_out: bool = True) -> None:
        """Count a request that ended; ``quota`` is empty if it was not answered."""
        with self._turn:
            cost, now = turn.units, self._clock()
            if turn.before is not None:
                if carried_out:
                    before = turn.before + self._rate.refilled(now, turn.before, quota)
                    cost = self._estimator.learn(turn.method, before, quota)
                self._alone = False
            self._rate.finish(now, quota, turn.units, cost, turn.answered)
            self._turn.notify_all()

    def pause(self, seconds: float) -> None:
        """Let no thread send for some seconds, after a 429."""
        with self._turn:
            self._rate.pause(self._clock() + seconds)

    def monotonic(self) -> float:
        """Return the seconds of the clock that `sleep` uses."""
        return self._clock()

    def sleep(self, seconds: float) -> None:
        """Wait before a retry, without holding up other threads; raise `Cancelled` if the run is stopped."""
        end = self._clock() + seconds
        with self._turn:
            while not self._stopped and (rest := end - self._clock()) > 0:
                self._turn.wait(rest)
            if self._stopped:
                raise Cancelled

    def left(self) -> int | None:
        """Return how many units may be sent at once; None while no limit is known."""
        with self._turn:
            return self._rate.left(self._clock())

    @property
    def limit(self) -> int | None:
        """Units per minute, by the API or the operator, whichever is less; None while no limit is known."""
        with self._turn:
            return self._rate.limit

    def stop(self) -> None:
        """End all waits, now and later, with `Cancelled`."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
