"""Conversations and their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from target_vitally.lookup.client import RecordClient, segment
from target_vitally.lookup.people import MESSAGE_PEOPLE, people_in_messages, people_named
from target_vitally.lookup.references import References
from target_vitally.mapping.compare import Changes
from target_vitally.mapping.parse_row import ParsedRow, RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.planned_change import MOST_MESSAGES
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from target_vitally.mapping.undo import Undo
from target_vitally.mapping.values import same
from target_vitally.writers.base import NEW, ResourceWriter
from vitally_api.values import same_json


class ConversationWriter(ResourceWriter):
    """Conversations: a read brings their messages, and an update takes those that differ."""

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        super().find(writes, more=more)
        self._read(writes)

    @override
    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        super().find_again(writes)
        self._read(writes)

    @override
    def in_parts(self, write_: PendingWrite) -> bool:
        return len(write_.body.get("messages") or ()) > MOST_MESSAGES

    def _read(self, writes: Sequence[PendingWrite]) -> None:
        """Read the messages of conversations, which the list leaves out."""
        index = self.references.index(self.resource.name)
        keys = [w.key for w in writes if w.key and w.body.get("messages")]
        known = {id_ for key in keys for id_ in index.ids(key.by, key.value)}

        def read(id_: str) -> None:
            path = f"/conversations/{segment(id_)}"
            for record in self.client.records(path, f"{self.label}/..."):
                index.put(record)

        since = self.client.metrics.reads

        def attempt(id_: str) -> None:
            index.attempt("id", id_, lambda: read(id_), since)

        self.references.map_concurrently(
            attempt, [i for i in known if self.simulated.get(i) is None]
        )

    @override
    def compare(
        self, write_: PendingWrite, body: Record, traits: Record, record: Record
    ) -> Changes:
        found = super().compare(write_, _without_messages(body), traits, record)
        held = {str(m.get("externalId")): m for m in record.get("messages") or ()}
        new = [m for m in body.get("messages") or () if not _says(held.get(m["externalId"], {}), m)]
        if new:
            found["messages"] = (len(held), new)
        return found

    @override
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        messages = list(plan.body.get("messages") or ())
        first = replace(plan, body={**plan.body, "messages": messages[:MOST_MESSAGES]})
        return self._rest(write_, plan, super().create(write_, first), messages[MOST_MESSAGES:])

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        messages = list((plan.changes.get("messages") or (0, ()))[1] or ())
        if "messages" not in plan.changes:
            messages = list(plan.body.get("messages") or ())
        first = replace(plan, body={**plan.body, "messages": messages[:MOST_MESSAGES]})
        now = super().update(write_, first)
        return self._rest(write_, plan, now, messages[MOST_MESSAGES:])

    def _rest(self, write_: PendingWrite, plan: Plan, now: Record, messages: list[Any]) -> Record:
        while messages:
            body = {"subject": plan.body.get("subject"), "messages": messages[:MOST_MESSAGES]}
            now = super().update(write_, Plan("updated", body=body, record=now))
            messages = messages[MOST_MESSAGES:]
        return now

    @override
    def displayed(self, sent: Record, before: Record) -> Record:
        messages = [*(before.get("messages") or ()), *(sent.get("messages") or ())]
        merged = {str(message.get("externalId")): message for message in messages}
        return {**super().displayed(sent, before), "messages": list(merged.values())}

    @override
    def not_applied(self, write_: PendingWrite, plan: Plan, now: Record) -> list[str]:
        sent = replace(plan, body=_without_messages(plan.body))
        return super().not_applied(write_, sent, now)

    @override
    def added_to(self, write_: PendingWrite, undo: Undo, record: Record) -> str:
        written = {str(message["externalId"]) for message in undo.written.get("messages") or ()}
        others = [m for m in record.get("messages") or () if str(m["id"]) not in undo.run.settled]
        return "messages" if any(str(m.get("externalId")) not in written for m in others) else ""

    @override
    def refs(self, parsed: ParsedRow) -> list[RecordRef]:
        return people_named(people_in_messages(parsed), copy=parsed.copy)


def _without_messages(body: Record) -> Record:
    return {name: value for name, value in body.items() if name != "messages"}


def _says(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a message already is what a row says."""
    for name, value in wanted.items():
        there = present.get(name)
        if name == "message":
            alike = same("html", value, there)
        elif name in MESSAGE_PEOPLE:
            alike = _ids(value) == _ids(there)
        else:
            alike = same_json(value, there)
        if not alike:
            return False
    return True


def _ids(value: Any) -> set[str]:
    people = value if isinstance(value, list) else [value]
    return {str(person.get("id")) for person in people if isinstance(person, dict)}


class ConversationMessageWriter(ResourceWriter):
    """Messages: created inside their conversation, updated through it, deleted by themselves."""

    def __init__(self, resource: Resource, references: References, client: RecordClient) -> None:
        super().__init__(resource, references, client)
        self._subjects: dict[str, str | None] = {}

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        first = {write_.inside["conversationId"]: write_ for write_ in reversed(writes)}
        conversations = self.references.index("conversations")
        since = self.client.metrics.reads

        def attempt(id_: str) -> None:
            conversations.attempt("id", id_, lambda: self._read(first[id_]), since)

        self.references.map_concurrently(
            attempt, [i for i in first if self.simulated.get(i) is None]
        )

    def _read(self, write_: PendingWrite) -> list[Record]:
        conversation = write_.inside["conversationId"]
        if conversation.startswith(NEW):
            return []
        path = f"/conversations/{segment(conversation)}"
        found = self.client.records(path, "/resources/conversations/...", None, write_)
        messages = [m for record in found for m in record.get("messages") or ()]
        for message in messages:
            self.index(write_).put(message)
        self._subjects[conversation] = str(found[0].get("subject") or "") if found else None
        return messages

    @override
    def read_by(self, write_: PendingWrite, by: str, value: str) -> list[Record]:
        found: list[Record] = []
        conversation = write_.inside["conversationId"]
        index = self.references.index("conversations")
        since = self.client.metrics.reads

        def ask() -> None:
            found.extend(self._read(write_))

        index.attempt("id", conversation, ask, since)
        index.check("id", conversation)
        return [message for message in found if str(message.get(by)) == value]

    @override
    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        for write_ in {write_.inside["conversationId"]: write_ for write_ in writes}.values():
            self._read(write_)

    @override
    def queue(self, write_: PendingWrite) -> str:
        return write_.inside["conversationId"]

    @override
    def blocks(self, lost: PendingWrite, then: PendingWrite) -> bool:
        return lost.key == then.key

    @override
    def present(self, write_: PendingWrite) -> list[Record]:
        self.references.index("conversations").check("id", write_.inside["conversationId"])
        return super().present(write_)

    @override
    def compare(
        self, write_: PendingWrite, body: Record, traits: Record, record: Record
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
        return self.keep(write_, {}, plan.body, plan.record)

    @override
    def path_of(self, write_: PendingWrite, record: Record) -> str:
        return f"/messages/{segment(str(record['id']))}"

    @override
    def refs(self, parsed: ParsedRow) -> list[RecordRef]:
        return [ref for p in parsed.people.values() for ref in people_named(p, copy=parsed.copy)]
