"""Baseline: the same streams as a tap that does what the Singer SDK offers, and nothing more.

Child streams are the SDK's own, and the paginator, the writer, the conformance of records and the
retries are its defaults. The schemas are those of the tap's own catalog, as files, so that both
write the same columns.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import requests.auth
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import JSONPathPaginator
from singer_sdk.schema.source import SchemaDirectory, StreamSchema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Auth, Context

SCHEMAS = SchemaDirectory(os.environ["BENCHMARK_SCHEMAS"])


class PlainStream(RESTStream[str]):
    """A list of the API."""

    records_jsonpath = "$.results[*]"
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    replication_key = "updatedAt"
    schema = StreamSchema(SCHEMAS)
    sort_by: ClassVar[str | None] = "createdAt"
    archives: ClassVar[bool] = False
    """A list that is asked for twice: for what is archived and for what is not."""

    @property
    def partitions(self) -> list[dict[str, Any]] | None:
        """The variants of the list."""
        if not self.archives:
            return super().partitions
        wanted = ("false", "true") if self.config["include_archived"] else ("false",)
        return [{"archived": archived} for archived in wanted]

    @property
    def url_base(self) -> str:
        """The address below which all paths are."""
        return f"{self.config['api_url']}/resources"

    @property
    def authenticator(self) -> Auth:
        """Basic authentication with the key as user."""
        return requests.auth.HTTPBasicAuth(self.config["api_key"], "")

    def get_new_paginator(self) -> JSONPathPaginator:
        """Follow the cursor in the body."""
        return JSONPathPaginator("$.next")

    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        """Ask for a page."""
        params = {"limit": "100", "sortBy": self.sort_by, "from": next_page_token}
        return params | {k: v for k, v in (context or {}).items() if k in {"archived", "target"}}


class AccountsStream(PlainStream):
    """Accounts, with their children."""

    name = "accounts"
    path = "/accounts"

    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        """Ask for churned accounts too."""
        return super().get_url_params(context, next_page_token) | {"status": "activeOrChurned"}

    def get_child_context(self, record: dict[str, Any], context: Context | None) -> Context:  # noqa: ARG002
        """Tell children their parent."""
        return {"parentAccountId": record["id"]}


class OrganizationsStream(PlainStream):
    """Organizations."""

    name = "organizations"
    path = "/organizations"


class UsersStream(PlainStream):
    """Users."""

    name = "users"
    path = "/users"


class ConversationsStream(PlainStream):
    """Conversations, with their children."""

    name = "conversations"
    path = "/conversations"

    def get_child_context(self, record: dict[str, Any], context: Context | None) -> Context:  # noqa: ARG002
        """Tell children their parent."""
        return {"conversationId": record["id"], "conversationUpdatedAt": record["updatedAt"]}


class NotesStream(PlainStream):
    """Notes."""

    name = "notes"
    path = "/notes"
    archives = True
    state_partitioning_keys: ClassVar[list[str]] = []


class TasksStream(PlainStream):
    """Tasks."""

    name = "tasks"
    path = "/tasks"
    archives = True
    state_partitioning_keys: ClassVar[list[str]] = []


class ProjectsStream(PlainStream):
    """Projects."""

    name = "projects"
    path = "/projects"
    archives = True
    state_partitioning_keys: ClassVar[list[str]] = []


class MeetingsStream(PlainStream):
    """Meetings."""

    name = "meetings"
    path = "/meetings"
    archives = True
    state_partitioning_keys: ClassVar[list[str]] = []


class NpsResponsesStream(PlainStream):
    """NPS responses, about accounts and about organizations."""

    name = "nps_responses"
    path = "/npsResponses"
    partitions: ClassVar[list[dict[str, str]]] = [
        {"target": "accounts"},
        {"target": "organization"},
    ]
    state_partitioning_keys: ClassVar[list[str]] = []


class AccountNotesStream(PlainStream):
    """The notes of each account that are not archived: children of the SDK have no variants."""

    name = "account_notes"
    path = "/accounts/{parentAccountId}/notes"
    primary_keys: ClassVar[tuple[str, ...]] = ("parentAccountId", "id")
    parent_stream_type = AccountsStream
    ignore_parent_replication_key = True

    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        """Leave out what is archived."""
        return super().get_url_params(context, next_page_token) | {"archived": "false"}


class MessagesStream(PlainStream):
    """The messages of each conversation."""

    name = "messages"
    path = "/conversations/{conversationId}"
    records_jsonpath = "$.messages[*]"
    replication_key = "conversationUpdatedAt"
    parent_stream_type = ConversationsStream
    ignore_parent_replication_key = True
    state_partitioning_keys: ClassVar[list[str]] = []

    def get_new_paginator(self) -> None:  # type: ignore[override]
        """Ask once per conversation."""

    def get_url_params(
        self,
        context: Context | None,  # noqa: ARG002
        next_page_token: str | None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Ask for the whole conversation."""
        return {}

    def post_process(self, row: dict[str, Any], context: Context | None) -> dict[str, Any]:  # type: ignore[override]
        """Say what the row belongs to: state is not kept per conversation, which would do it."""
        return row | dict(context or {})


class TapPlain(Tap):
    """A tap of the SDK as it comes."""

    name = "tap-plain"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("api_key", th.StringType, required=True, secret=True),
        th.Property("api_url", th.StringType, required=True),
        th.Property("include_archived", th.BooleanType, default=True),
    ).to_dict()

    def discover_streams(self) -> Sequence[PlainStream]:
        """Build the streams."""
        return [
            stream(tap=self)
            for stream in (
                AccountsStream,
                OrganizationsStream,
                UsersStream,
                ConversationsStream,
                NotesStream,
                TasksStream,
                ProjectsStream,
                NpsResponsesStream,
                MeetingsStream,
                AccountNotesStream,
                MessagesStream,
            )
        ]


if __name__ == "__main__":
    TapPlain.cli()
