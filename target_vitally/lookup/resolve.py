"""Replace the references of rows, also to people, by Vitally's ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from target_vitally.lookup.references import References
from target_vitally.mapping.items import unite
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.parse_row import ParsedRow, RecordRef, Rejection, check_clears
from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.mapping.rows import PendingWrite, Unresolved
from target_vitally.mapping.values import MESSAGE

ROLES = {"organizer", "attendee"}
MESSAGE_PEOPLE = ("from", "to", "cc", "bcc")
PEOPLE = (*MESSAGE_PEOPLE, PARTICIPANTS)
"""Properties that hold people."""


def refs_of(parsed: ParsedRow) -> Iterator[RecordRef]:
    """Yield all records that a row refers to, including people; they must be looked up."""
    for refs in parsed.references.values():
        yield from refs or ()
    for name in PEOPLE:
        for person in parsed.properties.get(name) or ():
            if name != PARTICIPANTS:
                yield from _candidates(person, copy=parsed.copy)
            elif person.get("email"):
                email = str(person["email"])
                yield from (RecordRef(kind, "email", email) for kind in ("admins", "users"))
            else:
                yield from _candidates(_without_role(person), copy=parsed.copy)
    for message in parsed.properties.get("messages") or ():
        for name in MESSAGE_PEOPLE:
            for person in message.get(name) or ():
                yield from _candidates(person, copy=parsed.copy)


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
    if not parsed.delete:
        try:
            _resolve_people(write_, references)
        except Unresolved as unresolved:
            if write_.missing is None:
                write_.missing = unresolved.with_traceback(None)


def check_address(resource: Resource, parsed: ParsedRow) -> None:
    """Raise `Rejection` if a row lacks a reference that the address of its record contains."""
    for name, reference in resource.references.items():
        if reference.in_path and name not in parsed.references:
            raise Rejection(f"it takes {name} or {next(iter(reference.lookups))}")


def _resolve_reference(
    write_: PendingWrite, reference: Property, refs: Iterable[RecordRef], references: References
) -> None:
    ids = []
    for ref in refs:
        try:
            ids.append(references.resolve(ref))
        except Unresolved as unresolved:
            if not write_.parsed.copy or reference.in_path or unresolved.count:
                # With its traceback it would hold the write that holds it: a kilobyte for each row.
                write_.missing = write_.missing or unresolved.with_traceback(None)
            else:
                write_.left_out.append((reference.name, ref))
    if reference.in_path and ids:
        write_.inside[reference.name] = ids[0]
    elif ids:
        write_.body[reference.name] = unite(ids) if reference.many else ids[0]


def _resolve_people(write_: PendingWrite, references: References) -> None:
    copy = write_.parsed.copy
    for name in filter(write_.body.__contains__, PEOPLE):
        people = write_.body[name]
        if name != "from":
            write_.body[name] = unite(_people(write_, name, people, references))
        elif len(people) == 1:
            write_.body[name] = _sender(people[0], references, copy=copy)
        else:
            raise Rejection("from: it takes one person")
    messages = write_.body.get("messages")
    if isinstance(messages, list) and "messages" in write_.resource.by_name:
        write_.body["messages"] = [_message(m, references, copy=copy) for m in messages]


def _people(
    write_: PendingWrite, name: str, people: list[Record], references: References
) -> Iterator[Record]:
    """Yield people in the form for a write; in a copy, leave out those that the workspace lacks."""
    taken = _participant if name == PARTICIPANTS else _sender
    for person in people:
        try:
            yield taken(person, references, copy=write_.parsed.copy)
        except Unresolved as unresolved:
            if not write_.parsed.copy or unresolved.count:
                raise
            write_.left_out.append((name, unresolved.ref))


def _candidates(person: Record, *, copy: bool) -> list[RecordRef]:
    """Return the records that a person may be, by the most reliable key; none for a Vitally id."""
    if person.get("externalId"):
        return [RecordRef("users", "externalId", str(person["externalId"]))]
    by, member = ("email", "email") if person.get("email") else ("source", "id")
    if not person.get(member) or (by == "source" and not copy):
        return []
    type_ = str(person.get("type"))
    kinds = (f"{type_}s",) if type_ in {"admin", "user"} else ("admins", "users")
    return [RecordRef(kind, by, str(person[member])) for kind in kinds]


def _sender(person: Record, references: References, *, copy: bool) -> Record:
    """Return a person in the form of messages, ``{type, id}``; raise `Unresolved` if not found."""
    candidates = _candidates(person, copy=copy)
    if not candidates:
        return {"type": person.get("type") or "user", "id": person.get("id")}
    missing: Unresolved | None = None
    for ref in candidates:
        try:
            return {"type": ref.resource.removesuffix("s"), "id": references.resolve(ref)}
        except Unresolved as unresolved:
            if unresolved.unanswered:  # or somebody else would be named
                raise
            missing = missing if missing and missing.count else unresolved
    raise missing or Unresolved(candidates[0])


def _participant(person: Record, references: References, *, copy: bool) -> Record:
    """Return a person in the form of meetings: with ``userId``, ``vitallyUserId`` or ``email``."""
    named = ("type", "responseStatus", "isOrganizer")
    more = {name: person[name] for name in named if person.get(name) is not None}
    if more.get("type") not in ROLES:
        more["type"] = "organizer" if person.get("isOrganizer") else "attendee"
    if email := person.get("email"):
        try:
            id_ = references.resolve(RecordRef("admins", "email", str(email)))
        except Unresolved as unresolved:
            if unresolved.unanswered:
                raise
            return {"email": references.spelled(str(email)), **more}
        return {"vitallyUserId": id_, **more}
    ids = [name for name in ("vitallyUserId", "userId", "id") if person.get(name)]
    if ids and ids[0] != "id" and not copy:
        return {ids[0]: str(person[ids[0]]), **more}
    given = _without_role(person)
    if copy and ids:
        given["id"] = person[ids[0]]
    sender = _sender(given, references, copy=copy)
    return {("vitallyUserId" if sender["type"] == "admin" else "userId"): sender["id"], **more}


def _without_role(person: Record) -> Record:
    return {n: v for n, v in person.items() if n != "type" or v not in ROLES}


def _message(message: Record, references: References, *, copy: bool) -> Record:
    """Return a message of a conversation in the form for a write."""
    made = {name: message[name] for name in MESSAGE if message.get(name) is not None}
    for name in filter(made.__contains__, MESSAGE_PEOPLE):
        people = [_sender(person, references, copy=copy) for person in made[name]]
        made[name] = people[0] if name == "from" and people else people
    return made
