"""Organizations, accounts and users (API notes on writing, 3.1 to 3.3)."""

from __future__ import annotations

from target_vitally.mapping.resource import Property, Resource
from target_vitally.resources.parts import COUNTS, EXTERNAL_ID, STAMPS, kept, names, organization
from vitally_api.resources import LISTS

ORGANIZATIONS = Resource(
    name="organizations",
    api=LISTS["organizations"],
    rank=0,
    upserts=True,
    message="organization",
    properties=(EXTERNAL_ID, Property("name", needed=True)),
    model="organizations",
    read_only=STAMPS | COUNTS | {"accountOwnerId", "accountsCount", "organizationOwnerId"},
)

ACCOUNTS = Resource(
    name="accounts",
    api=LISTS["accounts"],
    rank=1,
    message="account",
    properties=(EXTERNAL_ID, Property("name", needed=True), organization()),
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
        Property("name"),
        Property("email", "email"),
        Property("avatar"),
        kept("unsubscribedFromConversations", "boolean"),
        Property("joinDate", "instant"),
        *(
            kept(
                f"{one}Ids",
                "ids",
                displayed=f"{one}s",
                of=f"{one}s",
                lookups=dict.fromkeys((f"{one}ExternalIds", f"{one}ExternalId"), "externalId"),
                embedded=f"{one}s",
            )
            for one in ("account", "organization")
        ),
    ),
    keys=("id", "externalId", "email"),
    one_of=(("accountIds", "organizationIds"),),
    model="users",
    read_only=STAMPS
    | names(
        """
        deactivatedAt firstKnown lastInboundMessageTimestamp lastOutboundMessageTimestamp
        lastSeenTimestamp npsLastFeedback npsLastRespondedAt npsLastScore permanentlyBounced segments
        unsubscribedFromConversationsAt
        """
    ),
)
