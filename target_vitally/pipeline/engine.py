"""The flow of a run: rows in, batches, rows that wait, deletes, STATE, the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from target_vitally.mapping.parse_row import key_of
from target_vitally.mapping.resource import Record
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.pipeline.batch import Batches
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.outcomes import InputRow, Origin
from target_vitally.pipeline.run import Run, RunAborted
from target_vitally.pipeline.spool import OverflowBuffer
from vitally_api import Cancelled

NOTHING_UNLINKED = "%s: nothing is unlinked: links is exact, which takes deletes: delete, too."


LONGEST_WAIT = 45.0
"""Seconds after which rows and STATE go on by the clock: within the minute that is promised."""
NO_STREAM = "(no stream)"
"""What lines that name no stream are counted under."""


class Engine:
    """Takes rows as they come, and writes them parents first."""

    def __init__(self, run: Run, named: Mapping[str, str]) -> None:
        """``named`` are the streams that only say what ids stand for, and by which column."""
        self.run = run
        self._named = named
        self._buffers: dict[str, list[InputRow]] = {}
        self._overflows: dict[str, OverflowBuffer] = {}
        self._deletes = Deletes(run)
        self.batches = Batches(run, self._deletes, self._defer)
        self._ranked = sorted(run.resources.values(), key=lambda resource: resource.rank)
        self._flushed_at = time.monotonic()
        self.busy = False
        self._exact = False
        self._lock = threading.Lock()

    def declare(self, mapping: StreamMapping) -> None:
        """Prepare for rows of a stream, and say once what has to be said of it."""
        for warning in mapping.warnings:
            self.run.outcomes.warn_once(mapping.stream, warning, "%s: %s.", mapping.stream, warning)
        if mapping.links == "exact" and not self.run.settings.deletes:
            self.run.outcomes.warn_once(mapping.stream, "exact", NOTHING_UNLINKED, mapping.stream)
        self._exact |= mapping.links == "exact" and self.run.settings.deletes
        paths = set(mapping.traits)
        if mapping.match and mapping.match.startswith("trait:"):
            paths.add(mapping.match.removeprefix("trait:"))
        everything = mapping.trait_map is not None or mapping.unknown == "traits"
        self.run.references.want(mapping.resource.name, None if everything else paths)

    def take(
        self, mapping: StreamMapping, origin: Origin, record: Record, raw: Record | None
    ) -> None:
        """Take in a row."""
        row = InputRow(self.run.state_tracker.row(), mapping, origin, record, raw)
        self.run.outcomes.read(row)
        if mapping.links == "exact" and self.run.settings.deletes:
            # A run that begins after this row would not know what it names, and unlink that.
            self.run.state_tracker.hold(row.number)
        resource = mapping.resource
        if mapping.copy and resource.key:
            key = record.get(resource.key)
            if record.get("id") and key:
                self.run.references.remember_source(resource.name, str(record["id"]), str(key))
        buffer = self._buffers.setdefault(resource.name, [])
        buffer.append(row)
        if len(buffer) >= self.run.settings.batch_size_rows:
            self.flush(resource.rank)
        else:
            self.tick()

    def ignore(self, name: str, stream: str, record: Record) -> None:
        """Take in a row of a stream that is not written; ``name`` is what the tap calls it."""
        self.run.outcomes.ignore(
            stream, self.run.state_tracker.row(), "a stream that nothing takes"
        )
        by = self._named.get(name)
        if by and record.get("id") and record.get(by):
            self.run.references.remember_source(name, str(record["id"]), str(record[by]))

    def state(self, value: Any) -> None:
        """Take in a STATE."""
        self.run.state_tracker.state(value)
        self.tick()

    def tick(self) -> None:
        """Write what has waited long enough, whether or not more is to come."""
        if time.monotonic() - self._flushed_at >= LONGEST_WAIT:
            self.flush()

    def reject_line(self, stream: str, line: int, reason: str) -> None:
        """Take in a line of the input that is no message, of a stream if that is known."""
        self.run.outcomes.reject_line(
            stream or NO_STREAM, self.run.state_tracker.row(), line, reason
        )
        self.batches.writer.stop_if_rejected("rejected")

    def flush(self, rank: int | None = None) -> None:
        """Write what has come so far, up to a rank: parents before their children."""
        with self._working():
            for resource in self._ranked:
                if rank is None or resource.rank <= rank:
                    rows = self._buffers.pop(resource.name, [])
                    if rows:
                        self.batches.process(resource, rows, last=False)
            self._flushed_at = time.monotonic()
            self.run.state_tracker.emit()

    def finish(self) -> str:
        """Write the rest, the rows that waited and the deletes; return what is wrong, or nothing."""
        if self._exact:
            # All rows have to be read before a link is taken away that one of them names.
            self.flush()
        with self._working():
            for resource in self._ranked:
                for rows in self._rest(resource.name):
                    self.batches.process(resource, rows, last=True)
                self.run.state_tracker.emit()
            problem = self._deletes.carry_out(self.batches.writer, self.batches.write)
            self.batches.writer.end_aside(last=True)
            self.run.state_tracker.release()
            self.run.state_tracker.emit()
        return problem

    def _rest(self, resource: str) -> Iterator[list[InputRow]]:
        """Give the rows of a resource that have waited, then those that came last, batch by batch."""
        overflow = self._overflows.get(resource)
        rows: list[InputRow] = []
        for row in overflow.rows() if overflow else ():
            rows.append(row)
            if len(rows) >= self.run.settings.batch_size_rows:
                yield rows
                rows = []
        rows += self._buffers.pop(resource, [])
        if rows:
            yield rows

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Let a signal wait for the end of what is under way, and be what ends the run."""
        self.busy = True
        try:
            yield
        except Cancelled:
            self.run.check()
            raise
        finally:
            self.busy = False
        self.run.check()

    def _defer(self, row: InputRow) -> None:
        """Let a row wait for the end of the input."""
        name = row.mapping.resource.name
        with self._lock:
            if name not in self._overflows:
                self._overflows[name] = OverflowBuffer(self.run.settings.batch_size_rows)
        self._overflows[name].put(row)

    def end(self) -> None:
        """Say of every row that has not ended that it was not reached; send out STATE as far as it is."""
        self.run.state_tracker.emit()
        for row in self._left():
            key = key_of(row.mapping, row.record)
            self.run.outcomes.end(row, "not reached", key=key)
        for overflow in self._overflows.values():
            overflow.close()
        self.run.close()

    def _left(self) -> Iterator[InputRow]:
        """Give every row that may not have ended, and some that have."""
        yield from self.batches.under_way
        yield from self.batches.writer.aside
        for rows in self._buffers.values():
            yield from rows
        for overflow in self._overflows.values():
            yield from overflow.rows()
        yield from self._deletes.rows()

    def interrupt(self, signal: int) -> None:
        """Stop for a signal: what is under way comes to its end, nothing new begins."""
        self.run.abort(
            RunAborted("Ended by a signal: what was written so far is acknowledged.", signal)
        )
