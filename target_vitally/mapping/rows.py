"""A row on its way: as it came in, and as part of the write that rows of one key make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef, record_keys
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.mapping.undo import Undo


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
        """What the record is found by."""
        return self.parsed.key

    @property
    def keys(self) -> set[Key]:
        """Every key by which other rows may speak of the record."""
        return record_keys(self.resource, self.parsed)

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
        """Return whether an id that its address takes is not there."""
        return any(r.in_path and r.name not in self.inside for r in self.resource.references)
