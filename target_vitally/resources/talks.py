"""Conversations, messages, meetings and transcripts (API notes on writing, 3.7 and 3.9)."""

from __future__ import annotations

from target_vitally.mapping.resource import LookupColumn, Reference, Resource
from target_vitally.resources.parts import EXTERNAL_ID, STAMPS, prop
from vitally_api.resources import LISTS, ApiList

CONVERSATIONS = Resource(
    name="conversations",
    api=LISTS["conversations"],
    rank=4,
    properties=(
        EXTERNAL_ID,
        prop("subject", needed=True, clears=False, always=True),
        prop("messages", "messages", clears=False, united=True),
    ),
    model="conversations",
    read_only=STAMPS
    | {
        "accountIds",
        "accounts",
        "adminIds",
        "admins",
        "externalUrl",
        "rating",
        "source",
        "status",
        "userIds",
        "users",
    },
)

MESSAGES = Resource(
    name="messages",
    api=ApiList("/conversations/{conversationId}/messages"),
    rank=5,
    properties=(
        EXTERNAL_ID,
        prop("message", "html", needed=True, clears=False, always=True),
        prop("timestamp", "instant", clears=False, always=True),
        prop("from", "people", needed=True, clears=False, always=True),
        prop("to", "people", needed=True, clears=False, always=True),
        prop("cc", "people", clears=False, always=True),
        prop("bcc", "people", clears=False, always=True),
    ),
    references=(
        Reference(
            "conversationId",
            "conversations",
            (LookupColumn("conversationExternalId", "conversations", "externalId"),),
            in_path=True,
        ),
    ),
    read_only=STAMPS
    | {
        "conversationAccountIds",
        "conversationAdminIds",
        "conversationUpdatedAt",
        "conversationUserIds",
        "externalUrl",
        "type",
    },
)

MEETINGS = Resource(
    name="meetings",
    api=LISTS["meetings"],
    rank=4,
    properties=(
        EXTERNAL_ID,
        prop("title", needed=True, clears=False),
        prop("description", "html"),
        prop("location"),
        prop("startDateTime", "instant"),
        prop("endDateTime", "instant"),
        prop("recordingUrl"),
        prop("summary"),
        prop("keyPoints", "list"),
        prop("riskAssessment", "json"),
        prop("participants", "people", needed=True, clears=False, united=True),
    ),
    model="meetings",
    read_only=STAMPS
    | {
        "accountIds",
        "accounts",
        "archivedAt",
        "conferenceSolution",
        "endDate",
        "endTimeZone",
        "externalStatus",
        "joiningInstructionsUri",
        "notes",
        "organizationIds",
        "organizations",
        "phoneConferenceNumbers",
        "recordingUrlFormatted",
        "source",
        "startDate",
        "startTimeZone",
        "tasks",
        "videoConferenceUri",
    },
)

MEETING_TRANSCRIPTS = Resource(
    name="meeting_transcripts",
    api=ApiList("/meetings/{meetingId}/transcript"),
    rank=5,
    properties=(prop("transcript", "list", needed=True, clears=False),),
    references=(
        Reference(
            "meetingId",
            "meetings",
            (LookupColumn("meetingExternalId", "meetings", "externalId"),),
            in_path=True,
        ),
    ),
    key=None,
    keys=("id",),
    key_needed=False,
    read_only=STAMPS,
    upserts=True,
)
