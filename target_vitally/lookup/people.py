"""People in rows: how they are looked up, and how messages and meetings take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from target_vitally.lookup.references import References
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.parse_row import ParsedRow, RecordRef
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import Unresolved

ROLES = {"organizer", "attendee"}
MESSAGE_PEOPLE = ("from", "to", "cc", "bcc")


def refs_of(parsed: ParsedRow) -> Iterator[RecordRef]:
    """Yield all that has to be looked up for a row: its references, and the people in it."""
    for refs in parsed.references.values():
        yield from refs or ()
    for name, people in parsed.people.items():
        for person in people:
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


def _candidates(person: Record, *, copy: bool) -> list[RecordRef]:
    kinds = {"admin": ("admins",), "user": ("users",)}.get(
        str(person.get("type")), ("admins", "users")
    )
    if person.get("externalId"):
        return [RecordRef("users", "externalId", str(person["externalId"]))]
    if person.get("email"):
        return [RecordRef(kind, "email", str(person["email"])) for kind in kinds]
    if person.get("id") and copy:
        return [RecordRef(kind, "source", str(person["id"])) for kind in kinds]
    return []


def as_sender(person: Record, resolve: Callable[[RecordRef], str], *, copy: bool) -> Record:
    """Return a person as messages take it, ``{type, id}``; raise `Unresolved` for one that is not known."""
    candidates = _candidates(person, copy=copy)
    if not candidates:
        return {"type": person.get("type") or "user", "id": person.get("id")}
    missing: Unresolved | None = None
    for ref in candidates:
        try:
            found = resolve(ref)
        except Unresolved as unresolved:
            missing = missing if missing and missing.count else unresolved
        else:
            return {"type": "admin" if ref.resource == "admins" else "user", "id": found}
    raise missing or Unresolved(candidates[0])


def as_participant(person: Record, references: References, *, copy: bool) -> Record:
    """Return a person as meetings take it: one of ``userId``, ``vitallyUserId`` and ``email``."""
    resolve = references.resolve
    more = {
        name: person[name]
        for name in ("type", "responseStatus", "isOrganizer")
        if person.get(name) is not None
    }
    if more.get("type") not in ROLES:
        more["type"] = "organizer" if person.get("isOrganizer") else "attendee"
    email = person.get("email")
    if email:
        try:
            return {"vitallyUserId": resolve(RecordRef("admins", "email", str(email))), **more}
        except Unresolved:
            return {"email": references.spelled(str(email)), **more}
    for name in ("vitallyUserId", "userId"):
        if person.get(name) and not copy:
            return {name: str(person[name]), **more}
    given = _without_role(person)
    if copy:
        ids = [person.get("vitallyUserId"), person.get("userId"), person.get("id")]
        given["id"] = next((i for i in ids if i), None)
    sender = as_sender(given, resolve, copy=copy)
    name = "vitallyUserId" if sender["type"] == "admin" else "userId"
    return {name: sender["id"], **more}


def _without_role(person: Record) -> Record:
    return {n: v for n, v in person.items() if n != "type" or v not in ROLES}


def as_message(message: Record, resolve: Callable[[RecordRef], str], *, copy: bool) -> Record:
    """Return a message inside a conversation as Vitally takes it."""
    taken = ("externalId", "message", "timestamp", *MESSAGE_PEOPLE)
    made = {name: message[name] for name in taken if message.get(name) is not None}
    for name in MESSAGE_PEOPLE:
        if name in made:
            people = [as_sender(person, resolve, copy=copy) for person in made[name]]
            made[name] = people[0] if name == "from" and people else people
    return made
