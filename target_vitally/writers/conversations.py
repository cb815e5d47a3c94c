"""Conversations and their messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from target_vitally.lookup.client import segment
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.planned_change import MOST_MESSAGES
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite, Undo
from target_vitally.writers.base import NEW, ResourceWriter


class ConversationWriter(ResourceWriter):
    """Writes conversations with their messages; an update sends the messages that differ."""

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        super().find(writes, more=more)
        self._read(writes)

    @override
    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        super().find_again(writes)
        self._read(writes)

    def _read(self, writes: Sequence[PendingWrite]) -> None:
        """Read conversations one by one for their messages, which the list does not have."""
        index = self.references.index(self.resource.name)
        keys = [w.key for w in writes if w.key and w.body.get("messages")]
        known = {id_ for key in keys for id_ in index.ids(key.by, key.value)}
        unread = [id_ for id_ in known if self.simulated.get(id_) is None]
        index.ask_each("id", unread, lambda id_: index.refresh("id", [id_]))

    @override
    def in_parts(self, write_: PendingWrite) -> bool:
        return len(write_.body.get("messages") or ()) > MOST_MESSAGES

    @override
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        first, *rest = _parts(plan)
        return self._add(write_, rest, super().create(write_, first))

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        return self._add(write_, _parts(plan), plan.record or {})

    def _add(self, write_: PendingWrite, parts: Sequence[Plan], now: Record) -> Record:
        for part in parts:
            now = super().update(write_, replace(part, record=now))
        return now

    @override
    def added_to(self, write_: PendingWrite, undo: Undo, record: Record) -> str:
        written = {str(message["externalId"]) for message in undo.written.get("messages") or ()}
        others = [m for m in record.get("messages") or () if str(m["id"]) not in undo.run.settled]
        return "messages" if any(str(m.get("externalId")) not in written for m in others) else ""


def _parts(plan: Plan) -> list[Plan]:
    """Split a plan into one for each request; the first has everything except the further messages."""
    messages = list(plan.body.get("messages") or ())
    rest = {"subject": plan.body.get("subject")}
    return [
        replace(
            plan, body={**(rest if at else plan.body), "messages": messages[at:][:MOST_MESSAGES]}
        )
        for at in range(0, len(messages) or 1, MOST_MESSAGES)
    ]


class ConversationMessageWriter(ResourceWriter):
    """Writes messages: each is created and updated through its conversation, and deleted by its id."""

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        first = {write_.inside["conversationId"]: write_ for write_ in reversed(writes)}
        unread = [id_ for id_ in first if self.simulated.get(id_) is None]
        conversations = self.references.index("conversations")
        conversations.ask_each("id", unread, lambda id_: self._read(first[id_]))

    def _read(self, write_: PendingWrite) -> list[Record]:
        conversation = write_.inside["conversationId"]
        if conversation.startswith(NEW):
            return []
        found = self.references.index("conversations").refresh("id", [conversation], write_)
        messages = [m for record in found for m in record.get("messages") or ()]
        for message in messages:
            self.index(write_).put(message)
        return messages

    @override
    def read_by(self, write_: PendingWrite, by: str, value: str) -> list[Record]:
        conversations = self.references.index("conversations")
        id_ = write_.inside["conversationId"]
        found = conversations.answer("id", id_, lambda: self._read(write_))
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
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        conversation = write_.inside["conversationId"]
        message = {"externalId": (plan.record or {}).get("externalId"), **plan.body}
        found = self.references.index("conversations").get("id", conversation)
        subject = str(found[0].get("subject") or "") if found else ""
        body = {"subject": subject, "messages": [message]}
        self.send(write_, "PUT", f"/conversations/{segment(conversation)}", body)
        return self.keep(write_, {}, plan.body, plan.record)

    @override
    def path_of(self, write_: PendingWrite, record: Record) -> str:
        return f"/messages/{segment(str(record['id']))}"
