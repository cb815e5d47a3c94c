"""Prefetch: worker threads find lists and fetch their pages while the main thread writes.

A worker does one thing at a time: it finds the next list of a stream, or fetches the next page of a
list. The list being written goes first, then all streams by turns, so that no long list is left for
the end. The pages come out in the order in which a single thread would have read them.

Why this cannot lock up: a worker holds nothing from one step to the next; the list being written may
always be fetched, however much is held of others; a stream only waits for streams before it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
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
WAIT_SECONDS = 1.0
JOIN_SECONDS = 2.0


class _Source(Generic[Value]):
    """An iterator that one worker at a time advances, with the values that were not taken yet.

    ``free`` is True while no worker uses it and it has not ended. None in ``values`` marks the end;
    ``error`` is the exception that ended it, or None.
    """

    def __init__(self, iterator: Iterator[Value]) -> None:
        self.iterator = iterator
        self.values: SimpleQueue[Value | None] = SimpleQueue()
        self.error: Exception | None = None
        self.free = True


class _Queue(_Source[Page]):
    """The pages of one list."""

    def __init__(self, task: PageTask, stream: _Stream) -> None:
        super().__init__(run_sequentially([[task]]))
        self.stream = stream


class _Stream(_Source[_Queue]):
    """The lists of one phase of a stream, which begins when all phases in ``after`` are over.

    ``idle`` has the lists that a worker may fetch from, ``held`` is the size in bytes of pages that wait.
    ``unfinished`` counts the lists that are not fetched completely, plus one until all are found.
    """

    def __init__(self, tasks: Iterable[PageTask], after: Collection[_Stream]) -> None:
        super().__init__(_Queue(task, self) for task in tasks)
        self.after = after
        self.idle: deque[_Queue] = deque()
        self.unfinished, self.held = 1, 0
        self.dropped = False

    @property
    def over(self) -> bool:
        """True if all of its lists are fetched."""
        return self.dropped or not self.unfinished

    @property
    def may_go_on(self) -> bool:
        """True if a worker should find its next list now."""
        wanted = self.free and self.values.qsize() < MAX_QUEUES
        return wanted and all(each.over for each in self.after)


class Prefetcher:
    """Fetches the pages of all streams on worker threads, and returns them in order."""

    def __init__(
        self,
        plan: Mapping[str, Phases],
        workers: int,
        alive: Callable[[], None],
        waits: Mapping[str, Collection[str]],
    ) -> None:
        """Start a first thread; more follow as they are needed, and up to ``workers`` fetch at once.

        The ``plan`` has the streams in the order in which they will be asked for, ``waits`` names those
        that one waits for, if they come before it. ``alive`` is called about once a second while the main
        thread waits, and may raise to end it.
        """
        self._workers, self._alive = workers, alive
        # Workers wait for ``_wanted``, the reader for the values of one source: while all waited for the
        # same, a page woke every thread three times, which took a tenth of the time of a run.
        # A signal may raise wherever the reader is. Entering a `Condition`, which is written in Python, it
        # kept the lock for ever, one run in four: the reader enters only what is written in C, and what
        # it may enter again.
        self._lock = threading.RLock()
        self._wanted = threading.Condition(self._lock)
        self._phases: dict[str, list[_Stream]] = {}
        for name, phases in plan.items():
            before = self._phases.keys() & set(waits.get(name, ()))
            after = [self._phases[other][-1] for other in before]
            self._phases[name] = []
            for tasks in phases:
                after = [_Stream(tasks, after)]
                self._phases[name] += after
        self._turns = deque(stream for phases in self._phases.values() for stream in phases)
        self._head: _Queue | None = None
        self._busy: Counter[type] = Counter()
        self._stopped = False
        self._threads: list[threading.Thread] = []
        self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="tap-vitally-prefetch", daemon=True)
        self._threads.append(thread)
        thread.start()

    # On the main thread

    def items(self, name: str) -> Generator[Page, None, None]:
        """Yield one stream's pages, list by list; call it for the streams in the order of the plan.

        Raise the error of a list in place of its next page, and `Cancelled` after `stop`.
        """
        streams = self._phases.pop(name)
        try:
            for stream in streams:
                while queue := self._take(stream):
                    with self._lock:
                        self._head = queue
                        if queue in stream.idle:
                            stream.idle.remove(queue)
                        self._wanted.notify()
                    while page := self._take(queue):
                        with self._lock:
                            stream.held -= page.size_bytes
                            self._wanted.notify()
                        yield page
        finally:
            with self._lock:
                self._head = None
                for stream in streams:
                    stream.dropped = True
                    self._turns.remove(stream)
                self._wanted.notify_all()

    def _take(self, source: _Source[Value]) -> Value | None:
        """Wait for the next value, None at the end; call ``alive`` about once a second meanwhile."""
        while True:
            with suppress(Empty):
                value = source.values.get(timeout=WAIT_SECONDS)
                if value is None and source.error:
                    raise source.error
                return value
            if self._stopped:
                raise Cancelled
            self._alive()

    def stop(self) -> None:
        """Start no more requests, and wait a short time for workers that are inside one."""
        with self._lock:
            self._stopped = True
            self._wanted.notify_all()
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))

    # On the workers

    def _work(self) -> None:
        while source := self._next_source():
            value: Any = None
            try:
                value = next(source.iterator, None)
            except Exception as error:  # noqa: BLE001 - it is raised where the value would have been taken
                source.error = error
            if isinstance(source, _Queue) and value is not None and source is not self._head:
                value = value.compressed()  # it has to wait for its turn
            with self._lock:
                self._busy[type(source)] -= 1
                self._keep(source, value)

    def _keep(self, source: _Stream | _Queue, value: Any) -> None:
        """Store a list or a page until it is taken; None marks the end."""
        stream = source if isinstance(source, _Stream) else source.stream
        source.free = value is not None
        if value is None:
            stream.unfinished -= 1
        elif isinstance(source, _Stream):
            stream.unfinished += 1
            stream.idle.append(value)
        else:
            stream.held += value.size_bytes
            if source is not self._head:
                stream.idle.appendleft(source)
        source.values.put(value)

    def _next_source(self) -> _Stream | _Queue | None:
        """Wait for a source to advance, and wake another worker if there may be more; None to end."""
        with self._lock:
            while not (self._stopped or all(stream.over for stream in self._turns)):
                if source := self._to_find() or self._to_fetch():
                    source.free = False
                    self._busy[type(source)] += 1
                    # For a single list, eight threads took 66 MB for a million records, two 62.
                    if self._busy.total() == len(self._threads):
                        self._start()
                    if isinstance(source, _Stream) or any(each.idle for each in self._turns):
                        self._wanted.notify()
                    return source
                self._wanted.wait()
            self._wanted.notify_all()
            return None

    def _to_find(self) -> _Stream | None:
        """Return the stream with the fewest known lists, of those whose next list is to be found."""
        if self._busy[_Stream] == FINDERS:
            return None
        wanted = [stream for stream in self._turns if stream.may_go_on]
        return min(wanted, key=lambda stream: stream.values.qsize(), default=None)

    def _to_fetch(self) -> _Queue | None:
        """Return the list to fetch from: the one being written, or one of the next stream in turn."""
        if self._busy[_Queue] == self._workers:
            return None
        head = self._head
        if head and head.free and head.values.qsize() < DEPTH:
            return head
        full = sum(stream.held for stream in self._turns) >= MAX_BYTES
        for stream in () if full else tuple(self._turns):
            self._turns.rotate(-1)
            if stream.idle:
                return stream.idle.popleft()
        return None


def run_sequentially(phases: Phases) -> Generator[Page, None, None]:
    """Yield the pages of a stream in order, fetched on the calling thread."""
    for tasks in phases:
        for task in tasks:
            yield from task()
