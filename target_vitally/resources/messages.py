"""What the Analytics API alone takes: events, and links of users to accounts (API notes on writing, 4)."""

from __future__ import annotations

from target_vitally.mapping.resource import Property, Resource
from target_vitally.resources.parts import inside
from vitally_api.resources import ApiList

EVENTS = Resource(
    name="events",
    api=ApiList("/analytics/v1/track"),
    rank=6,
    properties=(
        Property("event", needed=True),
        Property("timestamp", "instant", needed=True),
        Property("userExternalId"),
        Property("accountExternalId"),
        Property("organizationExternalId"),
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
    properties=(
        inside("userId", "users", "userExternalId"),
        inside("accountId", "accounts", "accountExternalId"),
    ),
    key=None,
    keys=(),
    key_needed=False,
    message="user",
    only_message=True,
)
