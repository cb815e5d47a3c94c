"""Rows as they come in, and the writes that rows of one key are merged into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from target_vitally.mapping.items import unite
from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.stream_mapping import StreamMapping


@dataclass(frozen=True)
class Origin:
    """The stream as it came, before stream maps: rows go into ``rejects_file`` in this form."""

    stream: str
    schema: Mapping[str, Any]
    key_properties: tuple[str, ...]


@dataclass(slots=True)
class InputRow:
    """A row of the input; ``raw`` is the row before a stream map, or None if that changed nothing."""

    number: int
    mapping: StreamMapping
    origin: Origin
    record: Record
    raw: Record | None = None


class Unresolved(Exception):
    """A record that a row refers to is not there, is there several times, or cannot be looked up.

    ``count`` is how many there are: 0 only where it is known that there is none, -1 if unknown.
    """

    def __init__(self, ref: RecordRef, count: int = 0, why: str = "") -> None:
        what = {"source": "id"}.get(ref.by, ref.by)
        kind = ref.resource.replace("_", " ")
        found = f"{count} of the {kind} have" if count else f"none of the {kind} has"
        super().__init__(why or f"{found} the {what} that it names")
        self.ref = ref
        self.count = -1 if why else count

    @property
    def unanswered(self) -> bool:
        """True if it is unknown whether the record exists, since the look-up was refused."""
        return self.count < 0


Change = Literal["created", "updated", "deleted", "found"]
"""What was done; ``found`` if a create was refused because the record was there."""


@dataclass
class UndoRun:
    """The progress of a run that reverses changes.

    ``moved`` has the new ids of records that were created again, by their old ids; ``settled`` the ids
    of records that are as before the changes; ``simulated`` the records as a dry run would leave them.
    """

    moved: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    simulated: dict[str, list[Record]] = field(default_factory=dict)

    def settle(self, undo: Undo, id_: str, *, dry_run: bool) -> None:
        """Remember that a record was deleted, or would be."""
        self.settled.add(id_)
        if dry_run:
            self.simulated[undo.identity] = []

    def renamed(self, value: Any) -> Any:
        """Replace the ids of records that were created again."""
        if isinstance(value, dict):
            return {name: self.renamed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.renamed(item) for item in value]
        return self.moved.get(value, value) if isinstance(value, str) else value


@dataclass
class Undo:
    """One change of a run, with what is needed to reverse it.

    ``old`` has the former values that an update changed, or the whole record of a delete; ``written``
    what was sent. Traits are in ``traits`` of both. ``inside`` has the ids in the record's address.
    ``cannot`` says what cannot be reversed; ``order`` grows from one change to the next. ``completes``
    is the ``order`` of the create whose id this change adds. ``run`` is the run that reverses it.
    """

    change: Change
    resource: str
    id: str = ""
    key: Key | None = None
    inside: Mapping[str, str] = field(default_factory=dict)
    old: Record = field(default_factory=dict)
    written: Record = field(default_factory=dict)
    cannot: tuple[str, ...] = ()
    order: int = 0
    completes: int = 0
    run: UndoRun = field(default_factory=UndoRun)

    @property
    def identity(self) -> str:
        """A name of the record, from its key or else its id; changes of one record are done in order."""
        place = "/".join((self.resource, *self.inside.values()))
        return f"{place}/{f'{self.key.by}:{self.key.value}' if self.key else self.id}"

    @property
    def by(self) -> Key | None:
        """The key by which the record is looked up."""
        by_id = Key("id", self.id) if self.id else None
        return by_id or self.key if self.change == "updated" else self.key or by_id


@dataclass
class LostWrite:
    """The plan of a write whose answer was lost, and the times for its recovery.

    Times are seconds of the budget's clock: until ``late`` the server may still carry it out, from
    ``until`` on it may be sent again, after ``ends`` it is given up. ``kind`` is its method and label,
    ``writes`` the number of that kind that had been answered when it was lost first, ``tries`` how often
    it was sent.
    """

    plan: Plan
    ends: float
    kind: str
    writes: int
    until: float = 0.0
    late: float = 0.0
    tries: int = 0
    failure: Exception = field(default_factory=Exception)


@dataclass(slots=True, eq=False)
class PendingWrite:
    """A write to one record, merged from all rows with its key.

    ``body`` has Vitally's ids in place of references, ``inside`` the ids in the address of its
    resource. ``missing`` is the first record that it refers to and that does not exist, ``left_out`` has
    those that a copy is written without. ``retry_at_end`` if Vitally may accept at the end what it
    refuses now; ``exact`` if links that no row names are removed. ``typed`` is the resource with its
    custom fields. ``plan`` is set if no earlier write to the record can change it. ``requests`` and
    ``retries`` count what was sent for it; ``retried_at`` how many writes of each kind had been answered
    at its first retry. ``undo`` is the change that it reverses, or None.
    """

    parsed: ParsedRow
    rows: list[InputRow]
    body: Record = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, RecordRef]] = field(default_factory=list)
    missing: Unresolved | None = None
    retry_at_end: bool = False
    exact: bool = False
    typed: Resource | None = None
    plan: Plan | None = None
    lost: LostWrite | None = None
    requests: int = 0
    retries: int = 0
    retried_at: Counter[str] | None = None
    undo: Undo | None = None

    @property
    def key(self) -> Key | None:
        """The key by which the record is looked up."""
        return self.parsed.key

    @property
    def mapping(self) -> StreamMapping:
        """The mapping of the last row's stream."""
        return self.rows[-1].mapping

    @property
    def resource(self) -> Resource:
        """The resource, with its custom fields if they have been read."""
        return self.typed or self.rows[-1].mapping.resource

    @property
    def missing_parent(self) -> bool:
        """True if an id in its address is not known."""
        return not self.resource.in_path <= self.inside.keys()


