"""Resources that are written in a way of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from target_vitally.planning.compare import Changes
from target_vitally.planning.fit import Fitted, Named
from target_vitally.planning.plan import Plan
from target_vitally.planning.resource import Record, Resource
from target_vitally.planning.values import same, same_json
from target_vitally.writing.doors import Door, UserDoor, with_body
from target_vitally.writing.meeting_doors import MeetingDoor, TranscriptDoor
from target_vitally.writing.references import people_named
from target_vitally.writing.wire import Declined, segment
from target_vitally.writing.work import Work, inside_messages

MOST_MESSAGES = 100
"""Messages that go into one request."""


class ProjectDoor(Door):
    """Projects: no external id, and two names for their account."""

    customers = False
    """Whether this workspace calls a project's account its customer."""

    @override
    def create(self, work: Work, plan: Plan) -> Record:
        body = self._renamed(plan.body)
        try:
            answer = self.send(work, "POST", self.path(work), body)
        except Declined as declined:
            told = declined.status == 400 and "customerId" in str(declined)  # noqa: PLR2004
            if not told or "customerId" in body:
                raise
            self.customers = True
            answer = self.send(work, "POST", self.path(work), self._renamed(plan.body))
        return self.kept(work, answer, plan.body)

    def _renamed(self, body: Record) -> Record:
        if not self.customers or "accountId" not in body:
            return body
        return {("customerId" if n == "accountId" else n): v for n, v in body.items()}


