"""One record to be written: the rows that speak of it, and what they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from target_vitally.mapping.links import unite
from target_vitally.mapping.merge_rows import RowGroup
from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef, Rejection
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.pipeline.outcomes import InputRow
from target_vitally.pipeline.references import (
    References,
    Unresolved,
    as_participant,
    as_sender,
)
from target_vitally.pipeline.wire import WriteMetrics
from vitally_api import VitallyError


@dataclass
class Lost:
    """A write whose answer was lost: what it was to do, and until when it is sent again.

    Until ``late`` it may still be carried out, and at ``until`` it may be sent again. ``kind`` is its
    method and label, ``writes`` how many of that kind had been answered when it was lost first,
    ``tries`` how often it was sent.
    """

    plan: Plan
    ends: float
    kind: str
    writes: int
    until: float = 0.0
    late: float = 0.0
    tries: int = 0
    failure: VitallyError = field(default_factory=VitallyError)


@dataclass
class PendingWrite:
    """A group of rows with one key; ``inside`` has the ids that stand in the address of its resource.

    ``body`` is what the rows say, with Vitally's ids in the place of references; ``missing`` is what
    they refer to and is not there. ``hopeful`` if what Vitally refuses now it may take later. ``exact``
    if links that no row names are taken away.
    """

    parsed: ParsedRow
    rows: list[InputRow]
    body: Record = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, RecordRef]] = field(default_factory=list)
    missing: Unresolved | None = None
    retry_at_end: bool = False
    exact: bool = False
    metrics: WriteMetrics = field(default_factory=WriteMetrics)
    typed: Resource | None = None
    lost: Lost | None = None

    @property
    def key(self) -> Key | None:
        """What the record is found by."""
        return self.parsed.key

    @property
    def last(self) -> InputRow:
        """The row that came last."""
        return self.rows[-1]

    @property
    def mapping(self) -> StreamMapping:
        """What the stream of the last row means."""
        return self.rows[-1].mapping

    @property
    def resource(self) -> Resource:
        """What the record is, with its custom fields where they are known."""
        return self.typed or self.mapping.resource

    @property
    def missing_parent(self) -> bool:
        """Whether what its address takes is not there."""
        return any(r.in_path and r.name not in self.inside for r in self.resource.references)


def pending_write(group: RowGroup[InputRow], references: References, metrics: Any) -> PendingWrite:
    """Resolve what rows refer to; `Rejection` is raised for rows that cannot be written.

    In a copy, what cannot be resolved is left out, unless the address takes it; the caller decides
    whether it may still come, as with what is missing.
    """
    parsed = group.parsed
    resource = group.rows[-1].mapping.resource
    write_ = PendingWrite(parsed, group.rows, metrics=WriteMetrics(metrics))
    write_.body = {n: v for n, v in parsed.properties.items() if n not in {"id", "deleteOn"}}
    for name, names in parsed.references.items():
        reference = resource.reference[name]
        if names is None:
            _check_cleared(resource, name)
            write_.body[name] = None
            continue
        ids = []
        for named in names:
            try:
                ids.append(references.resolve(named))
            except Unresolved as unresolved:
                if not parsed.copy or reference.in_path or unresolved.count:
                    write_.missing = write_.missing or unresolved
                else:
                    write_.left_out.append((name, named))
        if reference.in_path and ids:
            write_.inside[name] = ids[0]
        elif ids:
            write_.body[name] = unite(ids, ()) if reference.many else ids[0]
    _check_inside(write_)
    if not parsed.delete:
        try:
            _people(write_, references)
        except Unresolved as unresolved:
            write_.missing = write_.missing or unresolved
    return write_


def _check_inside(write_: PendingWrite) -> None:
    for reference in write_.resource.references:
        if reference.in_path and reference.name not in {*write_.inside, *write_.parsed.references}:
            column = reference.lookups[0].column
            msg = f"it takes {reference.name} or {column}"
            raise Rejection(msg)


def _check_cleared(resource: Resource, name: str) -> None:
    prop = resource.by_name.get(name)
    if prop is None or prop.needed or not prop.clears:
        msg = f"{name}: it cannot be emptied, and the row has a null there (nulls: clear)"
        raise Rejection(msg)


def _people(write_: PendingWrite, references: References) -> None:
    copy = write_.parsed.copy
    for name, people in write_.parsed.people.items():
        if name == "from":
            if len(people) != 1:
                msg = "from: it takes one person"
                raise Rejection(msg)
            write_.body[name] = as_sender(people[0], references.resolve, copy=copy)
        else:
            write_.body[name] = unite(_each(write_, name, people, references), ())
    messages = write_.body.get("messages")
    if write_.resource.writer == "conversation" and isinstance(messages, list):
        write_.body["messages"] = [_message(m, references, copy=copy) for m in messages]


def _each(
    write_: PendingWrite, name: str, people: list[Record], references: References
) -> Iterator[Record]:
    """Write people as Vitally takes them; in a copy, who is not known there is left out."""
    copy = write_.parsed.copy
    for person in people:
        try:
            if name == "participants":
                yield as_participant(person, references, copy=copy)
            else:
                yield as_sender(person, references.resolve, copy=copy)
        except Unresolved as unresolved:
            if not copy:
                raise
            write_.left_out.append((name, unresolved.named))


def _message(message: Record, references: References, *, copy: bool) -> Record:
    """Write a message inside a conversation as Vitally takes it."""
    taken = ("externalId", "message", "timestamp", "from", "to", "cc", "bcc")
    made = {name: message[name] for name in taken if message.get(name) is not None}
    for name in ("from", "to", "cc", "bcc"):
        if name in made:
            people = [as_sender(p, references.resolve, copy=copy) for p in made[name]]
            made[name] = people[0] if name == "from" and people else people
    return made


def inside_messages(parsed: ParsedRow) -> list[Mapping[str, Any]]:
    """Give the people in the messages of a conversation's row."""
    return [
        person
        for message in parsed.properties.get("messages") or ()
        for name in ("from", "to", "cc", "bcc")
        for person in message.get(name) or ()
    ]
