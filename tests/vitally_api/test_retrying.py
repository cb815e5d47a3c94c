"""How long it is tried again, in a time that only the waits move on."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitally_api import Budget, Unavailable, Uncounted
from vitally_api.retrying import TryAgain, until_answered


class Passing(Budget):
    """Lets the time pass in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
        until_answered(attempt, budget, Uncounted())
    lasted = budget.now - each
    assert str(caught.value) == f"failed for {lasted:.6f} s"
    # One try may be under way at the end; float sums are not exact.
    assert patience - 1e-6 <= lasted <= patience + each + 1e-6
    assert tries > 1


def test_a_long_wait_is_told_in_few_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    budget = Passing()
    monkeypatch.setattr(time, "monotonic", lambda: budget.now)

    def attempt() -> None:
        reason = "a reason"
        raise TryAgain(reason, lambda _: Unavailable("the end"), 300.0, wait=1.0)

    with pytest.raises(Unavailable):
        until_answered(attempt, budget, Uncounted())
    assert len(caplog.records) == 10 + 290 // 5
