"""Makes organizations, accounts, users and the team."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Mapping

from sandbox.factories.random_values import Factory, NewRow, RandomValues, unique
from sandbox.fake_values import new_id
from sandbox.table import Row


def _admin(values: RandomValues, serial: int, _given: Row) -> NewRow:
    name, email = values.person(serial, "example.org")
    statuses = ("active", "active", "active", "deactivated", "auto-created")
    return NewRow(
        {
            "id": new_id(values.random),
            "name": name,
            "email": email,
            "licenseStatus": statuses[serial % 5],
        }
    )


def _organization(values: RandomValues, serial: int, _given: Row) -> NewRow:
    row = _customer(values, serial)
    row["externalId"] = values.external_id("org", serial)
    row["organizationOwnerId"] = row["accountOwnerId"]
    row["accountsCount"] = values.random.randrange(1, 9)
    return NewRow(row)


def _account(values: RandomValues, serial: int, given: Row) -> NewRow:
    row = _customer(values, serial)
    row["externalId"] = values.external_id("acc", serial)
    row["organizationId"] = given.pop(
        "organizationId", values.maybe(values.any("organizations"), 0.6)
    )
    return NewRow(row)


def _user(values: RandomValues, serial: int, given: Row) -> NewRow:
    accounts = given.pop("accountIds", None)
    if accounts is None:
        drawn = {values.any("accounts") for _ in range(2 if serial % 11 == 4 else 1)}
        accounts = sorted(id_ for id_ in drawn if id_)
    organizations = given.pop("organizationIds", None)
    if organizations is None:
        rows = values.rows.tables["accounts"].rows
        organizations = unique(
            rows[id_]["organizationId"] for id_ in accounts if rows[id_]["organizationId"]
        )
    name, email = values.person(serial, f"example.{('com', 'org', 'net')[serial % 3]}")
    unsubscribed = serial % 10 == 6
    return NewRow(
        {
            **values.stamps(),
            "externalId": email if serial % 5 == 1 else values.external_id("u", serial),
            **values.rows.linked(
                "users", {"accountIds": accounts, "organizationIds": organizations}
            ),
            "name": name,
            "email": email if serial % 29 else None,
            "avatar": values.maybe(f"https://www.example.com/{serial}.png", 0.3),
            "traits": values.traits() if serial % 6 else {},
            "firstKnown": values.moments.created,
            "lastSeenTimestamp": values.past(0.8),
            "lastInboundMessageTimestamp": values.past(),
            "lastOutboundMessageTimestamp": values.past(),
            "npsLastScore": values.maybe(values.random.randrange(11), 0.4),
            "npsLastFeedback": values.maybe(values.phrase(), 0.2),
            "npsLastRespondedAt": values.past(0.3),
            "unsubscribedFromConversations": unsubscribed,
            "unsubscribedFromConversationsAt": values.moments.created if unsubscribed else None,
            "permanentlyBounced": serial % 31 == 8,
            "deactivatedAt": values.moments.updated if serial % 12 == 5 else None,
            "joinDate": values.moments.created,
            "segments": values.fake_values.segments[:1] if serial % 4 == 2 else [],
        }
    )


def _customer(values: RandomValues, serial: int) -> Row:
    """The fields that accounts and organizations have in common."""
    name = values.random.choice(values.fake_values.companies)
    counts = [values.random.randrange(5) for _ in range(3)]
    return {
        **values.stamps(),
        "name": f"{name} {serial}",
        "traits": values.traits() if serial % 9 else {},
        "accountOwnerId": values.any("admins"),
        "mrr": values.maybe(round(values.random.uniform(0, 5000), 2), 0.8),
        "nextRenewalDate": values.future(),
        "churnedAt": values.moments.updated if serial % 7 == 3 else None,
        "firstPaidDate": values.past(),
        "firstSeenTimestamp": values.moments.created,
        "lastSeenTimestamp": values.past(0.8),
        "lastInboundMessageTimestamp": values.past(),
        "lastOutboundMessageTimestamp": values.past(),
        "trialEndDate": values.future(0.2),
        "usersCount": values.random.randrange(50),
        "npsDetractorCount": counts[0],
        "npsPassiveCount": counts[1],
        "npsPromoterCount": counts[2],
        "npsScore": (
            round(100 * (counts[2] - counts[0]) / sum(counts), 1) if sum(counts) else None
        ),
        "healthScore": values.maybe(round(values.random.uniform(0, 10), 1), 0.9),
        "csmId": values.any("admins"),
        "accountExecutiveId": values.maybe(values.any("admins")),
        "segments": values.random.sample(values.fake_values.segments, values.random.randrange(3)),
        "keyRoles": _key_roles(values),
    }


def _key_roles(values: RandomValues) -> list[Row]:
    """Assigned roles and one that nobody fills (API notes: shared nested objects)."""
    roles = []
    for role in values.random.sample(values.fake_values.key_roles, values.random.randrange(3)):
        admin = values.maybe(values.any("admins"), 0.7)
        roles.append(
            {
                "id": new_id(values.random),
                "createdAt": values.moments.created,
                "assignedAt": values.moments.created if admin else None,
                "vitallyUser": values.rows.copy_of("admins", admin),
                "keyRole": role,
            }
        )
    return roles


FACTORIES: Mapping[str, Factory] = {
    "admins": Factory(_admin, size=lambda accounts: min(12, 5 + accounts // 20), edited="name"),
    "organizations": Factory(_organization, size=lambda accounts: -(-accounts // 5), edited="name"),
    "accounts": Factory(_account, size=lambda accounts: accounts, edited="name"),
    "users": Factory(_user, size=lambda accounts: 4 * accounts, edited="name"),
}
