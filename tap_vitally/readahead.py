"""Reading ahead: worker threads fetch pages while the main thread converts and writes.

The unit of work is a *chain*: a generator that fetches the pages of one list, one after the
other. Chains of the stream being written and of the streams after it run side by side; their
pages come out in the order in which a single thread would have read them.

Why this cannot lock up: chains are started in order, so the one whose pages are wanted next has
a worker whenever any other has; and that one may always fetch one more page, however much the
others hold.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tap_vitally.errors import stopped


class Sized(Protocol):
    """Something whose weight in memory is known."""

    @property
    def weight(self) -> int:
        """Bytes it holds."""


Item = TypeVar("Item", bound=Sized)

Chain = Callable[[], Iterator[Item]]
"""Starts to fetch one list; the iterator it returns is run on one thread."""
Plan = Iterable[tuple[str, Iterable[Chain[Item]]]]
"""Names of streams, in the order they will be asked for, each with its chains."""


@dataclass(frozen=True)
class Last(Generic[Item]):
    """A chain that is not started before all others of its stream have ended."""

    chain: Chain[Item]

    def __call__(self) -> Iterator[Item]:
        """Start it."""
        return self.chain()


MAX_BYTES = 64 << 20
LANES_PER_WORKER = 8
"""How many lists may wait their turn: what bounds them when they are empty."""
JOIN_SECONDS = 2.0


class _Lane(Generic[Item]):
    """A chain on its way: the pages it has fetched that nobody has taken yet."""

    def __init__(self, chain: Chain[Item], stream: _Stream[Item]) -> None:
        self.chain = chain
        self.stream = stream
        self.items: deque[Item] = deque()
        self.error: BaseException | None = None
        self.done = False
        self.dropped = False


class _Stream(Generic[Item]):
    """One stream's lanes, as far as they are known."""

    def __init__(self) -> None:
        self.lanes: deque[_Lane[Item]] = deque()
        self.unfinished = 0
        self.last: _Lane[Item] | None = None
        self.complete = False
        self.dropped = False
        self.error: BaseException | None = None


