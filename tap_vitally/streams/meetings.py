"""Meetings and what was said in them."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import quote

from singer_sdk import typing as th

from tap_vitally.children import DetailStream
from tap_vitally.client import MISSING, WEIGHT, VitallyStream, single
from tap_vitally.contexts import ARCHIVED, Context, Page, Parent, Record
from tap_vitally.errors import Refused
from tap_vitally.fragments import (
    ARCHIVED_AT,
    CREATED_AT,
    EXTERNAL_ID,
    ID,
    OBJECTS,
    SOURCE,
    STRINGS,
    TRAITS,
    UPDATED_AT,
    record_schema,
)
from tap_vitally.replication import parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class MeetingsStream(VitallyStream):
    """Meetings, with their participants and, where recorded, a summary of what was said.

    A meeting has many accounts and organizations, found through its participants. A deleted
    meeting is only archived: it stays in the stream, with `archivedAt` set.

    API: GET /meetings
    """

    name = "meetings"
    path = "/meetings"
    variants = ARCHIVED
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        ARCHIVED_AT,
        EXTERNAL_ID,
        th.Property("title", th.StringType, description="Title of the meeting."),
        th.Property(
            "description",
            th.StringType,
            description="Description from the invitation; may be HTML.",
        ),
        th.Property("location", th.StringType, description="Where it takes place."),
        th.Property(
            "startDate",
            th.DateType,
            description="First day of a meeting without a time of day; null otherwise.",
        ),
        th.Property(
            "startDateTime",
            th.DateTimeType,
            description="Start; null for a meeting without a time of day.",
        ),
        th.Property(
            "startTimeZone",
            th.StringType,
            description="Time zone of the start, utc or the name of a zone.",
        ),
        th.Property(
            "endDate",
            th.DateType,
            description="Last day of a meeting without a time of day; null otherwise.",
        ),
        th.Property(
            "endDateTime",
            th.DateTimeType,
            description="End; null for a meeting without a time of day.",
        ),
        th.Property(
            "endTimeZone",
            th.StringType,
            description="Time zone of the end, utc or the name of a zone.",
        ),
        th.Property(
            "externalStatus",
            th.StringType,
            description="Status in the calendar it came from, such as cancelled.",
        ),
        th.Property("recordingUrl", th.StringType, description="Address of the recording."),
        th.Property(
            "recordingUrlFormatted",
            th.StringType,
            description="Address of the recording in a form for display; null if there is none.",
        ),
        th.Property(
            "joiningInstructionsUri",
            th.StringType,
            description="Address of the instructions for joining.",
        ),
        th.Property(
            "videoConferenceUri",
            th.StringType,
            description="Address of the video conference.",
        ),
        th.Property(
            "phoneConferenceNumbers",
            STRINGS,
            description="Numbers to dial in; an entry that is not text is kept as JSON text.",
        ),
        th.Property(
            "conferenceSolution",
            th.StringType,
            description="Product the conference runs on, such as Zoom.",
        ),
        th.Property("summary", th.StringType, description="Summary of what was said."),
        th.Property("keyPoints", STRINGS, description="Main points of what was said."),
        th.Property(
            "riskAssessment",
            th.StringType,
            description="Assessment of the risk to the customer relationship.",
        ),
        SOURCE,
        th.Property(
            "participants",
            OBJECTS,
            description=(
                "Participants, each a user (userId, users.id), a team member (vitallyUserId,"
                " admins.id) or an email, with type and responseStatus."
            ),
        ),
        th.Property(
            "accounts",
            OBJECTS,
            description="Accounts of the participants (accounts.id), as copies.",
        ),
        th.Property(
            "accountIds",
            STRINGS,
            description="Ids of those accounts; not documented, null where not sent.",
        ),
        th.Property(
            "organizations",
            OBJECTS,
            description="Organizations of the participants (organizations.id), as copies.",
        ),
        th.Property(
            "organizationIds",
            STRINGS,
            description="Ids of those organizations; not documented, null where not sent.",
        ),
        th.Property("notes", OBJECTS, description="Notes linked to the meeting (notes.id)."),
        th.Property("tasks", OBJECTS, description="Tasks linked to the meeting (tasks.id)."),
        TRAITS,
    )


class MeetingTranscriptsStream(DetailStream):
    """Transcripts of recorded meetings, sentence by sentence.

    Costs one more request for each transcript that the list sends without its text. Where the
    workspace has no list of transcripts, each meeting that changed is asked for its own.

    API: GET /meetingTranscripts, GET /meetingTranscripts/:id, GET /meetings/:id/transcript
    """

    name = "meeting_transcripts"
    parent = MeetingsStream
    parent_key = "meetingId"
    changed_only = True
    path = "/meetingTranscripts"
    selected_by_default = False
    sortable = True
    paginated = True
    _by_meeting = False
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        th.Property(
            "meetingId",
            th.StringType,
            description="Meeting that was recorded (meetings.id).",
        ),
        th.Property(
            "transcript",
            OBJECTS,
            description=(
                "Turns in order, each with a speaker and sentences; every sentence has text,"
                " startTime and endTime, in a unit that Vitally does not document."
            ),
        ),
    )

    @property
    def parent_name(self) -> str:
        """What is walked: transcripts, or in their place meetings."""
        return "meetings" if self._by_meeting else "transcripts"

    def parents(self) -> Iterable[Parent]:
        """Find the transcripts that changed, or the meetings that may have one.

        Yields:
            They, and those an earlier run could not read.

        Raises:
            Refused: If the list breaks off.
        """
        found = False
        try:
            for transcript in self.changed_parents(self):
                found = True
                yield transcript
        except Refused as refusal:
            if found or refusal.status not in MISSING:
                raise
            self.logger.info("There is no list of transcripts: every changed meeting is asked.")
            self._by_meeting = True
            yield from self.changed_parents()

    def as_parent(self, row: Record) -> Parent:
        """Keep the whole row: it may be complete.

        Args:
            row: A transcript.

        Returns:
            The transcript in the place of a parent.
        """
        return replace(super().as_parent(row), record=row)

    def lists_of(self, parent: Parent | None = None) -> Iterator[Context]:
        """Find where a transcript is read.

        Args:
            parent: The transcript, or the meeting in its place.

        Yields:
            One context.
        """
        if parent is None:
            return
        identity = quote(parent.id, safe="")
        if self._by_meeting:
            inject = {"meetingId": parent.id}
            yield Context(f"/meetings/{identity}/transcript", inject=inject, parent=parent)
        else:
            yield Context(f"/meetingTranscripts/{identity}", parent=parent)

    def pages(self, context: Context) -> Iterator[Page]:
        """Read one transcript, unless the list held all of it.

        Args:
            context: The transcript's, or the meeting's.

        Yields:
            One page.

        Raises:
            Refused: If the transcript is refused; a meeting without one is no refusal.
        """
        parent = cast("Parent", context.parent)
        newest = parse_instant(parent.updated_at)
        if parent.record.get("transcript") is not None:
            yield Page(context, self.shaped([parent.record], context), newest=newest, ends=True)
            return
        try:
            answer = self._get(context, {}, self.found)
        except Refused as refusal:
            if not self._by_meeting or refusal.status != HTTPStatus.NOT_FOUND:
                raise
            yield Page(context, newest=newest, ends=True)
            return
        own = {"meetingId": parent.id} if self._by_meeting else parent.record
        rows = [{**own, **{k: v for k, v in row.items() if v is not None}} for row in answer.data]
        yield Page(
            context, self.shaped(rows, context), WEIGHT * answer.size, newest=newest, ends=True
        )

    def found(self, body: Any) -> list[Record]:
        """Find the transcript in an answer that may hold none.

        Args:
            body: A transcript, its turns alone, either of them in an envelope, or nothing.

        Returns:
            The transcript in a list; an empty list if there is none.
        """
        found = single(body)
        if found and all("transcript" not in row for row in found):
            found = [{"transcript": found}] if "speaker" in found[0] else []
        return [row for row in found if row.get("transcript")]

    def shape(self, row: Record) -> Record:
        """Give a transcript that has no id of its own its meeting's.

        Args:
            row: A transcript.

        Returns:
            The record.
        """
        if row.get("id") is None:
            row["id"] = row.get("meetingId")
        return super().shape(row)
