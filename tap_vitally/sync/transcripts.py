"""Transcripts: a list that may lack the text, or may not be there at all.

API: GET /meetingTranscripts, GET /meetingTranscripts/:id, GET /meetings/:id/transcript
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from tap_vitally.state.instants import parse_instant
from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, RecordBatch
from tap_vitally.sync.children import NOT_FOUND, DetailReader
from tap_vitally.sync.coerce import identity_of
from tap_vitally.sync.list_client import count_pages
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_reader import RequestEstimate, counted
from vitally_api import ENVELOPES, Refused, single

TURN = {"speaker", "sentences"}
"""What a turn of a transcript has, any of which it may lack."""
PLACES = ("transcript", *ENVELOPES)
"""Where the turns of a transcript may stand."""


class TranscriptReader(DetailReader):
    """Reads the list of transcripts and completes each; without a list it asks each changed meeting."""

    whole_parents = True
    _by_meeting = False

    @property
    @override
    def parents_called(self) -> str:
        return "meetings" if self._by_meeting else "transcripts"

    @override
    def estimate(self) -> RequestEstimate:
        """Count the transcripts that changed: only those without their text take a request each."""
        try:
            pages, records, whole = count_pages(self.list_client, self.plan)
        except Refused:
            return super().estimate()
        what = counted(records, whole, "transcripts, one for each without its text", self.plan)
        return RequestEstimate(pages, pages + records if whole else None, what)

    @override
    def parents(self) -> Iterable[Parent]:
        """Find the transcripts that changed, or the meetings that may have one."""
        found = False
        try:
            for transcript in self.changed_parents(self.list_client):
                found = True
                yield transcript
        except Refused as refusal:
            if found or not refusal.missing:
                raise
            self.logger.info("There is no list of transcripts: every changed meeting is asked.")
            self._by_meeting = True
            yield from super().parents()

    @override
    def lists_of(self, parent: Parent) -> Iterator[ListRequest]:
        identity = quote(parent.id, safe="")
        # A transcript without an id of its own is known by its meeting.
        if self._by_meeting or (parent.record and identity_of(parent.record.get("id")) is None):
            inject = {"meetingId": parent.id}
            yield ListRequest(f"/meetings/{identity}/transcript", inject=inject, parent=parent)
        else:
            yield ListRequest(f"/meetingTranscripts/{identity}", parent=parent)

    @override
    def pages(self, context: ListRequest) -> Iterator[RecordBatch]:
        """Read one transcript, unless the list held all of it; a meeting may have none."""
        parent = context.parent or Parent("")
        newest = parse_instant(parent.updated_at)
        if parent.record.get("transcript") is not None:
            records = self.mapper.records([parent.record], context)
            yield RecordBatch(context, records, newest=newest, ends=True)
            return
        try:
            answer = self.list_client.ask(context, transcript_in)
        except Refused as refusal:
            if not self._by_meeting or refusal.status != NOT_FOUND:
                raise
            yield RecordBatch(context, newest=newest, ends=True)
            return
        own = {"meetingId": parent.id} if self._by_meeting else parent.record
        rows = [_completed(own, row) for row in answer.data]
        if not rows and parent.record:
            rows = [parent.record]
        records = self.mapper.records(rows, context)
        yield RecordBatch(context, records, MEMORY_FACTOR * answer.size, newest=newest, ends=True)


def _completed(own: Record, row: Any) -> Any:
    """Put what a detail tells over what is known, but nothing over something, and no id that is none."""
    if not isinstance(row, dict):
        return row
    reported = {name: value for name, value in row.items() if value is not None}
    if identity_of(own.get("id")) and not identity_of(reported.get("id")):
        reported.pop("id", None)
    return {**own, **reported}


def transcript_in(body: Any) -> list[Record]:
    """Find the transcript in an answer that may hold none.

    The answer is a transcript, its turns alone, either of them in an envelope, or nothing. A
    transcript without a text, or with one under a name that is not known, is one all the same.
    """
    found = single(body)
    names = {name for row in found if isinstance(row, dict) for name in row}
    if "transcript" not in names and names & TURN:
        return [{"transcript": found}]
    return found


def with_turns(transcript: Record) -> Record:
    """Find the turns of a transcript where they stand in an envelope, as its text or in place of it."""
    stream_state = next(
        (name for name in PLACES if isinstance(transcript.get(name), list | dict)), ""
    )
    turns = held = transcript.get(stream_state)
    while isinstance(turns, dict):
        found = (inner for name in PLACES if isinstance(inner := turns.get(name), list | dict))
        turns = next(found, None)
    if not isinstance(turns, list) or (stream_state == "transcript" and turns is held):
        return transcript
    beside = held if isinstance(held, dict) and stream_state != "transcript" else {}
    reported = {n: v for n, v in beside.items() if n not in PLACES and transcript.get(n) is None}
    return {**transcript, **reported, stream_state: None, "transcript": turns}
