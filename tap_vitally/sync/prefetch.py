"""Prefetch: worker threads find lists and fetch their pages while the main thread writes.

A worker does one thing at a time: it finds the next list of a stream, or fetches the next page of a
list. The list being written goes first, then all streams by turns, so that no long list is left for
the end. The pages come out in the order in which a single thread would have read them.

Why this cannot lock up: a worker holds nothing from one step to the next; the list being written may
always be fetched, however much is held of others; a stream only waits for streams before it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from vitally_api import Cancelled


class Compressible(Protocol):
    """What a list is made of."""

    @property
    def size_bytes(self) -> int:
        """Bytes of memory it takes."""

    def compressed(self) -> Self:
        """Return the same in less memory."""


Value = TypeVar("Value")
Item = TypeVar("Item", bound=Compressible)
PageTask = Callable[[], Iterator[Item]]
"""Starts to fetch one list; what it returns is run on one thread at a time."""
Plan = Mapping[str, Iterable[PageTask[Item]]]
"""The lists of each stream, by name, in the order in which the streams will be asked for."""


@dataclass(frozen=True)
class Last(Generic[Item]):
    """A list that is not started before all others of its stream have been fetched."""

    task: PageTask[Item]

    def __call__(self) -> Iterator[Item]:
        """Start it."""
        return self.task()


MAX_BYTES = 4 << 20
"""What may be held: compressed, some 10,000 records with all that is embedded in them. It is less than
the tap takes anyway, so that memory hardly depends on the number of records."""
MAX_QUEUES = 1000
"""Lists of a stream that may wait for their turn: empty ones take no bytes that count."""
FINDERS = 4
"""Workers that may find lists at once: streams whose lists take requests to find hold up no other."""
DEPTH = 2
"""Pages fetched ahead in the list being written: more would only fill memory."""
JOIN_SECONDS = 2.0


class _Source(Generic[Value]):
    """An iterator that one worker at a time asks for its next value, and those that nobody took yet."""

    def __init__(self, start: Callable[[], Iterator[Value]]) -> None:
        self._start = start
        self._iterator: Iterator[Value] | None = None
        self.values: deque[Value] = deque()
        self.error: Exception | None = None
        self.busy = self.ended = False

    def next(self) -> Value | None:
        """Return the next value, None after the last or where an error ends it."""
        try:
            self._iterator = self._iterator or self._start()
            return next(self._iterator, None)
        except Exception as error:  # noqa: BLE001 - it is raised where the value would have been taken
            self.error = error
            return None


class _Queue(_Source[Item]):
    """The pages of one list."""

    def __init__(self, task: PageTask[Item], stream: _Stream[Item]) -> None:
        super().__init__(task)
        self.stream = stream
        self.is_last = isinstance(task, Last)


class _Stream(_Source[_Queue[Item]]):
    """The lists of one stream that nobody has asked for yet, in order.

    ``idle`` are those of them that a worker may fetch from, ``last`` is one that waits for all others,
    ``unfinished`` counts those not fetched to their end. It is looked at when those it comes ``after``
    have been fetched, and ``dropped`` when nobody wants more of it.
    """

    def __init__(self, tasks: Iterable[PageTask[Item]], after: Iterable[_Stream[Item]]) -> None:
        super().__init__(lambda: (_Queue(task, self) for task in tasks))
        self.after = tuple(after)
        self.idle: deque[_Queue[Item]] = deque()
        self.last: _Queue[Item] | None = None
        self.unfinished = 0
        self.dropped = False

    @property
    def over(self) -> bool:
        """Return True if nothing of it is left to fetch."""
        return self.dropped or (self.ended and not self.unfinished)

    @property
    def may_go_on(self) -> bool:
        """Return True if one more of its lists is wanted, and can be known."""
        room = not (self.busy or self.ended) and len(self.values) < MAX_QUEUES
        return room and all(stream.over for stream in self.after)


class Prefetcher(Generic[Item]):
    """Fetches the pages of a plan on worker threads and hands them out in order."""

    def __init__(
        self,
        plan: Plan[Item],
        workers: int,
        alive: Callable[[], None] = lambda: None,
        *,
        waits: Mapping[str, Collection[str]] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Start a first thread; more follow as they are needed, and up to ``workers`` of them fetch at once.

        ``alive`` is called about once a second while the main thread waits, and may raise to end
        it. ``waits`` names for a stream those before it that it waits for.
        """
        self._max_bytes, self._workers, self._alive = max_bytes, workers, alive
        self._changed = threading.Condition()
        self._streams: dict[str, _Stream[Item]] = {}
        for name, tasks in plan.items():
            after = [self._streams[other] for other in (waits or {}).get(name, ())]
            self._streams[name] = _Stream(tasks, after)
        self._turns = deque(self._streams.values())
        self._head: _Queue[Item] | None = None
        self._held = self._fetching = self._finding = 0
        self._stopped = False
        self._threads: list[threading.Thread] = []
        self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="tap-vitally-prefetch", daemon=True)
        self._threads.append(thread)
        thread.start()

    # On the main thread

    def items(self, name: str) -> Generator[Item, None, None]:
        """Hand out one stream's pages, list by list; streams are asked for in the order of the plan.

        An error of a list is raised where its next page would have come, `Cancelled` if the
        workers were stopped.
        """
        stream = self._streams[name]
        try:
            while (queue := self._take(stream)) is not None:
                self._begin(queue)
                while (item := self._take(queue)) is not None:
                    yield item
        finally:
            self._drop(stream)

    def _take(self, source: _Source[Value]) -> Value | None:
        """Wait for the next value of a source; return None after the last."""
        with self._changed:
            while not source.values:
                if source.error:
                    raise source.error
                if source.ended:
                    return None
                self._wait()
            value = source.values.popleft()
            if not isinstance(value, _Queue):
                self._held -= value.size_bytes  # type: ignore[attr-defined]
            self._changed.notify_all()
            return value

    def _begin(self, queue: _Queue[Item]) -> None:
        with self._changed:
            self._head = queue
            if queue in queue.stream.idle:
                queue.stream.idle.remove(queue)
            self._changed.notify_all()

    def _drop(self, stream: _Stream[Item]) -> None:
        """Forget what of a stream nobody wants any more, when its reader left before the end."""
        with self._changed:
            stream.dropped = stream.ended = True
            for queue in (*stream.values, *([self._head] if self._head else [])):
                self._held -= sum(item.size_bytes for item in queue.values)
                queue.values.clear()
            stream.values.clear()
            stream.idle.clear()
            stream.last = self._head = None
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a change, holding the lock; see now and then whether anybody still reads."""
        if self._stopped:
            raise Cancelled
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

    # On the workers

    def _work(self) -> None:
        while source := self._next_source():
            if isinstance(source, _Stream):
                self._find(source)
            else:
                self._fetch(source)

    def _count(self, source: _Source[Any], one: int) -> None:
        """Count a worker that begins or ends to be busy with a source."""
        source.busy = one > 0
        if isinstance(source, _Stream):
            self._finding += one
        else:
            self._fetching += one

    def _find(self, stream: _Stream[Item]) -> None:
        """Find the next list of a stream."""
        queue = stream.next()
        with self._done_with(stream):
            if queue is None:
                stream.ended = True
            elif not stream.dropped:
                stream.values.append(queue)
                stream.unfinished += 1
                if queue.is_last:
                    stream.last = queue
                else:
                    stream.idle.append(queue)

    def _fetch(self, queue: _Queue[Item]) -> None:
        """Fetch the next page of a list; one that has to wait for its turn takes less memory."""
        item = queue.next()
        if item is not None and queue is not self._head:
            item = item.compressed()
        stream = queue.stream
        with self._done_with(queue):
            if item is None:
                queue.ended = True
                stream.unfinished -= 1
            elif not stream.dropped:
                queue.values.append(item)
                self._held += item.size_bytes
                if queue is not self._head:
                    stream.idle.appendleft(queue)

    @contextmanager
    def _done_with(self, source: _Stream[Item] | _Queue[Item]) -> Iterator[None]:
        """Make a source free again; the last list of a stream may begin when the one before it is done."""
        stream = source if isinstance(source, _Stream) else source.stream
        with self._changed:
            yield
            self._count(source, -1)
            if stream.last and stream.unfinished == 1:
                if stream.last is not self._head:
                    stream.idle.append(stream.last)
                stream.last = None
            self._changed.notify_all()

    def _next_source(self) -> _Stream[Item] | _Queue[Item] | None:
        """Wait for something to do; return None when all is done."""
        with self._changed:
            while not (self._stopped or all(stream.over for stream in self._streams.values())):
                if source := self._wanted():
                    self._count(source, 1)
                    # For a single list, eight threads took 66 MB for a million records, two 62.
                    if self._fetching + self._finding == len(self._threads):
                        self._start()
                    return source
                self._changed.wait()
            return None

    def _wanted(self) -> _Stream[Item] | _Queue[Item] | None:
        """Choose what to do next."""
        if self._finding < FINDERS:
            unknown = [stream for stream in self._streams.values() if stream.may_go_on]
            if unknown:
                return min(unknown, key=lambda stream: len(stream.values))
        if self._fetching == self._workers:
            return None
        head = self._head
        free = head and not (head.busy or head.ended or head is head.stream.last)
        if head and free and len(head.values) < DEPTH:
            return head
        for _ in range(len(self._turns) if self._held < self._max_bytes else 0):
            stream = self._turns[0]
            self._turns.rotate(-1)
            if stream.idle:
                return stream.idle.popleft()
        return None


def run_sequentially(page_tasks: Iterable[PageTask[Item]]) -> Generator[Item, None, None]:
    """Do on the calling thread what `Prefetcher` does on many."""
    for task in page_tasks:
        yield from task()
