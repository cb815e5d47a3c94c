"""The prefetcher hands out what one thread would have read, in the same order, in bounded memory."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import islice, zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.sync import prefetch
from tap_vitally.sync.prefetch import DEPTH, PageTask, Prefetcher, run_sequentially
from tests.sync.instrumented import (
    PATIENCE,
    PLAN,
    Item,
    Shape,
    WorkerFailed,
    often,
    outcome,
    plan_of,
    reading,
    shapes,
)
from vitally_api import Cancelled

# The same items in the same order


@often
@given(shapes(st.integers(0, 9)), st.integers(1, 5), st.integers(0, 40))
def test_each_stream_gives_what_one_thread_would_have_read(
    shape: Shape, workers: int, max_bytes: int
) -> None:
    plan = plan_of(shape)
    with reading(plan, workers, max_bytes) as ahead:
        for name, page_tasks in plan:
            assert outcome(ahead.items(name)) == outcome(run_sequentially([page_tasks]))


@often
@given(shapes(st.integers(0, 9)), st.integers(1, 5), st.integers(0, 40))
def test_a_reader_faster_than_the_workers_gets_the_same(
    shape: Shape, workers: int, max_bytes: int
) -> None:
    wanted = threading.Semaphore(0)
    plan = plan_of(shape, before_each=wanted.acquire)
    with reading(plan, workers, max_bytes, on_wait=wanted.release) as ahead:
        try:
            for (name, _), (_, page_tasks) in zip(plan, plan_of(shape), strict=True):
                assert outcome(ahead.items(name)) == outcome(run_sequentially([page_tasks]))
        finally:
            wanted.release(1000)


@often
@given(
    shapes(st.integers(0, 9)), st.integers(1, 5), st.integers(0, 40), st.lists(st.integers(1, 9))
)
def test_a_reader_who_leaves_a_stream_early_gets_the_next_whole(
    shape: Shape, workers: int, max_bytes: int, taken: list[int]
) -> None:
    plan = plan_of(shape)
    with reading(plan, workers, max_bytes) as ahead:
        for (name, page_tasks), most in zip_longest(plan, taken[: len(plan)]):
            with (
                closing(ahead.items(name)) as items,
                closing(run_sequentially([page_tasks])) as expected,
            ):
                assert outcome(islice(items, most)) == outcome(islice(expected, most))


def test_streams_and_chains_may_be_empty() -> None:
    with reading([], 2) as ahead, pytest.raises(KeyError):
        next(ahead.items("unknown"))
    plan = plan_of([[], [((), False)], [((), False), ((1,), False), ((), False)], []])
    with reading(plan, 2) as ahead:
        assert [len(list(ahead.items(name))) for name, _ in plan] == [0, 0, 1, 0]


def test_a_plan_that_breaks_while_a_stream_is_planned_breaks_only_that_stream() -> None:
    (broken, sound) = plan_of([[((1, 1), False)], [((1,), False)]])

    def page_tasks() -> Iterator[PageTask]:
        yield from broken[1]
        raise WorkerFailed(PLAN)

    with reading([(broken[0], page_tasks()), sound], 2) as ahead:
        assert outcome(ahead.items(broken[0])) == (list(run_sequentially([broken[1]])), PLAN)
        assert outcome(ahead.items(sound[0])) == outcome(run_sequentially([sound[1]]))


# Bounded memory, and nobody waits for ever


@often
@given(shapes(st.integers(0, 30)), st.integers(1, 5), st.integers(0, 40))
def test_what_is_held_exceeds_the_bound_by_what_was_under_way_and_the_list_being_written(
    shape: Shape, workers: int, max_bytes: int
) -> None:
    plan = plan_of(shape)
    with reading(plan, workers, max_bytes) as ahead:
        for name, page_tasks in plan:
            assert outcome(ahead.items(name)) == outcome(run_sequentially([page_tasks]))
        # Thirty are compressed to three; the page that the reader takes counts until it has it.
        assert ahead.most <= max_bytes + 3 * workers + 30 * (DEPTH + 1)
        assert ahead.held == 0


@often
@given(shape=shapes(st.just(7)), workers=st.integers(1, 5), max_bytes=st.integers(1, 80))
def test_a_slow_reader_finds_as_much_as_the_bound_allows(
    shape: Shape, workers: int, max_bytes: int
) -> None:
    ((name, planned),) = plan_of([[task for stream in shape for task in stream]])
    total = sum(len(weights) for stream in shape for weights, _ in stream)
    with reading([(name, planned)], workers, max_bytes) as ahead:
        ahead.until(lambda: ahead.at_rest and ahead.held >= min(total, max_bytes))
        assert ahead.held < max_bytes + workers
        assert outcome(ahead.items(name)) == outcome(run_sequentially([planned]))


def test_the_list_being_written_is_fetched_only_a_few_pages_ahead() -> None:
    ((name, page_tasks),) = plan_of([[((7,) * 50, False)]])
    with reading([(name, page_tasks)], 4) as ahead:
        items = ahead.items(name)
        next(items)
        queue = ahead._head
        assert queue
        ahead.until(lambda: ahead.at_rest and queue.values.qsize() >= DEPTH)
        assert len(list(items)) == 49


def test_all_workers_fetch_at_once_where_there_are_lists_enough() -> None:
    all_busy = threading.Barrier(4)

    def chain() -> Iterator[Any]:
        all_busy.wait(PATIENCE)
        yield Item("page", 1)

    with reading([("stream", [chain] * 8)], 4) as ahead:
        assert len(list(ahead.items("stream"))) == 8


def test_a_single_list_is_read_by_a_few_workers() -> None:
    fetched_by: set[int] = set()

    def chain() -> Iterator[Any]:
        for number in range(200):
            fetched_by.add(threading.get_ident())
            yield Item(str(number), 1)

    with reading([("stream", [chain])], 8) as ahead:
        assert len(list(ahead.items("stream"))) == 200
    assert len(fetched_by) <= 3


def test_no_long_list_is_left_for_the_end() -> None:
    """One worker, many lists: each gets its turn, and the one that is written more than that."""
    fetched: list[str] = []
    wanted = threading.Semaphore(0)

    def chain(name: str) -> Iterator[Any]:
        for number in range(10):
            wanted.acquire()
            fetched.append(name)
            yield Item(f"{name}, item {number}", 1)

    def done(number: int) -> bool:
        return len(fetched) == number and ahead.fetching == 1

    names = ["first", "second", "third"]
    with reading([(name, [partial(chain, name)]) for name in names], 1) as ahead:
        try:
            ahead.until(lambda: all(stream.values.qsize() == 2 for stream in ahead._turns))
            for number in range(1, 10):
                wanted.release()
                ahead.until(partial(done, number))
            assert sorted(fetched) == sorted(3 * names)
        finally:
            wanted.release(1000)
        for name in names:
            assert len(list(ahead.items(name))) == 10


@often
@given(
    shapes(st.integers(0, 9)), st.integers(1, 5), st.integers(0, 40), st.lists(st.integers(1, 60))
)
def test_a_second_phase_starts_when_all_lists_of_the_first_have_ended(
    shape: Shape, workers: int, max_bytes: int, taken: list[int]
) -> None:
    def with_a_last_one(name: str, page_tasks: Iterable[PageTask]) -> tuple[list[PageTask], ...]:
        ended = threading.Semaphore(0)

        def counted(chain: PageTask) -> Iterator[Any]:
            try:
                yield from chain()
            finally:
                ended.release()

        def last() -> Iterator[Any]:
            if not all(ended.acquire(blocking=False) for _ in page_tasks):
                raise WorkerFailed(name)
            yield Item(f"{name}, last", 5)

        return [partial(counted, chain) for chain in page_tasks], [last]

    whole = [[(weights, False) for weights, _ in page_tasks] for page_tasks in shape]
    plan = plan_of(whole)
    with_last = [(name, with_a_last_one(name, page_tasks)) for name, page_tasks in plan]
    with reading(with_last, workers, max_bytes) as ahead:
        for (name, page_tasks), most in zip_longest(plan, taken[: len(plan)]):
            expected = [*run_sequentially([page_tasks]), Item(f"{name}, last", 5)]
            with closing(ahead.items(name)) as items:
                assert outcome(islice(items, most)) == (expected[:most], None)


def test_the_plan_is_walked_only_a_little_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MAX_QUEUES", 20)
    scanned = 0

    def page_tasks() -> Iterator[PageTask]:
        nonlocal scanned
        ((_, planned),) = plan_of([[((), False)] * 100])
        for chain in planned:
            scanned += 1
            yield chain

    with reading([("stream 0", page_tasks())], 2) as ahead:
        (stream,) = ahead._turns
        ahead.until(lambda: stream.values.qsize() == 20 and not stream.idle)
        assert scanned == 20
        assert list(ahead.items("stream 0")) == []
        assert scanned == 100


def test_lists_that_are_slow_to_find_keep_no_other_stream_waiting() -> None:
    gate = threading.Event()

    def slow() -> Iterator[PageTask]:
        assert gate.wait(PATIENCE)
        yield from plan_of([[((1,), False)]])[0][1]

    others = plan_of([[((1, 1), False)] * 50])
    with reading([("slow", slow()), *others], 2) as ahead:
        stream = ahead._phases[others[0][0]][0]
        ahead.until(lambda: stream.unfinished == 0 and ahead.held == 100)
        gate.set()
        assert len(list(ahead.items("slow"))) == 1
        assert len(list(ahead.items(others[0][0]))) == 100


# The end


class Gated:
    """Chains that stop before their first item until they are let through."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.count = 0
        self.open = threading.Event()

    def __call__(self) -> Iterator[Any]:
        self.count += 1
        return self._items()

    def _items(self) -> Iterator[Any]:
        self.started.release()
        assert self.open.wait(PATIENCE)
        yield Item("late", 1)

    def await_started(self, number: int) -> None:
        for _ in range(number):
            assert self.started.acquire(timeout=PATIENCE)


