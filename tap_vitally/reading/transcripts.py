"""Transcripts: a list that may lack the text, or may not be there at all.

API: GET /meetingTranscripts, GET /meetingTranscripts/:id, GET /meetings/:id/transcript
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from tap_vitally.reading.children import NOT_FOUND, DetailReader
from tap_vitally.reading.conform import identity_of
from tap_vitally.reading.declaration import Record
from tap_vitally.reading.page import WEIGHT, Context, Page
from tap_vitally.reading.reader import Price, counted
from tap_vitally.replication.instants import parse_instant
from tap_vitally.replication.parents import Parent
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
    def price(self) -> Price:
        """Count the transcripts that changed: only those without their text take a request each."""
        try:
            pages, records, whole = self.listing.count(self.plan)
        except Refused:
            return super().price()
        what = counted(records, whole, "transcripts, one for each without its text", self.plan)
        return Price(pages, pages + records if whole else None, what)

    @override
    def parents(self) -> Iterable[Parent]:
        """Find the transcripts that changed, or the meetings that may have one."""
        found = False
        try:
            for transcript in self.changed_parents(self.listing):
                found = True
                yield transcript
        except Refused as refusal:
            if found or not refusal.missing:
                raise
            self.logger.info("There is no list of transcripts: every changed meeting is asked.")
            self._by_meeting = True
            yield from super().parents()

    @override
    def lists_of(self, parent: Parent) -> Iterator[Context]:
        identity = quote(parent.id, safe="")
        # A transcript without an id of its own is known by its meeting.
        if self._by_meeting or (parent.record and identity_of(parent.record.get("id")) is None):
            inject = {"meetingId": parent.id}
            yield Context(f"/meetings/{identity}/transcript", inject=inject, parent=parent)
        else:
            yield Context(f"/meetingTranscripts/{identity}", parent=parent)

    @override
    def pages(self, context: Context) -> Iterator[Page]:
        """Read one transcript, unless the list held all of it; a meeting may have none."""
        parent = context.parent or Parent("")
        newest = parse_instant(parent.updated_at)
        if parent.record.get("transcript") is not None:
            records = self.shaper.records([parent.record], context)
            yield Page(context, records, newest=newest, ends=True)
            return
        try:
            answer = self.listing.ask(context, transcript_in)
        except Refused as refusal:
            if not self._by_meeting or refusal.status != NOT_FOUND:
                raise
            yield Page(context, newest=newest, ends=True)
            return
        own = {"meetingId": parent.id} if self._by_meeting else parent.record
        rows = [_completed(own, row) for row in answer.data]
        if not rows and parent.record:
            rows = [parent.record]
        records = self.shaper.records(rows, context)
        yield Page(context, records, WEIGHT * answer.size, newest=newest, ends=True)


def _completed(own: Record, row: Any) -> Any:
    """Put what a detail tells over what is known, but nothing over something, and no id that is none."""
    if not isinstance(row, dict):
        return row
    told = {name: value for name, value in row.items() if value is not None}
    if identity_of(own.get("id")) and not identity_of(told.get("id")):
        told.pop("id", None)
    return {**own, **told}


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
    place = next((name for name in PLACES if isinstance(transcript.get(name), list | dict)), "")
    turns = held = transcript.get(place)
    while isinstance(turns, dict):
        found = (inner for name in PLACES if isinstance(inner := turns.get(name), list | dict))
        turns = next(found, None)
    if not isinstance(turns, list) or (place == "transcript" and turns is held):
        return transcript
    beside = held if isinstance(held, dict) and place != "transcript" else {}
    told = {n: v for n, v in beside.items() if n not in PLACES and transcript.get(n) is None}
    return {**transcript, **told, place: None, "transcript": turns}
