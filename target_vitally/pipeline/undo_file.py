"""The setting ``undo_file``: a Singer stream that takes a run back, written before each change."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from target_vitally.mapping.entries import EVENTS, STREAM
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from target_vitally.mapping.undo import Undo
from target_vitally.mapping.undo_rows import (
    UNDO,
    as_row,
    undo_of_delete,
    undos_of_write,
)
from target_vitally.writers.base import ResourceWriter
from vitally_api import VitallyError, encoded

logger = logging.getLogger("target-vitally")

NO_ROOM = "undo_file cannot be written ({}): the run ends here, and what it changed is in the file."
KEPT = "undo_file: the way back of an earlier run is now %s."
STAYS = "%s: not everything can be taken back: %s."
SENT = "an event that was sent stays"
PRIVATE = 0o600


class UndoFile:
    """Writes, from any thread, how each change is taken back; without a path it does nothing.

    The file of an earlier run is renamed when there is something to write: it may be needed, too.
    """

    def __init__(
        self, path: str, *, dry_run: bool, messages: Resource, warn_once: Callable[..., None]
    ) -> None:
        self._path = Path(path) if path else None
        self._dry_run = dry_run
        self._messages = messages
        self._warn_once = warn_once
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._schemas: set[str] = set()
        self._event_streams: set[str] = set()
        self._order = 0
        if self._path and not dry_run:
            # A mistake in the path is known before the first change.
            open(self._path, "ab", opener=_private).close()

    def before(self, write_: PendingWrite, made: Plan) -> int:
        """Write what takes a create or an update back; return the order of what was written last."""
        if self._path is None:
            return 0
        return self._write(write_.mapping.stream, undos_of_write(write_, made, self._messages))

    def before_delete(self, writer: ResourceWriter, write_: PendingWrite, record: Record) -> None:
        """Write what takes a delete back: the whole record, which is read for that.

        Raise `LookupFailed` where it cannot be read, since it would be lost.
        """
        if self._path is not None:
            whole = record if self._dry_run else writer.whole(write_, record)
            self._write(write_.mapping.stream, [undo_of_delete(write_, whole)])

    def after(self, write_: PendingWrite, made: Plan, order: int, now: Record) -> None:
        """Write which record was made by a create that has no key."""
        if not order or made.outcome != "created" or not now.get("id"):
            return
        for undo in undos_of_write(write_, made, self._messages):
            if undo.change == "created" and undo.key is None:
                undo.id, undo.completes = str(now["id"]), order
                self._write(write_.mapping.stream, [undo])

    def events(self, stream: str) -> None:
        """Write, once, that the events of a stream stay."""
        if self._path is not None and stream not in self._event_streams:
            self._event_streams.add(stream)
            self._write(stream, [Undo("updated", EVENTS, cannot=(SENT,))])

    def found(self, write_: PendingWrite, made: Plan) -> None:
        """Write that a create was refused because the record was there: no undo may delete it."""
        if self._path is None:
            return
        undos = undos_of_write(write_, made, self._messages)
        for undo in undos:
            undo.change = "found"
        self._write(write_.mapping.stream, undos)

    def _write(self, stream: str, undos: Iterable[Undo]) -> int:
        with self._lock:
            for undo in undos:
                for reason in undo.cannot:
                    self._warn_once(stream, f"undo {reason}", STAYS, stream, reason)
                if not self._dry_run:
                    self._order = max(self._order + 1, time.time_ns() // 1000)
                    undo.order = self._order
                    self._put(undo)
            return self._order

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
        """Open the file, where only its owner may read it: it holds customer data."""
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
