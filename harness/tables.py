"""Random tables for Vitally: rows of every resource, in an order that nobody would choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox import World

Row = dict[str, Any]
TRAIT = "vitally.custom.nextStep"
"""A trait that every model of a sandbox has; it is the key of projects."""
SPEECH = {"speaker": {"externalId": "s"}, "sentences": [{"text": "Hi", "startTime": 0}]}


@dataclass(frozen=True)
class Team:
    """What only the app edits, and rows refer to."""

    admins: tuple[str, ...]
    templates: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, world: World) -> Team:
        """Read off a world what there is once."""

        def names(table: str, name: str = "name") -> tuple[str, ...]:
            found = [row[name] for row in world.tables[table].rows.values()]
            return tuple(value for value in found if value and found.count(value) == 1)

        categories = {"tasks": names("taskCategories"), "notes": names("noteCategories")}
        return cls(names("admins", "email"), names("projectTemplates"), categories)


Values = Callable[[Random, Team, int], Row]


@dataclass(frozen=True)
class Kind:
    """What rows of a stream look like.

    ``table`` is where the sandbox keeps them, ``needed`` what a create takes; records of ``keys``
    are referred to, so that only those beyond may be deleted, if ``spare``.
    """

    table: str
    values: Values
    needed: tuple[str, ...]
    key: str = "externalId"
    spare: bool = False
    archives: bool = False
    deletes: bool = True
    clears: tuple[str, ...] = ()


def _traits(chance: Random, *, clears: bool = True) -> Row:
    plans = ["gold", "iron", 4, 4.5, True, *([None] if clears else [])]
    return {name: chance.choice(plans) for name in ("plan", "seats") if chance.random() < 0.7}


def _customer(chance: Random, _team: Team, _number: int) -> Row:
    return {"name": f"name {chance.randrange(3)}", "traits": _traits(chance)}


def _spelled(chance: Random, email: str) -> str:
    """Write an e-mail in another way that means the same."""
    return chance.choice((email, email, email.upper(), f" {email}"))


def _account(chance: Random, team: Team, number: int) -> Row:
    parent = f"organizations-{chance.randrange(2)}"
    return {**_customer(chance, team, number), "organizationExternalId": parent}


def _user(chance: Random, team: Team, number: int) -> Row:
    accounts = sorted(chance.sample(range(3), chance.choice((1, 1, 2))))
    return {
        **_customer(chance, team, number),
        "email": _spelled(chance, f"u{number}@example.com").strip(),
        "accountExternalIds": [f"accounts-{each}" for each in accounts],
        "joinDate": chance.choice(("2026-01-01", "2026-01-01T12:00:00+02:00")),
    }


def _activity(chance: Random) -> Row:
    parent = f"accounts-{chance.randrange(3)}"
    tags = chance.sample(("a", "b", "c"), chance.randrange(3))
    return {"accountExternalId": parent, "tags": tags, "traits": _traits(chance)}


def _task(chance: Random, team: Team, _number: int) -> Row:
    return {
        **_activity(chance),
        "name": f"name {chance.randrange(3)}",
        "description": chance.choice(("<p>Hi</p>", "<p>Hi <span>you</span></p>", None)),
        "dueDate": chance.choice(("2026-01-31", "2026-02-01", None)),
        "assignedToEmail": _spelled(chance, chance.choice(team.admins)),
        "categoryName": chance.choice(team.categories["tasks"]),
    }


def _note(chance: Random, team: Team, _number: int) -> Row:
    return {
        **_activity(chance),
        "note": chance.choice(("<p>Good</p>", "<p>Bad</p>")),
        "noteDate": chance.choice(("2026-01-01", "2026-01-02T10:00:00Z")),
        "subject": chance.choice(("Kick-off", "Review", None)),
        "authorEmail": _spelled(chance, chance.choice(team.admins)),
        "categoryName": chance.choice(team.categories["notes"]),
    }


def _score(chance: Random, _team: Team, _number: int) -> Row:
    number = chance.randrange(3)
    by = (
        ("userExternalId", f"users-{number}"),
        ("userEmail", _spelled(chance, f"u{number}@example.com")),
    )
    name, user = chance.choice(by)
    return {
        name: user,
        "score": chance.choice((0, 9, 10)),
        "respondedAt": "2026-01-01T00:00:00Z",
        "feedback": chance.choice(("good", "bad", None)),
    }


def _speech(chance: Random, team: Team) -> Row:
    return {
        "message": chance.choice(("<p>Hello</p>", "<p>Bye</p>")),
        "timestamp": "2026-01-02T09:00:00Z",
        "from": {"type": "user", "externalId": f"users-{chance.randrange(3)}"},
        "to": [{"type": "admin", "email": _spelled(chance, chance.choice(team.admins))}],
    }


def _conversation(chance: Random, team: Team, number: int) -> Row:
    messages = [
        {"externalId": f"part-{number}-{each}", **_speech(chance, team)}
        for each in range(chance.randrange(3))
    ]
    return {"subject": f"about {chance.randrange(3)}", "messages": messages}


def _message(chance: Random, team: Team, number: int) -> Row:
    return {"conversationExternalId": f"conversations-{number % 2}", **_speech(chance, team)}


def _object(chance: Random, _team: Team, _number: int) -> Row:
    fields = [{"label": chance.choice(("Mood", "Size")), "type": "string"}]
    label = f"Label {chance.randrange(3)}"
    return {"label": label, "writeMode": "writable", "customFields": fields}


def _instance(chance: Random, team: Team, _number: int) -> Row:
    return {
        "customObjectName": "custom_objects-0",
        "name": f"name {chance.randrange(3)}",
        "accountExternalId": f"accounts-{chance.randrange(3)}",
        "ownerEmail": _spelled(chance, chance.choice(team.admins)),
        "traits": _traits(chance),
    }


def _meeting(chance: Random, _team: Team, _number: int) -> Row:
    people = chance.sample(range(3), chance.choice((1, 2)))
    return {
        "title": f"title {chance.randrange(3)}",
        "summary": chance.choice(("short", "long", None)),
        "startDateTime": "2026-03-10T14:00:00Z",
        "participants": [{"email": _spelled(chance, f"u{each}@example.com")} for each in people],
    }


def _transcript(chance: Random, _team: Team, _number: int) -> Row:
    return {"transcript": [SPEECH] * chance.choice((1, 2))}


def _project(chance: Random, team: Team, _number: int) -> Row:
    return {
        "templateName": chance.choice(team.templates),
        "accountExternalId": f"accounts-{chance.randrange(3)}",
        "name": f"name {chance.randrange(3)}",
        "targetStartDate": chance.choice(("2026-01-31", "2026-02-01")),
    }


PARENT = "accountExternalId"
KINDS: Mapping[str, Kind] = {
    "organizations": Kind("organizations", _customer, ("name",), spare=True),
    "accounts": Kind("accounts", _account, ("name",), spare=True),
    "users": Kind("users", _user, ("email", "accountExternalIds"), spare=True),
    "custom_objects": Kind(
        "customObjects", _object, ("label", "writeMode"), key="name", deletes=False
    ),
    "tasks": Kind(
        "tasks", _task, ("name", PARENT), archives=True, clears=("description", "dueDate")
    ),
    "notes": Kind("notes", _note, ("note", "noteDate", PARENT), archives=True, clears=("subject",)),
    "nps_responses": Kind(
        "npsResponses",
        _score,
        ("userExternalId", "userEmail", "score", "respondedAt"),
        clears=("feedback",),
    ),
    "conversations": Kind("conversations", _conversation, ("subject", "messages"), spare=True),
    "custom_object_instances": Kind(
        "instances", _instance, ("customObjectName", "name", PARENT), archives=True
    ),
    "meetings": Kind(
        "meetings",
        _meeting,
        ("title", "participants"),
        spare=True,
        archives=True,
        clears=("summary",),
    ),
    "messages": Kind(
        "messages", _message, ("conversationExternalId", "message", "timestamp", "from", "to")
    ),
    "meeting_transcripts": Kind(
        "meetingTranscripts", _transcript, ("transcript",), key="meetingExternalId", deletes=False
    ),
    "keyed-projects": Kind(
        "projects", _project, ("templateName", PARENT), key="own", archives=True
    ),
}
"""By stream; those with `LATE` in front are of the same kind, and only update."""
LATE = "late-"
BY_EMAIL = "mail-users"
KEYLESS = "projects"
STREAMS: Mapping[str, Row] = {
    "keyed-projects": {
        "resource": "projects",
        "match": f"trait:{TRAIT}",
        "traits": {TRAIT: "own"},
    },
    BY_EMAIL: {"resource": "users", "match": "email", "mode": "update"},
    **{
        f"{LATE}{stream}": {"resource": stream, "mode": "update"}
        for stream, kind in KINDS.items()
        if kind.key == "externalId"
    },
}
"""What ``streams`` says of those whose name does not say it all."""
SAFE = 3
"""Records of each kind that are never deleted where others refer to them."""
KEYS = 5
INSIDE = ("conversationExternalId", "customObjectName")
"""Columns that belong into an address."""


def a_key(stream: str, number: int) -> str:
    """Name a record; transcripts go by the name of their meeting."""
    return f"meetings-{number % SAFE}" if stream == "meeting_transcripts" else f"{stream}-{number}"


def a_row(stream: str, number: int, chance: Random, team: Team) -> Row:
    """Invent a row with all that a create takes."""
    kind = KINDS[stream]
    values = kind.values(chance, team, number)
    kept = {n: v for n, v in values.items() if n in kind.needed or chance.random() < 0.7}
    return {kind.key: a_key(stream, number), **kept}


def a_table(chance: Random, team: Team, *, deletes: bool) -> tuple[str, list[Row]]:
    """Invent rows of a stream."""
    stream = chance.choice((*KINDS, *KINDS, *STREAMS, KEYLESS))
    base = stream.removeprefix(LATE)
    rows: list[Row] = []
    for _ in range(chance.choice((1, 2, 4, 8))):
        number = chance.randrange(KEYS)
        if stream == KEYLESS:
            unique = {"name": f"only {chance.getrandbits(40):x}"}
            rows.append(_project(chance, team, 0) | unique)
        elif stream == BY_EMAIL:
            email = _spelled(chance, f"u{number}@example.com")
            rows.append({"email": email, "name": f"name {chance.randrange(3)}"})
        elif stream != base:
            row = a_row(base, number, chance, team)
            always = {KINDS[base].key, *INSIDE} & row.keys()
            some = chance.sample(list(row), chance.randrange(1, len(row) + 1))
            rows.append({name: row[name] for name in row if name in always or name in some})
        else:
            rows.append(_lively(base, number, chance, team, deletes=deletes))
    return stream, rows


def _lively(stream: str, number: int, chance: Random, team: Team, *, deletes: bool) -> Row:
    """Invent a row that may be a delete, or name a parent that never comes."""
    kind = KINDS[stream]
    delete = kind.deletes and deletes and chance.random() < 0.2
    if delete and kind.spare:
        number = max(number, SAFE)
    row = a_row(stream, number, chance, team)
    if PARENT in row and chance.random() < 0.03:
        return {**row, kind.key: f"{stream}-bad", PARENT: "none"}
    if delete:
        return (
            {**row, "_deleted": True}
            if chance.random() < 0.8
            else {
                **row,
                "_sdc_deleted_at": "2026-01-01T00:00:00Z",
            }
        )
    return row


def parents(chance: Random, team: Team, stream: str) -> list[Row]:
    """Invent rows of all records that others refer to."""
    return [a_row(stream, number, chance, team) for number in range(SAFE)]


REFERRED = ("organizations", "accounts", "users", "custom_objects", "conversations", "meetings")
