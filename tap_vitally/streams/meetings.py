"""Meetings and what was said in them."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.answers import with_turns
from tap_vitally.sync.resource import Record
from tap_vitally.sync.transcripts import Transcripts, read_transcript
from vitally_api.values import identity_of


class MeetingsStream(VitallyStream):
    """Meetings, with their participants and, where recorded, a summary of what was said.

    A meeting has many accounts and organizations, found through its participants. A deleted
    meeting is only archived: it stays in the stream, with `archivedAt` set.

    API: GET /meetings
    """

    name = "meetings"
    schema = f.record("meetings")


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
    schema = f.record("meeting_transcripts")