def test_after_a_stop_nothing_is_started_and_nothing_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prefetch, "MAX_QUEUES", 5)
    gated = Gated()
    planned = []

    def page_tasks(stream: int) -> Iterator[PageTask]:
        for number in range(50):
            planned.append((stream, number))
            yield gated

    plan = [(f"stream {stream}", page_tasks(stream)) for stream in range(6)]
    with reading(plan, 3) as ahead:
        gated.await_started(3)
        ahead.until(lambda: len(planned) == 5 * 6)
        ahead.stop()
        gated.open.set()
        ahead.end()
        assert gated.count == 3
        assert len(planned) == 5 * 6
        with pytest.raises(Cancelled):
            list(ahead.items("stream 1"))


def test_a_stop_wakes_a_reader_who_waits() -> None:
    gated, waits, ended = Gated(), threading.Semaphore(0), threading.Event()

    def read() -> None:
        with pytest.raises(Cancelled):
            next(ahead.items("stream"))
        ended.set()

    with reading([("stream", [gated])], 1, on_wait=waits.release) as ahead:
        gated.await_started(1)
        reader = threading.Thread(target=read)
        reader.start()
        assert waits.acquire(timeout=PATIENCE)
        ahead.stop()
        assert ended.wait(PATIENCE)
        reader.join()
        gated.open.set()


