"""Custom objects and their instances (API notes on writing, 3.8)."""

from __future__ import annotations

from target_vitally.mapping.resource import Resource
from target_vitally.resources.parts import (
    OWN_ID,
    STAMPS,
    account,
    admin,
    inside,
    kept,
    organization,
)
from vitally_api.resources import LISTS

CUSTOM_OBJECTS = Resource(
    name="custom_objects",
    api=LISTS["custom_objects"],
    rank=3,
    properties=(
        kept("name", needed=True),
        kept("label", needed=True),
        kept("writeMode", needed=True),
        kept("customFields", "fields", united=True),
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
        inside("customObjectId", "custom_objects", "customObjectName", "name"),
        OWN_ID,
        kept("name", needed=True),
        account("customerId", "customer", among="customers", clears=False),
        organization(clears=False),
        admin("ownedByVitallyUserId", "ownerEmail"),
    ),
    key_needed=False,
    one_of=(("customerId", "organizationId"),),
    model="customObjects",
    read_only=STAMPS
    | {"accountIds", "archivedAt", "createdByVitallyUserId", "customers", "descriptionBody"},
)
