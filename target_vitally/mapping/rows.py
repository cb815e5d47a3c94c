"""A row on its way: as it came in, and as part of the write that rows of one key make together."""

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
    """The stream before stream maps, for rows that go into ``rejects_file``."""

    stream: str
    schema: Mapping[str, Any]
    key_properties: tuple[str, ...]


@dataclass(slots=True)
class InputRow:
    """A row that was read; ``raw`` is what came in, if a stream map made something else of it."""

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
        """Whether nobody knows if it is there, since the look-up was refused."""
        return self.count < 0


Change = Literal["created", "updated", "deleted", "found"]
"""What was done; ``found`` if a create was refused because the record was there."""


@dataclass
class UndoRun:
    """What is known of a run that takes changes back.

    ``moved`` has the new ids of records that were created again, by their old ones; ``settled`` the
    ids of records that are as they were before; ``simulated`` what a dry run would have made of records.
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
    """One change of a run.

    ``old`` is what the record said of what an update changed, or the whole record of a delete;
    ``written`` is what was sent. Traits are in ``traits`` of both. ``inside`` has the ids that the
    record's address takes. ``cannot`` says what will stay; ``order`` grows from one change to the next.
    ``completes`` is the order of the create whose id this one tells. ``run`` is the run that takes it
    back.
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
        """A name of the record, by its key if it has one: changes of one record follow each other."""
        place = "/".join((self.resource, *self.inside.values()))
        return f"{place}/{f'{self.key.by}:{self.key.value}' if self.key else self.id}"

    @property
    def by(self) -> Key | None:
        """The key that the record is found by."""
        by_id = Key("id", self.id) if self.id else None
        return by_id or self.key if self.change == "updated" else self.key or by_id


@dataclass
class LostWrite:
    """A write whose answer was lost: what it was to do, and until when it is sent again.

    Seconds of the budget's clock: until ``late`` it may still be carried out, from ``until`` on it may
    be sent again, after ``ends`` it is not. ``kind`` is its method and label, ``writes`` how many of
    that kind had been answered when it was lost first, ``tries`` how often it was sent.
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
    """What the rows of one key say together, on its way to one record.

    ``body`` has Vitally's ids in the place of references, ``inside`` the ids that the address of its
    resource takes. ``missing`` is the first record that is referred to and not there, ``left_out`` has
    those that a copy does without. ``retry_at_end`` if Vitally may take later what it refuses now;
    ``exact`` if links that no row names are taken away. ``typed`` is the resource with its custom
    fields. ``plan`` is what is to be sent, unless a write before it in its queue may change that.
    ``requests`` and ``retries`` were sent for it; ``retried_at`` has how many writes of each kind had
    been answered at the first retry. ``undo`` is the change that it takes back, if it is to do that.
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
        """The key that the record is found by."""
        return self.parsed.key

    @property
    def mapping(self) -> StreamMapping:
        """The mapping of the last row's stream."""
        return self.rows[-1].mapping

    @property
    def resource(self) -> Resource:
        """The resource, with its custom fields where they are known."""
        return self.typed or self.rows[-1].mapping.resource

    @property
    def missing_parent(self) -> bool:
        """Return whether an id that its address takes is not known."""
        return not self.resource.in_path <= self.inside.keys()


def merge_rows(rows: Iterable[tuple[ParsedRow, InputRow]]) -> list[PendingWrite]:
    """Put the rows of each key together, in the order of the first; a row without a key is alone.

    Rows of two modes are merged only if the first makes sure that there is something to update. Rows
    with another kind of key may be about the same records, so that no row is moved across them.
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
    """Merge two rows of one key: a delete replaces what was before it, and is replaced by what follows.

    A row that only updates has nothing to update after a delete.
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
    """Merge one part of two rows: the later value counts, or both where each row may add to a list."""
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
