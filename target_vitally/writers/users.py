"""Users: an update may replace their links or add to them, which the first answer shows."""

from __future__ import annotations

from dataclasses import replace

from typing_extensions import override

from target_vitally.mapping.links import with_present
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import ResourceWriter

LINKS = {"accountIds": "accounts", "organizationIds": "organizations"}


class UserWriter(ResourceWriter):
    """Updates users so that no link is taken away that no row says to take away."""

    @override
    def exact(self, write_: PendingWrite) -> frozenset[str]:
        by_message = frozenset({"accountIds"} if self.unlinks else ())
        return super().exact(write_) & by_message if self.only_adds else super().exact(write_)

    @override
    def not_applied(self, write_: PendingWrite, plan: Plan, now: Record) -> list[str]:
        names = super().not_applied(write_, plan, now)
        later = write_.exact and self.unlinks
        return [name for name in names if not (later and name == "accountIds")]

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        if not write_.exact and not LINKS.keys().isdisjoint(plan.body):
            # What was linked since the list was read would be unlinked by a PUT that replaces.
            id_, index = str((plan.record or {}).get("id")), self.index(write_)
            index.refresh("id", [id_], write_)
            for present in index.get("id", id_):
                plan = replace(plan, body=with_present(self.resource, plan.body, present))
        now = super().update(write_, plan)
        for name, displayed in LINKS.items():
            sent = plan.body.get(name)
            linked = {item.get("id") for item in now.get(displayed) or () if isinstance(item, dict)}
            if sent is not None and linked > set(sent):
                self.only_adds = True
        return now
