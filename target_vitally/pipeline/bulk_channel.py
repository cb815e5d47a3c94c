"""Decide which writes go to the Analytics API, a hundred per request, and which by REST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from target_vitally.bulk.read_back import Expected, ReadBack
from target_vitally.bulk.sender import Sender
from target_vitally.mapping.links import displayed
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.mapping.undo import GONE
from target_vitally.pipeline.bulk_delivery import NOT_TAKEN, BulkDelivery
from target_vitally.pipeline.bulk_units import BulkUnits, NotInBulk, NotShown, parents_to_find
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.undo import UndoFile
from vitally_api import Analytics, Budget

IN_BULK = "in bulk"
BY_REST = "by REST, since {}"
FEW = "no more than bulk_from are to be written"
SEVERAL = "several rows of its record are written one after the other"
BLOCKED = "%s: Vitally takes no messages of type %s in this workspace, so that rows go by REST: %s"


@dataclass
class BulkChannel(Stage):
    """Sends the writes that messages can express in bulk, and returns the others."""

    analytics: Analytics
    budget: Budget
    undo_file: UndoFile

    def __post_init__(self) -> None:
        self.sender = Sender(self.analytics, self.references.map_concurrently)
        read_back = ReadBack(self.references, self.budget)
        self.delivery = BulkDelivery(*self.shared, self.sender, read_back, self.undo_file)
        self._units = BulkUnits(*self.shared)
        self._unlinking: list[tuple[PendingWrite, Plan, set[str]]] = []
        for writer in self.writers.values():
            writer.unlinks = True

    def take(self, queues: Sequence[list[PendingWrite]]) -> list[list[PendingWrite]]:
        """Send writes of one resource in bulk and record their outcomes; return those that go by REST."""
        queues = [queue for queue in queues if not self.delivery.follows(queue)]
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
        self._units.find(
            parent for queue, plan in planned for parent in parents_to_find(queue[0], plan)
        )
        taken: list[tuple[list[PendingWrite], Expected]] = []
        for queue, plan in planned:
            try:
                taken.append((queue, self._units.of_write(queue[0], plan)))
            except NotInBulk as reason:
                left.append(self._by_rest(queue, str(reason)))
        if not self.settings.dry_run:
            self.delivery.carry_out([unit for _, unit in taken])
        for queue, unit in taken:
            if unit.state == "waiting" and not self.settings.dry_run:
                left.append(self._not_taken(queue))
            else:
                self.outcomes.count_ways(queue[0], IN_BULK)
        return list(queues) if self.settings.dry_run else [queue for queue in left if queue]

    def _take_links(self, queues: Sequence[list[PendingWrite]]) -> list[list[PendingWrite]]:
        """Link users to accounts, which only messages can do; in a dry run return the writes instead."""
        changing: list[tuple[PendingWrite, Plan]] = []
        for write_ in (write_ for queue in queues for write_ in queue):
            plan = write_.plan or self.plan(write_)
            if plan.outcome in {"created", "deleted"}:
                changing.append((write_, plan))
            else:
                self.outcomes.end_write(write_, plan, plan.record)
        if self.settings.dry_run:
            return [[write_] for write_, _ in changing]
        self._send_links(changing)
        return []

    def unlink(self, doomed: Sequence[tuple[PendingWrite, Record]]) -> None:
        """Unlink users from accounts."""
        self._send_links([(write_, Plan("deleted", record=record)) for write_, record in doomed])

    def _send_links(self, changing: Sequence[tuple[PendingWrite, Plan]]) -> None:
        units: list[Expected] = []
        ends = (("users", "userId"), ("accounts", "accountId"))
        self._units.find((of, w.inside[name]) for w, _ in changing for of, name in ends)
        for write_, plan in changing:
            try:
                units.append(self._units.of_links(write_, plan))
            except NotInBulk as reason:
                # An undo may be fed again when the user or account has gone.
                gone = write_.undo and not isinstance(reason, NotShown)
                made = Plan("ignored", GONE) if gone else Plan("rejected", str(reason))
                self.outcomes.end_write(write_, made)
        self.delivery.carry_out(units)

    def unlinks_later(self, write_: PendingWrite, made: Plan, now: Record | None) -> bool:
        """Remember the accounts that an update left a user linked to; return True if there are any."""
        if write_.resource.name != "users" or not write_.exact or self.settings.dry_run:
            return False
        accounts = displayed(write_.resource.by_name["accountIds"], now or {}) or ()
        gone = set(accounts) - set(write_.body.get("accountIds") or accounts)
        if not gone or made.outcome != "updated":
            return False
        self._unlinking.append((write_, replace(made, record=now), gone))
        return True

    def unlink_rest(self) -> None:
        """Remove the links that `unlinks_later` remembered."""
        waiting, self._unlinking = self._unlinking, []
        units = []
        for write_, made, gone in waiting:
            try:
                units.append(self._units.of_links(write_, made, gone))
            except NotInBulk as reason:
                self.outcomes.end_write(write_, Plan("rejected", str(reason)), made.record)
        self.delivery.carry_out(units)

    def _why_rest(self, queue: Sequence[PendingWrite], of: int) -> str | None:
        """Return why the writes of a record go by REST; None if they go in bulk.

        An empty reason is not counted in the summary: REST was asked for. ``of`` is the number of queues.
        """
        write_ = queue[0]
        channel = self._channel(write_)
        if channel == "rest" or write_.undo:
            return ""
        if channel == "auto" and of <= self.settings.bulk_from:
            return FEW
        return SEVERAL if len(queue) > 1 or write_.plan is None or write_.exact else None

    def _channel(self, write_: PendingWrite) -> str:
        return write_.mapping.channel or self.settings.channel

    def _by_rest(self, queue: list[PendingWrite], reason: str) -> list[PendingWrite]:
        for write_ in queue if reason else ():
            self.outcomes.count_ways(write_, BY_REST.format(reason))
        return queue

    def _not_taken(self, queue: list[PendingWrite]) -> list[PendingWrite]:
        """Return writes of a blocked type, for REST, if their stream allows that; else reject them."""
        write_ = queue[0]
        kind = write_.resource.message
        words = self.sender.blocked.get(kind, "")
        if self._channel(write_) == "auto":
            self.outcomes.warn_once(write_.mapping.stream, BLOCKED, kind, words)
            return self._by_rest(queue, NOT_TAKEN)
        self.outcomes.end_write(write_, Plan("rejected", f"{NOT_TAKEN}: {words}"))
        return []
