"""The budget is used to the full and never overdrawn, whichever way the server counts.

Time is simulated in ticks of 1/1024 s, which floats represent exactly.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from vitally_api import Budget, Cancelled
from vitally_api.rate import Quota, RateWindow

SECOND = 1024
WINDOW = 60 * SECOND
NEVER = 1 << 60
EPOCH = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

often = settings(max_examples=80, deadline=None)
sometimes = settings(max_examples=50, deadline=None)


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

    def take(self, now: int) -> bool:
        self.expire(now)
        if len(self.taken) >= self.limit:
            return False
        self.taken.append(now)
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

    def take(self, now: int) -> bool:
        self.fill(now)
        if self.level < WINDOW:
            return False
        self.level -= WINDOW
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
    told: bool = True

    def tell(self, model: Sliding | Bucket, now: int, *, allowed: bool) -> dict[str, str]:
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
        if not self.told:
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

    @property
    def round_trip(self) -> int:
        return max(there + back for there, back in self.latencies)


class Simulation:
    """What happens."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.model = setup.model(setup.limit)
        self.limit = min(setup.limit, setup.ceiling or setup.limit)
        self.rate = RateWindow(setup.ceiling)
        self.now = 0
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
            delay = self.rate.delay(self.now / SECOND)
            if delay is None:
                break
            if delay:
                assert delay * SECOND % 1 == 0
                self._at(self.now + int(delay * SECOND), self._send)
                break
            self.rate.start()
            self.free -= 1
            self.jobs -= 1
            self._coming += 1
            there, back = self.setup.latencies[len(self.sent) % len(self.setup.latencies)]
            request = Sent(self.now)
            self.sent.append(request)
            self._at(self.now + there, partial(self._arrive, request, back))
            self._note(fresh=True)
        self._note()

    def _arrive(self, request: Sent, back: int) -> None:
        self._coming -= 1
        request.arrived = self.now
        request.allowed = self.model.take(self.now)
        self._ours.append(self.now)
        told = self.setup.headers.tell(self.model, self.now, allowed=request.allowed)
        clock = EPOCH + timedelta(seconds=self.now // SECOND)
        quota = Quota.from_headers(told, clock)
        self._at(self.now + back, partial(self._answer, request, quota))
        self._note()

    def _answer(self, request: Sent, quota: Quota) -> None:
        request.answered = self.now
        self.rate.finish(self.now / SECOND, quota)
        self._note(fresh=not self.free)
        self.free = self.setup.workers if len(self.sent) == 1 else self.free + 1
        if not request.allowed:
            self.jobs += 1
            wait = next((w for w in (quota.retry_after, quota.reset) if w is not None), 1.0)
            until = self.now + int(max(wait, 1.0) * SECOND)
            self.rate.pause(until / SECOND)
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
silent = st.builds(Headers, told=st.just(value=False), retry_after=st.just("seconds"))
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


# Alone with the server


@often
@given(setups(ceiling=st.none() | st.integers(1, 150)))
def test_alone_the_budget_is_used_to_the_full_and_never_overdrawn(setup: Setup) -> None:
    run = Simulation(setup).run()
    assert run.refused == 0
    assert run.most_in_a_window() <= run.limit
    assert run.longest_idle <= setup.headers.rounding + setup.round_trip


@pytest.mark.parametrize("model", [Sliding, Bucket])
def test_a_thousand_a_minute(model: type[Sliding | Bucket]) -> None:
    setup = Setup(model, 1000, workers=16, jobs=2500, latencies=((150, 150), (90, 240)))
    run = Simulation(setup).run()
    assert run.refused == 0
    assert run.most_in_a_window() == 1000
    assert run.longest_idle <= SECOND + setup.round_trip
    assert run.now < 2 * WINDOW + 30 * SECOND


@sometimes
@given(setups(latencies=st.just(((30, 30),))))
def test_the_whole_burst_goes_out_before_anything_waits(setup: Setup) -> None:
    setup = replace(setup, jobs=setup.limit)
    rounds_after_the_first = -(-(setup.limit - 1) // setup.workers)
    assert Simulation(setup).run().now == (1 + rounds_after_the_first) * setup.round_trip


# With other tools on the same key


@often
@given(setups(others=draws))
def test_with_others_on_the_key_it_takes_what_they_leave(setup: Setup) -> None:
    run = Simulation(setup).run()
    assert run.most_in_a_window() <= setup.limit
    assert run.longest_idle <= setup.headers.rounding + setup.round_trip


@often
@given(setups(others=draws) | setups(others=draws, headers=silent, jobs=st.integers(1, 40)))
def test_one_refusal_pauses_everybody_and_then_one_request_tries_again(setup: Setup) -> None:
    run = Simulation(setup).run()
    starts = [request.started for request in run.sent]
    assert starts == sorted(starts)
    for (refused_at, until), (again_at, _) in pairwise([*run.pauses, (NEVER, NEVER)]):
        first = bisect_left(starts, until)
        assert starts[bisect_right(starts, refused_at) : first] == []
        if again_at >= until:
            answered = run.sent[first].answered
            assert bisect_left(starts, answered) == first + 1


@pytest.mark.parametrize("model", [Sliding, Bucket])
def test_what_others_take_at_once_is_found_out_by_a_refusal(
    model: type[Sliding | Bucket],
) -> None:
    setup = Setup(model, 60, workers=8, jobs=120, others=((50, 60),))
    run = Simulation(setup).run()
    assert 0 < run.refused <= setup.workers
    assert run.pauses


def test_what_the_server_allows_may_change() -> None:
    rate = RateWindow()
    rate.start()
    rate.finish(0, Quota(limit=5, remaining=4))
    started = 1
    while rate.delay(0) == 0:
        rate.start()
        started += 1
    assert started == 5
    for _ in range(4):
        rate.finish(0, Quota(limit=2, remaining=0, reset=60))
    assert rate.left(59) == 0
    assert rate.left(60) == rate.limit == 2


def test_what_is_under_way_may_not_be_in_the_servers_count_yet() -> None:
    rate = RateWindow()
    for _ in range(3):
        rate.start()
    rate.finish(0, Quota(limit=10, remaining=3, reset=5))
    assert rate.left(0) == 1
    rate.start()
    assert rate.left(0) == 0
    assert rate.delay(0) == 5


def test_without_any_limit_nothing_waits() -> None:
    rate = RateWindow()
    for _ in range(5000):
        assert rate.delay(0) == 0
        rate.start()
    assert rate.left(0) is None
    rate.finish(1, Quota())
    assert rate.delay(1) == 0


# What the headers say


def quota(**named: str) -> Quota:
    told = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in named.items()})
    return Quota.from_headers(told, EPOCH)


