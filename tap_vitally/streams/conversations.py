"""Conversations with customers, and the messages in them."""

from __future__ import annotations

from typing import Any

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.linked_ids import ids_of_kind
from tap_vitally.sync.resource import Record
from tap_vitally.sync.sources import read_detail
from vitally_api import Unreadable, rows_at, single
from vitally_api.values import identity_of

EXTERNAL_URL = f.text(
    "externalUrl", "Address of the record in the system it came from; rarely sent."
)


class ConversationsStream(VitallyStream):
    """Conversations, without their messages and without any link to an account or a user.

    The link is in messages, account_conversations and organization_conversations. Only a look-up
    fills accounts, users and admins.
    """

    name = "conversations"
    schema = f.record(
        *f.DATED,
        f.EXTERNAL_ID,
        EXTERNAL_URL,
        f.text("subject", "Subject line."),
        f.text("status", "Open or Closed; null or empty for mail and calendar sources."),
        f.text("rating", "Satisfied, Unsatisfied or Neutral; null when not rated."),
        f.SOURCE,
        *f.LINKED,
        f.objects("messages", "Its messages, which only a look-up brings; see messages."),
        f.TRAITS,
    )


def conversation_in(body: Any) -> Any:
    """Return the conversation in an answer, which may be in an envelope; else the answer as it is."""
    if not isinstance(body, dict) or body.keys() & {"id", "messages"}:
        return body
    found = single(body)
    return found[0] if len(found) == 1 else body


def _messages_in(body: Any) -> list[Record]:
    """Find the messages in a conversation, and tell each whose conversation it is part of."""
    body = conversation_in(body)
    if not isinstance(body, dict) or not (identity_of(body.get("id")) or "messages" in body):
        raise Unreadable("the answer is no conversation")
    links = {
        "conversationUpdatedAt": body.get("updatedAt"),
        "conversationAccountIds": ids_of_kind(body, "account"),
        "conversationUserIds": ids_of_kind(body, "user"),
        "conversationAdminIds": ids_of_kind(body, "admin"),
    }
    messages = rows_at(body, MESSAGES) if body.get("messages") else []
    return [{**row, **links} if isinstance(row, dict) else row for row in messages]


MESSAGES = "$.messages[*]"


class MessagesStream(VitallyStream):
    """Messages of the conversations that changed, with their HTML body.

    Costs one request for each conversation that changed since the last run.

    API: GET /conversations/:id
    """

    name = "messages"
    parent = ConversationsStream
    parent_key = "conversationId"
    only_changed = True
    paginated = False
    source = read_detail
    linked = conversation_in
    records_jsonpath = MESSAGES
    parse = _messages_in
    replication_key = "conversationUpdatedAt"
    selected_by_default = False
    schema = f.record(
        *f.DATED,
        f.EXTERNAL_ID,
        EXTERNAL_URL,
        f.text("conversationId", "Conversation the message is part of (conversations.id)."),
        f.moment(
            "conversationUpdatedAt", "When that conversation last changed, at the time of reading."
        ),
        f.texts("conversationAccountIds", "Accounts of the conversation (accounts.id)."),
        f.texts("conversationUserIds", "Users of the conversation (users.id)."),
        f.texts("conversationAdminIds", "Team members of the conversation (admins.id)."),
        f.text(
            "type",
            "inbound from a user or outbound from a team member; not reliable for Slack and "
            "Zapier threads, where all may be inbound.",
        ),
        f.text("message", "Body in HTML; may be very large."),
        f.moment("timestamp", "When the message was sent."),
        f.free_form("from", "Sender: type is user (users.id) or admin (admins.id), and id."),
        f.objects("to", "Recipients, each of the same form as from."),
        f.objects("cc", "Copied people, each of the same form as from."),
        f.objects("bcc", "Blind copied people, each of the same form as from."),
    )
