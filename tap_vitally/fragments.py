"""Schema pieces that several records of the API share.

Free-form values keep whatever keys the workspace has: traits and embedded records differ from one
workspace to the next, so no member of them is declared.
"""

from __future__ import annotations

from typing import Any

from singer_sdk import typing as th

# Without a `properties` key, even an empty one: flattening would expand a free-form object into
# its declared members, of which there are none, and the column would be gone.
FREE_FORM = th.CustomType({"type": ["object", "null"], "additionalProperties": True})

# Items do carry an empty `properties`: recursive type conformance fails on items without it.
OBJECTS = th.ArrayType(th.ObjectType(additional_properties=True))

STRINGS = th.ArrayType(th.StringType)


def record_schema(*properties: th.Property[Any]) -> dict[str, Any]:
    """Build the schema of a record whose undeclared properties are let through.

    Args:
        properties: The declared properties.

    Returns:
        A JSON schema.
    """
    return th.PropertiesList(*properties, additional_properties=True).to_dict()


def with_keys(schema: dict[str, Any], *keys: th.Property[Any]) -> dict[str, Any]:
    """Put further key properties in front of an existing schema.

    The declarations of the existing schema are shared with the result, not copied.

    Args:
        schema: The schema of the record without the keys.
        keys: The properties to add.

    Returns:
        A new JSON schema.
    """
    added = record_schema(*keys)
    return {
        **schema,
        "properties": {**added["properties"], **schema["properties"]},
        "required": [*added["required"], *schema["required"]],
    }


def key(name: str, description: str) -> th.Property[Any]:
    """Declare a text property that is part of the primary key.

    Args:
        name: The name of the property.
        description: What it identifies.

    Returns:
        The only kind of property that may not be null.
    """
    return th.Property(name, th.StringType, required=True, description=description)


# What nearly every record has

ID = key("id", "Id given by Vitally.")
CREATED_AT = th.Property(
    "createdAt", th.DateTimeType, description="When the record was created in Vitally."
)
UPDATED_AT = th.Property(
    "updatedAt", th.DateTimeType, description="When the record last changed in Vitally."
)
ARCHIVED_AT = th.Property(
    "archivedAt",
    th.DateTimeType,
    description="When the record was deleted, which only archives it; null while it is live.",
)
EXTERNAL_ID = th.Property(
    "externalId",
    th.StringType,
    description="Id in the system the record came from; always text, often null, may be empty.",
)
TRAITS = th.Property(
    "traits",
    FREE_FORM,
    description=(
        "Traits by their full path, which may hold dots (see the path in custom_fields); a missing"
        " key means not set, and the type of a value may differ between records."
    ),
)
SOURCE = th.Property(
    "source",
    th.StringType,
    description="Integration the record came from, such as zendesk or hubspot; may be null.",
)

# What a record hangs on

ACCOUNT_ID = th.Property(
    "accountId",
    th.StringType,
    description="Account the record belongs to (accounts.id); null if it has none.",
)
ACCOUNT = th.Property(
    "account",
    FREE_FORM,
    description=(
        "The account as it was when Vitally sent the record, without key roles and segments;"
        " accounts is the table to trust."
    ),
)
ORGANIZATION_ID = th.Property(
    "organizationId",
    th.StringType,
    description=(
        "Organization the record belongs to (organizations.id); null in workspaces that do not"
        " use organizations."
    ),
)
ORGANIZATION = th.Property(
    "organization",
    FREE_FORM,
    description=(
        "The organization as it was when Vitally sent the record; may be null or an empty object."
    ),
)

# Accounts, organizations and users

SEGMENTS = th.Property(
    "segments",
    OBJECTS,
    description="Segments the record is in, each with id and name; empty when in none.",
)
LAST_SEEN = th.Property(
    "lastSeenTimestamp",
    th.DateTimeType,
    description="Last time activity was seen; null when never.",
)
LAST_INBOUND_MESSAGE = th.Property(
    "lastInboundMessageTimestamp",
    th.DateTimeType,
    description="Last message received from the customer; null when never.",
)
LAST_OUTBOUND_MESSAGE = th.Property(
    "lastOutboundMessageTimestamp",
    th.DateTimeType,
    description="Last message sent to the customer by the team; null when never.",
)

# Accounts and organizations

ACCOUNT_OWNER_ID = th.Property(
    "accountOwnerId",
    th.StringType,
    description="Team member who owns the record (admins.id), where Vitally sends one.",
)
CUSTOMER: tuple[th.Property[Any], ...] = (
    th.Property(
        "mrr",
        th.NumberType,
        description="Monthly recurring revenue, in the workspace's currency.",
    ),
    th.Property(
        "nextRenewalDate",
        th.DateTimeType,
        description="When the next renewal is due; null when not set.",
    ),
    th.Property(
        "churnedAt",
        th.DateTimeType,
        description="When the customer churned; null means it has not.",
    ),
    th.Property(
        "trialEndDate",
        th.DateTimeType,
        description="When the trial ends or ended; null without a trial.",
    ),
    th.Property("usersCount", th.IntegerType, description="Number of users."),
    th.Property(
        "npsDetractorCount",
        th.IntegerType,
        description="Users whose latest NPS score is 0 to 6.",
    ),
    th.Property(
        "npsPassiveCount",
        th.IntegerType,
        description="Users whose latest NPS score is 7 or 8.",
    ),
    th.Property(
        "npsPromoterCount",
        th.IntegerType,
        description="Users whose latest NPS score is 9 or 10.",
    ),
    th.Property(
        "npsScore",
        th.NumberType,
        description="Net promoter score, -100 to 100; null, not 0, when nobody answered.",
    ),
    th.Property(
        "healthScore",
        th.NumberType,
        description=(
            "Overall health score, 0 to 10; Vitally recomputes it all the time, possibly without"
            " touching updatedAt, so an incrementally read value may lag behind."
        ),
    ),
    th.Property(
        "csmId",
        th.StringType,
        description="Customer success manager (admins.id); null when unassigned.",
    ),
    th.Property(
        "accountExecutiveId",
        th.StringType,
        description="Account executive (admins.id); null when unassigned.",
    ),
    th.Property(
        "keyRoles",
        OBJECTS,
        description=(
            "Key roles, each with keyRole (its label) and vitallyUser (the admin who fills it);"
            " vitallyUser is null for a role nobody fills."
        ),
    ),
    SEGMENTS,
)

# Notes, tasks and projects

CATEGORY_ID = th.Property(
    "categoryId",
    th.StringType,
    description="Category of the record (id in note_categories or task_categories); may be null.",
)
CATEGORY = th.Property(
    "category",
    FREE_FORM,
    description="The category itself, with id, name and its timestamps; null when uncategorised.",
)
TAGS = th.Property("tags", STRINGS, description="Tags, as text; empty when there are none.")

CATEGORY_SCHEMA = record_schema(
    ID,
    CREATED_AT,
    UPDATED_AT,
    th.Property("name", th.StringType, description="Name of the category; may hold emoji."),
)