@pytest.mark.parametrize(
    ("text", "limit", "window"),
    [
        ("1000, 1000;window=60", 1000, 60.0),
        ("100, 100;w=30", 100, 30.0),
        ("1000", 1000, None),
        (" 7 ;w=0", 7, None),
        ("0", None, None),
        ("plenty", None, None),
        ("", None, None),
    ],
)
def test_the_limit_comes_in_many_forms(text: str, limit: int | None, window: float | None) -> None:
    for spelling in ("RateLimit_Limit", "X_RateLimit_Limit", "x_ratelimit_limit"):
        assert quota(**{spelling: text}) == Quota(limit=limit, window=window)


UNIX = int(EPOCH.timestamp())
DATE = format_datetime(EPOCH + timedelta(seconds=90), usegmt=True)
PAST = format_datetime(EPOCH - timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("59", 59.0),
        ("0", 0.0),
        ("0.5", 0.5),
        (str(UNIX + 12), 12.0),
        (str(UNIX - 12), 0.0),
        (DATE, 90.0),
        (PAST, 0.0),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_comes_in_many_forms(text: str, seconds: float | None) -> None:
    assert quota(RateLimit_Reset=text).reset == seconds
    assert quota(X_RateLimit_Reset=text).reset == seconds
    assert quota(Retry_After=text).retry_after == seconds


def test_a_moment_means_nothing_without_the_servers_clock() -> None:
    told = {"RateLimit-Reset": str(UNIX), "Retry-After": DATE, "RateLimit-Remaining": "3"}
    assert Quota.from_headers(told, None) == Quota(remaining=3)


@sometimes
@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"{prefix}{name}"
                for prefix in ("RateLimit-", "X-RateLimit-")
                for name in ("Limit", "Remaining", "Reset")
            ]
            + ["Retry-After"]
        ),
        st.text(st.characters(max_codepoint=255)) | st.floats().map(str) | st.integers().map(str),
    )
)
def test_no_header_breaks_the_budget(told: dict[str, str]) -> None:
    rate = RateWindow()
    rate.start()
    rate.finish(1, Quota.from_headers(told, EPOCH))
    delay = rate.delay(1)
    assert delay is not None
    assert 0 <= delay <= 60


# As threads use it


