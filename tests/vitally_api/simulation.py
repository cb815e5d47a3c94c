"""A server that limits requests in one of two ways, and workers that share a budget for it.

Time is simulated in ticks of 1/1024 s, which floats represent exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import ceil
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st

from vitally_api.budget import Budget, Permit
from vitally_api.rate import Quota

SECOND = 1024
WINDOW = 60 * SECOND
NEVER = 1 << 60
EPOCH = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

often = settings(max_examples=50)
sometimes = settings(max_examples=30)


def rounded_up(ticks: int) -> int:
    return -(-ticks // SECOND)


# The server, in both models


@dataclass
class Sliding:
    """At most so many requests in any window."""

    limit: int
    taken: deque[int] = field(default_factory=deque)

    def expire(self, now: int) -> None:
        while self.taken and self.taken[0] <= now - WINDOW:
            self.taken.popleft()

    def take(self, now: int, units: int = 1) -> bool:
        self.expire(now)
        if len(self.taken) + units > self.limit:
            return False
        self.taken.extend([now] * units)
        return True

    def remaining(self, now: int) -> tuple[int, int]:
        self.expire(now)
        return self.limit - len(self.taken), self.taken[0] + WINDOW - now if self.taken else 0

    def accepts_from(self, now: int, coming: int) -> int:
        """When it will accept one request more than those that are on their way."""
        self.expire(now)
        in_the_way = len(self.taken) + coming - self.limit + 1
        if in_the_way <= 0:
            return now
        return self.taken[in_the_way - 1] + WINDOW if in_the_way <= len(self.taken) else NEVER


@dataclass
class Bucket:
    """A burst of so many requests, and as many per window, refilled bit by bit."""

    limit: int
    filled_at: int = 0

    def __post_init__(self) -> None:
        self.level = self.limit * WINDOW

    def fill(self, now: int) -> None:
        self.level = min(self.limit * WINDOW, self.level + (now - self.filled_at) * self.limit)
        self.filled_at = now

    def take(self, now: int, units: int = 1) -> bool:
        self.fill(now)
        if self.level < units * WINDOW:
            return False
        self.level -= units * WINDOW
        return True

    def remaining(self, now: int) -> tuple[int, int]:
        self.fill(now)
        return self.level // WINDOW, -(-(WINDOW - self.level % WINDOW) // self.limit)

    def accepts_from(self, now: int, coming: int) -> int:
        self.fill(now)
        return now + max(0, -(-((1 + coming) * WINDOW - self.level) // self.limit))


@dataclass(frozen=True)
class Headers:
    """The ways in which servers have been seen, or imagined, to tell their budget."""

    limit: str = "{0}, {0};window=60"
    prefix: str = "RateLimit"
    unix_time: bool = False
    retry_after: Literal["none", "seconds", "date"] = "none"
    rounded_up: bool = False
    reported: bool = True

    def headers_for(self, model: Sliding | Bucket, now: int, *, allowed: bool) -> dict[str, str]:
        remaining, reset = model.remaining(now)
        if self.rounded_up and isinstance(model, Bucket) and model.level % WINDOW:
            remaining += 1
        moment = EPOCH + timedelta(seconds=rounded_up(now + reset))
        seconds = int(moment.timestamp()) if self.unix_time else rounded_up(reset)
        headers = {
            f"{self.prefix}-Limit": self.limit.format(model.limit),
            f"{self.prefix}-Remaining": str(remaining),
            f"{self.prefix}-Reset": str(seconds),
        }
        if not self.reported:
            headers.clear()
        if not allowed and self.retry_after == "seconds":
            headers["Retry-After"] = str(rounded_up(reset))
        if not allowed and self.retry_after == "date":
            headers["Retry-After"] = format_datetime(moment, usegmt=True)
        return headers

    @property
    def rounding(self) -> int:
        """How much later than the truth a header may put the end of a wait."""
        return (2 if self.unix_time or self.retry_after == "date" else 1) * SECOND


# The client: workers that want to send, as `Budget` and `VitallyApi` let them


@dataclass
class Sent:
    """One request, from start to answer."""

    started: int
    arrived: int = -1
    answered: int = -1
    allowed: bool = False
    units: int = 1


@dataclass(frozen=True)
class Setup:
    """A server, workers with jobs to do, and perhaps another tool that uses the same key."""

    model: type[Sliding | Bucket]
    limit: int
    headers: Headers = Headers()
    workers: int = 4
    jobs: int = 100
    latencies: tuple[tuple[int, int], ...] = ((20, 20),)
    others: tuple[tuple[int, int], ...] = ()
    ceiling: int | None = None
    methods: tuple[str, ...] = ("GET",)
    cost: int = 1

    @property
    def round_trip(self) -> int:
        return max(there + back for there, back in self.latencies)


class Simulation:
    """What happens."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.model = setup.model(setup.limit)
        self.limit = min(setup.limit, setup.ceiling or setup.limit)
        self.now = 0
        self.budget = Budget(setup.ceiling, lambda: self.now / SECOND)
        self.jobs = setup.jobs
        self.free = 1  # the run proves the key with one request before it starts its workers
        self.sent: list[Sent] = []
        self.pauses: list[tuple[int, int]] = []
        self.longest_idle = 0
        self._wake: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()
        self._coming = 0
        self._ours: deque[int] = deque()
        self._possible_from = 0
        for moment, requests in setup.others:
            self._at(moment, partial(self._draw, requests))

    def _at(self, moment: int, what: Callable[[], None]) -> None:
        heappush(self._wake, (moment, next(self._number), what))

    def run(self) -> Simulation:
        self._at(0, self._send)
        while self._wake:
            moment, _, what = heappop(self._wake)
            if self.free and self.jobs:
                self.longest_idle = max(self.longest_idle, moment - self._possible_from)
            self.now = moment
            what()
        assert not self.jobs
        return self

    def _send(self) -> None:
        """Start what may be started; come back when asking again makes sense."""
        while self.free and self.jobs:
            method = self.setup.methods[self.jobs % len(self.setup.methods)]
            permit = self.budget.offer(method, self.now / SECOND)
            if permit is None:
                break
            if not isinstance(permit, Permit):
                self._at(self.now + ceil(permit * SECOND), self._send)
                break
            self.free -= 1
            self.jobs -= 1
            self._coming += 1
            there, back = self.setup.latencies[len(self.sent) % len(self.setup.latencies)]
            request = Sent(self.now, units=1 if method == "GET" else self.setup.cost)
            self.sent.append(request)
            self._at(self.now + there, partial(self._arrive, request, permit, back))
            self._note(fresh=True)
        self._note()

    def _arrive(self, request: Sent, permit: Permit, back: int) -> None:
        self._coming -= 1
        request.arrived = self.now
        request.allowed = self.model.take(self.now, request.units)
        self._ours.append(self.now)
        reported = self.setup.headers.headers_for(self.model, self.now, allowed=request.allowed)
        clock = EPOCH + timedelta(seconds=self.now // SECOND)
        quota = Quota.from_headers(reported, clock)
        self._at(self.now + back, partial(self._answer, request, permit, quota))
        self._note()

    def _answer(self, request: Sent, permit: Permit, quota: Quota) -> None:
        request.answered = self.now
        self.budget.release(permit, quota, carried_out=request.allowed)
        self._note(fresh=not self.free)
        self.free = self.setup.workers if len(self.sent) == 1 else self.free + 1
        if not request.allowed:
            self.jobs += 1
            wait = next((w for w in (quota.retry_after, quota.reset) if w is not None), 1.0)
            until = self.now + int(max(wait, 1.0) * SECOND)
            self.budget.pause((until - self.now) / SECOND)
            self.pauses.append((self.now, until))
        self._send()

    def _draw(self, requests: int) -> None:
        for _ in range(requests):
            self.model.take(self.now)
        self._note()

    def _note(self, *, fresh: bool = False) -> None:
        """Keep from when on one more request could have been sent without a break."""
        while self._ours and self._ours[0] <= self.now - WINDOW:
            self._ours.popleft()
        in_the_way = len(self._ours) + self._coming - self.limit + 1
        if in_the_way > len(self._ours):
            own = NEVER
        else:
            own = self._ours[in_the_way - 1] + WINDOW if in_the_way > 0 else self.now
        possible_from = max(own, self.model.accepts_from(self.now, self._coming))
        if fresh or max(possible_from, self._possible_from) > self.now:
            self._possible_from = possible_from

    # What came of it

    @property
    def used(self) -> int:
        return sum(request.units for request in self.sent if request.allowed)

    @property
    def refused(self) -> int:
        return sum(not request.allowed for request in self.sent)

    def most_in_a_window(self) -> int:
        arrivals = sorted(request.arrived for request in self.sent)
        most = first = 0
        for last, arrived in enumerate(arrivals):
            while arrivals[first] <= arrived - WINDOW:
                first += 1
            most = max(most, last - first + 1)
        return most


headers = st.builds(
    Headers,
    limit=st.sampled_from(["{0}, {0};window=60", "{0};w=60", " {0} ", "{0}"]),
    prefix=st.sampled_from(["RateLimit", "X-RateLimit"]),
    unix_time=st.booleans(),
    retry_after=st.sampled_from(["none", "seconds", "date"]),
    rounded_up=st.booleans(),
)
silent = st.builds(Headers, reported=st.just(value=False), retry_after=st.just("seconds"))
draws = st.lists(
    st.tuples(st.integers(0, 4 * WINDOW), st.integers(1, 40)), min_size=1, max_size=12
).map(tuple)


latencies = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=7
).map(tuple)


def setups(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Setup]:
    choices: dict[str, st.SearchStrategy[Any]] = {
        "model": st.sampled_from([Sliding, Bucket]),
        "limit": st.integers(1, 12) | st.integers(13, 120),
        "headers": headers,
        "workers": st.integers(1, 32),
        "jobs": st.integers(1, 250),
        "latencies": latencies,
    }
    return st.builds(Setup, **(choices | more))
