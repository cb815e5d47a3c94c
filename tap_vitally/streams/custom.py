"""What a workspace defines for itself: custom fields, and custom objects with their records."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_vitally.children import ChildStream
from tap_vitally.client import VitallyStream
from tap_vitally.contexts import ARCHIVED, CUSTOM_FIELD_MODELS, Context, Page, Parent, Record
from tap_vitally.fragments import (
    ARCHIVED_AT,
    CREATED_AT,
    EXTERNAL_ID,
    FREE_FORM,
    ID,
    OBJECTS,
    ORGANIZATION,
    ORGANIZATION_ID,
    TRAITS,
    UPDATED_AT,
    key,
    record_schema,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.streams._state import StreamStateManager

CUSTOM_FIELD: tuple[th.Property[Any], ...] = (
    key("path", "Key under which records hold the value in their traits."),
    th.Property(
        "id",
        th.StringType,
        description="Id given by Vitally; documented, but absent from its own examples.",
    ),
    CREATED_AT,
    th.Property("label", th.StringType, description="Name shown to people."),
    th.Property(
        "type",
        th.StringType,
        description="Type of the value, such as string, textarea or datetime.",
    ),
    th.Property(
        "options",
        OBJECTS,
        description="Choices, each with label and value; null for a field without choices.",
    ),
)


class CustomFieldsStream(VitallyStream):
    """Definitions of the custom fields of accounts, users, notes and so on.

    Traits that come from integrations need not be among them. The fields of custom objects are
    in custom_object_fields.

    API: GET /customFields
    """

    name = "custom_fields"
    path = "/customFields"
    records_jsonpath = "$[*]"
    primary_keys: ClassVar[tuple[str, ...]] = ("model", "path")
    replication_key = None
    sortable = False
    paginated = False
    variants = CUSTOM_FIELD_MODELS
    schema: ClassVar[dict[str, Any]] = record_schema(
        key("model", "Kind of record the field belongs to, such as accounts or notes."),
        *CUSTOM_FIELD,
    )


class CustomObjectsStream(VitallyStream):
    """Definitions of custom objects; their records are in custom_object_instances.

    API: GET /customObjects
    """

    name = "custom_objects"
    path = "/customObjects"
    replication_key = None
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        th.Property(
            "name",
            th.StringType,
            description="Name for machines; may be empty.",
        ),
        th.Property("label", th.StringType, description="Name shown to people; may be null."),
        th.Property(
            "syncActive",
            th.BooleanType,
            description="Whether syncing of the object is active.",
        ),
        th.Property(
            "writeMode",
            th.StringType,
            description="Who may change records: writable, writableByAll or readonly.",
        ),
        th.Property(
            "customFields",
            OBJECTS,
            description="Fields of the object, in no fixed shape; prefer custom_object_fields.",
        ),
    )

    def as_parent(self, row: Record) -> Parent:
        """Keep the whole definition: this stream shares its list with those below it.

        Args:
            row: A custom object.

        Returns:
            The parent.
        """
        return replace(super().as_parent(row), record=row)

    def pages(self, context: Context) -> Iterator[Page]:
        """Take the list that the streams below custom objects walk, read once for all.

        Args:
            context: The only list.

        Yields:
            One page.
        """
        rows = [parent.record for parent in self.run.parents(self.name)]
        yield Page(context, self.shaped(rows, context), ends=True)


class CustomObjectFieldsStream(ChildStream):
    """Definitions of the fields of every custom object.

    API: GET /customFields
    """

    name = "custom_object_fields"
    parent = CustomObjectsStream
    parent_key = "customObjectId"
    path = "/customFields"
    query: ClassVar[dict[str, str]] = {
        "model": "customObjects",
        "customObjectId": "{customObjectId}",
    }
    records_jsonpath = "$[*]"
    primary_keys: ClassVar[tuple[str, ...]] = ("customObjectId", "path")
    replication_key = None
    sortable = False
    paginated = False
    schema: ClassVar[dict[str, Any]] = record_schema(
        key("customObjectId", "Custom object the field belongs to (custom_objects.id)."),
        *CUSTOM_FIELD,
    )


class CustomObjectInstancesStream(ChildStream):
    """Records of all custom objects; `customObjectId` tells which kind each one is.

    Vitally calls accounts customers here. Link to accounts through `customers`, because
    `customerId` names only the primary one.

    API: GET /customObjects/:id/instances
    """

    name = "custom_object_instances"
    parent = CustomObjectsStream
    parent_key = "customObjectId"
    path = "/customObjects/{customObjectId}/instances"
    variants = ARCHIVED
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        ARCHIVED_AT,
        EXTERNAL_ID,
        th.Property(
            "customObjectId",
            th.StringType,
            description="Custom object the record is one of (custom_objects.id).",
        ),
        th.Property("name", th.StringType, description="Name of the record."),
        th.Property(
            "customerId",
            th.StringType,
            description="Primary account of the record (accounts.id); others are in customers.",
        ),
        th.Property(
            "customer",
            FREE_FORM,
            description="The primary account, as a copy with its traits.",
        ),
        th.Property(
            "customers",
            OBJECTS,
            description="All accounts of the record (accounts.id), as copies with their traits.",
        ),
        ORGANIZATION_ID,
        ORGANIZATION,
        th.Property(
            "createdByVitallyUserId",
            th.StringType,
            description="Team member who created the record (admins.id).",
        ),
        th.Property(
            "ownedByVitallyUserId",
            th.StringType,
            description="Team member who owns the record (admins.id).",
        ),
        th.Property(
            "descriptionBody",
            OBJECTS,
            description="Description as blocks of rich text; not documented.",
        ),
        TRAITS,
    )


class CustomObjectStream(VitallyStream):
    """The records of one custom object, where the setting custom_object_streams asks for it.

    API: GET /customObjects/:id/instances
    """

    path = CustomObjectInstancesStream.path
    variants = ARCHIVED
    schema = CustomObjectInstancesStream.schema

    def __init__(self, tap: Tap, name: str, object_id: str) -> None:
        """Build the stream of one custom object.

        Args:
            tap: The tap.
            name: The stream's name.
            object_id: The custom object.
        """
        super().__init__(tap=tap, name=name)
        self.fixed = {"customObjectId": object_id}

    @property
    def state_manager(self) -> StreamStateManager:
        """The place in STATE, by the object's id: its name may change."""
        manager = super().state_manager
        manager.stream_name = f"custom_object_{self.fixed['customObjectId']}"
        return manager


def custom_object_streams(tap: Tap, definitions: Iterable[dict[str, Any]]) -> list[VitallyStream]:
    """Build a stream for each custom object.

    Args:
        tap: The tap.
        definitions: The custom objects.

    Returns:
        Streams named ``custom_object_<machine name>``, in snake_case; part of the id is added
        where that name is missing or would be there twice.
    """
    named: dict[str, VitallyStream] = {}
    for definition in sorted(definitions, key=lambda found: str(found["id"])):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(definition.get("name") or ""))
        name = "custom_object_" + re.sub(r"\W+", "_", words, flags=re.ASCII).strip("_").lower()
        if name.endswith("_") or name in named or name in RESERVED:
            name = f"{name.rstrip('_')}_{definition['id'][:8]}"
        named[name] = CustomObjectStream(tap, name, definition["id"])
    return list(named.values())


RESERVED = {CustomObjectFieldsStream.name, CustomObjectInstancesStream.name}
