"""Customers, their people, and the team that looks after them."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import typing as th

from tap_vitally.children import DetailStream
from tap_vitally.client import VitallyStream
from tap_vitally.contexts import ACCOUNT_STATUS, Context, Page, Record
from tap_vitally.errors import Refused, TapFailure, Unreadable
from tap_vitally.fragments import (
    ACCOUNT_OWNER_ID,
    CREATED_AT,
    CUSTOMER,
    EXTERNAL_ID,
    FREE_FORM,
    ID,
    LAST_INBOUND_MESSAGE,
    LAST_OUTBOUND_MESSAGE,
    LAST_SEEN,
    OBJECTS,
    ORGANIZATION_ID,
    SEGMENTS,
    STRINGS,
    TRAITS,
    UPDATED_AT,
    key,
    record_schema,
)
from tap_vitally.replication import Resume, format_instant

if TYPE_CHECKING:
    from tap_vitally.api import Answer

FIRST_PAID_DATE = th.Property(
    "firstPaidDate",
    th.DateTimeType,
    description="When the customer first paid; null when not set, and not always sent.",
)
ACTIVITY = (
    th.Property(
        "firstSeenTimestamp",
        th.DateTimeType,
        description="First time activity was seen; null when never.",
    ),
    LAST_SEEN,
    LAST_INBOUND_MESSAGE,
    LAST_OUTBOUND_MESSAGE,
)


class AccountsStream(VitallyStream):
    """Customer accounts, churned ones included unless the setting account_status says otherwise.

    No property tells the status: an account has churned when `churnedAt` is set. An account
    that is deleted in Vitally leaves no trace in the API.

    API: GET /accounts
    """

    name = "accounts"
    path = "/accounts"
    variants = ACCOUNT_STATUS
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        EXTERNAL_ID,
        th.Property("name", th.StringType, description="Name of the account."),
        ORGANIZATION_ID,
        ACCOUNT_OWNER_ID,
        *CUSTOMER,
        *ACTIVITY,
        FIRST_PAID_DATE,
        TRAITS,
    )


class OrganizationsStream(VitallyStream):
    """Organizations, the groups of accounts; empty in workspaces that do not use them.

    API: GET /organizations
    """

    name = "organizations"
    path = "/organizations"
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        EXTERNAL_ID,
        th.Property("name", th.StringType, description="Name of the organization."),
        th.Property(
            "organizationOwnerId",
            th.StringType,
            description=(
                "Team member who owns the organization (admins.id); when null, look at"
                " accountOwnerId, the name some workspaces get instead."
            ),
        ),
        ACCOUNT_OWNER_ID,
        *CUSTOMER,
        th.Property("accountsCount", th.IntegerType, description="Number of accounts."),
        FIRST_PAID_DATE,
        *ACTIVITY,
        TRAITS,
    )


class UsersStream(VitallyStream):
    """The customers' people.

    Rows are large: each holds full copies of the user's accounts (see the setting
    embedded_objects). A deactivated user stays, with `deactivatedAt` set.

    API: GET /users
    """

    name = "users"
    path = "/users"
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        EXTERNAL_ID,
        th.Property("name", th.StringType, description="Full name of the person."),
        th.Property("email", th.StringType, description="E-mail address."),
        th.Property(
            "avatar",
            th.StringType,
            description="Picture, usually a URL, but any text is possible.",
        ),
        th.Property(
            "accounts",
            OBJECTS,
            description=(
                "Accounts of the user, without key roles; their ids are the link to accounts, but"
                " the copies age, so take facts on an account from accounts."
            ),
        ),
        th.Property(
            "accountIds",
            STRINGS,
            description="Ids of the user's accounts; documented, but rarely sent: see accounts.",
        ),
        th.Property(
            "organizations",
            OBJECTS,
            description="Organizations of the user (organizations.id); empty when none.",
        ),
        th.Property(
            "organizationIds",
            STRINGS,
            description=(
                "Ids of the user's organizations; documented, but rarely sent: see organizations."
            ),
        ),
        SEGMENTS,
        th.Property(
            "joinDate",
            th.DateTimeType,
            description="When the user joined; null when not known.",
        ),
        th.Property(
            "firstKnown",
            th.DateTimeType,
            description="When Vitally first heard of the user.",
        ),
        LAST_SEEN,
        LAST_INBOUND_MESSAGE,
        LAST_OUTBOUND_MESSAGE,
        th.Property(
            "npsLastScore",
            th.IntegerType,
            description="Latest NPS score given, 0 to 10; null when never answered.",
        ),
        th.Property(
            "npsLastFeedback",
            th.StringType,
            description="Comment that came with the latest NPS score.",
        ),
        th.Property(
            "npsLastRespondedAt",
            th.DateTimeType,
            description="When the user last answered an NPS survey; null when never.",
        ),
        th.Property(
            "unsubscribedFromConversations",
            th.BooleanType,
            description="Whether the user has unsubscribed from conversations.",
        ),
        th.Property(
            "unsubscribedFromConversationsAt",
            th.DateTimeType,
            description="When the user unsubscribed from conversations; null otherwise.",
        ),
        th.Property(
            "permanentlyBounced",
            th.BooleanType,
            description="Whether mail to the user bounces for good; null where not sent.",
        ),
        th.Property(
            "deactivatedAt",
            th.DateTimeType,
            description="When the user was deactivated; null while active.",
        ),
        TRAITS,
    )


class AdminsStream(VitallyStream):
    """Your own team members: owners, assignees, authors and key roles point here.

    The list is not documented by Vitally, so it may be refused; records carry no timestamps.

    API: GET /admins
    """

    name = "admins"
    path = "/admins"
    replication_key = None
    sortable = False
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        th.Property("name", th.StringType, description="Full name of the person."),
        th.Property("email", th.StringType, description="E-mail address."),
        th.Property(
            "licenseStatus",
            th.StringType,
            description="State of the seat: active, deactivated or auto-created so far.",
        ),
    )

    def rows(self, body: Any) -> list[Record]:
        """Find the people in an answer of any shape.

        Args:
            body: The answer.

        Returns:
            The rows.
        """
        return self.found(body)

    def _pages_or_failure(self, context: Context) -> Iterator[Page]:
        try:
            yield from super()._pages_or_failure(context)
        except Unreadable as failure:
            yield Page(context, failure=failure, ends=True)

    def _skip_or_raise(self, page: Page) -> bool:
        """Do without it, whatever it answers, as long as the key is good."""
        failure = cast("TapFailure", page.failure)
        if isinstance(failure, Refused) and failure.status == HTTPStatus.UNAUTHORIZED:
            raise failure
        self.skip(str(failure), page.context)
        return False


class AccountHealthScoresStream(DetailStream):
    """A dated snapshot of the health score breakdown of every account.

    Costs one request for each account in every run. A second run on the same day replaces that
    day's snapshot.

    API: GET /accounts/:id/healthScores
    """

    name = "account_health_scores"
    parent = AccountsStream
    parent_key = "accountId"
    path = "/accounts/{accountId}/healthScores"
    primary_keys: ClassVar[tuple[str, ...]] = ("accountId", "observedOn")
    replication_key = None
    selected_by_default = False
    schema: ClassVar[dict[str, Any]] = record_schema(
        key("accountId", "Account the breakdown is of (accounts.id)."),
        th.Property(
            "observedOn",
            th.DateType,
            required=True,
            description="Day on which the breakdown was read, in UTC by the server's clock.",
        ),
        th.Property(
            "observedAt",
            th.DateTimeType,
            description="Moment at which the breakdown was read, by the server's clock.",
        ),
        th.Property(
            "breakdown",
            FREE_FORM,
            description="The breakdown as the API sent it; its shape is not documented.",
        ),
    )

    def _usable(self, resume: Resume) -> bool:
        """Whether an interrupted walk took its snapshots today."""
        today = self.run.started_at.date()
        return (
            resume.parents_after is not None
            and resume.sort_by == self._order
            and resume.context == self._walked
            and resume.signpost.date() == today
        )

    def found(self, body: Any) -> list[Record]:
        """Accept an object, an array or an envelope: no source shows the shape.

        Args:
            body: The breakdown.

        Returns:
            It as one object, in a list; an empty list for an account without scores.
        """
        parts = super().found(body)
        if not parts:
            return []
        return [{"breakdown": body if parts == [body] else {"results": parts}}]

    def rows(self, body: Any) -> list[Record]:
        """Find the breakdown.

        Args:
            body: The decoded answer.

        Returns:
            It, in a list.
        """
        return self.found(body)

    def records_of(self, answer: Answer[list[Record]]) -> list[Record]:
        """Date the breakdown.

        Args:
            answer: The breakdown, with the server's clock.

        Returns:
            The record, in a list.
        """
        moment = format_instant(answer.date or self.run.clock())
        return [{"observedOn": moment[:10], "observedAt": moment, **row} for row in answer.data]
