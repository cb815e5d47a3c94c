"""What rows refer to, replaced by Vitally's ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from target_vitally.lookup.people import as_message, as_participant, as_sender
from target_vitally.lookup.references import References
from target_vitally.mapping.items import unite
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.parse_row import ParsedRow, RecordRef, Rejection, check_clears
from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.mapping.rows import PendingWrite, Unresolved


def resolve(write_: PendingWrite, references: References) -> None:
    """Fill a write's ``body``, ``inside``, ``missing`` and ``left_out``, anew if it has them.

    Raise `Rejection` for rows that cannot be written. In a copy, what cannot be resolved is left out,
    unless the address takes it; the caller decides whether it may still come.
    """
    parsed, resource = write_.parsed, write_.resource
    write_.inside, write_.missing, write_.left_out = {}, None, []
    write_.body = {n: v for n, v in parsed.properties.items() if n not in {"id", "deleteOn"}}
    for name, refs in parsed.references.items():
        if refs is None:
            check_clears(name, resource.by_name.get(name))
            write_.body[name] = None
        else:
            _resolve_reference(write_, resource.references[name], refs, references)
    check_address(resource, parsed)
    if parsed.delete:
        return
    try:
        _resolve_people(write_, references)
    except Unresolved as unresolved:
        if write_.missing is None:
            write_.missing = unresolved


def check_address(resource: Resource, parsed: ParsedRow) -> None:
    """Raise `Rejection` for a row that does not name what the address of its record takes."""
    for name, reference in resource.references.items():
        if reference.in_path and name not in parsed.references:
            msg = f"it takes {name} or {next(iter(reference.lookups))}"
            raise Rejection(msg)


def _resolve_reference(
    write_: PendingWrite, reference: Property, refs: Iterable[RecordRef], references: References
) -> None:
    ids = []
    for ref in refs:
        try:
            ids.append(references.resolve(ref))
        except Unresolved as unresolved:
            if not write_.parsed.copy or reference.in_path or unresolved.count:
                write_.missing = write_.missing or unresolved
            else:
                write_.left_out.append((reference.name, ref))
    if reference.in_path and ids:
        write_.inside[reference.name] = ids[0]
    elif ids:
        write_.body[reference.name] = unite(ids) if reference.many else ids[0]


def _resolve_people(write_: PendingWrite, references: References) -> None:
    copy = write_.parsed.copy
    for name, people in write_.parsed.people.items():
        if name != "from":
            write_.body[name] = unite(_people(write_, name, people, references))
        elif len(people) == 1:
            write_.body[name] = as_sender(people[0], references.resolve, copy=copy)
        else:
            msg = "from: it takes one person"
            raise Rejection(msg)
    messages = write_.body.get("messages")
    if isinstance(messages, list) and "messages" in write_.resource.by_name:
        write_.body["messages"] = [as_message(m, references.resolve, copy=copy) for m in messages]


def _people(
    write_: PendingWrite, name: str, people: list[Record], references: References
) -> Iterator[Record]:
    """Yield people as Vitally takes them; a copy leaves out those that are not known there."""
    copy = write_.parsed.copy
    for person in people:
        try:
            if name == PARTICIPANTS:
                yield as_participant(person, references, copy=copy)
            else:
                yield as_sender(person, references.resolve, copy=copy)
        except Unresolved as unresolved:
            if not copy:
                raise
            write_.left_out.append((name, unresolved.ref))
