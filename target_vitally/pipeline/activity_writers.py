"""Resources that are written in a way of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from target_vitally.mapping.compare import Changes
from target_vitally.mapping.parse_row import ParsedRow, RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.values import same
from target_vitally.pipeline.meeting_writers import MeetingWriter, TranscriptWriter
from target_vitally.pipeline.references import people_named
from target_vitally.pipeline.resource_writer import ResourceWriter, UserWriter, with_body
from target_vitally.pipeline.wire import WriteRejected, segment
from target_vitally.pipeline.work import PendingWrite, inside_messages
from vitally_api.values import same_json

MOST_MESSAGES = 100
"""Messages that go into one request."""


class ProjectWriter(ResourceWriter):
    """Projects: no external id, and two names for their account."""

    customers = False
    """Whether this workspace calls a project's account its customer."""

    @override
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        body = self._renamed(plan.body)
        try:
            answer = self.send(write_, "POST", self.path(write_), body)
        except WriteRejected as declined:
            reported = declined.status == 400 and "customerId" in str(declined)  # noqa: PLR2004
            if not reported or "customerId" in body:
                raise
            self.customers = True
            answer = self.send(write_, "POST", self.path(write_), self._renamed(plan.body))
        return self.kept(write_, answer, plan.body)

    def _renamed(self, body: Record) -> Record:
        if not self.customers or "accountId" not in body:
            return body
        return {("customerId" if n == "accountId" else n): v for n, v in body.items()}


class CustomObjectWriter(ResourceWriter):
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
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        fields = self._merged(plan.body.get("customFields"), {})
        body = {n: v for n, v in plan.body.items() if n != "customFields"}
        return super().create(
            write_, with_body(plan, body | ({"customFields": fields} if fields else {}))
        )

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        body = dict(plan.body)
        fields = self._merged(body.pop("customFields", None), plan.record or {})
        if fields:
            body["customFields"] = fields
        return super().update(write_, with_body(plan, body))

    @override
    def delete(self, write_: PendingWrite, record: Mapping[str, Any]) -> bool:
        path = self.path_of(write_, record)
        if super().delete(write_, record):
            return True
        # A missing route and a missing record are answered alike.
        if not self.wire.records(path, f"{self.label}/...", None, write_.metrics):
            return False
        msg = "the API does not offer to delete custom objects here: do it in the app"
        raise WriteRejected(msg, 405)

    @override
    def displayed(self, sent: Mapping[str, Any], before: Mapping[str, Any]) -> Record:
        fields = self._merged(sent.get("customFields"), before)
        return super().displayed(sent, before) | {"customFields": fields}

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


class ConversationWriter(ResourceWriter):
    """Conversations: a read brings their messages, and an update takes those that differ."""

    @override
    def find(self, writes: Sequence[PendingWrite]) -> None:
        super().find(writes)
        self._read(writes)

    @override
    def again(self, writes: Sequence[PendingWrite]) -> None:
        super().again(writes)
        self._read(writes)

    @override
    def in_parts(self, write_: PendingWrite) -> bool:
        return len(write_.body.get("messages") or ()) > MOST_MESSAGES

    def _read(self, writes: Sequence[PendingWrite]) -> None:
        """Read the messages of conversations, which the list leaves out."""
        talks = [write_ for write_ in writes if write_.key and write_.body.get("messages")]
        known = {
            id_: self.index(write_)
            for write_ in talks
            for id_ in self.index(write_).ids(write_.key.by, write_.key.value)  # type: ignore[union-attr]
        }

        def read(id_: str) -> None:
            path = f"/conversations/{segment(id_)}"
            for record in self.wire.records(path, f"{self.label}/..."):
                known[id_].put(record)

        def attempt(id_: str) -> None:
            known[id_].attempt("id", id_, lambda: read(id_))

        self.references.map_concurrently(attempt, known.keys() - self.simulated)

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
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        messages = list(plan.body.get("messages") or ())
        first = with_body(plan, {**plan.body, "messages": messages[:MOST_MESSAGES]})
        return self._rest(write_, plan, super().create(write_, first), messages[MOST_MESSAGES:])

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        messages = list((plan.changes.get("messages") or (0, ()))[1] or ())
        if "messages" not in plan.changes:
            messages = list(plan.body.get("messages") or ())
        first = with_body(plan, {**plan.body, "messages": messages[:MOST_MESSAGES]})
        now = super().update(write_, first)
        return self._rest(write_, plan, now, messages[MOST_MESSAGES:])

    def _rest(self, write_: PendingWrite, plan: Plan, now: Record, messages: list[Any]) -> Record:
        while messages:
            body = {"subject": plan.body.get("subject"), "messages": messages[:MOST_MESSAGES]}
            now = super().update(write_, Plan("updated", body=body, record=now))
            messages = messages[MOST_MESSAGES:]
        return now

    @override
    def displayed(self, sent: Mapping[str, Any], before: Mapping[str, Any]) -> Record:
        messages = [*(before.get("messages") or ()), *(sent.get("messages") or ())]
        merged = {str(message.get("externalId")): message for message in messages}
        return {**super().displayed(sent, before), "messages": list(merged.values())}

    @override
    def not_applied(self, resource: Resource, plan: Plan, now: Record) -> list[str]:
        body = {n: v for n, v in plan.body.items() if n != "messages"}
        return super().not_applied(resource, with_body(plan, body), now)

    @override
    def wanted(self, parsed: ParsedRow) -> list[RecordRef]:
        return people_named(map(dict, inside_messages(parsed)), copy=parsed.copy)


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


