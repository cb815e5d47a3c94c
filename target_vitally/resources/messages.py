"""What the Analytics API alone takes: events, and links of users to accounts (API notes on writing, 4)."""

from __future__ import annotations

from dataclasses import replace

from target_vitally.mapping.resource import LookupColumn, Reference, Resource
from target_vitally.resources.parts import account, prop
from vitally_api.resources import ApiList

EVENTS = Resource(
    name="events",
    api=ApiList("/analytics/v1/track"),
    rank=6,
    properties=(
        prop("event", needed=True),
        prop("timestamp", "instant", needed=True),
        prop("userExternalId"),
        prop("accountExternalId"),
        prop("organizationExternalId"),
    ),
    key=None,
    keys=(),
    one_of=(("userExternalId", "accountExternalId", "organizationExternalId"),),
    model="events",
    message="track",
    only_message=True,
)

USER_ACCOUNTS = Resource(
    name="user_accounts",
    api=ApiList("/users/{userId}/accounts/{accountId}"),
    rank=3,
    properties=(),
    references=(
        Reference(
            "userId",
            "users",
            (LookupColumn("userExternalId", "users", "externalId"),),
            in_path=True,
        ),
        replace(account(), embedded="", in_path=True),
    ),
    key=None,
    keys=(),
    key_needed=False,
    message="user",
    only_message=True,
)
