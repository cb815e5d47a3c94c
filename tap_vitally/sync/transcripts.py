"""Transcripts: a list that may lack the text, or may not be there at all.

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
from tap_vitally.sync.answers import completed, transcript_in
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.contexts import PerParent
from tap_vitally.sync.estimates import RequestEstimate, estimate_lists
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import Refused
from vitally_api.statuses import NOT_FOUND
from vitally_api.values import identity_of, parse_moment

BY_MEETING = "meetings"
"""What STATE calls a pass that found the transcripts by their meetings, and messages call these."""


class Transcripts(PerParent):
    """The transcripts that changed, each to be completed; without a list, the meetings that changed."""

    def __init__(self, stream: StreamRun) -> None:
        super().__init__(stream)
        self.called = "transcripts"

    @property
    def _by_meeting(self) -> bool:
        return self.called == BY_MEETING

    @override
    def estimate(self) -> RequestEstimate:
        """Count the transcripts that changed: only those without their text take a request each."""
        client, plan = self.stream.list_client, self.stream.plan
        what = "transcripts, one for each without its text"
        try:
            return estimate_lists(client, plan, what, more=(0, 1))
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
        """Remember in which way the transcripts were found."""
        state = self.stream.stream_state
        state.contexts = []
        if self._by_meeting:
            state.finished.add(BY_MEETING)
        return super().finish()

    @override
    def lists_of(self, parent: Parent) -> Iterator[ListRequest]:
        identity = quote(parent.id, safe="")
        # A transcript without an id of its own is known by its meeting.
        if self._by_meeting or (parent.record and identity_of(parent.record.get("id")) is None):
            inject = {"meetingId": parent.id}
            yield ListRequest(f"/meetings/{identity}/transcript", inject=inject, parent=parent)
        else:
            yield ListRequest(f"/meetingTranscripts/{identity}", parent=parent)


def read_transcript(
    stream: StreamRun,
    request: ListRequest,
    start: datetime | None,  # noqa: ARG001 - all that the answer holds is kept
) -> Iterator[Page]:
    """Read one transcript, unless the list held all of it; a meeting may have none."""
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
