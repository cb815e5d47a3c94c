"""Rows that say nothing that Vitally does not hold: most of a nightly push ends here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.references import References
from target_vitally.mapping.literal import LiteralRows
from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef, record_keys
from target_vitally.mapping.plan import is_unchanged
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, Unresolved
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.pipeline.caps import Admission
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.overflow import WaitingRows
from target_vitally.pipeline.settings import Settings

ParsedRows = list[tuple[ParsedRow, InputRow]]
Ids = Mapping[str, Sequence[str]]
"""By property, the ids of what a row refers to."""
AT_ONCE = 500
"""Rows whose records are in memory at once."""


class Prefetch(Protocol):
    """Looks up what rows refer to; ``more`` if further rows are to come."""

    def __call__(self, refs: Iterable[RecordRef], *, more: bool) -> None:
        """Look many up at once."""


class UnchangedRows:
    """Ends rows that nothing has to be done for: to lead each through all stages took twice as long.

    These wait for nothing, and are alone in a batch in what they say of their records. Where rows go by
    several keys, one may speak of another's record without a sign of it.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that a row may have to do with
        self,
        settings: Settings,
        references: References,
        fields: CustomFields,
        outcomes: Outcomes,
        deletes: Deletes,
        waiting: WaitingRows,
        admission: Admission,
        prefetch: Prefetch,
    ) -> None:
        self._settings = settings
        self._references = references
        self._fields = fields
        self._outcomes = outcomes
        self._deletes = deletes
        self._waiting = waiting
        self._admission = admission
        self._prefetch = prefetch
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
        alone = [
            (keys[0], literal, row, links)
            for keys, literal, row in read
            if keys[0].value
            and count[keys[0]] == 1
            and literal.may_match(row.record)
            and (links := literal.links(row.record)) is not None
            and not self._deletes.concerns(resource.name, keys[0])
            and not self._waiting.follows(resource.name, keys)
        ]
        self._prefetch([r for *_, of in alone for refs in of.values() for r in refs], more=more)
        known: dict[RecordRef, str | None] = {}
        resolved = [
            (key, literal, row, ids)
            for key, literal, row, links in alone
            if (ids := self._resolved(links, known)) is not None
        ]

        def matches(place: int, record: Record) -> bool:
            _, literal, row, ids = resolved[place]
            return literal.matches(row.record, ids, record)

        candidates = [(key, row) for key, _, row, _ in resolved]
        ended = self._end(resource, candidates, matches, more=more)
        return [row for row in rows if row.number not in ended] if ended else rows

    def end(self, resource: Resource, rows: ParsedRows, *, more: bool) -> ParsedRows:
        """End rows that change nothing; return the others."""
        count = Counter(parsed.key for parsed, _ in rows if parsed.key)
        if not self._may_end(resource, count):
            return rows
        alone = [
            (parsed, row)
            for parsed, row in rows
            if parsed.key and count[parsed.key] == 1 and self._is_alone(resource, parsed, row)
        ]
        refs = [r for parsed, _ in alone for of in parsed.references.values() for r in of or ()]
        self._prefetch(refs, more=more)
        known: dict[RecordRef, str | None] = {}
        resolved = [
            (parsed.key, parsed, row, ids)
            for parsed, row in alone
            if parsed.key and (ids := self._resolved(parsed.references, known)) is not None
        ]

        def matches(place: int, record: Record) -> bool:
            _, parsed, row, ids = resolved[place]
            typed = self._fields.typed_for(row.mapping, parsed.traits)
            self._literal(row.mapping).learn(parsed, typed.fields)
            return is_unchanged(typed, parsed, ids, record)

        candidates = [(key, row) for key, _, row, _ in resolved]
        ended = self._end(resource, candidates, matches, more=more)
        return [(parsed, row) for parsed, row in rows if row.number not in ended]

    def _may_end(self, resource: Resource, keys: Iterable[Key]) -> bool:
        """Return whether rows of these keys may end here: all go by one, and belong to no parent."""
        one_way = len({key.by for key in keys}) == 1
        return self._settings.only_changed and not resource.in_path and one_way

    def _end(
        self,
        resource: Resource,
        rows: Sequence[tuple[Key, InputRow]],
        matches: Callable[[int, Record], bool],
        *,
        more: bool,
    ) -> set[int]:
        """End those rows whose one record ``matches``, by the row's place; return their numbers."""
        if not rows:
            return set()
        by, index = rows[0][0].by, self._references.index(resource.name)
        texts = [key.value for key, _ in rows]
        index.find(by, texts, more=more)
        ended: dict[int, str] = {}
        for begin in range(0, len(rows), AT_ONCE):
            records = index.get_many(by, texts[begin : begin + AT_ONCE])
            for place in range(begin, min(begin + AT_ONCE, len(rows))):
                key, row = rows[place]
                found = records.get(key.value, ())
                if len(found) == 1 and matches(place, found[0]):
                    self._outcomes.end([row], "unchanged", key=key, id_=str(found[0]["id"]))
                    ended[row.number] = row.mapping.stream
        for stream, number in Counter(ended.values()).items():
            self._admission.found(stream, number)
        return set(ended)

    def _literal(self, mapping: StreamMapping) -> LiteralRows:
        if id(mapping) not in self._literals:
            self._literals[id(mapping)] = mapping, LiteralRows(mapping, self._settings.nulls)
        return self._literals[id(mapping)][1]

    def _is_alone(self, resource: Resource, parsed: ParsedRow, row: InputRow) -> bool:
        """Return whether a row only has to be compared, and nothing that waits may be of its record."""
        return (
            parsed.mode in {"upsert", "update"}
            and not (parsed.delete or parsed.archived or parsed.people)
            and row.mapping.links == "add"
            and not self._deletes.concerns(resource.name, parsed.key)
            and not self._waiting.follows(resource.name, record_keys(resource, parsed))
        )

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
                known[ref] = self._references.resolve(ref)
            except Unresolved:
                known[ref] = None
        return known[ref]
