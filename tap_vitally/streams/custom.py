"""What a workspace defines for itself: custom fields, and custom objects with their records."""

from __future__ import annotations

from types import MappingProxyType

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.sources import read_parents

CUSTOM_FIELD = (
    f.key("path", "Key under which records hold the value in their traits."),
    f.text("id", "Id given by Vitally; documented, but absent from its own examples."),
    f.CREATED_AT,
    f.text("label", "Name shown to people."),
    f.text("type", "Type of the value, such as string, textarea or datetime."),
    f.objects("options", "Choices, each with label and value; null for a field without choices."),
)


class CustomFieldsStream(VitallyStream):
    """Definitions of the custom fields of accounts, users, notes and so on.

    Traits that come from integrations need not be among them. The fields of custom objects are
    in custom_object_fields.
    """

    name = "custom_fields"
    records_jsonpath = "$[*]"
    primary_keys = ("model", "path")
    replication_key = None
    paginated = False
    schema = f.record(
        f.key("model", "Kind of record the field belongs to, such as accounts or notes."),
        *CUSTOM_FIELD,
    )


class CustomObjectsStream(VitallyStream):
    """Definitions of custom objects; their records are in custom_object_instances."""

    name = "custom_objects"
    replication_key = None
    source = read_parents
    keeps_parents = True
    schema = f.record(
        *f.DATED,
        f.text("name", "Name for machines; may be empty."),
        f.text("label", "Name shown to people; may be null."),
        f.flag("syncActive", "Whether syncing of the object is active."),
        f.text("writeMode", "Who may change records: writable, writableByAll or readonly."),
        f.objects(
            "customFields", "Fields of the object, in no fixed shape; prefer custom_object_fields."
        ),
    )


class CustomObjectFieldsStream(VitallyStream):
    """Definitions of the fields of every custom object."""

    name = "custom_object_fields"
    parent = CustomObjectsStream
    parent_key = "customObjectId"
    query = MappingProxyType({"model": "customObjects", "customObjectId": "{customObjectId}"})
    records_jsonpath = "$[*]"
    primary_keys = ("customObjectId", "path")
    replication_key = None
    paginated = False
    schema = f.record(
        f.key("customObjectId", "Custom object the field belongs to (custom_objects.id)."),
        *CUSTOM_FIELD,
    )


class CustomObjectInstancesStream(VitallyStream):
    """Records of all custom objects; `customObjectId` tells which kind each one is.

    Vitally calls accounts customers here. Link to accounts through `customers`, because
    `customerId` names only the primary one.

    API: GET /customObjects/:id/instances
    """

    name = "custom_object_instances"
    parent = CustomObjectsStream
    parent_key = "customObjectId"
    schema = f.record(
        *f.DATED,
        f.ARCHIVED_AT,
        f.EXTERNAL_ID,
        f.text("customObjectId", "Custom object the record is one of (custom_objects.id)."),
        f.text("name", "Name of the record."),
        f.text(
            "customerId", "Primary account of the record (accounts.id); others are in customers."
        ),
        f.free_form("customer", "The primary account, as a copy with its traits."),
        f.objects(
            "customers", "All accounts of the record (accounts.id), as copies with their traits."
        ),
        f.ORGANIZATION_ID,
        f.ORGANIZATION,
        *f.LINKS,
        f.text("createdByVitallyUserId", "Team member who created the record (admins.id)."),
        f.text("ownedByVitallyUserId", "Team member who owns the record (admins.id)."),
        f.objects("descriptionBody", "Description as blocks of rich text; not documented."),
        f.TRAITS,
    )


class CustomObjectStream(VitallyStream):
    """The records of one custom object, where the setting custom_object_streams asks for it.

    API: GET /customObjects/:id/instances
    """

    path = CustomObjectInstancesStream.resource.path
    variants = CustomObjectInstancesStream.resource.variants
    schema = CustomObjectInstancesStream.schema
