"""Customers, their people, and the team that looks after them."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.lookups import breakdown_in
from tap_vitally.sync.sources import read_detail
from vitally_api import single

FIRST_PAID_DATE = f.moment(
    "firstPaidDate", "When the customer first paid; null when not set, and not always sent."
)
ACTIVITY = (
    f.moment("firstSeenTimestamp", "First time activity was seen; null when never."),
    *f.LAST,
)


class AccountsStream(VitallyStream):
    """Customer accounts, churned ones included unless the setting account_status says otherwise.

    No property tells the status: an account has churned when `churnedAt` is set. An account
    that is deleted in Vitally leaves no trace in the API.
    """

    name = "accounts"
    changes_unseen = True
    schema = f.record(
        *f.DATED,
        f.EXTERNAL_ID,
        f.text("name", "Name of the account."),
        f.ORGANIZATION_ID,
        f.ACCOUNT_OWNER_ID,
        *f.CUSTOMER,
        *ACTIVITY,
        FIRST_PAID_DATE,
        f.TRAITS,
    )


class OrganizationsStream(VitallyStream):
    """Organizations, the groups of accounts; empty in workspaces that do not use them."""

    name = "organizations"
    changes_unseen = True
    schema = f.record(
        *f.DATED,
        f.EXTERNAL_ID,
        f.text("name", "Name of the organization."),
        f.text(
            "organizationOwnerId",
            "Team member who owns the organization (admins.id); when null, look at "
            "accountOwnerId, the name some workspaces get instead.",
        ),
        f.ACCOUNT_OWNER_ID,
        *f.CUSTOMER,
        f.integer("accountsCount", "Number of accounts."),
        FIRST_PAID_DATE,
        *ACTIVITY,
        f.TRAITS,
    )


class UsersStream(VitallyStream):
    """The customers' people.

    Rows are large: each holds full copies of the user's accounts (see the setting
    embedded_objects). A deactivated user stays, with `deactivatedAt` set.
    """

    name = "users"
    schema = f.record(
        *f.DATED,
        f.EXTERNAL_ID,
        f.text("name", "Full name of the person."),
        f.text("email", "E-mail address."),
        f.text("avatar", "Picture, usually a URL, but any text is possible."),
        f.objects(
            "accounts",
            "Accounts of the user, without key roles; their ids are the link to accounts, but the"
            " copies age, so take facts on an account from accounts.",
        ),
        f.texts(
            "accountIds",
            "Ids of the user's accounts (accounts.id); filled from accounts where not sent.",
        ),
        f.objects(
            "organizations", "Organizations of the user (organizations.id); empty when none."
        ),
        f.texts(
            "organizationIds",
            "Ids of the user's organizations (organizations.id); filled from organizations where not sent.",
        ),
        f.SEGMENTS,
        f.moment("joinDate", "When the user joined; null when not known."),
        f.moment("firstKnown", "When Vitally first heard of the user."),
        *f.LAST,
        f.integer("npsLastScore", "Latest NPS score given, 0 to 10; null when never answered."),
        f.text("npsLastFeedback", "Comment that came with the latest NPS score."),
        f.moment(
            "npsLastRespondedAt", "When the user last answered an NPS survey; null when never."
        ),
        f.flag(
            "unsubscribedFromConversations", "Whether the user has unsubscribed from conversations."
        ),
        f.moment(
            "unsubscribedFromConversationsAt",
            "When the user unsubscribed from conversations; null otherwise.",
        ),
        f.flag(
            "permanentlyBounced", "Whether mail to the user bounces for good; null where not sent."
        ),
        f.moment("deactivatedAt", "When the user was deactivated; null while active."),
        f.TRAITS,
    )


class AdminsStream(VitallyStream):
    """Your own team members: owners, assignees, authors and key roles point here.

    The list is not documented by Vitally, so it may be refused; records carry no timestamps.
    """

    name = "admins"
    optional = True
    parse = single
    replication_key = None
    schema = f.record(
        f.ID,
        f.text("name", "Full name of the person."),
        f.text("email", "E-mail address."),
        f.text("licenseStatus", "State of the seat: active, deactivated or auto-created so far."),
    )


class AccountHealthScoresStream(VitallyStream):
    """A dated snapshot of the health score breakdown of every account.

    Costs one request for each account in every run. A second run on the same day replaces that
    day's snapshot.

    API: GET /accounts/:id/healthScores
    """

    name = "account_health_scores"
    parent = AccountsStream
    parent_key = "accountId"
    paginated = False
    parse = breakdown_in
    source = read_detail
    snapshot = True
    primary_keys = ("accountId", "observedOn")
    replication_key = None
    selected_by_default = False
    schema = f.record(
        f.key("accountId", "Account the breakdown is of (accounts.id)."),
        f.day(
            "observedOn",
            "Day on which the breakdown was read, in UTC by the server's clock.",
            required=True,
        ),
        f.moment("observedAt", "Moment at which the breakdown was read, by the server's clock."),
        f.free_form("breakdown", "The breakdown as the API sent it; its shape is not documented."),
    )