class ConversationMessageWriter(ResourceWriter):
    """Messages: made inside their conversation, changed through it, deleted by themselves."""

    @override
    def find(self, writes: Sequence[PendingWrite]) -> None:
        first = {write_.inside["conversationId"]: write_ for write_ in reversed(writes)}
        ids = first.keys() - self.simulated

        def attempt(conversation: str) -> None:
            write_ = first[conversation]
            index = self.references.index("conversations")
            index.attempt("id", conversation, lambda: self._read(write_))

        self.references.map_concurrently(attempt, ids)

    def _read(self, write_: PendingWrite) -> None:
        conversation = write_.inside["conversationId"]
        if conversation.startswith("new:"):
            return
        path = f"/conversations/{segment(conversation)}"
        found = self.wire.records(path, "/resources/conversations/...", None, write_.metrics)
        messages = [m for record in found for m in record.get("messages") or ()]
        for message in messages:
            self.index(write_).put(message)
        self._subjects[conversation] = str(found[0].get("subject") or "") if found else None

    @property
    def _subjects(self) -> dict[str, str | None]:
        held: dict[str, str | None] = self.__dict__.setdefault("subjects", {})
        return held

    @override
    def again(self, writes: Sequence[PendingWrite]) -> None:
        for write_ in {write_.inside["conversationId"]: write_ for write_ in writes}.values():
            self._read(write_)

    @override
    def queue(self, write_: PendingWrite) -> str:
        return write_.inside["conversationId"]

    @override
    def in_turn(self, write_: PendingWrite, other: PendingWrite) -> bool:
        return write_.key == other.key

    @override
    def present(self, write_: PendingWrite) -> list[Record]:
        self.references.index("conversations").check("id", write_.inside["conversationId"])
        return super().present(write_)

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
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        conversation = write_.inside["conversationId"]
        message = {"externalId": (plan.record or {}).get("externalId"), **plan.body}
        body = {"subject": self._subjects.get(conversation) or "", "messages": [message]}
        self.send(write_, "PUT", f"/conversations/{segment(conversation)}", body)
        return self.kept(write_, {}, plan.body, plan.record)

    @override
    def path_of(self, write_: PendingWrite, record: Mapping[str, Any]) -> str:
        return f"/messages/{segment(str(record['id']))}"

    @override
    def wanted(self, parsed: ParsedRow) -> list[RecordRef]:
        return [n for p in parsed.people.values() for n in people_named(p, copy=parsed.copy)]


DOORS: Mapping[str, type[ResourceWriter]] = {
    "record": ResourceWriter,
    "user": UserWriter,
    "project": ProjectWriter,
    "custom_object": CustomObjectWriter,
    "conversation": ConversationWriter,
    "message": ConversationMessageWriter,
    "meeting": MeetingWriter,
    "transcript": TranscriptWriter,
}
