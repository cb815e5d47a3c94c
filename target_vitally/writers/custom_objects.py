"""Custom objects: fields are never removed, and not every workspace lets the API delete an object."""

from __future__ import annotations

from typing_extensions import override

from target_vitally.lookup.client import WriteRejected
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import ResourceWriter


class CustomObjectWriter(ResourceWriter):
    """Writes custom objects; after a 404 to a delete, reads the object to find out if it exists."""

    @override
    def plan(self, write_: PendingWrite, *, only_changed: bool) -> Plan:
        if not write_.body.get("customFields"):  # an empty list would take all fields away
            write_.body.pop("customFields", None)
        return super().plan(write_, only_changed=only_changed)

    @override
    def delete(self, write_: PendingWrite, record: Record) -> bool:
        if super().delete(write_, record):
            return True
        path = self.path_of(write_, record)
        if not self.client.records(path, f"{self.label}/...", None, write_):
            return False
        raise WriteRejected(
            "the API does not offer to delete custom objects here: do it in the app", 405
        )
