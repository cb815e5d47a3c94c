"""Lead rows through all stages, parents before children, and send out STATE."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Any

from target_vitally.lookup.client import RecordClient
from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.exact_links import ExactLinks
from target_vitally.lookup.references import References
from target_vitally.lookup.store import Store
from target_vitally.mapping.entries import EVENTS, not_come
from target_vitally.mapping.parse_row import key_of
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, Origin
from target_vitally.mapping.stream_mapping import MappingError, StreamMapping, no_key
from target_vitally.pipeline.batches import Batches
from target_vitally.pipeline.bulk_channel import BulkChannel
from target_vitally.pipeline.caps import WriteCaps
from target_vitally.pipeline.counting_run import count_writes
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.outcomes import NO_STREAM, Outcomes, key_columns_of
from target_vitally.pipeline.recovery import Recovery
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.state_tracker import StateTracker
from target_vitally.pipeline.undo import TakeBack, UndoFile
from target_vitally.pipeline.waiting_rows import WaitingRows
from target_vitally.pipeline.workers import RunAborted, Workers
from target_vitally.writers.base import ResourceWriter
from vitally_api import Analytics, Budget, Cancelled, SettingsError, Vitally, VitallyError

logger = logging.getLogger("target-vitally")

NOTHING_UNLINKED = "%s: nothing is unlinked: links is exact, which takes deletes: delete, too."
LONGEST_WAIT = 45.0
"""Seconds after which rows and STATE go on by the clock: within the minute that is promised."""


class Engine:
    """Collects rows by resource, and writes them in batches, parents before children."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a run is made of
        self,
        settings: Settings,
        vitally: Vitally,
        budget: Budget,
        resources: Mapping[str, Resource],
        writers: Mapping[str, type[ResourceWriter]],
        only_named: Mapping[str, str],
        emit: Callable[[Any], None],
        analytics: Analytics | None = None,
    ) -> None:
        """Build the stages.

        ``only_named`` has the streams of the tap that are not written but whose rows name ids of the
        source workspace, each with the column of the name. ``emit`` sends out a STATE; a dry run sends
        none. ``analytics`` is needed for streams that go to the Analytics API.
        """
        self._settings = settings
        self._only_named = only_named
        self._ranked = sorted(resources.values(), key=lambda resource: resource.rank)
        self._state = StateTracker((lambda _: None) if settings.dry_run else emit)
        self.outcomes = Outcomes(settings, self._state)
        self.budget = budget
        budgets = [budget, *([analytics.budget] if analytics else [])]
        emit_if_due = partial(self._state.emit, only_if_due=True)
        self.workers = workers = Workers(settings.concurrency, budgets, emit_if_due)
        self.client, store = RecordClient(vitally), Store()
        self.fields = CustomFields(self.client, self.outcomes.warn_once)
        self.references = References(self.client, resources, workers.map_concurrently, store)
        built = {
            name: writers[name](resource, self.references) for name, resource in resources.items()
        }
        shared = (settings, built, self.references, self.fields, self.outcomes)
        self._waiting = WaitingRows(Store())
        self._recovery = Recovery(*shared, budget)
        self._undo_file = UndoFile(*shared)
        self._caps = WriteCaps(*shared, self._waiting)
        self._executor = Executor(
            *shared,
            workers,
            self._recovery,
            self._waiting,
            self._undo_file,
            self._caps,
            BulkChannel(*shared, analytics, budget, self._undo_file) if analytics else None,
        )
        self._batches = Batches(*shared, self._executor, ExactLinks(store))
        self._take_back = TakeBack(*shared, self._waiting.store)
        self._buffers: dict[str, list[InputRow]] = {}
        self._flushed_at = time.monotonic()
        self._exact = False
        self.busy = self.finished = False

    def declare(self, mapping: StreamMapping) -> StreamMapping:
        """Prepare for the rows of a stream; return its mapping, adapted to the settings of the run."""
        stream, resource = mapping.stream, mapping.resource
        for warning in (*mapping.warnings, *filter(None, [no_key(mapping)])):
            self.outcomes.warn_once(stream, "%s: %s.", warning)
        if mapping.links == "exact" and not self._settings.deletes:
            self.outcomes.warn_once(stream, NOTHING_UNLINKED)
            mapping = replace(mapping, links="add")
        self._exact |= mapping.links == "exact"
        paths = set(mapping.traits)
        if mapping.match and mapping.match.startswith("trait:"):
            paths.add(mapping.match.removeprefix("trait:"))
        everything = mapping.trait_map is not None or mapping.unknown == "traits"
        self.references.want(resource.name, None if everything else paths)
        return mapping

    def take(self, row: InputRow) -> None:
        """Number a row and keep it; write the batch once that is full."""
        mapping, record = row.mapping, row.record
        row.number = self._state.row()
        self.outcomes.read(row)
        if mapping.resource.name == EVENTS:
            self._undo_file.events(mapping.stream)
        if mapping.undo:
            self._take_back.put(row)
            return
        if mapping.links == "exact":
            # A run that begins after this row would not know what it names, and unlink that.
            self._state.hold(row.number)
        resource = mapping.resource
        if mapping.copy and resource.key:
            key = record.get(resource.key)
            if record.get("id") and key:
                self.references.remember_source(resource.name, str(record["id"]), str(key))
        buffer = self._buffers.setdefault(resource.name, [])
        buffer.append(row)
        if len(buffer) >= self._settings.batch_size_rows:
            self.flush(resource.rank)
        else:
            self.tick()

    def ignore(self, name: str, stream: str, origin: Origin, record: Record) -> None:
        """Record a row of a stream that is not written as ignored.

        ``name`` is the stream's name in the tap. If other rows refer to its records, remember which id
        stands for which name.
        """
        number, key_columns = self._state.row(), key_columns_of(origin, record)
        self.outcomes.ignore(stream, number, "a stream that nothing takes", key_columns)
        by = self._only_named.get(name)
        if by and record.get("id") and record.get(by):
            self.references.remember_source(name, str(record["id"]), str(record[by]))

    def state(self, value: Any) -> None:
        """Keep a STATE until all rows before it have outcomes."""
        self._state.state(value)
        self.tick()

    def tick(self) -> None:
        """Write all rows that came so far if the last time was more than `LONGEST_WAIT` seconds ago."""
        if time.monotonic() - self._flushed_at >= LONGEST_WAIT:
            self.flush()

    def reject_line(self, stream: str, line: int, reason: str) -> None:
        """Reject a line of the input that is no Singer message; ``stream`` is empty if it is unknown."""
        self.outcomes.reject_line(stream or NO_STREAM, self._state.row(), line, reason)

    def flush(self, rank: int | None = None) -> None:
        """Write the rows that came so far, parents before children; with ``rank``, only up to that rank."""
        with self._working():
            for resource in self._ranked:
                if rank is None or resource.rank <= rank:
                    rows = self._buffers.pop(resource.name, [])
                    if rows:
                        self._batches.process(resource, rows, last=False)
            self._flushed_at = time.monotonic()
            self.emit()

    def emit(self) -> None:
        """Send out the latest STATE that only has rows with outcomes before it."""
        self._state.emit()

    def refuse(self, stream: str, error: MappingError | SettingsError) -> None:
        """Raise the error, which ends the run: a stream cannot be written."""
        _ = stream
        raise error

    def finish(self, streams: Iterable[str]) -> None:
        """Write the remaining and the waiting rows, then delete; raise `VitallyError` if a limit is exceeded.

        ``streams`` are those whose SCHEMA has come.
        """
        for missing in not_come(self._settings.streams, streams):
            logger.warning("%s.", missing)
        capped = self._caps.phase != "decided"
        if self._exact or capped:
            # All rows have to be read before a link is taken away that one of them names, and before
            # it is known how many records would be created.
            self.flush()
        with self._working():
            problems: list[str] = []
            if capped:
                self._caps.phase = "counting"
                rest = ((each, rows) for each in self._ranked for rows in self._rest(each.name))
                count_writes(self._batches, rest)
                problems = self._caps.decide()
            for resource in self._ranked:
                for rows in self._rest(resource.name):
                    self._batches.process(resource, rows, last=True)
                self.emit()
            problems.append(self._batches.deletes.carry_out(self._executor))
            self._take_back.carry_out(self._executor.write)
            self._recovery.end_aside(last=True)
            if self._batches.events:
                self._batches.events.finish()
            self._state.release()
            self.emit()
        self.finished = True
        if problem := " ".join(filter(None, problems)):
            raise VitallyError(problem)

    def _rest(self, resource: str) -> Iterator[list[InputRow]]:
        """Yield the rows of a resource in batches: those that waited, then those that came last."""
        left = chain(self._waiting.rows(resource), self._buffers.get(resource, ()))
        while rows := list(islice(left, self._settings.batch_size_rows)):
            yield rows
        self._buffers.pop(resource, None)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Delay a signal while the block runs, and end the run after it."""
        self.busy = True
        try:
            yield
        except Cancelled:
            self.workers.check()
            raise
        finally:
            self.busy = False
        self.workers.check()

    def end(self) -> None:
        """Record all remaining rows as not reached, send out the last STATE, and close files and threads."""
        self.emit()
        stores = self._waiting.store, self.references.store
        try:
            for row in self._left() if self.outcomes.unended else ():
                key = key_of(row.mapping, row.record)
                self.outcomes.end([row], "not reached", key=key)
        finally:
            for part in (self._undo_file, self.workers, self.outcomes, *stores):
                part.close()

    def _left(self) -> Iterator[InputRow]:
        """Yield all rows that may have no outcome yet; some of them may have one."""
        yield from self._batches.under_way
        yield from self._recovery.rows()
        for rows in self._buffers.values():
            yield from rows
        yield from self._waiting.rows()
        yield from self._batches.deletes.rows()
        yield from self._take_back.waiting.rows()

    def interrupt(self, signal: int) -> None:
        """Stop for a signal: let requests in progress end, and begin no others."""
        aborted = RunAborted("Ended by a signal: what was written so far is acknowledged.", signal)
        self.workers.abort(aborted, now=True)
