"""Makes conversations, meetings and NPS responses."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sandbox.clock import iso
from sandbox.factories.random_values import Made, Make, RandomValues
from sandbox.fake_values import new_id
from sandbox.table import Links, Row

USER_PARENTS = ("accounts", "organizations", "segments")
"""What the user embedded in an NPS response lacks."""

NOTE_DETAILS = ("account", "organization", "author", "category", "traits", "users")
"""What a note embedded in a meeting lacks."""


def _conversation(draw: RandomValues, serial: int, given: Row) -> Made:
    """A conversation's row says nothing on whose it is; only its single GET does."""
    users, parents = draw.company_people(given)
    admin = draw.any("admins")
    admins = given.pop("adminIds", [admin] if admin else [])
    source = draw.random.choice(("outlook", "google", "intercom", "zendesk", "slack"))
    return Made(
        {
            **draw.stamps(),
            "externalId": draw.maybe(f"conv-{serial}", 0.2),
            "subject": draw.maybe(draw.phrase(), 0.9),
            "status": draw.random.choice(("Open", "Closed", "", None)),
            "rating": draw.random.choice((None, None, "Satisfied", "Neutral")),
            "source": source,
            "traits": (
                {"zendesk.status": "open", "zendesk.tags": ["login"], "zendesk.type": None}
                if source == "zendesk"
                else {}
            ),
        },
        (*parents["accountIds"], *parents["organizationIds"], *users, *admins),
    )


def _message(draw: RandomValues, serial: int, given: Row) -> Made:
    conversation = draw.owner(given, "conversationId", "conversations")
    members = draw.rows.tables["conversations"].links(conversation)
    people = {
        kind: next((id_ for id_ in members if id_ in draw.rows.tables[f"{kind}s"].rows), None)
        for kind in ("user", "admin")
    }
    inbound = serial % 3 != 1
    sender, receiver = ("user", "admin") if inbound else ("admin", "user")
    created = datetime.fromisoformat(draw.moments.created)
    row = {
        "id": new_id(draw.random),
        "type": "inbound" if inbound else "outbound",
        "externalId": draw.maybe(f"msg-{serial}", 0.3),
        "externalUrl": draw.maybe(f"https://www.example.com/messages/{serial}"),
        "message": draw.html() if serial % 40 else "<p>Long</p>" * 2000,
        "timestamp": iso(created + timedelta(seconds=serial % 6 * 60)),
        "from": {"type": sender, "id": people[sender]},
        "to": [{"type": receiver, "id": people[receiver]}],
        "cc": [{"type": "user", "id": None}] if serial % 17 == 2 else [],
        "bcc": [],
    }
    if serial % 2:
        row["conversationId"] = conversation
    return Made(row, (conversation,))


def _meeting(draw: RandomValues, serial: int, given: Row) -> Made:
    users, parents = draw.company_people(given)
    all_day = serial % 8 == 1
    begin = datetime.fromisoformat(draw.moments.created)
    source = draw.source()
    note = draw.maybe(draw.any("notes"), 0.3)
    start, end = iso(begin), iso(begin + timedelta(hours=1))
    return Made(
        {
            **draw.stamps(),
            "externalId": draw.external_id("cal", serial),
            "title": draw.phrase(),
            "description": draw.maybe(draw.html()),
            "location": draw.maybe("Room 4 ½"),
            "startDate": start[:10] if all_day else None,
            "startDateTime": None if all_day else start,
            "startTimeZone": "utc",
            "endDate": end[:10] if all_day else None,
            "endDateTime": None if all_day else end,
            "endTimeZone": "Europe/Berlin",
            "externalStatus": draw.random.choice(("confirmed", "cancelled", None)),
            "recordingUrl": draw.maybe("https://www.example.com/recording", 0.3),
            "recordingUrlFormatted": None,
            "joiningInstructionsUri": None,
            "videoConferenceUri": draw.maybe("https://www.example.com/join"),
            "phoneConferenceNumbers": [],
            "conferenceSolution": draw.maybe("Example Meet"),
            "summary": draw.maybe(draw.phrase()),
            "keyPoints": [draw.phrase() for _ in range(serial % 3)],
            "riskAssessment": draw.maybe("low", 0.2),
            "source": source,
            "participants": _participants(draw, users),
            **draw.rows.linked("meetings", parents),
            "notes": [draw.rows.copy_without("notes", note, NOTE_DETAILS)] if note else [],
            "tasks": [],
            "traits": {},
            "archivedAt": draw.archived(serial),
        }
    )


def _participants(draw: RandomValues, users: Sequence[str]) -> list[Row]:
    """Attendees of whom exactly one of the three ways to name them is filled in."""
    named: list[Row] = [
        {"vitallyUserId": draw.any("admins")},
        *({"userId": user} for user in users),
        {"email": "guest@example.net"},
    ]
    return [
        {
            "id": new_id(draw.random),
            **who,
            "type": "attendee" if i else "organizer",
            "responseStatus": draw.random.choice(("accepted", "needsAction", "declined")),
            "isOrganizer": not i,
        }
        for i, who in enumerate(named)
    ]


def _meeting_transcript(draw: RandomValues, serial: int, given: Row) -> Made:
    """Meetings are recorded in the order they were created, at most once each."""
    meetings = draw.rows.tables["meetings"].ids
    meeting = given.pop("meetingId", meetings[serial] if serial < len(meetings) else None)
    return Made(
        {
            **draw.stamps(),
            "meetingId": meeting,
            "transcript": [
                {
                    "speaker": {
                        "externalId": f"speaker-{i}",
                        "email": draw.maybe(f"speaker{i}@example.com"),
                        "name": draw.random.choice(draw.fake_values.first_names),
                    },
                    "sentences": [
                        {"text": draw.phrase(), "startTime": 5.5 * i, "endTime": 5.5 * i + 5}
                    ],
                }
                for i in range(2)
            ],
        }
    )


def _nps_response(draw: RandomValues, serial: int, given: Row) -> Made:
    """A response's row names its user; whose score it counts for is only in the lists."""
    user = given.pop("userId", draw.any("users"))
    row = draw.rows.tables["users"].rows[user] if user else {}
    parents: Links
    if "organizationId" in given:
        parents = ("organization", given.pop("organizationId"))
    elif "accountId" in given:
        parents = ("accounts", given.pop("accountId"))
    elif serial % 4 == 3 and row.get("organizations"):
        parents = ("organization", row["organizations"][0]["id"])
    else:
        parents = ("accounts", *(account["id"] for account in row.get("accounts", ())[:1]))
    score = draw.maybe(draw.random.randrange(11), 0.85)
    return Made(
        {
            **draw.stamps(),
            "externalId": draw.maybe(f"nps-{serial}", 0.3),
            "userId": user,
            "user": draw.rows.copy_without("users", user, USER_PARENTS),
            "score": score,
            "feedback": draw.maybe(draw.phrase()) if score is not None else None,
            "respondedAt": draw.past(1) if score is not None else None,
            "dismissedAt": draw.past(1) if score is None else None,
        },
        parents,
    )


MAKERS: Mapping[str, Make] = {
    "conversations": _conversation,
    "messages": _message,
    "meetings": _meeting,
    "meetingTranscripts": _meeting_transcript,
    "npsResponses": _nps_response,
}
