"""One request budget for all threads: they wait their turn, and a stop wakes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vitally_api.errors import Cancelled
from vitally_api.rate import CostEstimator, Quota, RateWindow


@dataclass(frozen=True)
class Permit:
    """A request that was let through: the units that it is taken to cost, and how long it waited.

    ``before`` is what was left before it, if it goes out alone to show its cost; ``answered`` are the
    units that had been answered before it.
    """

    method: str
    units: int
    waited: float
    before: int | None
    answered: int | None = None


class Budget:
    """Lets requests through at the rate that the API and the operator allow."""

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
        """Wait until a request may be sent, and count it; `Cancelled` is raised after a stop.

        The first writes of a kind go out alone, to show their cost, if the API tells what is left.
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
        """Let a request through, or return how long to wait, as `RateWindow.delay` does."""
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
        """Take in the end of a request, with an empty quota if it was not answered."""
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
        """Hold everybody back after a 429."""
        with self._turn:
            self._rate.pause(self._clock() + seconds)

    def monotonic(self) -> float:
        """Return the seconds of the clock that waits go by."""
        return self._clock()

    def sleep(self, seconds: float) -> None:
        """Wait alone, for a retry; `Cancelled` is raised if the run is stopped meanwhile."""
        end = self._clock() + seconds
        with self._turn:
            while not self._stopped and (rest := end - self._clock()) > 0:
                self._turn.wait(rest)
            if self._stopped:
                raise Cancelled

    def left(self) -> int | None:
        """Count what may be sent at once, or None while nothing limits it."""
        with self._turn:
            return self._rate.left(self._clock())

    @property
    def limit(self) -> int | None:
        """Units a minute, as the API or the operator says; None while nothing limits them."""
        with self._turn:
            return self._rate.limit

    def stop(self) -> None:
        """End every wait, now and from now on."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
