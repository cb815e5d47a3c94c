"""Meetings and what was said in them."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.resource import Record
from tap_vitally.sync.transcripts import Transcripts, read_transcript, with_turns
from vitally_api.values import identity_of


class MeetingsStream(VitallyStream):
    """Meetings, with their participants and, where recorded, a summary of what was said.

    A meeting has many accounts and organizations, found through its participants. A deleted
    meeting is only archived: it stays in the stream, with `archivedAt` set.
    """

    name = "meetings"
    schema = f.record(
        *f.DATED,
        f.ARCHIVED_AT,
        f.EXTERNAL_ID,
        f.text("title", "Title of the meeting."),
        f.text("description", "Description from the invitation; may be HTML."),
        f.text("location", "Where it takes place."),
        f.day("startDate", "First day of a meeting without a time of day; null otherwise."),
        f.moment("startDateTime", "Start; null for a meeting without a time of day."),
        f.text("startTimeZone", "Time zone of the start, utc or the name of a zone."),
        f.day("endDate", "Last day of a meeting without a time of day; null otherwise."),
        f.moment("endDateTime", "End; null for a meeting without a time of day."),
        f.text("endTimeZone", "Time zone of the end, utc or the name of a zone."),
        f.text("externalStatus", "Status in the calendar it came from, such as cancelled."),
        f.text("recordingUrl", "Address of the recording."),
        f.text(
            "recordingUrlFormatted",
            "Address of the recording in a form for display; null if there is none.",
        ),
        f.text("joiningInstructionsUri", "Address of the instructions for joining."),
        f.text("videoConferenceUri", "Address of the video conference."),
        f.texts(
            "phoneConferenceNumbers",
            "Numbers to dial in; an entry that is not text is kept as JSON text.",
        ),
        f.text("conferenceSolution", "Product the conference runs on, such as Zoom."),
        f.text("summary", "Summary of what was said."),
        f.texts("keyPoints", "Main points of what was said."),
        f.text("riskAssessment", "Assessment of the risk to the customer relationship."),
        f.SOURCE,
        f.objects(
            "participants",
            "Participants, each a user (userId, users.id), a team member (vitallyUserId, "
            "admins.id) or an email, with type and responseStatus.",
        ),
        f.objects("accounts", "Accounts of the participants (accounts.id), as copies."),
        f.objects(
            "organizations", "Organizations of the participants (organizations.id), as copies."
        ),
        *f.LINKS,
        f.objects("notes", "Notes linked to the meeting (notes.id)."),
        f.objects("tasks", "Tasks linked to the meeting (tasks.id)."),
        f.TRAITS,
    )


def _identified(row: Record) -> Record:
    """Return a transcript with its turns, and with the id of its meeting if it has none of its own."""
    row = with_turns(row)
    if identity_of(row.get("id")) is None:
        row["id"] = row.get("meetingId")
    return row


class MeetingTranscriptsStream(VitallyStream):
    """Transcripts of recorded meetings, sentence by sentence.

    Costs one more request for each transcript that the list sends without its text. Where the
    workspace has no list of transcripts, each meeting that changed is asked for its own.

    API: GET /meetingTranscripts, GET /meetingTranscripts/:id, GET /meetings/:id/transcript
    """

    name = "meeting_transcripts"
    parent = MeetingsStream
    parent_key = "meetingId"
    only_changed = True
    selected_by_default = False
    parent_ids = ("id", "meetingId")
    shape = _identified
    contexts = Transcripts
    source = read_transcript
    keeps_parents = True
    schema = f.record(
        *f.DATED,
        f.text("meetingId", "Meeting that was recorded (meetings.id)."),
        f.objects(
            "transcript",
            "Turns in order, each with a speaker and sentences; every sentence has text, "
            "startTime and endTime, in a unit that Vitally does not document.",
        ),
    )
