"""The properties of records, one short call each, and those that several records share.

Free-form values keep whatever keys the workspace has: traits and embedded records differ from one
workspace to the next, so no member of them is declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A property: its name, its JSON schema, and whether it is always there."""

    name: str
    schema: Mapping[str, Any]
    required: bool = False


def _field(kind: str, name: str, description: str, *, required: bool = False, **more: Any) -> Field:
    types = [kind] if required else [kind, "null"]
    return Field(name, {"type": types, **more, "description": description}, required)


# Each takes a name and a description; all but a key may be null.
text = partial(_field, "string")
key = partial(_field, "string", required=True)
moment = partial(_field, "string", format="date-time")
day = partial(_field, "string", format="date")
number = partial(_field, "number")
integer = partial(_field, "integer")
flag = partial(_field, "boolean")
texts = partial(_field, "array", items={"type": ["string"]})


def free_form(name: str, description: str) -> Field:
    """Declare an object of any members.

    It has no ``properties``, not even empty ones: flattening would put its declared members in place
    of the column, and as there are none, the column would be gone.
    """
    return _field("object", name, description, additionalProperties=True)


def objects(name: str, description: str) -> Field:
    """Declare a list of objects.

    Items do carry an empty ``properties``: recursive type conformance fails on items without it.
    """
    items = {"type": "object", "properties": {}, "additionalProperties": True}
    return _field("array", name, description, items=items)


def record(*fields: Field) -> Schema:
    """Build the JSON schema of a record, with a column for what the API sends beyond it.

    It has no ``$schema``, which some targets do not expect.
    """
    declared = (*fields, ADDITIONAL)
    return {
        "type": "object",
        "properties": {field.name: field.schema for field in declared},
        "required": [field.name for field in declared if field.required],
        "additionalProperties": True,
    }


ADDITIONAL = free_form(
    "additionalProperties",
    "What the API sent beyond the columns, by name; null where there is nothing.",
)


# What nearly every record has

ID = key("id", "Id given by Vitally.")
CREATED_AT = moment("createdAt", "When the record was created in Vitally.")
UPDATED_AT = moment("updatedAt", "When the record last changed in Vitally.")
DATED = (ID, CREATED_AT, UPDATED_AT)
ARCHIVED_AT = moment(
    "archivedAt", "When the record was deleted, which only archives it; null while it is live."
)
EXTERNAL_ID = text(
    "externalId", "Id in the system the record came from; always text, often null, may be empty."
)
TRAITS = free_form(
    "traits",
    "Traits by their full path, which may hold dots (see the path in custom_fields); a "
    "missing key means not set, and the type of a value may differ between records.",
)
SOURCE = text(
    "source", "Integration the record came from, such as zendesk or hubspot; may be null."
)

# What a record hangs on

ACCOUNT_ID = text("accountId", "Account the record belongs to (accounts.id); null if it has none.")
ORGANIZATION_ID = text(
    "organizationId",
    "Organization the record belongs to (organizations.id); null in workspaces that do "
    "not use organizations.",
)
ORGANIZATION = free_form(
    "organization",
    "The organization as it was when Vitally sent the record; may be null or an empty object.",
)
OWNERS = (
    ACCOUNT_ID,
    free_form(
        "account",
        "The account as it was when Vitally sent the record, without key roles and segments; "
        "accounts is the table to trust.",
    ),
    ORGANIZATION_ID,
    ORGANIZATION,
)

LINKS = (
    texts(
        "accountIds", "Ids of linked accounts (accounts.id); null where Vitally names none or one."
    ),
    texts("organizationIds", "Ids of linked organizations (organizations.id), in the same way."),
    texts("userIds", "Ids of linked users (users.id); null where Vitally names none."),
    texts("adminIds", "Ids of linked team members (admins.id); null where Vitally names none."),
)

# Accounts, organizations and users

SEGMENTS = objects(
    "segments", "Segments the record is in, each with id and name; empty when in none."
)
LAST = (
    moment("lastSeenTimestamp", "Last time activity was seen; null when never."),
    moment(
        "lastInboundMessageTimestamp", "Last message received from the customer; null when never."
    ),
    moment(
        "lastOutboundMessageTimestamp",
        "Last message sent to the customer by the team; null when never.",
    ),
)

# Accounts and organizations

ACCOUNT_OWNER_ID = text(
    "accountOwnerId", "Team member who owns the record (admins.id), where Vitally sends one."
)
CUSTOMER = (
    number("mrr", "Monthly recurring revenue, in the workspace's currency."),
    moment("nextRenewalDate", "When the next renewal is due; null when not set."),
    moment("churnedAt", "When the customer churned; null means it has not."),
    moment("trialEndDate", "When the trial ends or ended; null without a trial."),
    integer("usersCount", "Number of users."),
    integer("npsDetractorCount", "Users whose latest NPS score is 0 to 6."),
    integer("npsPassiveCount", "Users whose latest NPS score is 7 or 8."),
    integer("npsPromoterCount", "Users whose latest NPS score is 9 or 10."),
    number("npsScore", "Net promoter score, -100 to 100; null, not 0, when nobody answered."),
    number(
        "healthScore",
        "Overall health score, 0 to 10; Vitally recomputes it all the time, possibly without "
        "touching updatedAt, so an incrementally read value may lag behind.",
    ),
    text("csmId", "Customer success manager (admins.id); null when unassigned."),
    text("accountExecutiveId", "Account executive (admins.id); null when unassigned."),
    objects(
        "keyRoles",
        "Key roles, each with keyRole (its label) and vitallyUser (the admin who fills it); "
        "vitallyUser is null for a role nobody fills.",
    ),
    SEGMENTS,
)

# Notes, tasks and projects

CATEGORISED = (
    text(
        "categoryId",
        "Category of the record (id in note_categories or task_categories); may be null.",
    ),
    free_form(
        "category",
        "The category itself, with id, name and its timestamps; null when uncategorised.",
    ),
    texts("tags", "Tags, as text; empty when there are none."),
)
CATEGORY_SCHEMA = record(*DATED, text("name", "Name of the category; may hold emoji."))

# Conversations

LINKED = (
    objects("accounts", "Accounts of the conversation (accounts.id), where Vitally sends them."),
    objects("users", "Users of the conversation (users.id), where Vitally sends them."),
    objects("admins", "Team members of the conversation (admins.id), where Vitally sends them."),
    *LINKS,
)
