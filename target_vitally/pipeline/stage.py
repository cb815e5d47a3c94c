"""The base class of the stages that rows pass through, with what all of them need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.references import References
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.settings import Settings
from target_vitally.writers.base import ResourceWriter
from vitally_api import Refused, safe_name

NOT_APPLIED = "%s: Vitally did not take %s as it was sent: the record shows something else."

Shared = tuple[Settings, Mapping[str, ResourceWriter], References, CustomFields, Outcomes]


@dataclass
class Stage:
    """A stage of the pipeline: the settings, resources and outcomes that all stages use."""

    settings: Settings
    writers: Mapping[str, ResourceWriter]
    references: References
    fields: CustomFields
    outcomes: Outcomes

    @property
    def shared(self) -> Shared:
        """The first arguments of every stage, for a stage that builds another."""
        return self.settings, self.writers, self.references, self.fields, self.outcomes

    def writer(self, write_: PendingWrite) -> ResourceWriter:
        """Return the `ResourceWriter` for the resource of a write."""
        return self.writers[write_.resource.name]

    def warn_not_applied(self, write_: PendingWrite, names: Iterable[str]) -> None:
        """Warn, once per stream and property, that Vitally did not store what was sent."""
        for name in names:
            self.outcomes.warn_once(write_.mapping.stream, NOT_APPLIED, safe_name(name))

    def plan(self, write_: PendingWrite) -> Plan:
        """Compare a write with the record in Vitally; plan a rejection if that cannot be looked up."""
        try:
            return self.writer(write_).plan(write_, only_changed=self.settings.only_changed)
        except (LookupFailed, Refused) as failed:
            return Plan("rejected", str(failed))
