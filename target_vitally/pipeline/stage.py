"""What the stages of a run share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.index import LookupFailed
from target_vitally.lookup.references import References
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.settings import Settings
from target_vitally.writers.base import ResourceWriter
from vitally_api import safe_name

NOT_APPLIED = "%s: Vitally did not take %s as it was sent: the record shows something else."

Shared = tuple[Settings, Mapping[str, ResourceWriter], References, CustomFields, Outcomes]


@dataclass
class Stage:
    """A step on the way of rows, with what all steps have in common."""

    settings: Settings
    writers: Mapping[str, ResourceWriter]
    references: References
    fields: CustomFields
    outcomes: Outcomes

    @property
    def shared(self) -> Shared:
        """What this stage has in common with others, for those that it builds."""
        return self.settings, self.writers, self.references, self.fields, self.outcomes

    def writer(self, write_: PendingWrite) -> ResourceWriter:
        """Return what writes the resource of a write."""
        return self.writers[write_.resource.name]

    def warn_not_applied(self, write_: PendingWrite, names: Iterable[str]) -> None:
        """Warn, once for each, of properties that Vitally did not take."""
        for name in names:
            self.outcomes.warn_once(write_.mapping.stream, NOT_APPLIED, safe_name(name))

    def plan(self, write_: PendingWrite) -> Plan:
        """Compare a write with what is there."""
        try:
            return self.writer(write_).plan(write_, only_changed=self.settings.only_changed)
        except LookupFailed as failed:
            return Plan("rejected", str(failed))