class CustomObjectDoor(Door):
    """Custom objects: their fields are merged with those present, never an empty list."""

    @override
    def compare(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        traits: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Changes:
        plain = {name: value for name, value in body.items() if name != "customFields"}
        found = super().compare(resource, plain, traits, record)
        fields = self._merged(body.get("customFields"), record)
        present = record.get("customFields") or []
        if fields and not same_json(fields, present):
            found["customFields"] = (present, fields)
        return found

    @override
    def create(self, work: Work, plan: Plan) -> Record:
        fields = self._merged(plan.body.get("customFields"), {})
        body = {n: v for n, v in plan.body.items() if n != "customFields"}
        return super().create(
            work, with_body(plan, body | ({"customFields": fields} if fields else {}))
        )

    @override
    def update(self, work: Work, plan: Plan) -> Record:
        body = dict(plan.body)
        fields = self._merged(body.pop("customFields", None), plan.record or {})
        if fields:
            body["customFields"] = fields
        return super().update(work, with_body(plan, body))

    @override
    def delete(self, work: Work, record: Mapping[str, Any]) -> bool:
        path = self.path_of(work, record)
        if super().delete(work, record):
            return True
        # A missing route and a missing record are answered alike.
        if not self.wire.records(path, f"{self.label}/...", None, work.tally):
            return False
        msg = "the API does not offer to delete custom objects here: do it in the app"
        raise Declined(msg, 405)

    @override
    def shown(self, sent: Mapping[str, Any], before: Mapping[str, Any]) -> Record:
        fields = self._merged(sent.get("customFields"), before)
        return super().shown(sent, before) | {"customFields": fields}

    @staticmethod
    def _merged(wanted: Any, record: Mapping[str, Any]) -> list[Record]:
        """Put the fields of a row over those present, by their paths or labels."""
        present = [f for f in record.get("customFields") or () if isinstance(f, dict)]
        fields = [dict(field) for field in present]
        for field in wanted if isinstance(wanted, list) else ():
            if not isinstance(field, dict):
                continue
            new = {
                n: v for n, v in field.items() if n not in {"id", "createdAt", "path", "options"}
            }
            new.setdefault("model", "CustomObject")
            known = next((f for f in fields if f.get("label") == field.get("label")), None)
            if known is None:
                fields.append(new)
            elif "model" in known:
                known |= new
            else:
                known |= {n: v for n, v in new.items() if n != "model"}
        return fields


class ConversationDoor(Door):
    """Conversations: a read brings their messages, and an update takes those that differ."""

    @override
    def find(self, works: Sequence[Work]) -> None:
        super().find(works)
        self._read(works)

    @override
    def again(self, works: Sequence[Work]) -> None:
        super().again(works)
        self._read(works)

    @override
    def in_parts(self, work: Work) -> bool:
        return len(work.body.get("messages") or ()) > MOST_MESSAGES

    def _read(self, works: Sequence[Work]) -> None:
        """Read the messages of conversations, which the list leaves out."""
        talks = [work for work in works if work.key and work.body.get("messages")]
        known = {
            id_: self.index(work)
            for work in talks
            for id_ in self.index(work).ids(work.key.by, work.key.value)  # type: ignore[union-attr]
        }

        def read(id_: str) -> None:
            path = f"/conversations/{segment(id_)}"
            for record in self.wire.records(path, f"{self.label}/..."):
                known[id_].put(record)

        def attempt(id_: str) -> None:
            known[id_].attempt("id", id_, lambda: read(id_))

        self.references.spread(attempt, known.keys() - self.pretended)

    @override
    def compare(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        traits: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Changes:
        plain = {name: value for name, value in body.items() if name != "messages"}
        found = super().compare(resource, plain, traits, record)
        held = {str(m.get("externalId")): m for m in record.get("messages") or ()}
        new = [m for m in body.get("messages") or () if not _says(held.get(m["externalId"], {}), m)]
        if new:
            found["messages"] = (len(held), new)
        return found

    @override
    def create(self, work: Work, plan: Plan) -> Record:
        messages = list(plan.body.get("messages") or ())
        first = with_body(plan, {**plan.body, "messages": messages[:MOST_MESSAGES]})
        return self._rest(work, plan, super().create(work, first), messages[MOST_MESSAGES:])

    @override
    def update(self, work: Work, plan: Plan) -> Record:
        messages = list((plan.changes.get("messages") or (0, ()))[1] or ())
        if "messages" not in plan.changes:
            messages = list(plan.body.get("messages") or ())
        first = with_body(plan, {**plan.body, "messages": messages[:MOST_MESSAGES]})
        now = super().update(work, first)
        return self._rest(work, plan, now, messages[MOST_MESSAGES:])

    def _rest(self, work: Work, plan: Plan, now: Record, messages: list[Any]) -> Record:
        while messages:
            body = {"subject": plan.body.get("subject"), "messages": messages[:MOST_MESSAGES]}
            now = super().update(work, Plan("updated", body=body, record=now))
            messages = messages[MOST_MESSAGES:]
        return now

    @override
    def shown(self, sent: Mapping[str, Any], before: Mapping[str, Any]) -> Record:
        messages = [*(before.get("messages") or ()), *(sent.get("messages") or ())]
        merged = {str(message.get("externalId")): message for message in messages}
        return {**super().shown(sent, before), "messages": list(merged.values())}

    @override
    def untaken(self, resource: Resource, plan: Plan, now: Record) -> list[str]:
        body = {n: v for n, v in plan.body.items() if n != "messages"}
        return super().untaken(resource, with_body(plan, body), now)

    @override
    def wanted(self, fitted: Fitted) -> list[Named]:
        return people_named(map(dict, inside_messages(fitted)), copy=fitted.copy)


def _says(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a message already is what a row says."""
    for name, value in wanted.items():
        if name == "message":
            if not same("html", value, present.get(name)):
                return False
        elif name in {"from", "to", "cc", "bcc"}:
            if _ids(value) != _ids(present.get(name)):
                return False
        elif not same_json(value, present.get(name)):
            return False
    return True


def _ids(value: Any) -> set[str]:
    people = value if isinstance(value, list) else [value]
    return {str(person.get("id")) for person in people if isinstance(person, dict)}


class MessageDoor(Door):
    """Messages: made inside their conversation, changed through it, deleted by themselves."""

    @override
    def find(self, works: Sequence[Work]) -> None:
        first = {work.inside["conversationId"]: work for work in reversed(works)}
        ids = first.keys() - self.pretended

        def attempt(conversation: str) -> None:
            work = first[conversation]
            index = self.references.index("conversations")
            index.attempt("id", conversation, lambda: self._read(work))

        self.references.spread(attempt, ids)

    def _read(self, work: Work) -> None:
        conversation = work.inside["conversationId"]
        if conversation.startswith("new:"):
            return
        path = f"/conversations/{segment(conversation)}"
        found = self.wire.records(path, "/resources/conversations/...", None, work.tally)
        messages = [m for record in found for m in record.get("messages") or ()]
        for message in messages:
            self.index(work).put(message)
        self._subjects[conversation] = str(found[0].get("subject") or "") if found else None

    @property
    def _subjects(self) -> dict[str, str | None]:
        held: dict[str, str | None] = self.__dict__.setdefault("subjects", {})
        return held

    @override
    def again(self, works: Sequence[Work]) -> None:
        for work in {work.inside["conversationId"]: work for work in works}.values():
            self._read(work)

    @override
    def lane(self, work: Work) -> str:
        return work.inside["conversationId"]

    @override
    def in_turn(self, work: Work, other: Work) -> bool:
        return work.key == other.key

    @override
    def present(self, work: Work) -> list[Record]:
        self.references.index("conversations").check("id", work.inside["conversationId"])
        return super().present(work)

    @override
    def compare(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        traits: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Changes:
        return {
            name: (record.get(name), value)
            for name, value in body.items()
            if name != "externalId" and not _says(record, {name: value})
        }

    @override
    def update(self, work: Work, plan: Plan) -> Record:
        conversation = work.inside["conversationId"]
        message = {"externalId": (plan.record or {}).get("externalId"), **plan.body}
        body = {"subject": self._subjects.get(conversation) or "", "messages": [message]}
        self.send(work, "PUT", f"/conversations/{segment(conversation)}", body)
        return self.kept(work, {}, plan.body, plan.record)

    @override
    def path_of(self, work: Work, record: Mapping[str, Any]) -> str:
        return f"/messages/{segment(str(record['id']))}"

    @override
    def wanted(self, fitted: Fitted) -> list[Named]:
        return [n for p in fitted.people.values() for n in people_named(p, copy=fitted.copy)]


DOORS: Mapping[str, type[Door]] = {
    "record": Door,
    "user": UserDoor,
    "project": ProjectDoor,
    "custom_object": CustomObjectDoor,
    "conversation": ConversationDoor,
    "message": MessageDoor,
    "meeting": MeetingDoor,
    "transcript": TranscriptDoor,
}
