"""One record to be written: the rows that speak of it, and what they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from target_vitally.planning.fit import Fitted, Key, Named, Rejection
from target_vitally.planning.fold import Group
from target_vitally.planning.links import unite
from target_vitally.planning.meaning import Meaning
from target_vitally.planning.plan import Plan
from target_vitally.planning.resource import Record, Resource
from target_vitally.writing.outcomes import Row
from target_vitally.writing.references import (
    References,
    Unresolved,
    as_participant,
    as_sender,
)
from target_vitally.writing.wire import Tally
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
class Work:
    """A group of rows with one key; ``inside`` has the ids that stand in the address of its resource.

    ``body`` is what the rows say, with Vitally's ids in the place of references; ``missing`` is what
    they refer to and is not there. ``hopeful`` if what Vitally refuses now it may take later. ``exact``
    if links that no row names are taken away.
    """

    fitted: Fitted
    rows: list[Row]
    body: Record = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, Named]] = field(default_factory=list)
    missing: Unresolved | None = None
    hopeful: bool = False
    exact: bool = False
    tally: Tally = field(default_factory=Tally)
    typed: Resource | None = None
    lost: Lost | None = None

    @property
    def key(self) -> Key | None:
        """What the record is found by."""
        return self.fitted.key

    @property
    def last(self) -> Row:
        """The row that came last."""
        return self.rows[-1]

    @property
    def meaning(self) -> Meaning:
        """What the stream of the last row means."""
        return self.rows[-1].meaning

    @property
    def resource(self) -> Resource:
        """What the record is, with its custom fields where they are known."""
        return self.typed or self.meaning.resource

    @property
    def homeless(self) -> bool:
        """Whether what its address takes is not there."""
        return any(r.in_path and r.name not in self.inside for r in self.resource.references)


def work_of(group: Group[Row], references: References, totals: Any) -> Work:
    """Resolve what rows refer to; `Rejection` is raised for rows that cannot be written.

    In a copy, what cannot be resolved is left out, unless the address takes it; the caller decides
    whether it may still come, as with what is missing.
    """
    fitted = group.fitted
    resource = group.rows[-1].meaning.resource
    work = Work(fitted, group.rows, tally=Tally(totals))
    work.body = {n: v for n, v in fitted.properties.items() if n not in {"id", "deleteOn"}}
    for name, names in fitted.references.items():
        reference = resource.reference[name]
        if names is None:
            _check_cleared(resource, name)
            work.body[name] = None
            continue
        ids = []
        for named in names:
            try:
                ids.append(references.resolve(named))
            except Unresolved as unresolved:
                if not fitted.copy or reference.in_path or unresolved.count:
                    work.missing = work.missing or unresolved
                else:
                    work.left_out.append((name, named))
        if reference.in_path and ids:
            work.inside[name] = ids[0]
        elif ids:
            work.body[name] = unite(ids, ()) if reference.many else ids[0]
    _check_inside(work)
    if not fitted.delete:
        try:
            _people(work, references)
        except Unresolved as unresolved:
            work.missing = work.missing or unresolved
    return work


def _check_inside(work: Work) -> None:
    for reference in work.resource.references:
        if reference.in_path and reference.name not in {*work.inside, *work.fitted.references}:
            column = reference.ways[0].column
            msg = f"it takes {reference.name} or {column}"
            raise Rejection(msg)


def _check_cleared(resource: Resource, name: str) -> None:
    prop = resource.by_name.get(name)
    if prop is None or prop.needed or not prop.clears:
        msg = f"{name}: it cannot be emptied, and the row has a null there (nulls: clear)"
        raise Rejection(msg)


def _people(work: Work, references: References) -> None:
    copy = work.fitted.copy
    for name, people in work.fitted.people.items():
        if name == "from":
            if len(people) != 1:
                msg = "from: it takes one person"
                raise Rejection(msg)
            work.body[name] = as_sender(people[0], references.resolve, copy=copy)
        else:
            work.body[name] = unite(_each(work, name, people, references), ())
    messages = work.body.get("messages")
    if work.resource.door == "conversation" and isinstance(messages, list):
        work.body["messages"] = [_message(m, references, copy=copy) for m in messages]


def _each(work: Work, name: str, people: list[Record], references: References) -> Iterator[Record]:
    """Write people as Vitally takes them; in a copy, who is not known there is left out."""
    copy = work.fitted.copy
    for person in people:
        try:
            if name == "participants":
                yield as_participant(person, references, copy=copy)
            else:
                yield as_sender(person, references.resolve, copy=copy)
        except Unresolved as unresolved:
            if not copy:
                raise
            work.left_out.append((name, unresolved.named))


def _message(message: Record, references: References, *, copy: bool) -> Record:
    """Write a message inside a conversation as Vitally takes it."""
    taken = ("externalId", "message", "timestamp", "from", "to", "cc", "bcc")
    made = {name: message[name] for name in taken if message.get(name) is not None}
    for name in ("from", "to", "cc", "bcc"):
        if name in made:
            people = [as_sender(p, references.resolve, copy=copy) for p in made[name]]
            made[name] = people[0] if name == "from" and people else people
    return made


def inside_messages(fitted: Fitted) -> list[Mapping[str, Any]]:
    """Give the people in the messages of a conversation's row."""
    return [
        person
        for message in fitted.properties.get("messages") or ()
        for name in ("from", "to", "cc", "bcc")
        for person in message.get(name) or ()
    ]
