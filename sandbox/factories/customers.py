"""Makes organizations, accounts, users and the team."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Mapping

from sandbox.factories.random_values import Made, Make, RandomValues, unique
from sandbox.fake_values import new_id
from sandbox.table import Row


def _admin(draw: RandomValues, serial: int, _given: Row) -> Made:
    name, email = draw.person(serial, "example.org")
    statuses = ("active", "active", "active", "deactivated", "auto-created")
    return Made(
        {
            "id": new_id(draw.random),
            "name": name,
            "email": email,
            "licenseStatus": statuses[serial % 5],
        }
    )


def _organization(draw: RandomValues, serial: int, _given: Row) -> Made:
    row = _customer(draw, serial)
    row["externalId"] = draw.external_id("org", serial)
    row["organizationOwnerId"] = row["accountOwnerId"]
    row["accountsCount"] = draw.random.randrange(1, 9)
    return Made(row)


def _account(draw: RandomValues, serial: int, given: Row) -> Made:
    row = _customer(draw, serial)
    row["externalId"] = draw.external_id("acc", serial)
    row["organizationId"] = given.pop("organizationId", draw.maybe(draw.any("organizations"), 0.6))
    return Made(row)


def _user(draw: RandomValues, serial: int, given: Row) -> Made:
    accounts = given.pop("accountIds", None)
    if accounts is None:
        drawn = {draw.any("accounts") for _ in range(2 if serial % 11 == 4 else 1)}
        accounts = sorted(id_ for id_ in drawn if id_)
    organizations = given.pop("organizationIds", None)
    if organizations is None:
        rows = draw.rows.tables["accounts"].rows
        organizations = unique(
            rows[id_]["organizationId"] for id_ in accounts if rows[id_]["organizationId"]
        )
    name, email = draw.person(serial, f"example.{('com', 'org', 'net')[serial % 3]}")
    unsubscribed = serial % 10 == 6
    return Made(
        {
            **draw.stamps(),
            "externalId": email if serial % 5 == 1 else draw.external_id("u", serial),
            **draw.rows.linked("users", {"accountIds": accounts, "organizationIds": organizations}),
            "name": name,
            "email": email if serial % 29 else None,
            "avatar": draw.maybe(f"https://www.example.com/{serial}.png", 0.3),
            "traits": draw.traits() if serial % 6 else {},
            "firstKnown": draw.moments.created,
            "lastSeenTimestamp": draw.past(0.8),
            "lastInboundMessageTimestamp": draw.past(),
            "lastOutboundMessageTimestamp": draw.past(),
            "npsLastScore": draw.maybe(draw.random.randrange(11), 0.4),
            "npsLastFeedback": draw.maybe(draw.phrase(), 0.2),
            "npsLastRespondedAt": draw.past(0.3),
            "unsubscribedFromConversations": unsubscribed,
            "unsubscribedFromConversationsAt": draw.moments.created if unsubscribed else None,
            "permanentlyBounced": serial % 31 == 8,
            "deactivatedAt": draw.moments.updated if serial % 12 == 5 else None,
            "joinDate": draw.moments.created,
            "segments": draw.fake_values.segments[:1] if serial % 4 == 2 else [],
        }
    )


def _customer(draw: RandomValues, serial: int) -> Row:
    """The fields that accounts and organizations have in common."""
    name = draw.random.choice(draw.fake_values.companies)
    counts = [draw.random.randrange(5) for _ in range(3)]
    return {
        **draw.stamps(),
        "name": f"{name} {serial}",
        "traits": draw.traits() if serial % 9 else {},
        "accountOwnerId": draw.any("admins"),
        "mrr": draw.maybe(round(draw.random.uniform(0, 5000), 2), 0.8),
        "nextRenewalDate": draw.future(),
        "churnedAt": draw.moments.updated if serial % 7 == 3 else None,
        "firstPaidDate": draw.past(),
        "firstSeenTimestamp": draw.moments.created,
        "lastSeenTimestamp": draw.past(0.8),
        "lastInboundMessageTimestamp": draw.past(),
        "lastOutboundMessageTimestamp": draw.past(),
        "trialEndDate": draw.future(0.2),
        "usersCount": draw.random.randrange(50),
        "npsDetractorCount": counts[0],
        "npsPassiveCount": counts[1],
        "npsPromoterCount": counts[2],
        "npsScore": (
            round(100 * (counts[2] - counts[0]) / sum(counts), 1) if sum(counts) else None
        ),
        "healthScore": draw.maybe(round(draw.random.uniform(0, 10), 1), 0.9),
        "csmId": draw.any("admins"),
        "accountExecutiveId": draw.maybe(draw.any("admins")),
        "segments": draw.random.sample(draw.fake_values.segments, draw.random.randrange(3)),
        "keyRoles": _key_roles(draw),
    }


def _key_roles(draw: RandomValues) -> list[Row]:
    """Assigned roles and one that nobody fills (API notes: shared nested objects)."""
    roles = []
    for role in draw.random.sample(draw.fake_values.key_roles, draw.random.randrange(3)):
        admin = draw.maybe(draw.any("admins"), 0.7)
        roles.append(
            {
                "id": new_id(draw.random),
                "createdAt": draw.moments.created,
                "assignedAt": draw.moments.created if admin else None,
                "vitallyUser": draw.rows.copy_of("admins", admin),
                "keyRole": role,
            }
        )
    return roles


MAKERS: Mapping[str, Make] = {
    "admins": _admin,
    "organizations": _organization,
    "accounts": _account,
    "users": _user,
}