class Clock:
    """Stands still, and tells whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = threading.Semaphore(0)

    def __call__(self) -> float:
        self.looks.release()
        return self.now

    def await_looks(self, number: int) -> None:
        for _ in range(number):
            assert self.looks.acquire(timeout=20)


class Waiter(threading.Thread):
    """Does something that waits, and keeps what came of it."""

    def __init__(self, what: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._what = what
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._what()
        except Cancelled as cancelled:
            self.result = cancelled

    def came_of_it(self) -> Any:
        self.join(20)
        assert not self.is_alive()
        return self.result


def waiting(clock: Clock, budget: Budget, number: int) -> list[Waiter]:
    """Threads that are certain to be waiting as soon as the budget's lock can be had."""
    threads = [Waiter(budget.acquire) for _ in range(number)]
    clock.await_looks(2 * number)
    return threads


def test_stopping_wakes_all_who_wait_and_nobody_starts_after_it() -> None:
    clock = Clock()
    budget = Budget(clock=clock)
    budget.pause(3600)
    clock.await_looks(1)
    threads = waiting(clock, budget, 5)
    threads.append(Waiter(lambda: budget.sleep(3600)))
    clock.await_looks(2)
    budget.stop()
    assert all(isinstance(thread.came_of_it(), Cancelled) for thread in threads)
    with pytest.raises(Cancelled):
        budget.acquire()
    with pytest.raises(Cancelled):
        budget.sleep(0)


def test_an_answer_lets_the_next_go_and_the_wait_is_told() -> None:
    clock = Clock()
    budget = Budget(clock=clock)
    turn = budget.acquire()
    assert turn.waited == 0
    budget.release(turn, Quota(limit=10, remaining=0, reset=5))
    assert budget.left() == 0
    clock.now = 5.0
    turn = budget.acquire()
    assert turn.waited == 0  # one goes out to see how much there is
    clock.await_looks(6)
    (thread,) = waiting(clock, budget, 1)
    clock.now = 7.0
    budget.release(turn, Quota(limit=10, remaining=3, reset=5))
    assert thread.came_of_it().waited == 2.0
    assert budget.left() == 2


def test_the_operators_ceiling_holds_from_the_first_request() -> None:
    clock = Clock()
    budget = Budget(2, clock)
    assert budget.left() == 2
    budget.acquire()
    budget.acquire()
    clock.await_looks(5)
    (thread,) = waiting(clock, budget, 1)
    budget.stop()
    assert isinstance(thread.came_of_it(), Cancelled)


def test_sleeping_ends_when_the_time_is_over() -> None:
    clock = Clock()
    budget = Budget(clock=clock)
    budget.sleep(0)
    thread = Waiter(lambda: budget.sleep(0.01))
    clock.await_looks(4)
    clock.now = 1.0
    assert thread.came_of_it() is None


# What a write costs


@sometimes
@given(st.integers(1, 6), st.lists(st.sampled_from(["GET", "POST", "PUT"]), max_size=60))
def test_a_write_costs_what_the_headers_show(cost: int, methods: list[str]) -> None:
    now, left = 0.0, 999
    budget = Budget(clock=lambda: now)
    budget.release(budget.acquire(), Quota(limit=1000, remaining=left))
    for method in [*["POST", "PUT"] * 3, *methods]:
        turn = budget.acquire(method)
        left -= 1 if method == "GET" else cost
        budget.release(turn, Quota(limit=1000, remaining=left))
    assert budget.acquire("GET").units == 1
    assert budget.acquire("POST").units == cost
    assert budget.left() == left - 1 - cost


def test_a_write_whose_cost_nobody_knows_goes_out_alone() -> None:
    clock = Clock()
    budget = Budget(clock=clock)
    budget.release(budget.acquire(), Quota(limit=100, remaining=50))
    first = budget.acquire("POST")
    clock.await_looks(5)
    clock.await_looks(0)
    other = Waiter(lambda: budget.acquire("POST"))
    clock.await_looks(2)
    budget.release(first, Quota(limit=100, remaining=45))
    assert other.came_of_it().units == 5


@sometimes
@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30)), min_size=1, max_size=60),
)
def test_no_window_holds_more_units_than_the_limit(
    limit: int, requests: list[tuple[int, int]]
) -> None:
    rate, now = RateWindow(limit), 0.0
    sent: list[tuple[float, int]] = []
    for units, later in requests:
        now += later
        while (delay := rate.delay(now, units)) != 0:
            assert delay is not None
            now += delay
        rate.start(units)
        rate.finish(now, Quota(), units)
        sent.append((now, units))
        window = [u for moment, u in sent if moment > now - 60]
        assert sum(window) <= limit or len(window) == 1
