"""Send units of messages, check in Vitally that they were applied, and record the outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from target_vitally.bulk.read_back import ABSENT, Expected, Found, ReadBack, as_text
from target_vitally.bulk.sender import Sender
from target_vitally.mapping.parse_row import RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.undo import UndoFile

NOT_TAKEN = "Vitally takes no messages of its type in this workspace"
NOT_SEEN = "it was accepted, and not seen within {:g} s; another run looks again"
NOT_KNOWN = "it is not known whether Vitally has accepted it; another run looks again"
EARLIER = "an earlier change of its record was accepted, and not seen"
PARENT_SECONDS = 300.0
"""How long parents are looked for that rows refer to, where nothing else is to be verified."""


@dataclass
class BulkDelivery(Stage):
    """Sends units, checks that they were applied, and records their outcomes."""

    sender: Sender
    read_back: ReadBack
    undo_file: UndoFile

    def __post_init__(self) -> None:
        self._open: set[tuple[str, str]] = set()
        self._unseen: dict[RecordRef, Expected] = {}
        # Records that were to be created and may have been: no answer said so.
        self.not_seen: set[RecordRef] = set()

    def see_parents(self, refs: Iterable[RecordRef]) -> None:
        """Check that records exist whose creation was accepted but not verified: rows refer to them."""
        units = {ref: unit for ref in refs if (unit := self._unseen.pop(ref, None))}
        if not units:
            return
        for unit in units.values():
            unit.state, unit.check = "accepted", lambda record: Found(open=record is ABSENT)
        for seen in self.read_back.seen(list(units.values()), PARENT_SECONDS):
            for unit in seen:
                unit.state = "seen"
                self.writers[unit.resource.name].index(unit.write_).put(unit.record)
        self.not_seen |= {ref for ref, unit in units.items() if unit.state != "seen"}

    def follows(self, queue: Sequence[PendingWrite]) -> bool:
        """Record writes as uncertain, and return True, if earlier messages may yet overwrite them.

        That is so if messages about the same record were sent, and not seen to be applied.
        """
        if not any(self._open and not self._open.isdisjoint(self._places(w)) for w in queue):
            return False
        for write_ in queue:
            self.outcomes.end_uncertain(write_, EARLIER)
        return True

    def _places(self, write_: PendingWrite) -> set[tuple[str, str]]:
        """Return the names under which a write's record is remembered: id, external id and key."""
        record = (write_.plan.record if write_.plan else None) or {}
        ids = (record.get("id"), record.get("externalId"), write_.body.get("externalId"))
        keys = (write_.key.value if write_.key else None, *ids)
        return {(write_.resource.name, str(each)) for each in keys if each}

    def carry_out(self, units: Sequence[Expected]) -> None:
        """Send units, check that they were applied, and record their outcomes.

        Units of a type that the workspace does not accept stay ``waiting``.
        """
        by_kind: dict[str, list[Expected]] = {}
        for unit in units:
            by_kind.setdefault(unit.messages[0]["type"], []).append(unit)
        for kind, mine in by_kind.items():
            since = as_text(self.references.client.date)
            for unit in mine:
                self._write_undo(unit)
            try:
                date = self.sender.send(kind, mine)
                for unit in mine:
                    unit.since = since or as_text(date)
                accepted = [unit for unit in mine if unit.state == "accepted"]
                if self.settings.verify_seconds:
                    for seen in self.read_back.seen(accepted, self.settings.verify_seconds):
                        for unit in seen:
                            self._see(unit)
                else:
                    self._accept(accepted)
            finally:
                for unit in mine:
                    self._end_rest(unit)

    def _write_undo(self, unit: Expected) -> None:
        write_, plan = unit.write_, unit.plan
        if write_.exact and unit.messages[0]["type"] == "unlink" and plan.outcome == "updated":
            return  # it was written before the update that did not unlink
        if plan.outcome == "deleted" and plan.record:
            self.undo_file.before_delete(write_, plan.record)
        else:
            self.undo_file.before(write_, plan)

    def _see(self, unit: Expected) -> None:
        """Record the outcome of a unit that was seen to be applied."""
        write_, unit.state = unit.write_, "seen"
        self.warn_not_applied(write_, unit.lacking)
        self.writers[unit.resource.name].index(write_).put(unit.record)
        if write_.undo:
            write_.undo.run.settle(write_.undo, str(unit.record.get("id")), dry_run=False)
        record = unit.plan.record if write_.resource.only_message else unit.record
        self.outcomes.end_write(write_, unit.plan, record)

    def _accept(self, units: Sequence[Expected]) -> None:
        """Record units as accepted without a check; check new records once a row refers to them."""
        for unit in units:
            unit.state = "seen"
            if unit.plan.outcome == "created":
                self._unseen[unit.ref] = unit
            made = replace(unit.plan, outcome="accepted")
            self.outcomes.end_write(unit.write_, made, made.record)

    def _end_rest(self, unit: Expected) -> None:
        """Record the outcome of a unit that was refused, or sent and not seen to be applied.

        A unit that was not sent gets none, unless only messages can carry it and its type is blocked.
        """
        write_ = unit.write_
        if unit.state == "refused":
            self.outcomes.end_write(write_, Plan("rejected", unit.reason))
        elif unit.state == "waiting" and write_.resource.only_message:
            words = self.sender.blocked.get(unit.messages[0]["type"])
            if words:
                self.outcomes.end_write(write_, Plan("rejected", f"{NOT_TAKEN}: {words}"))
        elif unit.state in {"sent", "accepted"}:
            not_seen = NOT_SEEN.format(self.settings.verify_seconds)
            reason = NOT_KNOWN if unit.state == "sent" else not_seen
            self.outcomes.end_uncertain(write_, reason)
            self._open |= self._places(write_)
            if unit.plan.outcome == "created":
                self.not_seen.add(unit.ref)
