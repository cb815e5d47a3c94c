"""Organizations, accounts and users (API notes on writing, 3.1 to 3.3)."""

from __future__ import annotations

from target_vitally.planning.resource import Reference, Resource, Way
from target_vitally.resources.parts import (
    BY_EITHER,
    COUNTS,
    EXTERNAL_ID,
    STAMPS,
    organization,
    prop,
)

ORGANIZATIONS = Resource(
    name="organizations",
    path="organizations",
    rank=0,
    properties=(EXTERNAL_ID, prop("name", needed=True)),
    single=BY_EITHER,
    model="organizations",
    read_only=STAMPS | COUNTS | {"accountOwnerId", "accountsCount", "organizationOwnerId"},
)

ACCOUNTS = Resource(
    name="accounts",
    path="accounts",
    rank=1,
    properties=(EXTERNAL_ID, prop("name", needed=True), prop("organizationId")),
    references=(organization(),),
    single=BY_EITHER,
    model="accounts",
    # Its owner can only be taken away by the API: whoever means that does it in the app.
    read_only=STAMPS | COUNTS | {"accountOwnerId"},
)

USERS = Resource(
    name="users",
    path="users",
    rank=2,
    properties=(
        EXTERNAL_ID,
        prop("name"),
        prop("email"),
        prop("avatar"),
        prop("unsubscribedFromConversations", "boolean", clears=False),
        prop("joinDate", "instant"),
        prop("accountIds", "ids", clears=False, shown="accounts"),
        prop("organizationIds", "ids", clears=False, shown="organizations"),
    ),
    references=(
        Reference(
            "accountIds",
            "accounts",
            (
                Way("accountExternalIds", "accounts", "externalId"),
                Way("accountExternalId", "accounts", "externalId"),
            ),
            "accounts",
            many=True,
        ),
        Reference(
            "organizationIds",
            "organizations",
            (
                Way("organizationExternalIds", "organizations", "externalId"),
                Way("organizationExternalId", "organizations", "externalId"),
            ),
            "organizations",
            many=True,
        ),
    ),
    keys=("id", "externalId", "email"),
    door="user",
    single={"id": "path", "externalId": "path", "email": "search"},
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
