"""Meetings and their transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from typing_extensions import override

from target_vitally.lookup.client import WriteRejected, segment
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.items import difference
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import NEW, ResourceWriter
from vitally_api import Unreadable, single

SHOWN = frozenset({"id", "meetingId", "transcript", "speaker", "sentences"})
"""What a transcript or one of its turns has at least one of."""


def transcript_in(body: Any) -> list[Record]:
    """Return the transcript in an answer; none where nothing is in it, which is how a meeting has none."""
    found = single(body)
    if not all(isinstance(each, dict) and each.keys() & SHOWN for each in found):
        raise Unreadable("it is no transcript")
    return found


class MeetingWriter(ResourceWriter):
    """Writes meetings; participants are added and removed by requests of their own."""

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        record = dict(plan.record or {})
        body = {name: value for name, value in plan.body.items() if name != PARTICIPANTS}
        now = super().update(write_, replace(plan, body=body)) if body else record
        if PARTICIPANTS not in plan.body:
            return now
        new, gone = difference(plan.body[PARTICIPANTS], record.get(PARTICIPANTS))
        path = f"{self.path_of(write_, record)}/participants"
        try:
            for person in new:
                self.send(write_, "POST", path, person)
            for person in gone:
                if person.get("id"):
                    self.remove(write_, f"{path}/{segment(str(person['id']))}")
        except WriteRejected:
            # Who came and went before that counts for what is tried again at the end.
            self._read(write_, record)
            raise
        return self._read(write_, record) or now

    def _read(self, write_: PendingWrite, record: Record) -> Record:
        id_, index = str(record["id"]), self.index(write_)
        with suppress(LookupFailed):  # it is written, and nobody knows it for the rows after it
            found = index.answer("id", id_, lambda: index.refresh("id", [id_], write_))
            return found[-1] if found else {}
        return {}


class TranscriptWriter(ResourceWriter):
    """Writes transcripts: one for each meeting, replaced as a whole; the API cannot delete one."""

    asks = True

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        """Do nothing: `present` sends a request for each."""

    @override
    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        """Do nothing: `present` sends a request each time."""

    @override
    def read(self, write_: PendingWrite) -> list[Record]:
        return self.present(write_)

    @override
    def present(self, write_: PendingWrite) -> list[Record]:
        meeting = write_.inside["meetingId"]
        simulated = self.simulated.get(meeting)
        if simulated is not None:
            return [simulated]
        if meeting.startswith(NEW):
            return []
        path, meetings = self.path(write_), self.references.index("meetings")
        found = meetings.answer(
            "transcript",
            meeting,
            lambda: self.client.records(path, self.label, None, write_, parse=transcript_in),
        )
        return [{"id": meeting, **record} for record in found[:1]]

    @override
    def simulate(self, write_: PendingWrite, plan: Plan, id_: str) -> Record:
        meeting = write_.inside["meetingId"]
        simulated = {"id": meeting, **plan.body}
        self.simulated.put(meeting, simulated)
        return simulated

    @override
    def queue(self, write_: PendingWrite) -> str:
        return write_.inside["meetingId"]

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        return self.create(write_, plan)

    @override
    def keep(
        self, write_: PendingWrite, answer: Record, sent: Record, record: Record | None = None
    ) -> Record:
        return {"id": write_.inside["meetingId"], **sent, **answer}

    @override
    def delete(self, write_: PendingWrite, record: Record) -> bool:
        raise WriteRejected("a transcript cannot be deleted by the API, only replaced", 405)
