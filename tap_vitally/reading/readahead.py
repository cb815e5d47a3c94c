"""Reading ahead: worker threads fetch pages while the main thread converts and writes.

The unit of work is a *chain*: a generator that fetches the pages of one list, one after the
other. Workers fetch page by page, from the chain that is being written first, then from all
streams by turns, so that no long list is left for the end. The pages come out in the order in
which a single thread would have read them.

Why this cannot lock up: a worker keeps nothing from one page to the next, and the next page of
the chain being written may be fetched however much is held of the others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from vitally_api import Cancelled


class Packable(Protocol):
    """Something whose weight in memory is known, and can be made less while it waits."""

    @property
    def weight(self) -> int:
        """Bytes it holds."""

    def packed(self) -> Self:
        """Make it small."""

    def unpacked(self) -> Self:
        """Make it what it was."""


Item = TypeVar("Item", bound=Packable)

Chain = Callable[[], Iterator[Item]]
"""Starts to fetch one list; what it returns is run on one thread at a time."""
Plan = Mapping[str, Iterable[Chain[Item]]]
"""The chains of each stream, by name, in the order in which the streams will be asked for."""


@dataclass(frozen=True)
class Last(Generic[Item]):
    """A chain that is not started before all others of its stream have ended."""

    chain: Chain[Item]

    def __call__(self) -> Iterator[Item]:
        """Start it."""
        return self.chain()


MAX_BYTES = 64 << 20
"""What may be held in all, with the pages being fetched, which are not packed."""
MAX_WAITING = 6 << 20
"""What may wait for its turn, packed: some 15,000 records with all that is embedded in them. It is
less than the tap takes anyway, so that memory hardly tells how many records there are."""
FEW_WAITING = 1 << 20
"""What may wait even while the reader is busy: then it is not the network that holds the run up,
and to pack and unpack pages would only cost it time."""
IDLE_SHARE = 0.6
"""The share of its time that the reader waits, if it helps to read further ahead."""
HALF_LIFE = 10.0
"""Seconds after which its time counts half as much."""
MAX_LANES = 1000
"""Lists of a stream that may wait for their turn: what bounds them when they are empty."""
DEPTH = 2
"""Pages fetched ahead in the list that is being written: more would only fill memory."""
PLANNERS = 4
"""Threads that find lists: one may be busy with a stream whose lists take requests to find."""
JOIN_SECONDS = 2.0


class _Lane(Generic[Item]):
    """A chain on its way: the pages it has fetched that nobody has taken yet."""

    def __init__(self, chain: Chain[Item], stream: _Stream[Item]) -> None:
        self.chain = chain
        self.stream = stream
        self.source: Iterator[Item] | None = None
        self.items: deque[Item] = deque()
        self.error: BaseException | None = None
        self.fetching = False
        self.done = False


class _Stream(Generic[Item]):
    """One stream's lanes, as far as they are known.

    ``lanes`` are those nobody has asked for yet, in order, ``idle`` those among them that a worker
    may take; ``last`` is the one that waits for all others to end. ``unfinished`` counts those that
    have not come to their end; ``complete`` says that all are known. Those it comes ``after`` are
    fetched before its own are looked for.
    """

    def __init__(self, chains: Iterable[Chain[Item]], after: Iterable[_Stream[Item]] = ()) -> None:
        self.chains = iter(chains)
        self.after = tuple(after)
        self.lanes: deque[_Lane[Item]] = deque()
        self.idle: deque[_Lane[Item]] = deque()
        self.last: _Lane[Item] | None = None
        self.unfinished = 0
        self.complete = False
        self.being_planned = False
        self.dropped = False
        self.error: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to fetch."""
        return self.dropped or (self.complete and not self.unfinished)

    @property
    def may_be_planned(self) -> bool:
        """Whether one more of its chains is wanted, and can be known."""
        room = not self.being_planned and len(self.lanes) < MAX_LANES
        return room and all(stream.over for stream in self.after)


