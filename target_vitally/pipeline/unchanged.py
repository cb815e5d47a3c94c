"""Find rows that change nothing early: in a nightly push that is most of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from target_vitally.lookup.resolve import PEOPLE
from target_vitally.mapping.parse_row import ParsedRow, RecordRef
from target_vitally.mapping.plan import is_unchanged
from target_vitally.mapping.resource import Resource
from target_vitally.mapping.rows import InputRow, Unresolved
from target_vitally.pipeline.caps import WriteCaps
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.row_parser import ParsedRows
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.waiting_rows import WaitingRows

Ids = Mapping[str, Sequence[str]]
"""Ids of the records that a row refers to, by property."""
AT_ONCE = 500
"""Rows whose records are in memory at once."""


@dataclass
class UnchangedRows(Stage):
    """Records rows as unchanged without the other stages, which took twice as long.

    Only rows that wait for nothing, and are the only ones of their record in the batch. If a batch
    has several kinds of keys, two rows may have the same record and nothing shows it: then none.
    """

    deletes: Deletes
    waiting: WaitingRows
    caps: WriteCaps
    prefetch: Callable[..., None]

    def end(self, resource: Resource, rows: ParsedRows, *, more: bool) -> ParsedRows:
        """Record rows that change nothing as unchanged; return the others.

        ``more`` is True if further rows will follow.
        """
        count = Counter(parsed.key for parsed, _ in rows if parsed.key)
        one_way = len({key.by for key in count}) == 1
        if resource.in_path or not (one_way and self.settings.only_changed):
            return rows
        alone = [
            (parsed.key, parsed, row)
            for parsed, row in rows
            if parsed.key and count[parsed.key] == 1 and self._is_alone(resource, parsed, row)
        ]
        of_rows = (refs for _, parsed, _ in alone for refs in parsed.references.values())
        self.prefetch([ref for refs in of_rows for ref in refs or ()], more=more)
        known: dict[RecordRef, str | None] = {}
        resolved = [
            (key, parsed, row, ids)
            for key, parsed, row in alone
            if (ids := self._resolved(parsed.references, known)) is not None
        ]
        if not resolved:
            return rows
        by, index = resolved[0][0].by, self.references.index(resource.name)
        index.find(by, [key.value for key, *_ in resolved], more=more)
        ended: dict[int, str] = {}
        for begin in range(0, len(resolved), AT_ONCE):
            batch = resolved[begin : begin + AT_ONCE]
            records = index.get_many(by, [key.value for key, *_ in batch])
            for key, parsed, row, ids in batch:
                found = records.get(key.value, ())
                if len(found) != 1:
                    continue
                typed = self.fields.typed_for(row.mapping, parsed.traits)
                if is_unchanged(typed, parsed, ids, found[0]):
                    self.outcomes.end([row], "unchanged", key=key, id_=str(found[0]["id"]))
                    ended[row.number] = row.mapping.stream
        for stream, number in Counter(ended.values()).items():
            self.caps.found(stream, number)
        return [(parsed, row) for parsed, row in rows if row.number not in ended]

    def _is_alone(self, resource: Resource, parsed: ParsedRow, row: InputRow) -> bool:
        """Return True if a row only has to be compared, and no row of the same record waits."""
        return (
            parsed.mode in {"upsert", "update"}
            and not (parsed.delete or parsed.archived)
            and parsed.properties.keys().isdisjoint(PEOPLE)
            and row.mapping.links == "add"
            and not self.deletes.waits(resource.name, parsed.key)
            and not self.waiting.follows(resource, parsed)
        )

    def _resolved(
        self,
        references: Mapping[str, Sequence[RecordRef] | None],
        known: dict[RecordRef, str | None],
    ) -> Ids | None:
        """Return the ids of the records that a row refers to; None if one is missing, or to be emptied."""
        ids: dict[str, list[str]] = {}
        for name, refs in references.items():
            found = [self._resolve(ref, known) for ref in refs or ()]
            ids[name] = [id_ for id_ in found if id_]
            if not found or len(found) != len(ids[name]):
                return None
        return ids

    def _resolve(self, ref: RecordRef, known: dict[RecordRef, str | None]) -> str | None:
        if ref not in known:
            try:
                known[ref] = self.references.resolve(ref)
            except Unresolved:
                known[ref] = None
        return known[ref]
