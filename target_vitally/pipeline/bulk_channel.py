"""Which writes go to the Analytics API, a hundred a request, and which by REST."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from target_vitally.bulk.messages import NotInBulk
from target_vitally.bulk.read_back import Expected, ReadBack
from target_vitally.bulk.sender import Sender
from target_vitally.lookup.references import References
from target_vitally.mapping.links import displayed
from target_vitally.mapping.parse_row import RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.mapping.undo import GONE
from target_vitally.pipeline.bulk_delivery import NOT_TAKEN, BulkDelivery
from target_vitally.pipeline.bulk_units import BulkUnits
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.undo_file import UndoFile
from target_vitally.pipeline.workers import Workers
from target_vitally.writers.base import ResourceWriter
from vitally_api import Analytics, Budget

IN_BULK = "in bulk"
BY_REST = "by REST, since {}"
FEW = "no more than bulk_from are to be written"
SEVERAL = "several rows of its record are written one after the other"
BLOCKED = "%s: Vitally takes no messages of type %s in this workspace, so that rows go by REST: %s"


class BulkChannel:
    """Takes writes to their end that messages can carry; the others go by REST.

    ``sender`` sends what else goes to the Analytics API.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it sends with, and reports to
        self,
        settings: Settings,
        writers: Mapping[str, ResourceWriter],
        units: BulkUnits,
        delivery: BulkDelivery,
        outcomes: Outcomes,
        sender: Sender,
    ) -> None:
        self.sender = sender
        self._settings = settings
        self._writers = writers
        self._units = units
        self._delivery = delivery
        self._outcomes = outcomes
        self._unlinking: list[tuple[PendingWrite, Plan, set[str]]] = []

    def is_unseen(self, ref: RecordRef) -> bool:
        """Return whether a record was to be created, and nobody knows whether it was."""
        return ref in self._delivery.not_seen

    def see_parents(self, refs: Iterable[RecordRef]) -> None:
        """Look for records that rows refer to, if they were accepted and not looked for."""
        self._delivery.see_parents(refs)

    def take(self, queues: Sequence[list[PendingWrite]]) -> list[list[PendingWrite]]:
        """Take writes of one resource to their end, and return those that go by REST."""
        queues = [queue for queue in queues if not self._delivery.follows(queue)]
        if queues and queues[0][0].resource.only_message:
            return self._take_links(queues)
        left: list[list[PendingWrite]] = []
        planned: list[tuple[list[PendingWrite], Plan]] = []
        for queue in queues:
            reason = self._why_rest(queue, len(queues))
            plan = queue[0].plan
            if reason is None and plan is not None:
                planned.append((queue, plan))
            else:
                left.append(self._by_rest(queue, reason or ""))
        self._units.find_parents(planned)
        units: list[Expected] = []
        ways: list[list[PendingWrite]] = []
        for queue, plan in planned:
            try:
                units.append(self._units.of_write(queue[0], plan))
            except NotInBulk as reason:
                left.append(self._by_rest(queue, str(reason)))
            else:
                ways.append(queue)
        if not self._settings.dry_run:
            self._delivery.carry_out(units)
        for queue, unit in zip(ways, units, strict=True):
            if unit.state == "waiting" and not self._settings.dry_run:
                left.append(self._not_taken(queue))
            else:
                self._outcomes.count_ways(queue[0], IN_BULK)
        return list(queues) if self._settings.dry_run else [queue for queue in left if queue]

    def _take_links(self, queues: Sequence[list[PendingWrite]]) -> list[list[PendingWrite]]:
        """Link users to accounts, which nothing but messages does; return what a dry run goes on with."""
        units: list[Expected] = []
        left: list[list[PendingWrite]] = []
        self._units.find_linked(write_ for queue in queues for write_ in queue)
        for queue in queues:
            for write_ in queue:
                writer = self._writers[write_.resource.name]
                plan = write_.plan or writer.plan(write_, only_changed=True)
                if plan.outcome not in {"created", "deleted"}:
                    self._outcomes.end_write(write_, plan, plan.record)
                elif self._settings.dry_run:
                    left.append([write_])
                else:
                    self._add_link(units, write_, plan)
        self._delivery.carry_out(units)
        return left

    def _add_link(self, units: list[Expected], write_: PendingWrite, plan: Plan) -> None:
        try:
            units.append(self._units.of_link(write_, plan))
        except NotInBulk as reason:
            # An undo may be fed again when the user or account has gone.
            made = Plan("ignored", GONE) if write_.undo else Plan("rejected", str(reason))
            self._outcomes.end_write(write_, made)

    def unlink(self, doomed: Sequence[tuple[PendingWrite, Record]]) -> None:
        """Unlink users from accounts."""
        units: list[Expected] = []
        self._units.find_linked(write_ for write_, _ in doomed)
        for write_, record in doomed:
            self._add_link(units, write_, Plan("deleted", record=record))
        self._delivery.carry_out(units)

    def unlinks_later(self, write_: PendingWrite, made: Plan, now: Record | None) -> bool:
        """Remember the accounts that an update was to unlink a user from, and did not."""
        if write_.resource.name != "users" or not write_.exact or self._settings.dry_run:
            return False
        accounts = displayed(write_.resource.by_name["accountIds"], now or {}) or ()
        gone = set(accounts) - set(write_.body.get("accountIds") or accounts)
        if not gone or made.outcome != "updated":
            return False
        self._unlinking.append((write_, replace(made, record=now), gone))
        return True

    def unlink_rest(self) -> None:
        """Unlink what updates did not."""
        waiting, self._unlinking = self._unlinking, []
        units = []
        for write_, made, gone in waiting:
            try:
                units.append(self._units.of_unlinks(write_, made, gone))
            except NotInBulk as reason:
                self._outcomes.end_write(write_, Plan("rejected", str(reason)), made.record)
        self._delivery.carry_out(units)

    def _why_rest(self, queue: Sequence[PendingWrite], of: int) -> str | None:
        """Return why writes of a record go by REST, empty if that needs no reason; None if they may not."""
        write_ = queue[0]
        channel = self._channel(write_)
        if channel == "rest" or write_.undo:
            return ""
        if channel == "auto" and of <= self._settings.bulk_from:
            return FEW
        return SEVERAL if len(queue) > 1 or write_.plan is None or write_.exact else None

    def _channel(self, write_: PendingWrite) -> str:
        return write_.mapping.channel or self._settings.channel

    def _by_rest(self, queue: list[PendingWrite], reason: str) -> list[PendingWrite]:
        for write_ in queue if reason else ():
            self._outcomes.count_ways(write_, BY_REST.format(reason))
        return queue

    def _not_taken(self, queue: list[PendingWrite]) -> list[PendingWrite]:
        """Let a write of a blocked type go by REST if its stream says so; end it if not."""
        write_ = queue[0]
        kind, stream = write_.resource.message, write_.mapping.stream
        words = self._delivery.blocked.get(kind, "")
        if self._channel(write_) == "auto":
            self._outcomes.warn_once(stream, f"blocked {kind}", BLOCKED, stream, kind, words)
            return self._by_rest(queue, NOT_TAKEN)
        self._outcomes.end_write(write_, Plan("rejected", f"{NOT_TAKEN}: {words}"))
        return []


def built_channel(  # noqa: PLR0913, PLR0917 - what it is made of
    analytics: Analytics | None,
    settings: Settings,
    writers: Mapping[str, ResourceWriter],
    references: References,
    workers: Workers,
    budget: Budget,
    undo_file: UndoFile,
    outcomes: Outcomes,
) -> BulkChannel | None:
    """Build the channel of a run, if it has one, and let writers know that messages can unlink."""
    if analytics is None:
        return None
    sender = Sender(analytics, workers.map_concurrently)
    read_back = ReadBack(references.client, budget, workers.map_concurrently)
    for writer in writers.values():
        writer.unlinks = True
    units = BulkUnits(writers, references, settings.protected_traits, str(time.time_ns()))
    delivery = BulkDelivery(
        settings.verify_seconds,
        writers,
        references.client,
        sender,
        read_back,
        undo_file,
        outcomes,
    )
    return BulkChannel(settings, writers, units, delivery, outcomes, sender)