class ReadAhead(Generic[Item]):
    """Runs the chains of a plan on worker threads and hands out their items in order."""

    def __init__(
        self,
        plan: Plan[Item],
        workers: int,
        max_bytes: int = MAX_BYTES,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the workers.

        Args:
            plan: What to fetch, in the order in which it will be asked for.
            workers: Threads that fetch.
            max_bytes: How much fetched and not taken data may be held.
            alive: Called about once a second while the main thread waits; may raise to end it.
        """
        self._plan = plan
        self._max_bytes = max_bytes
        self._max_lanes = LANES_PER_WORKER * workers
        self._alive = alive
        self._changed = threading.Condition()
        self._streams: dict[str, _Stream[Item]] = {}
        self._planned = False
        self._plan_error: BaseException | None = None
        self._queue: deque[_Lane[Item]] = deque()
        self._head: _Lane[Item] | None = None
        self._waiting_lanes = 0
        self._held = 0
        self._fetching = 0
        self._largest = 0
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._feed, name="tap-vitally-plan", daemon=True),
            *(
                threading.Thread(target=self._work, name=f"tap-vitally-{n}", daemon=True)
                for n in range(1, workers + 1)
            ),
        ]
        for thread in self._threads:
            thread.start()

    def items(self, name: str) -> Generator[Item, None, None]:
        """Hand out one stream's items; streams are asked for in the order of the plan.

        Args:
            name: The stream.

        Yields:
            Its items, chain by chain. An error of a chain is raised where its next item would
            have come.

        Raises:
            Cancelled: If the workers were stopped.
        """
        stream = self._stream(name)
        try:
            while lane := self._next_lane(stream):
                yield from self._items_of(lane)
        finally:
            self._drop(stream)

    def _next_lane(self, stream: _Stream[Item]) -> _Lane[Item] | None:
        with self._changed:
            while not stream.lanes and not stream.complete:
                self._wait()
            if stream.lanes:
                self._head = stream.lanes.popleft()
                self._waiting_lanes -= 1
                self._changed.notify_all()
                return self._head
            if stream.error:
                raise stream.error
            return None

    def _drop(self, stream: _Stream[Item]) -> None:
        """Forget what of a stream nobody wants any more, when its reader left before the end."""
        with self._changed:
            stream.dropped = True
            self._waiting_lanes -= len(stream.lanes)
            for lane in (*stream.lanes, *([self._head] if self._head else [])):
                lane.dropped = True
                self._held -= sum(item.weight for item in lane.items)
                lane.items.clear()
                if lane in self._queue:
                    self._queue.remove(lane)
            stream.lanes.clear()
            self._head = None
            self._changed.notify_all()

    def _items_of(self, lane: _Lane[Item]) -> Iterator[Item]:
        while True:
            with self._changed:
                while not lane.items and not lane.done:
                    self._wait()
                if not lane.items:
                    if lane.error:
                        raise lane.error
                    return
                item = lane.items.popleft()
                self._held -= item.weight
                self._changed.notify_all()
            yield item

    def _stream(self, name: str) -> _Stream[Item]:
        with self._changed:
            while name not in self._streams and not self._planned:
                self._wait()
            if name not in self._streams:
                raise self._plan_error or (stopped() if self._stopped else KeyError(name))
            return self._streams[name]

    def _wait(self) -> None:
        """Wait for a change, holding the lock; see now and then whether anybody still reads."""
        if self._stopped:
            raise stopped()
        if not self._changed.wait(1.0):
            self._alive()

    def stop(self) -> None:
        """Start nothing more; what waits for its turn is woken and ends."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the workers, for a moment: one may be inside a request."""
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))

    def _feed(self) -> None:
        """Walk the plan a little ahead of the workers: finding a list may take requests too."""
        try:
            for name, chains in self._plan:
                self._feed_stream(name, chains)
                if self._stopped:
                    break
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that asks
            self._plan_error = error
        with self._changed:
            self._planned = True
            self._changed.notify_all()

    def _feed_stream(self, name: str, chains: Iterable[Chain[Item]]) -> None:
        stream: _Stream[Item] = _Stream()
        with self._changed:
            self._streams[name] = stream
            self._changed.notify_all()
        try:
            for chain in chains:
                self._queue_up(stream, _Lane(chain, stream))
        except Exception as error:  # noqa: BLE001 - as above
            stream.error = error
        with self._changed:
            stream.complete = True
            self._changed.notify_all()

    def _queue_up(self, stream: _Stream[Item], lane: _Lane[Item]) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or stream.dropped or self._waiting_lanes < self._max_lanes
            )
            if self._stopped or stream.dropped:
                raise stopped()
            stream.lanes.append(lane)
            self._waiting_lanes += 1
            if isinstance(lane.chain, Last) and stream.unfinished:
                stream.last = lane
            else:
                self._queue.append(lane)
            stream.unfinished += 1
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._queue or self._planned)
                if self._stopped or not self._queue:
                    return
                lane: _Lane[Item] | None = self._queue.popleft()
            while lane:
                self._run(lane)
                lane = self._end(lane)

    def _run(self, lane: _Lane[Item]) -> None:
        try:
            items = lane.chain()
            while True:
                self._await_room(lane)
                try:
                    item = next(items, None)
                finally:
                    with self._changed:
                        self._fetching -= 1
                if item is None:
                    return
                with self._changed:
                    self._largest = max(self._largest, item.weight)
                    if not lane.dropped:
                        lane.items.append(item)
                        self._held += item.weight
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that asks
            lane.error = error

    def _end(self, lane: _Lane[Item]) -> _Lane[Item] | None:
        """End a lane; give back the last one of its stream, if that is the only one left."""
        with self._changed:
            lane.done = True
            stream = lane.stream
            stream.unfinished -= 1
            last = stream.last if stream.unfinished == 1 else None
            if last:
                stream.last = None
            self._changed.notify_all()
            return last

    def _await_room(self, lane: _Lane[Item]) -> None:
        """Wait until one more item of this lane fits; count it as being fetched."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped
                    or lane.dropped
                    or self._held + (self._fetching + 1) * self._largest <= self._max_bytes
                    or (lane is self._head and not lane.items)
                )
            )
            if self._stopped or lane.dropped:
                raise stopped()
            self._fetching += 1


def in_turn(chains: Iterable[Chain[Item]]) -> Generator[Item, None, None]:
    """Do on the calling thread what `ReadAhead` does on many.

    Args:
        chains: What to fetch.

    Yields:
        The items, chain by chain.
    """
    for chain in chains:
        yield from chain()
