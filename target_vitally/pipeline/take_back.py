"""Rows of an undo file wait for the end of the input, and are carried out from the last to the first."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import IO

from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.index import Index
from target_vitally.lookup.references import References
from target_vitally.mapping.parse_row import Rejection
from target_vitally.mapping.rows import InputRow, Origin, PendingWrite
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.mapping.undo import FOUND, UndoRun, parsed_undo
from target_vitally.mapping.undo_rows import read_undo
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.undo_file import STAYS
from target_vitally.writers.base import ResourceWriter
from vitally_api import encoded

PROTECTED = "%s: the trait %s of deleted records is left out (protected_traits)."
THE_OTHER = "the next row of this create tells its id"


class TakeBack:
    """Takes back what another run has changed, whatever ``deletes`` and the caps say."""

    def __init__(
        self,
        settings: Settings,
        writers: Mapping[str, ResourceWriter],
        references: References,
        fields: CustomFields,
        outcomes: Outcomes,
    ) -> None:
        self._settings = settings
        self._writers = writers
        self._references = references
        self._fields = fields
        self._outcomes = outcomes
        self._run = UndoRun()
        self._file: IO[bytes] | None = None
        self._places: list[tuple[int, int]] = []
        self._streams: list[tuple[StreamMapping, Origin]] = []
        self._completed: set[int] = set()
        self._found: set[str] = set()

    def put(self, row: InputRow) -> None:
        """Let a row wait, or end one that is no row of an undo file."""
        try:
            undo = read_undo(row.mapping.resource, row.record)
        except Rejection as rejection:
            self._outcomes.end([row], "rejected", str(rejection))
            return
        if undo.completes:
            self._completed.add(undo.completes)
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="target-vitally-")  # noqa: SIM115 - close() closes it
        at = next((i for i, (m, _) in enumerate(self._streams) if m is row.mapping), None)
        if at is None:
            at = len(self._streams)
            self._streams.append((row.mapping, row.origin))
        self._places.append((undo.order, self._file.tell()))
        self._file.write(encoded([row.number, at, row.record, row.raw]) + b"\n")

    def carry_out(self, executor: Executor) -> None:
        """Take back the last change first; side by side only what is of one resource, each record alone."""
        block: list[PendingWrite] = []
        for row in self._rows(sorted(self._places, reverse=True)):
            if block and (
                block[0].mapping.resource.name != row.mapping.resource.name
                or len(block) >= self._settings.batch_size_rows
            ):
                self._write(block, executor)
                block = []
            write_ = self._write_of(row)
            if write_:
                block.append(write_)
        if block:
            self._write(block, executor)

    def _write_of(self, row: InputRow) -> PendingWrite | None:
        """Return what takes a change back; None if the row ends here."""
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
            self._outcomes.end([row], "unchanged", reason, key=undo.by)
            return None
        parsed, left_out = parsed_undo(row.mapping.resource, undo, self._settings.protected_traits)
        stream = row.mapping.stream
        for stays in undo.cannot:
            self._outcomes.warn_once(stream, f"undo {stays}", STAYS, stream, stays)
        for path in left_out:
            self._outcomes.warn_once(stream, f"protected {path}", PROTECTED, stream, path)
        write_ = PendingWrite(parsed, [row], body=dict(parsed.properties), undo=undo, exact=True)
        write_.inside = {n: self._run.moved.get(v, v) for n, v in undo.inside.items()}
        return write_

    def _write(self, block: Sequence[PendingWrite], executor: Executor) -> None:
        resource = block[0].mapping.resource
        writer = self._writers[resource.name]
        self._find(writer, block)
        for write_ in block:
            if write_.parsed.traits and resource.model:
                object_ = write_.inside.get("customObjectId", "")
                write_.typed = self._fields.typed(write_.mapping.stream, resource, object_)
        executor.write(block)
        for write_ in block:
            undo = write_.undo
            if undo and undo.change == "deleted" and undo.key:
                ids = writer.index(write_).ids(undo.key.by, undo.key.value)
                again = [id_ for id_ in ids if id_ != undo.id]
                if again:
                    self._run.moved[undo.id] = again[-1]

    def _find(self, writer: ResourceWriter, block: Sequence[PendingWrite]) -> None:
        """Find the ids of records that the API only finds in lists."""
        wanted: dict[tuple[int, str], tuple[Index, list[str]]] = {}
        for write_ in block:
            key = write_.undo.key if write_.undo else None
            if key and key.by not in writer.resource.api.lookups and not writer.asks:
                index = writer.index(write_)
                wanted.setdefault((id(index), key.by), (index, []))[1].append(key.value)
        for (_, by), (index, values) in wanted.items():
            if by.startswith("trait:"):
                self._references.want(writer.resource.name, {by.removeprefix("trait:")})
            index.find(by, values)

    def _rows(self, places: Sequence[tuple[int, int]]) -> Iterator[InputRow]:
        if self._file is None:
            return
        for _, place in places:
            self._file.seek(place)
            number, at, record, raw = json.loads(self._file.readline(), parse_float=Decimal)
            mapping, origin = self._streams[at]
            yield InputRow(number, mapping, origin, record, raw)

    def rows(self) -> Iterator[InputRow]:
        """Yield all rows."""
        yield from self._rows(self._places)

    def close(self) -> None:
        """Delete the file."""
        if self._file is not None:
            self._file.close()
