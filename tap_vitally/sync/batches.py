"""Requests for lists, and the pages of records that come from them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from typing_extensions import override

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.resource import Record
from vitally_api import VitallyError, decoded_or_none, encoded

MEMORY_FACTOR = 3
"""Bytes of memory that a byte of JSON takes once decoded, as measured on real-sized pages."""
SMALLEST_COMPRESSED = 1 << 14


@dataclass(frozen=True)
class ListRequest:
    """One list of a stream.

    ``path`` is below ``/resources`` and ``params`` the query that selects the list; ``label`` is
    which variant it is, for STATE and messages: ``archived=true``. ``inject`` is added to each of
    its records; ``parent`` is whose list it is, in a child stream. ``cursor`` is where to start in
    it; ``since`` from which moment on its records are wanted, if not from where the pass starts.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    inject: Mapping[str, Any] = field(default_factory=dict)
    parent: Parent | None = None
    cursor: str | None = None
    since: datetime | None = None


class CompressedRecords(Sequence[Record]):
    """Records that wait to be written, as compressed lines of JSON: 314 kB become 23 kB.

    Most lines are written without being decoded. Compressing them takes a third of the time that pickling
    and compressing would take.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._count = len(records)
        self._compressed = zlib.compress(b"\n".join(map(encoded, records)), level=1)
        self.size_bytes = len(self._compressed)

    @property
    def lines(self) -> list[bytes]:
        """The JSON of each record."""
        return zlib.decompress(self._compressed).split(b"\n") if self._count else []

    @override
    def __len__(self) -> int:
        return self._count

    @override
    def __iter__(self) -> Iterator[Record]:
        return map(decoded_or_none, self.lines)

    @override
    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


@dataclass(frozen=True)
class Page:
    """A page of a list, with rows as the API sent them, and later with the records to write.

    ``size_bytes`` is roughly their memory. ``cursor`` is that of the next page, None at the end; ``newest``
    is the latest change in the list so far; ``ordered`` is True if the list was in order so far; ``ends``
    if no further page is needed; ``again`` if the page is from a second read. ``failure`` is the reason if
    the list could not be read.
    """

    request: ListRequest
    records: Sequence[Record] = ()
    size_bytes: int = 0
    cursor: str | None = None
    newest: datetime | None = None
    ordered: bool = True
    ends: bool = True
    again: bool = False
    failure: VitallyError | None = None

    def compressed(self) -> Self:
        """Return the page with its records compressed."""
        if self.size_bytes < SMALLEST_COMPRESSED:
            return self
        records = CompressedRecords(self.records)
        return replace(self, records=records, size_bytes=records.size_bytes)
