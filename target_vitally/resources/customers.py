"""Organizations, accounts and users (API notes on writing, 3.1 to 3.3)."""

from __future__ import annotations

from target_vitally.mapping.resource import LookupColumn, Reference, Resource
from target_vitally.resources.parts import (
    COUNTS,
    EXTERNAL_ID,
    STAMPS,
    organization,
    prop,
)
from vitally_api.resources import LISTS

ORGANIZATIONS = Resource(
    name="organizations",
    api=LISTS["organizations"],
    rank=0,
    upserts=True,
    message="organization",
    properties=(EXTERNAL_ID, prop("name", needed=True)),
    model="organizations",
    read_only=STAMPS | COUNTS | {"accountOwnerId", "accountsCount", "organizationOwnerId"},
)

ACCOUNTS = Resource(
    name="accounts",
    api=LISTS["accounts"],
    rank=1,
    message="account",
    properties=(EXTERNAL_ID, prop("name", needed=True), prop("organizationId")),
    references=(organization(),),
    model="accounts",
    # Its owner can only be taken away by the API: whoever means that does it in the app.
    read_only=STAMPS | COUNTS | {"accountOwnerId"},
)

USERS = Resource(
    name="users",
    api=LISTS["users"],
    rank=2,
    message="user",
    properties=(
        EXTERNAL_ID,
        prop("name"),
        prop("email", "email"),
        prop("avatar"),
        prop("unsubscribedFromConversations", "boolean", clears=False),
        prop("joinDate", "instant"),
        prop("accountIds", "ids", clears=False, displayed="accounts"),
        prop("organizationIds", "ids", clears=False, displayed="organizations"),
    ),
    references=(
        Reference(
            "accountIds",
            "accounts",
            (
                LookupColumn("accountExternalIds", "accounts", "externalId", many=True),
                LookupColumn("accountExternalId", "accounts", "externalId"),
            ),
            "accounts",
            many=True,
        ),
        Reference(
            "organizationIds",
            "organizations",
            (
                LookupColumn("organizationExternalIds", "organizations", "externalId", many=True),
                LookupColumn("organizationExternalId", "organizations", "externalId"),
            ),
            "organizations",
            many=True,
        ),
    ),
    keys=("id", "externalId", "email"),
    one_of=(("accountIds", "organizationIds"),),
    model="users",
    read_only=STAMPS
    | {
        "deactivatedAt",
        "firstKnown",
        "lastInboundMessageTimestamp",
        "lastOutboundMessageTimestamp",
        "lastSeenTimestamp",
        "npsLastFeedback",
        "npsLastRespondedAt",
        "npsLastScore",
        "permanentlyBounced",
        "segments",
        "unsubscribedFromConversationsAt",
    },
)
