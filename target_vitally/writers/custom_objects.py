"""Custom objects: their fields are merged with those present, never an empty list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from typing_extensions import override

from target_vitally.lookup.client import WriteRejected
from target_vitally.mapping.compare import Changes
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import ResourceWriter
from vitally_api.values import same_json

FIELDS = "customFields"


class CustomObjectWriter(ResourceWriter):
    """Sends all fields that an object is to have, by their labels."""

    @override
    def compare(
        self, write_: PendingWrite, body: Record, traits: Record, record: Record
    ) -> Changes:
        found = super().compare(write_, _without_fields(body), traits, record)
        fields, present = _merged(body.get(FIELDS), record), record.get(FIELDS) or []
        if fields and not same_json(fields, present):
            found[FIELDS] = (present, fields)
        return found

    @override
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        return super().create(write_, _with_all_fields(plan))

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        return super().update(write_, _with_all_fields(plan))

    @override
    def delete(self, write_: PendingWrite, record: Record) -> bool:
        if super().delete(write_, record):
            return True
        # A missing route and a missing record are answered alike.
        path = self.path_of(write_, record)
        if not self.client.records(path, f"{self.label}/...", None, write_):
            return False
        msg = "the API does not offer to delete custom objects here: do it in the app"
        raise WriteRejected(msg, 405)

    @override
    def displayed(self, sent: Record, before: Record) -> Record:
        fields = _merged(sent.get(FIELDS), before)
        return super().displayed(sent, before) | {FIELDS: fields}


def _without_fields(body: Record) -> Record:
    return {name: value for name, value in body.items() if name != FIELDS}


def _with_all_fields(plan: Plan) -> Plan:
    fields = _merged(plan.body.get(FIELDS), plan.record or {})
    return replace(plan, body=_without_fields(plan.body) | ({FIELDS: fields} if fields else {}))


def _merged(wanted: Any, record: Record) -> list[Record]:
    """Put the fields of a row over those present, by their labels."""
    fields = [dict(field) for field in record.get(FIELDS) or () if isinstance(field, dict)]
    for field in wanted if isinstance(wanted, list) else ():
        if not isinstance(field, dict):
            continue
        new = {n: v for n, v in field.items() if n not in {"id", "createdAt", "path", "options"}}
        new.setdefault("model", "CustomObject")
        known = next((f for f in fields if f.get("label") == field.get("label")), None)
        if known is None:
            fields.append(new)
        else:
            known |= {n: v for n, v in new.items() if n != "model" or "model" in known}
    return fields
