"""The budget is used to the full and never overdrawn, whichever way the server counts."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vitally_api.simulation import (
    NEVER,
    SECOND,
    WINDOW,
    Bucket,
    Setup,
    Simulation,
    Sliding,
    draws,
    often,
    setups,
    silent,
    sometimes,
)
from vitally_api import Budget, Cancelled
from vitally_api.rate import Quota, RateWindow

# Alone with the server


@often
@given(setups(ceiling=st.none() | st.integers(1, 150)))
def test_alone_the_budget_is_used_to_the_full_and_never_overdrawn(setup: Setup) -> None:
    run = Simulation(setup).run()
    assert run.refused == 0
    if setup.model is Sliding or setup.ceiling is not None:
        assert run.most_in_a_window() <= (setup.ceiling or setup.limit)
    assert run.longest_idle <= setup.headers.rounding + setup.round_trip


@pytest.mark.parametrize("methods", [("POST",), ("GET", "POST"), ("GET", "PUT", "POST")])
@pytest.mark.parametrize("cost", [1, 2, 5])
@pytest.mark.parametrize("limit", [60, 600])
@pytest.mark.parametrize("model", [Sliding, Bucket])
def test_whatever_a_write_costs_the_budget_is_used(
    model: type[Sliding | Bucket], limit: int, cost: int, methods: tuple[str, ...]
) -> None:
    # Each 50 ms, there and back, for as long as two budgets and a half last.
    units = sum(1 if m == "GET" else cost for m in methods)
    jobs = limit * 5 // 2 * len(methods) // units
    setup = Setup(model, limit, workers=8, jobs=jobs, latencies=((21, 30), (26, 25), (29, 22)))
    run = Simulation(replace(setup, methods=methods, cost=cost)).run()
    at_least = run.used - limit if model is Bucket else 2 * limit
    ideal = at_least * WINDOW / limit
    assert run.refused <= len(run.sent) / 100
    assert run.now <= ideal / 0.95 + 2 * SECOND


@sometimes
@given(setups(latencies=st.just(((25, 26),))), st.integers(1, 5))
def test_a_write_of_any_cost_gets_through(setup: Setup, cost: int) -> None:
    setup = replace(setup, limit=setup.limit + cost, methods=("GET", "POST", "PUT"), cost=cost)
    run = Simulation(setup).run()
    assert sum(request.allowed for request in run.sent) == setup.jobs


@pytest.mark.parametrize("model", [Sliding, Bucket])
def test_a_thousand_a_minute(model: type[Sliding | Bucket]) -> None:
    setup = Setup(model, 1000, workers=16, jobs=2500, latencies=((150, 150), (90, 240)))
    run = Simulation(setup).run()
    assert run.refused == 0
    assert run.most_in_a_window() == 1000 or model is Bucket
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
    assert run.most_in_a_window() <= setup.limit or setup.model is Bucket
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
