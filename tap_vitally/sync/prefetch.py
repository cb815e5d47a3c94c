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
    def size_bytes(self) -> int:
        """Bytes it holds."""

    def compressed(self) -> Self:
        """Make it small."""

    def decompressed(self) -> Self:
        """Make it what it was."""


Item = TypeVar("Item", bound=Packable)

PageTask = Callable[[], Iterator[Item]]
"""Starts to fetch one list; what it returns is run on one thread at a time."""
Plan = Mapping[str, Iterable[PageTask[Item]]]
"""The chains of each stream, by name, in the order in which the streams will be asked for."""


@dataclass(frozen=True)
class Last(Generic[Item]):
    """A chain that is not started before all others of its stream have ended."""

    chain: PageTask[Item]

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
MAX_QUEUES = 1000
"""Lists of a stream that may wait for their turn: what bounds them when they are empty."""
DEPTH = 2
"""Pages fetched ahead in the list that is being written: more would only fill memory."""
PLANNERS = 4
"""Threads that find lists: one may be busy with a stream whose lists take requests to find."""
JOIN_SECONDS = 2.0


class _Lane(Generic[Item]):
    """A chain on its way: the pages it has fetched that nobody has taken yet."""

    def __init__(self, chain: PageTask[Item], stream: _Stream[Item]) -> None:
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

    def __init__(
        self, page_tasks: Iterable[PageTask[Item]], after: Iterable[_Stream[Item]] = ()
    ) -> None:
        self.page_tasks = iter(page_tasks)
        self.after = tuple(after)
        self.queues: deque[_Lane[Item]] = deque()
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
        room = not self.being_planned and len(self.queues) < MAX_QUEUES
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


class Prefetcher(Generic[Item]):
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
        for name, page_tasks in plan.items():
            after = [self._streams[other] for other in (waits or {}).get(name, ())]
            self._streams[name] = _Stream(page_tasks, after)
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
            while queue := self._next_queue(stream):
                yield from self._items_of(queue)
        finally:
            self._drop(stream)

    def _next_queue(self, stream: _Stream[Item]) -> _Lane[Item] | None:
        with self._changed:
            while not stream.queues and not stream.complete:
                self._wait()
            if not stream.queues:
                if stream.error:
                    raise stream.error
                return None
            self._head = head = stream.queues.popleft()
            if head in stream.idle:
                stream.idle.remove(head)
            self._changed.notify_all()
            return head

    def _items_of(self, queue: _Lane[Item]) -> Iterator[Item]:
        while True:
            with self._changed:
                while not queue.items and not queue.done:
                    self._wait()
                if not queue.items:
                    if queue.error:
                        raise queue.error
                    return
                item = queue.items.popleft()
                self._held -= item.size_bytes
                self._changed.notify_all()
            yield item.decompressed()

    def _drop(self, stream: _Stream[Item]) -> None:
        """Forget what of a stream nobody wants any more, when its reader left before the end."""
        with self._changed:
            stream.dropped = stream.complete = True
            for queue in (*stream.queues, *([self._head] if self._head else [])):
                self._held -= sum(item.size_bytes for item in queue.items)
                queue.items.clear()
            stream.queues.clear()
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
                chain = next(stream.page_tasks, None)
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
                    stream = min(ready, key=lambda each: len(each.queues))
                    stream.being_planned = True
                    return stream
                self._changed.wait()
            return None

    def _add(self, stream: _Stream[Item], queue: _Lane[Item]) -> None:
        stream.queues.append(queue)
        if isinstance(queue.chain, Last) and stream.unfinished:
            stream.last = queue
        else:
            stream.idle.append(queue)
        stream.unfinished += 1

    # On the workers

    def _work(self) -> None:
        while queue := self._next_to_fetch():
            item = self._fetched(queue)
            with self._changed:
                self._take_in(queue, item)
                self._changed.notify_all()

    def _next_to_fetch(self) -> _Lane[Item] | None:
        """Wait for a lane whose next page is wanted, and mark it as being fetched."""
        with self._changed:
            while not self._stopped:
                if queue := self._wanted():
                    queue.fetching = True
                    self._fetching += 1
                    # Two read a single list: eight took 66 MB for a million records, two take 62.
                    if self._fetching == self._working < self._workers:
                        self._start(self._work)
                    return queue
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

    def _fetched(self, queue: _Lane[Item]) -> Item | None:
        try:
            if queue.source is None:
                queue.source = queue.chain()
            item = next(queue.source, None)
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that asks
            queue.error = error
            return None
        if item is None:
            return None
        with self._changed:
            self._largest = max(self._largest, item.size_bytes)
        return item if queue is self._head else item.compressed()

    def _take_in(self, queue: _Lane[Item], item: Item | None) -> None:
        self._fetching -= 1
        queue.fetching = False
        stream = queue.stream
        if item is None:
            queue.done = True
            stream.unfinished -= 1
            last = stream.last
            if last and stream.unfinished == 1 and not stream.dropped:
                stream.last = None
                if last is not self._head:
                    stream.idle.append(last)
        elif not stream.dropped:
            queue.items.append(item)
            self._held += item.size_bytes
            if queue is not self._head:
                stream.idle.appendleft(queue)


def run_sequentially(page_tasks: Iterable[PageTask[Item]]) -> Generator[Item, None, None]:
    """Do on the calling thread what `Prefetcher` does on many."""
    for chain in page_tasks:
        yield from chain()
