"""Customers, their people, and the team that looks after them."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.answers import breakdown_in
from tap_vitally.sync.sources import read_detail
from vitally_api import single


class AccountsStream(VitallyStream):
    """Customer accounts, churned ones included unless the setting account_status says otherwise.

    No property tells the status: an account has churned when `churnedAt` is set. An account
    that is deleted in Vitally leaves no trace in the API.

    API: GET /accounts
    """

    name = "accounts"
    changes_unseen = True
    schema = f.record("accounts")


class OrganizationsStream(VitallyStream):
    """Organizations, the groups of accounts; empty in workspaces that do not use them.

    API: GET /organizations
    """

    name = "organizations"
    changes_unseen = True
    schema = f.record("organizations")


class AdminsStream(VitallyStream):
    """Your own team members: owners, assignees, authors and key roles point here.

    The list is not documented by Vitally, so it may be refused; records carry no timestamps.

    API: GET /admins
    """

    name = "admins"
    optional = True
    parse = single
    replication_key = None
    schema = f.record("admins")


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
    schema = f.record("account_health_scores")
