"""Writes conversations with their messages, and meetings with whoever comes and what was said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from sandbox.clock import iso
from sandbox.pages import NOT_FOUND, Plain, RefusedError
from sandbox.table import Row
from sandbox.writing.store import Store
from sandbox.writing.write_schema import problem, refusal

PEOPLE = ("userId", "vitallyUserId", "email")


def post_conversation(store: Store, body: Any) -> str:
    """Write a conversation and its messages."""
    fields = store.checked("conversations", body, creating=True)
    messages = _checked_messages(store, fields.pop("messages"))
    key = store.post("conversations", fields)
    for message in messages:
        _put_message(store, key, message)
    return key


def put_conversation(store: Store, key: str, body: Any) -> str:
    """Change a conversation; messages whose external id it has are changed, others added."""
    fields = store.checked("conversations", body, creating=False)
    messages = _checked_messages(store, fields.pop("messages", None) or [])
    store.change("conversations", key, fields)
    for message in messages:
        _put_message(store, key, message)
    return key


def post_message(store: Store, conversation: str, body: Any) -> str:
    """Add a message to a conversation, or change it where its external id is known."""
    return _put_message(store, conversation, _checked_message(store, body))


def _checked_messages(store: Store, bodies: list[Any]) -> list[Row]:
    return [_checked_message(store, body) for body in bodies]


def _checked_message(store: Store, body: Any) -> Row:
    fields = store.checked("messages", body, creating=True)
    for person in _people(fields):
        if person.get("id") not in store.world.tables[f"{person['type']}s"].rows:
            error = problem("/from", "reference", "must be somebody that there is")
            raise RefusedError(refusal([error]))
    return fields


def _people(message: Row) -> list[Row]:
    others = (message.get(name) or () for name in ("to", "cc", "bcc"))
    return [message["from"], *(person for people in others for person in people)]


def _put_message(store: Store, conversation: str, fields: Row) -> str:
    world = store.world
    _join(store, conversation, _people(fields))
    inbound = fields["from"]["type"] == "user"
    fields = {
        "timestamp": iso(world.clock.now()),
        "cc": [],
        "bcc": [],
        "type": "inbound" if inbound else "outbound",
        **fields,
    }
    table = world.tables["messages"]
    for key in table.listed(conversation):
        if table.rows[key]["externalId"] == fields["externalId"]:
            world.update("messages", key, **fields)
            return key
    row = world.write("messages", conversationId=conversation, **fields)
    return str(row["id"])


def _join(store: Store, conversation: str, people: Iterable[Row]) -> None:
    """Link a conversation to those who speak in it, and to their companies."""
    table = store.world.tables["conversations"]
    links = list(table.links(conversation))
    for person in people:
        links.append(person["id"])
        if person["type"] == "user":
            user = store.world.row("users", person["id"])
            links += [each["id"] for each in (*user["accounts"], *user["organizations"])]
    table.put(conversation, table.rows[conversation], tuple(dict.fromkeys(links)))


def post_meeting(store: Store, body: Any) -> str:
    """Write a meeting, which has to have somebody of a company among its participants."""
    fields = store.checked("meetings", body, creating=True)
    people = [
        _participant(store.checked("participants", who, creating=True))
        for who in fields["participants"]
    ]
    accounts, organizations = _companies(store, people)
    if not (accounts or organizations):
        message = "at least one must belong to an account or an organization"
        raise RefusedError(refusal([problem("/participants", "anyOf", message)]))
    fields["participants"] = people
    return store.post(
        "meetings", {**fields, "accountIds": accounts, "organizationIds": organizations}
    )


def add_participant(store: Store, meeting: str, body: Any) -> Row:
    """Add a participant to a meeting."""
    person = _participant(store.checked("participants", body, creating=True))
    people = [*store.world.row("meetings", meeting)["participants"], person]
    _set_participants(store, meeting, people)
    return person


def drop_participant(store: Store, meeting: str, person: str) -> None:
    """Remove a participant from a meeting."""
    before = store.world.row("meetings", meeting)["participants"]
    people = [one for one in before if one["id"] != person]
    if len(people) == len(before):
        raise RefusedError(NOT_FOUND)
    _set_participants(store, meeting, people)


def post_transcript(store: Store, meeting: str, body: Any) -> Plain:
    """Write down what was said in a meeting, in place of what was written down before."""
    fields = store.checked("transcripts", body, creating=True)
    table = store.world.tables["meetingTranscripts"]
    if recorded := table.listed(meeting):
        return Plain(store.world.update("meetingTranscripts", recorded[0], **fields))
    return Plain(store.world.write("meetingTranscripts", meetingId=meeting, **fields))


def _set_participants(store: Store, meeting: str, people: list[Row]) -> None:
    accounts, organizations = _companies(store, people)
    store.world.update(
        "meetings",
        meeting,
        participants=people,
        accountIds=accounts,
        organizationIds=organizations,
    )


def _participant(given: Row) -> Row:
    if sum(bool(given.get(name)) for name in PEOPLE) != 1:
        message = f"must have exactly one of {', '.join(PEOPLE)}"
        raise RefusedError(refusal([problem("/participants", "oneOf", message)]))
    if given["type"] not in ("organizer", "attendee"):
        message = "must be organizer or attendee"
        raise RefusedError(refusal([problem("/participants/type", "enum", message)]))
    answer = {"responseStatus": "needsAction", "isOrganizer": given["type"] == "organizer"}
    return {"id": str(uuid4()), **answer, **given}


def _companies(store: Store, people: Iterable[Row]) -> tuple[list[str], list[str]]:
    """Return the people that participants name; a user by id, external id or e-mail address."""
    users = store.world.tables["users"].rows
    names = {person.get("userId") for person in people} - {None}
    emails = {person.get("email") for person in people} - {None}
    found = [
        user
        for id_, user in users.items()
        if id_ in names or user["externalId"] in names or user["email"] in emails
    ]
    return tuple(  # type: ignore[return-value]
        list(dict.fromkeys(each["id"] for user in found for each in user[parents]))
        for parents in ("accounts", "organizations")
    )
