"""Custom objects, which not every workspace lets the API delete."""

from __future__ import annotations

from typing_extensions import override

from target_vitally.lookup.client import WriteRejected
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import ResourceWriter


class CustomObjectWriter(ResourceWriter):
    """Says so where a delete is not offered: a missing route and a missing record are answered alike."""

    @override
    def delete(self, write_: PendingWrite, record: Record) -> bool:
        if super().delete(write_, record):
            return True
        path = self.path_of(write_, record)
        if not self.client.records(path, f"{self.label}/...", None, write_):
            return False
        msg = "the API does not offer to delete custom objects here: do it in the app"
        raise WriteRejected(msg, 405)
