"""Makes conversations, meetings and NPS responses."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sandbox.clock import iso
from sandbox.factories.random_values import Factory, NewRow, RandomValues
from sandbox.fake_values import new_id
from sandbox.table import Links, Row

USER_PARENTS = ("accounts", "organizations", "segments")
"""What the user embedded in an NPS response lacks."""

NOTE_DETAILS = ("account", "organization", "author", "category", "traits", "users")
"""What a note embedded in a meeting lacks."""


def _conversation(values: RandomValues, serial: int, given: Row) -> NewRow:
    """A conversation's row says nothing on whose it is; only its single GET does."""
    users, parents = values.company_people(given)
    admin = values.any("admins")
    admins = given.pop("adminIds", [admin] if admin else [])
    source = values.random.choice(("outlook", "google", "intercom", "zendesk", "slack"))
    return NewRow(
        {
            **values.stamps(),
            "externalId": values.maybe(f"conv-{serial}", 0.2),
            "subject": values.maybe(values.phrase(), 0.9),
            "status": values.random.choice(("Open", "Closed", "", None)),
            "rating": values.random.choice((None, None, "Satisfied", "Neutral")),
            "source": source,
            "traits": (
                {"zendesk.status": "open", "zendesk.tags": ["login"], "zendesk.type": None}
                if source == "zendesk"
                else {}
            ),
        },
        (*parents["accountIds"], *parents["organizationIds"], *users, *admins),
    )


def _message(values: RandomValues, serial: int, given: Row) -> NewRow:
    conversation = values.owner(given, "conversationId", "conversations")
    members = values.rows.tables["conversations"].links(conversation)
    people = {
        kind: next((id_ for id_ in members if id_ in values.rows.tables[f"{kind}s"].rows), None)
        for kind in ("user", "admin")
    }
    inbound = serial % 3 != 1
    sender, receiver = ("user", "admin") if inbound else ("admin", "user")
    created = datetime.fromisoformat(values.moments.created)
    row = {
        "id": new_id(values.random),
        "type": "inbound" if inbound else "outbound",
        "externalId": values.maybe(f"msg-{serial}", 0.3),
        "externalUrl": values.maybe(f"https://www.example.com/messages/{serial}"),
        "message": values.html() if serial % 40 else "<p>Long</p>" * 2000,
        "timestamp": iso(created + timedelta(seconds=serial % 6 * 60)),
        "from": {"type": sender, "id": people[sender]},
        "to": [{"type": receiver, "id": people[receiver]}],
        "cc": [{"type": "user", "id": None}] if serial % 17 == 2 else [],
        "bcc": [],
    }
    if serial % 2:
        row["conversationId"] = conversation
    return NewRow(row, (conversation,))


def _meeting(values: RandomValues, serial: int, given: Row) -> NewRow:
    users, parents = values.company_people(given)
    all_day = serial % 8 == 1
    begin = datetime.fromisoformat(values.moments.created)
    source = values.source()
    note = values.maybe(values.any("notes"), 0.3)
    start, end = iso(begin), iso(begin + timedelta(hours=1))
    return NewRow(
        {
            **values.stamps(),
            "externalId": values.external_id("cal", serial),
            "title": values.phrase(),
            "description": values.maybe(values.html()),
            "location": values.maybe("Room 4 ½"),
            "startDate": start[:10] if all_day else None,
            "startDateTime": None if all_day else start,
            "startTimeZone": "utc",
            "endDate": end[:10] if all_day else None,
            "endDateTime": None if all_day else end,
            "endTimeZone": "Europe/Berlin",
            "externalStatus": values.random.choice(("confirmed", "cancelled", None)),
            "recordingUrl": values.maybe("https://www.example.com/recording", 0.3),
            "recordingUrlFormatted": None,
            "joiningInstructionsUri": None,
            "videoConferenceUri": values.maybe("https://www.example.com/join"),
            "phoneConferenceNumbers": [],
            "conferenceSolution": values.maybe("Example Meet"),
            "summary": values.maybe(values.phrase()),
            "keyPoints": [values.phrase() for _ in range(serial % 3)],
            "riskAssessment": values.maybe("low", 0.2),
            "source": source,
            "participants": _participants(values, users),
            **values.rows.linked("meetings", parents),
            "notes": [values.rows.copy_without("notes", note, NOTE_DETAILS)] if note else [],
            "tasks": [],
            "traits": {},
            "archivedAt": values.archived(serial),
        }
    )


def _participants(values: RandomValues, users: Sequence[str]) -> list[Row]:
    """Return attendees, each named in one of the three possible ways."""
    named: list[Row] = [
        {"vitallyUserId": values.any("admins")},
        *({"userId": user} for user in users),
        {"email": "guest@example.net"},
    ]
    return [
        {
            "id": new_id(values.random),
            **who,
            "type": "attendee" if i else "organizer",
            "responseStatus": values.random.choice(("accepted", "needsAction", "declined")),
            "isOrganizer": not i,
        }
        for i, who in enumerate(named)
    ]


def _meeting_transcript(values: RandomValues, serial: int, given: Row) -> NewRow:
    """Meetings are recorded in the order they were created, at most once each."""
    meetings = values.rows.tables["meetings"].ids
    meeting = given.pop("meetingId", meetings[serial] if serial < len(meetings) else None)
    return NewRow(
        {
            **values.stamps(),
            "meetingId": meeting,
            "transcript": [
                {
                    "speaker": {
                        "externalId": f"speaker-{i}",
                        "email": values.maybe(f"speaker{i}@example.com"),
                        "name": values.random.choice(values.fake_values.first_names),
                    },
                    "sentences": [
                        {"text": values.phrase(), "startTime": 5.5 * i, "endTime": 5.5 * i + 5}
                    ],
                }
                for i in range(2)
            ],
        }
    )


def _nps_response(values: RandomValues, serial: int, given: Row) -> NewRow:
    """A response's row names its user; whose score it counts for is only in the lists."""
    user = given.pop("userId", values.any("users"))
    row = values.rows.tables["users"].rows[user] if user else {}
    parents: Links
    if "organizationId" in given:
        parents = ("organization", given.pop("organizationId"))
    elif "accountId" in given:
        parents = ("accounts", given.pop("accountId"))
    elif serial % 4 == 3 and row.get("organizations"):
        parents = ("organization", row["organizations"][0]["id"])
    else:
        parents = ("accounts", *(account["id"] for account in row.get("accounts", ())[:1]))
    score = values.maybe(values.random.randrange(11), 0.85)
    return NewRow(
        {
            **values.stamps(),
            "externalId": values.maybe(f"nps-{serial}", 0.3),
            "userId": user,
            "user": values.rows.copy_without("users", user, USER_PARENTS),
            "score": score,
            "feedback": values.maybe(values.phrase()) if score is not None else None,
            "respondedAt": values.past(1) if score is not None else None,
            "dismissedAt": values.past(1) if score is None else None,
        },
        parents,
    )


FACTORIES: Mapping[str, Factory] = {
    "conversations": Factory(_conversation, size=lambda accounts: 2 * accounts, edited="subject"),
    "messages": Factory(_message, part_of="conversations"),
    "meetings": Factory(_meeting, size=lambda accounts: accounts, edited="title"),
    "meetingTranscripts": Factory(
        _meeting_transcript,
        size=lambda meetings: -(-meetings // 2),
        edited="transcript",
        per="meetings",
        part_of="meetings",
    ),
    "npsResponses": Factory(_nps_response, size=lambda accounts: accounts, edited="feedback"),
}
