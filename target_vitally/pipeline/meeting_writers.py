"""Meetings and their transcripts, which are written in a way of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from target_vitally.mapping.compare import Changes
from target_vitally.mapping.links import difference
from target_vitally.mapping.parse_row import ParsedRow, RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.pipeline.references import References, participants_named
from target_vitally.pipeline.resource_writer import ResourceWriter, with_body
from target_vitally.pipeline.wire import Wire, WriteRejected, segment
from target_vitally.pipeline.work import PendingWrite
from vitally_api import single


class MeetingWriter(ResourceWriter):
    """Meetings: an update does not take participants, who come and go one by one."""

    @override
    def compare(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        traits: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Changes:
        plain = {name: value for name, value in body.items() if name != "participants"}
        found = super().compare(resource, plain, traits, record)
        if "participants" in body:
            new, gone = difference(body["participants"], record.get("participants"))
            if new or gone:
                found["participants"] = (record.get("participants"), body["participants"])
        return found

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        record = dict(plan.record or {})
        body = {n: v for n, v in plan.body.items() if n != "participants"}
        now = super().update(write_, with_body(plan, body)) if body else record
        if "participants" not in plan.body:
            return now
        new, gone = difference(plan.body["participants"], record.get("participants"))
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
        path = self.path_of(write_, record)
        found = self.wire.records(path, f"{self.label}/...", None, write_.metrics)
        for fresh in found:
            self.index(write_).put(fresh)
        return found[-1] if found else {}

    @override
    def not_applied(self, resource: Resource, plan: Plan, now: Record) -> list[str]:
        body = {n: v for n, v in plan.body.items() if n != "participants"}
        return super().not_applied(resource, with_body(plan, body), now)

    @override
    def wanted(self, parsed: ParsedRow) -> list[RecordRef]:
        people = parsed.people.get("participants", [])
        return participants_named(people, copy=parsed.copy)


class TranscriptWriter(ResourceWriter):
    """Transcripts: one for each meeting, replaced as a whole; nothing deletes them."""

    asks = True

    def __init__(self, resource: Resource, references: References, wire: Wire) -> None:
        super().__init__(resource, references, wire)
        self._simulated: dict[str, Record] = {}

    @override
    def find(self, writes: Sequence[PendingWrite]) -> None:
        """Leave it to `present`: each is a request of its own."""

    @override
    def present(self, write_: PendingWrite) -> list[Record]:
        meeting = write_.inside["meetingId"]
        if meeting in self._simulated:
            return [self._simulated[meeting]]
        if meeting.startswith("new:"):
            return []
        found: list[Record] = []

        def ask() -> None:
            found.extend(
                self.wire.records(self.path(write_), self.label, None, write_.metrics, parse=single)
            )

        meetings = self.references.index("meetings")
        meetings.attempt("transcript", meeting, ask)
        meetings.check("transcript", meeting)
        return [{"id": meeting, **record} for record in found[:1]]

    @override
    def simulate(self, write_: PendingWrite, plan: Plan, id_: str) -> Record:
        meeting = write_.inside["meetingId"]
        self._simulated[meeting] = {"id": meeting, **plan.body}
        return self._simulated[meeting]

    @override
    def again(self, writes: Sequence[PendingWrite]) -> None:
        """Leave it to `present`, which asks each time."""

    @override
    def queue(self, write_: PendingWrite) -> str:
        return write_.inside["meetingId"]

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        return self.create(write_, plan)

    @override
    def kept(
        self,
        write_: PendingWrite,
        answer: Record,
        sent: Mapping[str, Any],
        record: Record | None = None,
    ) -> Record:
        return {"id": write_.inside["meetingId"], **sent, **answer}

    @override
    def delete(self, write_: PendingWrite, record: Mapping[str, Any]) -> bool:
        msg = "a transcript cannot be deleted by the API, only replaced"
        raise WriteRejected(msg, 405)
