"""What several resources have in common."""

from __future__ import annotations

from typing import Any

from target_vitally.mapping.resource import Kind, LookupColumn, Property, Reference

STAMPS = frozenset({"createdAt", "updatedAt"})
COUNTS = frozenset(
    {
        "accountExecutiveId",
        "churnedAt",
        "csmId",
        "firstPaidDate",
        "firstSeenTimestamp",
        "healthScore",
        "keyRoles",
        "lastInboundMessageTimestamp",
        "lastOutboundMessageTimestamp",
        "lastSeenTimestamp",
        "mrr",
        "nextRenewalDate",
        "npsDetractorCount",
        "npsPassiveCount",
        "npsPromoterCount",
        "npsScore",
        "segments",
        "trialEndDate",
        "usersCount",
    }
)
"""What Vitally works out, or only the app edits."""

EXTERNAL_ID = Property("externalId", needed=True, fixed=True, clears=False)
OWN_ID = Property("externalId", fixed=True, clears=False)
"""An external id that a record may do without."""


def prop(name: str, kind: Kind = "text", **more: Any) -> Property:
    """Declare a property."""
    return Property(name, kind, **more)


def account(name: str = "accountId", embedded: str = "account") -> Reference:
    """Declare a link to an account."""
    lookup = LookupColumn("accountExternalId", "accounts", "externalId")
    return Reference(name, "accounts", (lookup,), embedded)


def organization(embedded: str = "organization") -> Reference:
    """Declare a link to an organization."""
    lookup = LookupColumn("organizationExternalId", "organizations", "externalId")
    return Reference("organizationId", "organizations", (lookup,), embedded)


def admin(name: str, column: str, embedded: str = "") -> Reference:
    """Declare a link to somebody of the team, who is known by an e-mail."""
    return Reference(name, "admins", (LookupColumn(column, "admins", "email"),), embedded)


def named(name: str, column: str, of: str, embedded: str = "") -> Reference:
    """Declare a link to something that goes by its name."""
    return Reference(name, of, (LookupColumn(column, of, "name"),), embedded)


PARENTS = ("accountId", "organizationId")
