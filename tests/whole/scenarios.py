"""Random histories for the fuzzer, and a state machine that shortens those that lose something."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from harness.fuzzer import ALL_STREAMS, INVENTORIED, LASTING, PASSING, PATHS, Fuzzer
from harness.run_attempts import Attempt, EndsBy, PlannedFault

SEEDS = st.integers(0, 9999)

passing = st.builds(
    PlannedFault,
    kind=st.sampled_from(PASSING),
    path=st.sampled_from(PATHS),
    times=st.integers(1, 6),
    after=st.integers(0, 20),
    status=st.sampled_from((429, 500, 502, 503, 504)),
    account=st.integers(0, 7),
)
lasting = st.builds(
    PlannedFault,
    kind=st.sampled_from(LASTING),
    path=st.sampled_from(PATHS),
    times=st.none(),
    after=st.integers(0, 20),
    # 404 is left out: it says that a parent is gone, and is believed.
    status=st.sampled_from((403, 500, 503)),
    account=st.integers(0, 7),
)
# Most runs are to be broken off, and soon after their start: there is not much to read.
ENDINGS: tuple[EndsBy, ...] = ("peace", "term", "kill", "term", "kill")
seeds = st.lists(SEEDS, max_size=8).map(tuple)
attempts = st.builds(
    Attempt,
    concurrency=st.sampled_from((1, 1, 2, 8)),
    pace=st.sampled_from((0.4, 0.0, 0.001, 1.0, 30.0)),
    changes=st.lists(st.tuples(st.integers(1, 30), SEEDS), max_size=6).map(tuple),
    planned_faults=st.just(()) | st.lists(passing | lasting, max_size=2).map(tuple),
    ends_by=st.sampled_from(ENDINGS),
    after=st.sampled_from(("lines", "requests")),
    at=st.integers(1, 12) | st.integers(1, 40),
    flushed=st.sampled_from((1.0, 1.0, 1.0, 0.9, 0.6, 0.3, 0.0)),
    strays=SEEDS,
    narrow=st.sampled_from((False, False, False, True)),
)


class LossHunt(RuleBasedStateMachine):
    """Tries histories, and makes those that lose something as short as they can be."""

    fuzzer: Fuzzer | None = None
    lost = False

    @initialize(
        seed=st.integers(0, 5),
        clock_off=st.sampled_from((0.0, -600.0, 600.0)),
        streams=st.lists(st.sampled_from(ALL_STREAMS), min_size=1, max_size=3, unique=True),
        page_size=st.integers(1, 7),
        lookback=st.sampled_from((0, 0, 1, 60, 300)),
        start_days=st.none() | st.none() | st.just(300),
        inventory=st.sampled_from(((), (), INVENTORIED)),
    )
    def open(self, streams: list[str], **how: Any) -> None:
        self.fuzzer = Fuzzer(streams=tuple(name for name in ALL_STREAMS if name in streams), **how)

    @rule(seconds=st.sampled_from((5.0, 0.0, 0.5, 3600.0)), seeds=seeds, attempt=attempts)
    def live_and_run(self, seconds: float, seeds: tuple[int, ...], attempt: Attempt) -> None:
        assert self.fuzzer
        try:
            self.fuzzer.live(seconds, seeds)
            self.fuzzer.run(attempt)
        except BaseException:
            self.lost = True
            raise

    def teardown(self) -> None:
        if self.fuzzer:
            try:
                if not self.lost:
                    self.fuzzer.finish()
            finally:
                self.fuzzer.close()
