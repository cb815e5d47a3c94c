"""Custom objects and their instances (API notes on writing, 3.8)."""

from __future__ import annotations

from dataclasses import replace

from target_vitally.mapping.resource import LookupColumn, Reference, Resource
from target_vitally.resources.parts import OWN_ID, STAMPS, account, admin, organization, prop
from vitally_api.resources import LISTS

CUSTOM_OBJECTS = Resource(
    name="custom_objects",
    api=LISTS["custom_objects"],
    rank=3,
    properties=(
        prop("name", needed=True, clears=False),
        prop("label", needed=True, clears=False),
        prop("writeMode", needed=True, clears=False),
        prop("customFields", "list", clears=False, united=True),
    ),
    key="name",
    keys=("id", "name"),
    read_only=STAMPS | {"syncActive"},
    needs_flag="delete_custom_objects",
)

CUSTOM_OBJECT_INSTANCES = Resource(
    name="custom_object_instances",
    api=LISTS["custom_object_instances"],
    rank=4,
    message="customobjectinstance",
    properties=(
        OWN_ID,
        prop("name", needed=True, clears=False),
        prop("customerId", clears=False),
        prop("organizationId", clears=False),
        prop("ownedByVitallyUserId"),
    ),
    references=(
        Reference(
            "customObjectId",
            "custom_objects",
            (LookupColumn("customObjectName", "custom_objects", "name"),),
            in_path=True,
        ),
        replace(account("customerId", "customer"), among="customers"),
        organization(),
        admin("ownedByVitallyUserId", "ownerEmail"),
    ),
    key_needed=False,
    one_of=(("customerId", "organizationId"),),
    model="customObjects",
    read_only=STAMPS
    | {"accountIds", "archivedAt", "createdByVitallyUserId", "customers", "descriptionBody"},
)
