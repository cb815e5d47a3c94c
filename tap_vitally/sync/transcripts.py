"""Read transcripts: their list may lack the text, or may not exist in a workspace.

API: GET /meetingTranscripts, GET /meetingTranscripts/:id, GET /meetings/:id/transcript
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.contexts import PerParent
from tap_vitally.sync.list_client import RequestEstimate
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import ENVELOPES, Refused, single
from vitally_api.statuses import NOT_FOUND
from vitally_api.values import identity_of, parse_moment

TURN = {"speaker", "sentences"}
"""What a turn of a transcript has; it may lack any."""
TURNS_AT = ("transcript", *ENVELOPES)
"""Where the turns of a transcript may stand."""
BY_MEETING = "meetings"
"""What STATE calls a pass that found the transcripts by their meetings, and messages call these."""


class Transcripts(PerParent):
    """The changed transcripts; if the workspace has no list of them, the changed meetings."""

    def __init__(self, stream: StreamRun) -> None:
        super().__init__(stream)
        self.called = "transcripts"

    @override
    def estimate(self) -> RequestEstimate:
        """Count the transcripts that changed: only those without their text take a request each."""
        what = "transcripts, one for each without its text"
        try:
            return self.stream.list_client.estimate(self.stream.plan, what, more=(0, 1))
        except Refused:
            return super().estimate()

    @override
    def parents(self) -> Iterable[Parent]:
        """Find the transcripts that changed, or the meetings that may have one.

        A transcript may change without its meeting, so the list that was there in the last run is not
        done without: the stream is skipped. What the meetings did not show, the list does once it is
        there, from the start.
        """
        stream, state = self.stream, self.stream.stream_state
        by_meeting_before = BY_MEETING in (state.contexts or ())
        plan, found = stream.plan, False
        try:
            if by_meeting_before:
                stream.plan = replace(plan, start=stream.settings.start_date)
            for transcript in self.changed_parents(stream.list_client):
                found = True
                yield transcript
        except Refused as refusal:
            had_list = state.bookmark is not None and not by_meeting_before
            if found or had_list or not refusal.missing:
                raise
            stream.logger.info("There is no list of transcripts: every changed meeting is asked.")
            stream.plan, self.called = plan, BY_MEETING
            yield from super().parents()

    @override
    def finish(self) -> dict[str, Any]:
        """Return, for STATE, if the transcripts were found in their list or through meetings."""
        state = self.stream.stream_state
        state.contexts = []
        if self.called == BY_MEETING:
            state.finished.add(BY_MEETING)
        return super().finish()

    @override
    def lists_of(self, parent: Parent) -> Iterator[ListRequest]:
        identity = quote(parent.id, safe="")
        # A transcript without an id of its own is known by its meeting.
        if self.called == BY_MEETING or (
            parent.record and identity_of(parent.record.get("id")) is None
        ):
            inject = {"meetingId": parent.id}
            yield ListRequest(f"/meetings/{identity}/transcript", inject=inject, parent=parent)
        else:
            yield ListRequest(f"/meetingTranscripts/{identity}", parent=parent)


def read_transcript(
    stream: StreamRun, request: ListRequest, _start: datetime | None
) -> Iterator[Page]:
    """Read one transcript, unless the list had its text; return none if a meeting has none."""
    parent = request.parent or Parent("")
    newest = parse_moment(parent.updated_at)
    if parent.record.get("transcript") is not None:
        yield stream.page(request, [parent.record], newest=newest)
        return
    # Of a meeting nothing is known but its id.
    by_meeting = bool(request.inject) and not parent.record
    try:
        answer = stream.list_client.ask(request, transcript_in)
    except Refused as refusal:
        if not by_meeting or refusal.status not in NOT_FOUND:
            raise
        yield stream.page(request, [], newest=newest)
        return
    known = dict(request.inject) if by_meeting else parent.record
    rows = [completed(known, row) for row in answer.data]
    if not rows and parent.record:
        rows = [parent.record]
    yield stream.page(request, rows, answer.size, newest=newest)


def transcript_in(body: Any) -> list[Record]:
    """Return the transcript in an answer as a list, which may be empty.

    The answer is a transcript, its turns alone, either of them in an envelope, or nothing. A
    transcript without a text, or with one under a name that is not known, is one all the same.
    """
    found = single(body)
    names = {name for row in found if isinstance(row, dict) for name in row}
    if "transcript" not in names and names & TURN:
        return [{"transcript": found}]
    return found


def with_turns(transcript: Record) -> Record:
    """Return a transcript with its list of turns under ``transcript``, taken out of an envelope."""
    place = next((name for name in TURNS_AT if isinstance(transcript.get(name), list | dict)), "")
    turns = held = transcript.get(place)
    while isinstance(turns, dict):
        found = (inner for name in TURNS_AT if isinstance(inner := turns.get(name), list | dict))
        turns = next(found, None)
    if not isinstance(turns, list) or (place == "transcript" and turns is held):
        return transcript
    beside = held if isinstance(held, dict) and place != "transcript" else {}
    more = {n: v for n, v in beside.items() if n not in TURNS_AT and transcript.get(n) is None}
    return {**transcript, **more, place: None, "transcript": turns}


def completed(known: Record, row: Any) -> Any:
    """Merge the detail ``row`` into ``known``; a null or an empty id replaces no value."""
    if not isinstance(row, dict):
        return row
    found = {name: value for name, value in row.items() if value is not None}
    if identity_of(known.get("id")) and not identity_of(found.get("id")):
        found.pop("id", None)
    return {**known, **found}