@pytest.mark.parametrize("at", range(8))
def test_a_signal_that_ends_the_reader_leaves_nothing_locked(at: int) -> None:
    """Python raises it between two steps, also of what the standard library has written in Python."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread alone")

    def end(*_: object) -> None:
        raise SystemExit

    def pages(first: int) -> Iterator[Item]:
        assert begun.wait(PATIENCE)
        for number in range(first, first + 2):
            if number == at:
                signal.raise_signal(signal.SIGUSR1)
            yield Item("page", 1)

    def tasks(first: int) -> list[Any]:
        return [partial(pages, first), partial(pages, first + 2)]

    before = signal.signal(signal.SIGUSR1, end)
    try:
        for _ in range(50):
            begun = threading.Event()
            with reading([("one", tasks(0)), ("two", tasks(4))], 4) as ahead, suppress(SystemExit):
                begun.set()
                for name in ("one", "two"):
                    list(ahead.items(name))
                pytest.fail("no signal came")
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_workers_in_the_middle_of_a_request_hold_the_end_up_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prefetch, "JOIN_SECONDS", 0.03)
    gated = Gated()
    with reading([("stream", [gated, gated])], 2) as ahead:
        gated.await_started(2)
        ahead.stop()
        assert sum(thread.is_alive() for thread in ahead._threads) == 2
        gated.open.set()


def test_who_waits_for_long_looks_whether_anybody_still_reads() -> None:
    gated = Gated()

    def gone() -> None:
        raise BrokenPipeError

    ahead = Prefetcher({"stream": [[gated]]}, 1, gone, {})
    with pytest.raises(BrokenPipeError):
        next(ahead.items("stream"))
    gated.open.set()
    ahead.stop()
    assert not any(thread.is_alive() for thread in ahead._threads)
