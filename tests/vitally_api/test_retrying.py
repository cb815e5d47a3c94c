"""How long it is tried again, in a time that only the waits move on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_vitally.sync.summary import StreamMetrics
from tests.vitally_api.wire import Client, Reply, Server
from vitally_api import Budget, Unavailable, UnexpectedShape
from vitally_api.retrying import TryAgain, until_answered


class Passing(Budget):
    """Lets the time pass in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.1, 300), st.floats(0, 20))
def test_patience_ends_when_it_was_to_end_and_the_time_is_told(
    monkeypatch: pytest.MonkeyPatch, patience: float, each: float
) -> None:
    budget = Passing()
    monkeypatch.setattr(time, "monotonic", lambda: budget.now)
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        budget.now += each
        reason = "a reason"
        raise TryAgain(reason, lambda s: Unavailable(f"failed for {s:.6f} s"), patience)

    with pytest.raises(Unavailable) as caught:
        until_answered(attempt, budget, StreamMetrics())
    lasted = budget.now - each
    assert str(caught.value) == f"failed for {lasted:.6f} s"
    # One try may be under way at the end; float sums are not exact.
    assert patience - 1e-6 <= lasted <= patience + each + 1e-6
    assert tries > 1


KINDS = {"unreadable": 5, "odd": 2, "network": None}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(list(KINDS)), min_size=40, max_size=40))
def test_each_kind_of_failure_has_its_own_end_and_all_together_have_one(
    monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    budget = Passing()
    monkeypatch.setattr(time, "monotonic", lambda: budget.now)
    failed: list[str] = []

    def attempt() -> None:
        kind = kinds[len(failed)] if len(failed) < len(kinds) else "odd"
        failed.append(kind)
        reason = "a reason"
        failure = Unavailable(kind)
        raise TryAgain(reason, lambda _: failure, 1e9, KINDS[kind], wait=1.0, kind=kind)

    with pytest.raises(Unavailable):
        until_answered(attempt, budget, StreamMetrics())
    counted = [kind for kind in failed if KINDS[kind]]
    assert failed[-1] in {"unreadable", "odd"}
    most = 5 if "unreadable" in counted else 2
    ended = [n for n in range(1, len(counted) + 1) if counted[:n].count("odd") == 2 or n == most]
    assert len(counted) == ended[0]


def test_a_long_wait_is_told_in_few_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    budget = Passing()
    monkeypatch.setattr(time, "monotonic", lambda: budget.now)

    def attempt() -> None:
        reason = "a reason"
        raise TryAgain(reason, lambda _: Unavailable("the end"), 300.0, wait=1.0)

    with pytest.raises(Unavailable):
        until_answered(attempt, budget, StreamMetrics())
    assert len(caplog.records) == 10 + 290 // 5


def test_bodies_that_are_cut_and_then_of_another_shape_come_to_an_end(
    serve: Callable[..., Server],
) -> None:
    def parse(_: Any) -> Any:
        msg = "there is no list"
        raise UnexpectedShape(msg)

    cut, odd = Reply(body=b'{"results": [1'), Reply(body=b'{"error": "x"}')
    server = serve(cut, cut, odd)
    failure = Client(server.url, patience=60).failure(parse=parse)
    assert len(server.asked) == 4
    assert str(failure).startswith("Vitally answered 4 times with something that is not the data")