def merge_rows(rows: Iterable[tuple[ParsedRow, InputRow]]) -> list[PendingWrite]:
    """Merge the rows of each key into one write, in the order of their first rows.

    A row without a key is a write of its own. Rows with different modes are merged only if the first is
    an upsert, which makes sure that the record exists. No row is moved across rows with another kind of
    key, since those may have the same record.
    """
    writes: list[PendingWrite] = []
    by_key: dict[Key, PendingWrite] = {}
    by = ""
    for parsed, row in rows:
        key = parsed.key
        if key and key.by != by:
            by_key, by = {}, key.by
        write_ = by_key.get(key) if key else None
        if write_ is None or not _can_merge(write_.parsed, parsed):
            write_ = PendingWrite(parsed, [row])
            writes.append(write_)
            if key:
                by_key[key] = write_
        else:
            write_.parsed = merged(write_.parsed, parsed)
            write_.rows.append(row)
    for write_ in writes:
        if len(write_.rows) > 1:
            write_.parsed = _without_repetition(write_.parsed)
    return writes


def _can_merge(first: ParsedRow, then: ParsedRow) -> bool:
    modes = first.mode, then.mode
    return first.mode == then.mode or modes == ("upsert", "update") or first.delete or then.delete


def merged(first: ParsedRow, then: ParsedRow) -> ParsedRow:
    """Merge two rows of one key: later values win, and a delete replaces all before it, or is replaced.

    Only a row in mode ``update`` does not replace a delete: it would have nothing to update.
    """
    if first.delete and then.mode == "update" and not then.delete:
        return first
    if first.delete or then.delete or then.archived:
        return then
    return replace(
        then,
        mode=first.mode,
        properties=_together(first, then, "properties"),
        traits={**first.traits, **then.traits},
        references=_together(first, then, "references"),
        protected=first.protected | then.protected,
    )


def _together(first: ParsedRow, then: ParsedRow, part: str) -> dict[str, Any]:
    """Merge one part of two rows: take the later value, or join both if rows add to a list."""
    before, after = getattr(first, part), getattr(then, part)
    both = {
        name: before[name] + after[name]
        for name in then.united & before.keys() & after.keys()
        if before[name] and after[name]
    }
    return {**before, **after, **both}


def _without_repetition(parsed: ParsedRow) -> ParsedRow:
    parts: dict[str, Any] = {
        part: {
            name: type(value)(unite(value)) if value and name in parsed.united else value
            for name, value in getattr(parsed, part).items()
        }
        for part in ("properties", "references")
    }
    return replace(parsed, **parts)
