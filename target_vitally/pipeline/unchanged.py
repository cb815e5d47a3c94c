"""Rows that say nothing that Vitally does not hold: most of a nightly push ends here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from target_vitally.lookup.resolve import PEOPLE
from target_vitally.mapping.literal import LiteralRows
from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef, record_keys
from target_vitally.mapping.plan import is_unchanged
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, Unresolved
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.pipeline.caps import WriteCaps
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.waiting_rows import WaitingRows

ParsedRows = list[tuple[ParsedRow, InputRow]]
Ids = Mapping[str, Sequence[str]]
"""By property, the ids of what a row refers to."""
AT_ONCE = 500
"""Rows whose records are in memory at once."""


@dataclass(slots=True)
class _Candidate:
    """A row that may end here: what it refers to, and what tells whether a record says the same."""

    key: Key
    row: InputRow
    references: Mapping[str, Sequence[RecordRef] | None]
    matches: Callable[[Ids, Record], bool]


@dataclass
class UnchangedRows(Stage):
    """Ends rows that nothing has to be done for: to lead each through all stages took twice as long.

    These wait for nothing, and are alone in a batch in what they say of their records. Where rows go by
    several keys, one may speak of another's record without a sign of it.
    """

    deletes: Deletes
    waiting: WaitingRows
    caps: WriteCaps
    prefetch: Callable[..., None]

    def __post_init__(self) -> None:
        self._literals: dict[int, tuple[StreamMapping, LiteralRows]] = {}

    def end_literal(
        self, resource: Resource, rows: Sequence[InputRow], *, more: bool
    ) -> Sequence[InputRow]:
        """End rows that say literally what their records do; return the others, which are to be parsed.

        ``more`` if further rows are to come.
        """
        read = []
        for row in rows:
            literal = self._literal(row.mapping)
            keys = literal.keys(row.record) if literal.possible else []
            if not keys:
                return rows
            read.append((keys, literal, row))
        count = Counter(keys[0] for keys, *_ in read)
        if not self._may_end(resource, count):
            return rows
        candidates = [
            _Candidate(keys[0], row, links, partial(literal.matches, row.record))
            for keys, literal, row in read
            if keys[0].value
            and count[keys[0]] == 1
            and literal.may_match(row.record)
            and (links := literal.links(row.record)) is not None
            and not self.deletes.concerns(resource.name, keys[0])
            and not self.waiting.follows(resource.name, keys)
        ]
        ended = self._end(resource, candidates, more=more)
        return [row for row in rows if row.number not in ended] if ended else rows

    def end(self, resource: Resource, rows: ParsedRows, *, more: bool) -> ParsedRows:
        """End rows that change nothing; return the others."""
        count = Counter(parsed.key for parsed, _ in rows if parsed.key)
        if not self._may_end(resource, count):
            return rows
        candidates = [
            _Candidate(parsed.key, row, parsed.references, partial(self._matches, parsed, row))
            for parsed, row in rows
            if parsed.key and count[parsed.key] == 1 and self._is_alone(resource, parsed, row)
        ]
        ended = self._end(resource, candidates, more=more)
        return [(parsed, row) for parsed, row in rows if row.number not in ended]

    def _may_end(self, resource: Resource, keys: Iterable[Key]) -> bool:
        """Return whether rows of these keys may end here: all go by one, and belong to no parent."""
        one_way = len({key.by for key in keys}) == 1
        return self.settings.only_changed and not resource.in_path and one_way

    def _is_alone(self, resource: Resource, parsed: ParsedRow, row: InputRow) -> bool:
        """Return whether a row only has to be compared, and nothing that waits may be of its record."""
        return (
            parsed.mode in {"upsert", "update"}
            and not (parsed.delete or parsed.archived)
            and parsed.properties.keys().isdisjoint(PEOPLE)
            and row.mapping.links == "add"
            and not self.deletes.concerns(resource.name, parsed.key)
            and not self.waiting.follows(resource.name, record_keys(resource, parsed))
        )

    def _matches(self, parsed: ParsedRow, row: InputRow, ids: Ids, record: Record) -> bool:
        typed = self.fields.typed_for(row.mapping, parsed.traits)
        self._literal(row.mapping).learn(parsed, typed.fields)
        return is_unchanged(typed, parsed, ids, record)

    def _literal(self, mapping: StreamMapping) -> LiteralRows:
        if id(mapping) not in self._literals:
            self._literals[id(mapping)] = mapping, LiteralRows(mapping, self.settings.nulls)
        return self._literals[id(mapping)][1]

    def _end(self, resource: Resource, candidates: Sequence[_Candidate], *, more: bool) -> set[int]:
        """End the candidates whose one record says the same; return the numbers of their rows."""
        refs = [r for each in candidates for of in each.references.values() for r in of or ()]
        self.prefetch(refs, more=more)
        known: dict[RecordRef, str | None] = {}
        resolved = [
            (each, ids)
            for each in candidates
            if (ids := self._resolved(each.references, known)) is not None
        ]
        if not resolved:
            return set()
        by, index = resolved[0][0].key.by, self.references.index(resource.name)
        index.find(by, [each.key.value for each, _ in resolved], more=more)
        ended: dict[int, str] = {}
        for begin in range(0, len(resolved), AT_ONCE):
            batch = resolved[begin : begin + AT_ONCE]
            records = index.get_many(by, [each.key.value for each, _ in batch])
            for each, ids in batch:
                found = records.get(each.key.value, ())
                if len(found) == 1 and each.matches(ids, found[0]):
                    id_ = str(found[0]["id"])
                    self.outcomes.end([each.row], "unchanged", key=each.key, id_=id_)
                    ended[each.row.number] = each.row.mapping.stream
        for stream, number in Counter(ended.values()).items():
            self.caps.found(stream, number)
        return set(ended)

    def _resolved(
        self,
        references: Mapping[str, Sequence[RecordRef] | None],
        known: dict[RecordRef, str | None],
    ) -> Ids | None:
        """Return the ids of what a row refers to; None if one is not there, or is to be taken away."""
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
