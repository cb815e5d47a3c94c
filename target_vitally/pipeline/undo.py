"""The setting ``undo_file``: write Singer rows that reverse a run, and carry them out in a later run."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from target_vitally.lookup.index import Index
from target_vitally.lookup.store import Store
from target_vitally.mapping.entries import EVENTS, STREAM
from target_vitally.mapping.parse_row import Rejection
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import InputRow, PendingWrite, Undo, UndoRun
from target_vitally.mapping.undo import (
    FOUND,
    UNDO,
    as_row,
    parsed_undo,
    read_undo,
    undo_of_delete,
    undos_of_write,
)
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.waiting_rows import WaitingRows
from target_vitally.writers.base import ResourceWriter
from vitally_api import VitallyError, encoded

logger = logging.getLogger("target-vitally")

NO_ROOM = "undo_file cannot be written ({}): the run ends here, and what it changed is in the file."
KEPT = "undo_file: the file of an earlier run was renamed to %s."
STAYS = "%s: not everything can be taken back: %s."
PROTECTED = "%s: the trait %s of deleted records is left out (protected_traits)."
THE_OTHER = "the next row of this create tells its id"
SENT = "an event that was sent stays"
PRIVATE = 0o600


@dataclass
class UndoFile(Stage):
    """Writes a row for each change that reverses it; does nothing without a path.

    May be called from any thread. The file of an earlier run is renamed before the first row, since it
    may still be needed.
    """

    def __post_init__(self) -> None:
        self._path = Path(self.settings.undo_file) if self.settings.undo_file else None
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._schemas: set[str] = set()
        self._event_streams: set[str] = set()
        self._order = 0
        # A mistake in the path is known before the first change, and a dry run tells it, too.
        if self._path and self.settings.dry_run:
            self._path.absolute().parent.stat()
        elif self._path:
            open(self._path, "ab", opener=_private).close()

    def before(self, write_: PendingWrite, made: Plan) -> Sequence[Undo]:
        """Write the rows that reverse a create or an update, and return them."""
        messages = self.writers["messages"].resource
        undos = undos_of_write(write_, made, messages) if self._path else ()
        self._write(write_.mapping.stream, undos)
        return undos

    def before_delete(self, write_: PendingWrite, record: Record) -> None:
        """Write the row that reverses a delete: the whole record, which is read for that.

        Raise `LookupFailed` if it cannot be read: it must not be deleted then.
        """
        if self._path is not None:
            dry_run = self.settings.dry_run
            whole = record if dry_run else self.writer(write_).whole(write_, record)
            self._write(write_.mapping.stream, [undo_of_delete(write_, whole)])

    def after(self, write_: PendingWrite, undos: Sequence[Undo], now: Record) -> None:
        """Write the id of a record that was created without a key, so that an undo can find it."""
        for undo in undos:
            if undo.change == "created" and undo.key is None and now.get("id"):
                made = replace(undo, id=str(now["id"]), completes=undo.order)
                self._write(write_.mapping.stream, [made])

    def events(self, stream: str) -> None:
        """Write, once per stream, that events cannot be reversed."""
        if self._path is not None and stream not in self._event_streams:
            self._event_streams.add(stream)
            self._write(stream, [Undo("updated", EVENTS, cannot=(SENT,))])

    def found(self, write_: PendingWrite, undos: Sequence[Undo]) -> None:
        """Write that a create was refused as a duplicate, so that no undo deletes the record."""
        self._write(write_.mapping.stream, [replace(undo, change="found") for undo in undos])

    def _write(self, stream: str, undos: Iterable[Undo]) -> None:
        with self._lock:
            for undo in undos:
                for reason in undo.cannot:
                    self.outcomes.warn_once(stream, STAYS, reason)
                if not self.settings.dry_run:
                    self._order = max(self._order + 1, time.time_ns() // 1000)
                    undo.order = self._order
                    self._put(undo)

    def _put(self, undo: Undo) -> None:
        stream = f"{STREAM}{undo.resource}"
        lines = []
        row = as_row(undo)
        if undo.resource not in self._schemas:
            self._schemas.add(undo.resource)
            schema = {"properties": {UNDO: {"type": "object"}, **{name: {} for name in row}}}
            lines.append(
                {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": []}
            )
        lines.append({"type": "RECORD", "stream": stream, "record": row})
        try:
            file = self._file = self._file or self._opened()
            text = b"".join(encoded(line) + b"\n" for line in lines)
            if file.write(text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301
        except OSError as error:
            raise VitallyError(NO_ROOM.format(error.strerror)) from None

    def _opened(self) -> IO[bytes]:
        """Open the file, readable by its owner alone as it holds customer data; rename an earlier one."""
        path = self._path or Path()
        if path.is_file() and path.stat().st_size:
            numbers = (Path(f"{path}.{number}") for number in range(1, 1 << 30))
            kept = next(each for each in numbers if not each.exists())
            path.rename(kept)
            logger.warning(KEPT, kept)
        return open(path, "wb", buffering=0, opener=_private)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _private(path: Any, flags: int) -> int:
    return os.open(path, flags, PRIVATE)


@dataclass
class TakeBack(Stage):
    """Reverses the changes of an earlier run, whatever ``deletes`` and the limits on writes are."""

    store: Store

    def __post_init__(self) -> None:
        self._run = UndoRun()
        self.waiting = WaitingRows(self.store)
        self._order: list[tuple[int, int, str]] = []
        self._completed: set[int] = set()
        self._found: set[str] = set()

    def put(self, row: InputRow) -> None:
        """Keep a row until the end of the input; reject it if it is no row of an undo file."""
        try:
            undo = read_undo(row.mapping.resource, row.record)
        except Rejection as rejection:
            self.outcomes.end([row], "rejected", str(rejection))
            return
        if undo.completes:
            self._completed.add(undo.completes)
        resource = row.mapping.resource.name
        self._order.append((undo.order, row.number, resource))
        self.waiting.keep(resource, [row.number], [row])

    def carry_out(self, write: Callable[[Sequence[PendingWrite]], None]) -> None:
        """Reverse the changes, the last one first.

        A batch that is sent concurrently has rows of one resource only.
        """
        last_first = sorted(self._order, reverse=True)
        for resource, places in groupby(last_first, itemgetter(2)):
            rows = (r for _, number, _ in places for r in self.waiting.having(resource, number))
            while batch := list(islice(rows, self.settings.batch_size_rows)):
                block = [write_ for row in batch if (write_ := self._write_of(row))]
                if block:
                    self._write(block, write)

    def _write_of(self, row: InputRow) -> PendingWrite | None:
        """Return the write that reverses a change; None, with the outcome recorded, if there is none."""
        undo = read_undo(row.mapping.resource, row.record)
        undo.run = self._run
        reason = ""
        if undo.change == "found":
            self._found.add(undo.identity)
            reason = FOUND
        elif undo.change == "created" and undo.identity in self._found:
            self._found.discard(undo.identity)
            reason = FOUND
        elif undo.order in self._completed:
            reason = THE_OTHER
        if reason:
            self.outcomes.end([row], "unchanged", reason, key=undo.by)
            return None
        parsed, left_out = parsed_undo(row.mapping.resource, undo, self.settings.protected_traits)
        stream = row.mapping.stream
        for stays in undo.cannot:
            self.outcomes.warn_once(stream, STAYS, stays)
        for path in left_out:
            self.outcomes.warn_once(stream, PROTECTED, path)
        write_ = PendingWrite(parsed, [row], body=dict(parsed.properties), undo=undo, exact=True)
        write_.inside = {n: self._run.moved.get(v, v) for n, v in undo.inside.items()}
        return write_

    def _write(
        self, block: Sequence[PendingWrite], write: Callable[[Sequence[PendingWrite]], None]
    ) -> None:
        resource = block[0].mapping.resource
        writer = self.writers[resource.name]
        self._find(writer, block)
        for write_ in block:
            if write_.parsed.traits and resource.model:
                object_ = write_.inside.get("customObjectId", "")
                write_.typed = self.fields.typed(write_.mapping.stream, resource, object_)
        write(block)
        for write_ in block:
            undo = write_.undo
            if undo and undo.change == "deleted" and undo.key:
                ids = writer.index(write_).ids(undo.key.by, undo.key.value)
                again = [id_ for id_ in ids if id_ != undo.id]
                if again:
                    self._run.moved[undo.id] = again[-1]

    def _find(self, writer: ResourceWriter, block: Sequence[PendingWrite]) -> None:
        """Look records up in lists whose keys the API has no look-up for."""
        wanted: dict[tuple[Index, str], list[str]] = {}
        for write_ in block:
            key = write_.undo.key if write_.undo else None
            if key and key.by not in writer.resource.api.lookups and not writer.asks:
                wanted.setdefault((writer.index(write_), key.by), []).append(key.value)
        for (index, by), values in wanted.items():
            if by.startswith("trait:"):
                self.references.want(writer.resource.name, {by.removeprefix("trait:")})
            index.find(by, values)
