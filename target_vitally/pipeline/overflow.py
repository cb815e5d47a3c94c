"""Rows that wait: in memory, and beyond a number of them in a temporary file."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import IO

from target_vitally.lookup.store import Store
from target_vitally.mapping.parse_row import Key, record_keys
from target_vitally.mapping.rows import InputRow, Origin, PendingWrite
from target_vitally.mapping.stream_mapping import StreamMapping
from vitally_api import encoded

PLACES = 1 << 20
"""Bytes that tell of most keys, without a look into the database, that they do not wait."""


class WaitingRows:
    """Rows that wait for the end of the input, by resource, and the keys of their records."""

    def __init__(self, in_memory: int, store: Store) -> None:
        self._in_memory = in_memory
        self._store = store
        self._may_wait = bytearray(PLACES)
        self._buffers: dict[str, OverflowBuffer] = {}
        self._lock = threading.Lock()

    def put(self, write_: PendingWrite) -> None:
        """Let the rows of a write wait, from any thread."""
        resource = write_.resource
        with self._lock:
            for key in record_keys(resource, write_.parsed):
                self._may_wait[hash(key) % PLACES] = 1
                self._store.remember(("waits", resource.name, key))
            if resource.name not in self._buffers:
                self._buffers[resource.name] = OverflowBuffer(self._in_memory)
            for row in write_.rows:
                self._buffers[resource.name].put(row)

    def follows(self, resource: str, keys: Iterable[Key]) -> bool:
        """Return whether an earlier row waits whose record has one of these keys."""
        return resource in self._buffers and any(
            self._may_wait[hash(key) % PLACES] and self._store.recall(("waits", resource, key))
            for key in keys
        )

    def of(self, resource: str) -> Iterator[InputRow]:
        """Yield the rows of a resource, in their order."""
        if resource in self._buffers:
            yield from self._buffers[resource].rows()

    def rows(self) -> Iterator[InputRow]:
        """Yield all rows."""
        for buffer in self._buffers.values():
            yield from buffer.rows()

    def close(self) -> None:
        """Delete the files."""
        for buffer in self._buffers.values():
            buffer.close()


class OverflowBuffer:
    """Rows in the order in which they came; only so many of them are in memory."""

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._rows: list[InputRow] = []
        self._file: IO[bytes] | None = None
        self._streams: list[tuple[StreamMapping, Origin]] = []

    def put(self, row: InputRow) -> None:
        """Keep a row."""
        if len(self._rows) < self._in_memory and self._file is None:
            self._rows.append(row)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="target-vitally-")  # noqa: SIM115 - close() closes it
        at = next((i for i, (m, _) in enumerate(self._streams) if m is row.mapping), None)
        if at is None:
            at = len(self._streams)
            self._streams.append((row.mapping, row.origin))
        self._file.write(encoded([row.number, at, row.record, row.raw]) + b"\n")

    def close(self) -> None:
        """Delete the file."""
        if self._file is not None:
            self._file.close()

    def rows(self) -> Iterator[InputRow]:
        """Yield all rows, in their order."""
        yield from self._rows
        if self._file is None:
            return
        self._file.seek(0)
        for line in self._file:
            number, at, record, raw = json.loads(line, parse_float=Decimal)
            mapping, origin = self._streams[at]
            yield InputRow(number, mapping, origin, record, raw)
