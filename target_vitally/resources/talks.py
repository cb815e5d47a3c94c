"""Conversations, messages, meetings and transcripts (API notes on writing, 3.7 and 3.9)."""

from __future__ import annotations

from target_vitally.mapping.resource import Property, Resource
from target_vitally.resources.parts import EXTERNAL_ID, STAMPS, inside, kept, names
from vitally_api.resources import LISTS, ApiList

CONVERSATIONS = Resource(
    name="conversations",
    api=LISTS["conversations"],
    rank=4,
    properties=(
        EXTERNAL_ID,
        kept("subject", needed=True, always=True),
        kept("messages", "messages", united=True),
    ),
    model="conversations",
    read_only=STAMPS
    | names("accountIds accounts adminIds admins externalUrl rating source status userIds users"),
)

MESSAGES = Resource(
    name="messages",
    api=ApiList("/conversations/{conversationId}/messages"),
    rank=5,
    properties=(
        inside("conversationId", "conversations", "conversationExternalId"),
        EXTERNAL_ID,
        kept("message", "html", needed=True, always=True),
        kept("timestamp", "instant", always=True),
        kept("from", "people", needed=True, always=True),
        kept("to", "people", needed=True, always=True),
        kept("cc", "people", always=True),
        kept("bcc", "people", always=True),
    ),
    read_only=STAMPS
    | names(
        """
        conversationAccountIds conversationAdminIds conversationUpdatedAt conversationUserIds
        externalUrl type
        """
    ),
)

MEETINGS = Resource(
    name="meetings",
    api=LISTS["meetings"],
    rank=4,
    properties=(
        EXTERNAL_ID,
        kept("title", needed=True),
        Property("description", "html"),
        Property("location"),
        Property("startDateTime", "instant"),
        Property("endDateTime", "instant"),
        Property("recordingUrl"),
        Property("summary"),
        Property("keyPoints", "list"),
        Property("riskAssessment", "json"),
        kept("participants", "participants", needed=True, united=True),
    ),
    model="meetings",
    read_only=STAMPS
    | names(
        """
        accountIds accounts archivedAt conferenceSolution endDate endTimeZone externalStatus
        joiningInstructionsUri notes organizationIds organizations phoneConferenceNumbers
        recordingUrlFormatted source startDate startTimeZone tasks videoConferenceUri
        """
    ),
)

MEETING_TRANSCRIPTS = Resource(
    name="meeting_transcripts",
    api=ApiList("/meetings/{meetingId}/transcript"),
    rank=5,
    properties=(
        inside("meetingId", "meetings", "meetingExternalId"),
        kept("transcript", "list", needed=True),
    ),
    key=None,
    keys=("id",),
    key_needed=False,
    read_only=STAMPS,
    upserts=True,
)
