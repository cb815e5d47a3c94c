"""Rows that wait: in memory, and beyond a number of them in a temporary file."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import IO

from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.pipeline.outcomes import InputRow, Origin
from vitally_api import encoded


class OverflowBuffer:
    """Rows in the order in which they came, of which only so many are in memory."""

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._rows: list[InputRow] = []
        self._file: IO[bytes] | None = None
        self._about: list[tuple[StreamMapping, Origin]] = []
        self._lock = threading.Lock()

    def put(self, row: InputRow) -> None:
        """Let a row wait, from any thread."""
        with self._lock:
            self._put(row)

    def _put(self, row: InputRow) -> None:
        if len(self._rows) < self._in_memory and self._file is None:
            self._rows.append(row)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="target-vitally-")  # noqa: SIM115 - close() closes it
        about = (row.mapping, row.origin)
        place = next((i for i, known in enumerate(self._about) if known[0] is about[0]), None)
        if place is None:
            place = len(self._about)
            self._about.append(about)
        self._file.write(encoded([row.number, place, row.record, row.raw]) + b"\n")

    def close(self) -> None:
        """Let go of what still waits."""
        if self._file is not None:
            self._file.close()

    def rows(self) -> Iterator[InputRow]:
        """Give all rows, in their order."""
        yield from self._rows
        if self._file is None:
            return
        self._file.seek(0)
        for line in self._file:
            number, place, record, raw = json.loads(line, parse_float=Decimal)
            mapping, origin = self._about[place]
            yield InputRow(number, mapping, origin, record, raw)
