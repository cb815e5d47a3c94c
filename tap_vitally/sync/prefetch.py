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
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from tap_vitally.sync.batches import Page
from vitally_api import Cancelled

Value = TypeVar("Value")
PageTask = Callable[[], Iterator[Page]]
"""Starts to fetch one list; what it returns is run on one thread at a time."""
Phases = Sequence[Iterable[PageTask]]
"""The lists of one stream; those of the second phase are found when all of the first were fetched."""

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


class _Queue(_Source[Page]):
    """The pages of one list."""

    def __init__(self, task: PageTask, stream: _Stream) -> None:
        super().__init__(task)
        self.stream = stream


class _Stream(_Source[_Queue]):
    """The lists of one phase of a stream that nobody has asked for yet.

    ``idle`` are those that a worker may fetch from, ``unfinished`` counts those not fetched to their
    end. It is looked at when those it comes ``after`` are over.
    """

    def __init__(self, tasks: Iterable[PageTask], after: Collection[_Stream]) -> None:
        super().__init__(lambda: (_Queue(task, self) for task in tasks))
        self.after = after
        self.idle: deque[_Queue] = deque()
        self.unfinished = 0
        self.dropped = False

    @property
    def over(self) -> bool:
        """Return True if nothing of it is left to fetch."""
        return self.dropped or (self.ended and not self.unfinished)

    @property
    def may_go_on(self) -> bool:
        """Return True if one more of its lists is wanted, and can be known."""
        full = len(self.values) >= MAX_QUEUES
        return not (self.busy or self.ended or full) and all(each.over for each in self.after)


