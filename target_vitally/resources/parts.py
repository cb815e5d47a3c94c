"""Properties and references that several resources have."""

from __future__ import annotations

from functools import partial
from typing import Any

from target_vitally.mapping.resource import Property


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


STAMPS = frozenset({"createdAt", "updatedAt"})
COUNTS = names(
    """
    accountExecutiveId churnedAt csmId firstPaidDate firstSeenTimestamp healthScore keyRoles
    lastInboundMessageTimestamp lastOutboundMessageTimestamp lastSeenTimestamp mrr nextRenewalDate
    npsDetractorCount npsPassiveCount npsPromoterCount npsScore segments trialEndDate usersCount
    """
)
"""Properties that Vitally computes, or that can only be edited in its app."""
PARENTS = ("accountId", "organizationId")

EXTERNAL_ID = Property("externalId", needed=True, fixed=True, clears=False)
OWN_ID = Property("externalId", fixed=True, clears=False)
"""An external id that a record need not have."""


def account(name: str = "accountId", embedded: str = "account", **more: Any) -> Property:
    """Declare a link to an account."""
    lookups = {"accountExternalId": "externalId"}
    return Property(name, of="accounts", lookups=lookups, embedded=embedded, **more)


def organization(embedded: str = "organization", **more: Any) -> Property:
    """Declare a link to an organization."""
    lookups = {"organizationExternalId": "externalId"}
    return Property(
        "organizationId", of="organizations", lookups=lookups, embedded=embedded, **more
    )


def admin(name: str, column: str, embedded: str = "") -> Property:
    """Declare a link to a user of the Vitally app; ``column`` holds the e-mail."""
    return Property(name, of="admins", lookups={column: "email"}, embedded=embedded)


def named(name: str, column: str, of: str, embedded: str = "", **more: Any) -> Property:
    """Declare a link to a record that is looked up by its name, in ``column``."""
    return Property(name, of=of, lookups={column: "name"}, embedded=embedded, **more)


def inside(name: str, of: str, column: str, by: str = "externalId") -> Property:
    """Declare a reference whose id is part of the resource's address."""
    return Property(name, of=of, lookups={column: by}, in_path=True)


kept = partial(Property, clears=False)
"""A property that a null does not empty."""
TAGS = kept("tags", "tags", always=True)
"""Tags: an update without them removes them all."""
