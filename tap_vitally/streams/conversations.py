"""Conversations with customers, and the messages in them."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import typing as th

from tap_vitally.children import DetailStream
from tap_vitally.client import VitallyStream
from tap_vitally.contexts import Record
from tap_vitally.errors import Unreadable
from tap_vitally.fragments import (
    CREATED_AT,
    EXTERNAL_ID,
    FREE_FORM,
    ID,
    OBJECTS,
    SOURCE,
    STRINGS,
    TRAITS,
    UPDATED_AT,
    record_schema,
)

EXTERNAL_URL = th.Property(
    "externalUrl",
    th.StringType,
    description="Address of the record in the system it came from; rarely sent.",
)


class ConversationsStream(VitallyStream):
    """Conversations, without their messages and without any link to an account or a user.

    The link is in messages, account_conversations and organization_conversations.

    API: GET /conversations
    """

    name = "conversations"
    path = "/conversations"
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        EXTERNAL_ID,
        EXTERNAL_URL,
        th.Property("subject", th.StringType, description="Subject line."),
        th.Property(
            "status",
            th.StringType,
            description="Open or Closed; null or empty for mail and calendar sources.",
        ),
        th.Property(
            "rating",
            th.StringType,
            description="Satisfied, Unsatisfied or Neutral; null when not rated.",
        ),
        SOURCE,
        TRAITS,
    )

    def shape(self, row: Record) -> Record:
        """Leave out what only a single conversation carries: it has a stream of its own.

        Args:
            row: A conversation.

        Returns:
            The record.
        """
        for name in ("messages", "accounts", "users", "admins"):
            row.pop(name, None)
        return super().shape(row)


class MessagesStream(DetailStream):
    """Messages of the conversations that changed, with their HTML body.

    Costs one request for each conversation that changed since the last run.

    API: GET /conversations/:id
    """

    name = "messages"
    parent = ConversationsStream
    parent_key = "conversationId"
    changed_only = True
    path = "/conversations/{conversationId}"
    records_jsonpath = "$.messages[*]"
    replication_key = "conversationUpdatedAt"
    selected_by_default = False
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        EXTERNAL_ID,
        EXTERNAL_URL,
        th.Property(
            "conversationId",
            th.StringType,
            description="Conversation the message is part of (conversations.id).",
        ),
        th.Property(
            "conversationUpdatedAt",
            th.DateTimeType,
            description="When that conversation last changed, at the time of reading.",
        ),
        th.Property(
            "conversationAccountIds",
            STRINGS,
            description="Accounts of the conversation (accounts.id).",
        ),
        th.Property(
            "conversationUserIds",
            STRINGS,
            description="Users of the conversation (users.id).",
        ),
        th.Property(
            "conversationAdminIds",
            STRINGS,
            description="Team members of the conversation (admins.id).",
        ),
        th.Property(
            "type",
            th.StringType,
            description=(
                "inbound from a user or outbound from a team member; not reliable for Slack and"
                " Zapier threads, where all may be inbound."
            ),
        ),
        th.Property("message", th.StringType, description="Body in HTML; may be very large."),
        th.Property("timestamp", th.DateTimeType, description="When the message was sent."),
        th.Property(
            "from",
            FREE_FORM,
            description="Sender: type is user (users.id) or admin (admins.id), and id.",
        ),
        th.Property("to", OBJECTS, description="Recipients, each of the same form as from."),
        th.Property("cc", OBJECTS, description="Copied people, each of the same form as from."),
        th.Property(
            "bcc",
            OBJECTS,
            description="Blind copied people, each of the same form as from.",
        ),
    )

    def rows(self, body: Any) -> list[Record]:
        """Find the messages in a conversation, and tell each whose conversation it is part of.

        Args:
            body: The conversation.

        Returns:
            Its messages.

        Raises:
            Unreadable: If it is no conversation.
        """
        if not isinstance(body, dict) or not body.get("id"):
            msg = "the answer is no conversation"
            raise Unreadable(msg)
        links = {
            "conversationUpdatedAt": body.get("updatedAt"),
            "conversationAccountIds": _ids(body.get("accounts")),
            "conversationUserIds": _ids(body.get("users")),
            "conversationAdminIds": _ids(body.get("admins")),
        }
        messages = super().rows(body) if body.get("messages") else []
        return [{**message, **links} for message in messages]


def _ids(records: Any) -> list[str]:
    found = records if isinstance(records, list) else []
    return [record["id"] for record in found if isinstance(record, dict) and record.get("id")]
