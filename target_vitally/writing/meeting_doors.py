"""Meetings and their transcripts, which are written in a way of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from target_vitally.planning.compare import Changes
from target_vitally.planning.fit import Fitted, Named
from target_vitally.planning.links import difference
from target_vitally.planning.plan import Plan
from target_vitally.planning.resource import Record, Resource
from target_vitally.writing.doors import Door, with_body
from target_vitally.writing.references import References, participants_named
from target_vitally.writing.wire import Declined, Wire, segment
from target_vitally.writing.work import Work
from vitally_api import single


class MeetingDoor(Door):
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
    def update(self, work: Work, plan: Plan) -> Record:
        record = dict(plan.record or {})
        body = {n: v for n, v in plan.body.items() if n != "participants"}
        now = super().update(work, with_body(plan, body)) if body else record
        if "participants" not in plan.body:
            return now
        new, gone = difference(plan.body["participants"], record.get("participants"))
        path = f"{self.path_of(work, record)}/participants"
        try:
            for person in new:
                self.send(work, "POST", path, person)
            for person in gone:
                if person.get("id"):
                    self.remove(work, f"{path}/{segment(str(person['id']))}")
        except Declined:
            # Who came and went before that counts for what is tried again at the end.
            self._read(work, record)
            raise
        return self._read(work, record) or now

    def _read(self, work: Work, record: Record) -> Record:
        path = self.path_of(work, record)
        found = self.wire.records(path, f"{self.label}/...", None, work.tally)
        for fresh in found:
            self.index(work).put(fresh)
        return found[-1] if found else {}

    @override
    def untaken(self, resource: Resource, plan: Plan, now: Record) -> list[str]:
        body = {n: v for n, v in plan.body.items() if n != "participants"}
        return super().untaken(resource, with_body(plan, body), now)

    @override
    def wanted(self, fitted: Fitted) -> list[Named]:
        people = fitted.people.get("participants", [])
        return participants_named(people, copy=fitted.copy)


class TranscriptDoor(Door):
    """Transcripts: one for each meeting, replaced as a whole; nothing deletes them."""

    asks = True

    def __init__(self, resource: Resource, references: References, wire: Wire) -> None:
        super().__init__(resource, references, wire)
        self._pretended: dict[str, Record] = {}

    @override
    def find(self, works: Sequence[Work]) -> None:
        """Leave it to `present`: each is a request of its own."""

    @override
    def present(self, work: Work) -> list[Record]:
        meeting = work.inside["meetingId"]
        if meeting in self._pretended:
            return [self._pretended[meeting]]
        if meeting.startswith("new:"):
            return []
        found: list[Record] = []

        def ask() -> None:
            found.extend(
                self.wire.records(self.path(work), self.label, None, work.tally, parse=single)
            )

        meetings = self.references.index("meetings")
        meetings.attempt("transcript", meeting, ask)
        meetings.check("transcript", meeting)
        return [{"id": meeting, **record} for record in found[:1]]

    @override
    def pretend(self, work: Work, plan: Plan, id_: str) -> Record:
        meeting = work.inside["meetingId"]
        self._pretended[meeting] = {"id": meeting, **plan.body}
        return self._pretended[meeting]

    @override
    def again(self, works: Sequence[Work]) -> None:
        """Leave it to `present`, which asks each time."""

    @override
    def lane(self, work: Work) -> str:
        return work.inside["meetingId"]

    @override
    def update(self, work: Work, plan: Plan) -> Record:
        return self.create(work, plan)

    @override
    def kept(
        self, work: Work, answer: Record, sent: Mapping[str, Any], record: Record | None = None
    ) -> Record:
        return {"id": work.inside["meetingId"], **sent, **answer}

    @override
    def delete(self, work: Work, record: Mapping[str, Any]) -> bool:
        msg = "a transcript cannot be deleted by the API, only replaced"
        raise Declined(msg, 405)