class _Reader:
    """Knows how much of its time the reader waits; what is long past counts less."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._waited = 0.0
        self._waits_since: float | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a wait."""
        self._waits_since = began = time.monotonic()
        yield
        self._waited += time.monotonic() - began
        self._waits_since = None

    def is_idle(self) -> bool:
        """Whether it waits so much that it helps to read further ahead."""
        now = time.monotonic()
        counted = now - self._since
        waited = self._waited + (now - self._waits_since if self._waits_since else 0.0)
        if counted > 2 * HALF_LIFE:
            self._since += counted / 2
            self._waited /= 2
        return waited >= IDLE_SHARE * counted


class ReadAhead(Generic[Item]):
    """Runs the chains of a plan on worker threads and hands out their items in order."""

    def __init__(  # noqa: PLR0913 - all but the first two are optional
        self,
        plan: Plan[Item],
        workers: int,
        alive: Callable[[], None] = lambda: None,
        *,
        waits: Mapping[str, Collection[str]] | None = None,
        max_bytes: int = MAX_BYTES,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Start workers as they are needed, up to so many, which fetch what the plan says.

        ``alive`` is called about once a second while the main thread waits, and may raise to end
        it. ``waits`` says which streams wait for which of those before them. ``max_bytes`` is how
        much fetched and not taken data may be held, ``max_waiting`` how much of it before more is
        fetched than is asked for.
        """
        self._max_bytes = max_bytes
        self._max_waiting = max_waiting
        self._alive = alive
        self._changed = threading.Condition()
        self._streams: dict[str, _Stream[Item]] = {}
        for name, chains in plan.items():
            after = [self._streams[other] for other in (waits or {}).get(name, ())]
            self._streams[name] = _Stream(chains, after)
        self._turns = deque(self._streams.values())
        self._head: _Lane[Item] | None = None
        self._held = 0
        self._fetching = 0
        self._largest = 0
        self._stopped = False
        self._reader = _Reader()
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._working = 0
        with self._changed:
            for _ in range(min(PLANNERS, len(plan))):
                self._start(self._plan)
            self._start(self._work)

    def _start(self, job: Callable[[], None]) -> None:
        """Start a thread, holding the lock."""
        self._working += job == self._work
        thread = threading.Thread(target=job, name=f"tap-vitally{job.__name__}", daemon=True)
        self._threads.append(thread)
        thread.start()

    # On the main thread

    def items(self, name: str) -> Generator[Item, None, None]:
        """Hand out one stream's items, chain by chain; streams are asked for in the order of the plan.

        An error of a chain is raised where its next item would have come, `Cancelled` if the
        workers were stopped.
        """
        stream = self._streams[name]
        try:
            while lane := self._next_lane(stream):
                yield from self._items_of(lane)
        finally:
            self._drop(stream)

    def _next_lane(self, stream: _Stream[Item]) -> _Lane[Item] | None:
        with self._changed:
            while not stream.lanes and not stream.complete:
                self._wait()
            if not stream.lanes:
                if stream.error:
                    raise stream.error
                return None
            self._head = head = stream.lanes.popleft()
            if head in stream.idle:
                stream.idle.remove(head)
            self._changed.notify_all()
            return head

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
            yield item.unpacked()

    def _drop(self, stream: _Stream[Item]) -> None:
        """Forget what of a stream nobody wants any more, when its reader left before the end."""
        with self._changed:
            stream.dropped = stream.complete = True
            for lane in (*stream.lanes, *([self._head] if self._head else [])):
                self._held -= sum(item.weight for item in lane.items)
                lane.items.clear()
            stream.lanes.clear()
            stream.idle.clear()
            self._head = None
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a change, holding the lock; see now and then whether anybody still reads."""
        if self._stopped:
            raise Cancelled
        with self._reader.waiting():
            changed = self._changed.wait(1.0)
        if not changed:
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

    # On the planners: finding the lists may take requests too

    def _plan(self) -> None:
        """Ask stream after stream for its next chain, as long as any has more."""
        while stream := self._next_to_plan():
            try:
                chain = next(stream.chains, None)
            except Exception as error:  # noqa: BLE001 - it belongs to the thread that asks
                chain, stream.error = None, error
            with self._changed:
                stream.being_planned = False
                if chain is None or stream.dropped:
                    stream.complete = True
                else:
                    self._add(stream, _Lane(chain, stream))
                self._changed.notify_all()

    def _next_to_plan(self) -> _Stream[Item] | None:
        """Wait for the stream with the fewest lanes to have room for one more."""
        with self._changed:
            while not self._stopped:
                unknown = [stream for stream in self._streams.values() if not stream.complete]
                if not unknown:
                    return None
                ready = [stream for stream in unknown if stream.may_be_planned]
                if ready:
                    stream = min(ready, key=lambda each: len(each.lanes))
                    stream.being_planned = True
                    return stream
                self._changed.wait()
            return None

    def _add(self, stream: _Stream[Item], lane: _Lane[Item]) -> None:
        stream.lanes.append(lane)
        if isinstance(lane.chain, Last) and stream.unfinished:
            stream.last = lane
        else:
            stream.idle.append(lane)
        stream.unfinished += 1

    # On the workers

    def _work(self) -> None:
        while lane := self._next_to_fetch():
            item = self._fetched(lane)
            with self._changed:
                self._take_in(lane, item)
                self._changed.notify_all()

    def _next_to_fetch(self) -> _Lane[Item] | None:
        """Wait for a lane whose next page is wanted, and mark it as being fetched."""
        with self._changed:
            while not self._stopped:
                if lane := self._wanted():
                    lane.fetching = True
                    self._fetching += 1
                    # Two read a single list: eight took 66 MB for a million records, two take 62.
                    if self._fetching == self._working < self._workers:
                        self._start(self._work)
                    return lane
                if all(stream.over for stream in self._streams.values()):
                    return None
                self._changed.wait()
            return None

    def _wanted(self) -> _Lane[Item] | None:
        head = self._head
        if (
            head
            and not (head.fetching or head.done or head is head.stream.last)
            and (not head.items or (len(head.items) < DEPTH and self._room()))
        ):
            return head
        most = self._max_waiting if self._reader.is_idle() else FEW_WAITING
        if self._held < min(most, self._max_waiting) and self._room():
            for _ in range(len(self._turns)):
                stream = self._turns[0]
                self._turns.rotate(-1)
                if stream.idle:
                    return stream.idle.popleft()
        return None

    def _room(self) -> bool:
        return self._held + (self._fetching + 1) * self._largest <= self._max_bytes

    def _fetched(self, lane: _Lane[Item]) -> Item | None:
        try:
            if lane.source is None:
                lane.source = lane.chain()
            item = next(lane.source, None)
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that asks
            lane.error = error
            return None
        if item is None:
            return None
        with self._changed:
            self._largest = max(self._largest, item.weight)
        return item if lane is self._head else item.packed()

    def _take_in(self, lane: _Lane[Item], item: Item | None) -> None:
        self._fetching -= 1
        lane.fetching = False
        stream = lane.stream
        if item is None:
            lane.done = True
            stream.unfinished -= 1
            last = stream.last
            if last and stream.unfinished == 1 and not stream.dropped:
                stream.last = None
                if last is not self._head:
                    stream.idle.append(last)
        elif not stream.dropped:
            lane.items.append(item)
            self._held += item.weight
            if lane is not self._head:
                stream.idle.appendleft(lane)


def in_turn(chains: Iterable[Chain[Item]]) -> Generator[Item, None, None]:
    """Do on the calling thread what `ReadAhead` does on many."""
    for chain in chains:
        yield from chain()