class Prefetcher:
    """Fetches the pages of a plan on worker threads and hands them out in order."""

    def __init__(
        self,
        plan: Mapping[str, Phases],
        workers: int,
        alive: Callable[[], None] = lambda: None,
        *,
        waits: Mapping[str, Collection[str]] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Start a first thread; more follow as they are needed, and up to ``workers`` fetch at once.

        The ``plan`` has the streams in the order in which they will be asked for, ``waits`` names those
        that one waits for, if they come before it. ``alive`` is called about once a second while the main
        thread waits, and may raise to end it.
        """
        self._max_bytes, self._workers, self._alive = max_bytes, workers, alive
        # The reader waits until it can take ``_changed``, workers wait for ``_wanted``: while all waited
        # for the same, a page woke every thread three times, which took a tenth of the time of a run.
        # A signal may raise wherever the reader is. Entering a `Condition`, which is written in Python, it
        # kept the lock for ever, one run in four: the reader enters only what is written in C, and what
        # it may enter again.
        self._lock, self._changed = threading.RLock(), threading.Lock()
        self._wanted = threading.Condition(self._lock)
        self._phases: dict[str, list[_Stream]] = {}
        for name, phases in plan.items():
            before = self._phases.keys() & set((waits or {}).get(name, ()))
            after = [each for other in before for each in self._phases[other]]
            found: list[_Stream] = []
            for tasks in phases:
                found.append(_Stream(tasks, [*after, *found]))
            self._phases[name] = found
        self._turns = deque(chain.from_iterable(self._phases.values()))
        self._head: _Queue | None = None
        self._held = self._fetching = self._finding = 0
        self._stopped = False
        self._threads: list[threading.Thread] = []
        self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="tap-vitally-prefetch", daemon=True)
        self._threads.append(thread)
        thread.start()

    # On the main thread

    def items(self, name: str) -> Generator[Page, None, None]:
        """Hand out one stream's pages, list by list; streams are asked for in the order of the plan.

        An error of a list is raised where its next page would have come, `Cancelled` if the
        workers were stopped.
        """
        streams = self._phases[name]
        try:
            for stream in streams:
                while (queue := self._take(stream)) is not None:
                    while (page := self._take(queue)) is not None:
                        yield page
        finally:
            self._drop(streams)

    def _take(self, source: _Source[Value]) -> Value | None:
        while True:
            with self._lock:
                if source.values:
                    value = source.values.popleft()
                    self._count_taken(value)
                    return value
                if source.error:
                    raise source.error
                if source.ended:
                    return None
                if self._stopped:
                    raise Cancelled
            self._wait()

    def _wait(self) -> None:
        """Wait for a change; see now and then whether anybody still reads."""
        if not self._changed.acquire(timeout=1.0):
            self._alive()

    def _count_taken(self, value: Any) -> None:
        if isinstance(value, _Queue):
            self._head = value
            if value in value.stream.idle:
                value.stream.idle.remove(value)
        else:
            self._held -= value.size_bytes
        self._wanted.notify()

    def _drop(self, streams: Iterable[_Stream]) -> None:
        with self._lock:
            left = [self._head] if self._head else []
            for stream in streams:
                left += stream.values
                stream.dropped = stream.ended = True
                stream.values.clear()
                stream.idle.clear()
            for queue in left:
                self._held -= sum(page.size_bytes for page in queue.values)
                queue.values.clear()
            self._head = None
            self._wanted.notify_all()

    def stop(self) -> None:
        """Start nothing more, and wait a moment for the workers: one may be inside a request."""
        with self._lock:
            self._stopped = True
            self._tell()
            self._wanted.notify_all()
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))

    # On the workers

    def _work(self) -> None:
        while source := self._next_source():
            value: Any = source.next()
            if isinstance(source, _Queue) and value is not None and source is not self._head:
                value = value.compressed()  # it has to wait for its turn
            with self._lock:
                self._count(source, -1)
                self._keep(source, value)
                self._tell()

    def _tell(self) -> None:
        """Wake the reader, or let its next wait be over at once."""
        if self._changed.locked():
            self._changed.release()

    def _keep(self, source: _Stream | _Queue, value: Any) -> None:
        """Keep a list or a page until it is taken; None is the end."""
        stream = source if isinstance(source, _Stream) else source.stream
        if value is None:
            source.ended = True
            stream.unfinished -= isinstance(source, _Queue)
        elif not stream.dropped:
            source.values.append(value)
            if isinstance(source, _Stream):
                stream.unfinished += 1
                stream.idle.append(value)
            else:
                self._held += value.size_bytes
                if source is not self._head:
                    stream.idle.appendleft(source)

    def _count(self, source: _Stream | _Queue, one: int) -> None:
        source.busy = one > 0
        if isinstance(source, _Stream):
            self._finding += one
        else:
            self._fetching += one

    def _next_source(self) -> _Stream | _Queue | None:
        """Wait for work; None is the end. Whoever gets some wakes another, if there may be more."""
        with self._lock:
            while not (self._stopped or all(stream.over for stream in self._turns)):
                if source := self._to_find() or self._to_fetch():
                    self._count(source, 1)
                    # For a single list, eight threads took 66 MB for a million records, two 62.
                    if self._fetching + self._finding == len(self._threads):
                        self._start()
                    if isinstance(source, _Stream) or any(each.idle for each in self._turns):
                        self._wanted.notify()
                    return source
                self._wanted.wait()
            self._wanted.notify_all()
            return None

    def _to_find(self) -> _Stream | None:
        """Choose the stream that has the fewest known lists."""
        if self._finding == FINDERS:
            return None
        wanted = [stream for stream in self._turns if stream.may_go_on]
        return min(wanted, key=lambda stream: len(stream.values), default=None)

    def _to_fetch(self) -> _Queue | None:
        """Choose a list: the one being written, or one of the stream whose turn it is."""
        if self._fetching == self._workers:
            return None
        head = self._head
        if head and not (head.busy or head.ended) and len(head.values) < DEPTH:
            return head
        for _ in range(len(self._turns) if self._held < self._max_bytes else 0):
            stream = self._turns[0]
            self._turns.rotate(-1)
            if stream.idle:
                return stream.idle.popleft()
        return None


def run_sequentially(phases: Phases) -> Generator[Page, None, None]:
    """Do on the calling thread what `Prefetcher` does on many."""
    for tasks in phases:
        for task in tasks:
            yield from task()
