"""Plan writes, send each of them once, and record their outcomes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from target_vitally.lookup.client import WriteRejected
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.parse_row import Key, record_keys
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.bulk_channel import BulkChannel
from target_vitally.pipeline.caps import WriteCaps
from target_vitally.pipeline.recovery import Recovery
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.undo import UndoFile
from target_vitally.pipeline.waiting_rows import WaitingRows
from target_vitally.pipeline.workers import Item, Workers
from target_vitally.writers.base import NEW, is_duplicate
from vitally_api import Refused, Unavailable


@dataclass
class Executor(Stage):
    """Sends the writes of one record one after the other, and those of others side by side.

    ``new`` is the prefix of the ids of records that a dry run creates.
    """

    workers: Workers
    recovery: Recovery
    waiting: WaitingRows
    undo_file: UndoFile
    caps: WriteCaps
    channel: BulkChannel | None = None
    new: str = NEW

    def __post_init__(self) -> None:
        self._simulated = itertools.count(1)

    def write(self, writes: Sequence[PendingWrite]) -> None:
        """Carry writes out and record their outcomes; writes to one record keep their order."""
        while writes:
            # Most rows of a nightly push have nothing to write: a thread for each would cost 50 µs.
            busy = [
                queue
                for queue in self._queues(writes)
                if len(queue) > 1 or self._needs_request(queue[0])
            ]
            left: list[list[PendingWrite]] = []
            if busy and self.channel:
                busy = self.channel.take(busy)
            self._for_each(partial(self._write_queue, left), busy, writes)
            if self.channel:
                self.channel.unlink_rest()
            lost = [rest[0] for rest in left if rest[0].lost]
            again = {id(write_) for write_ in self.recovery.recover(lost)}
            writes = [w for rest in left for w in rest if not w.lost or id(w) in again]
        self.recovery.end_aside()

    def _for_each(
        self, do: Callable[[Item], Any], items: Sequence[Item], writes: Sequence[PendingWrite]
    ) -> None:
        """Call a function for each item, on several threads; in order if it sends no requests."""
        asks = any(self.writers[name].asks for name in {write_.resource.name for write_ in writes})
        if items and (asks or not self.settings.dry_run):
            self.workers.map_concurrently(do, items)
        else:  # a plan is shown in the order of its rows
            for item in items:
                do(item)

    def _queues(self, writes: Sequence[PendingWrite]) -> list[list[PendingWrite]]:
        """Group writes that must be sent one after the other: those to one record.

        A record that does not exist yet is recognised by any of its keys.
        """
        queues: dict[str, list[PendingWrite]] = {}
        several = len({write_.key.by for write_ in writes if write_.key}) > 1
        known: dict[Key, str] = {}
        for write_ in writes:
            write_.plan = None
            name = self.writer(write_).queue(write_)
            if several:
                keys = record_keys(write_.resource, write_.parsed)
                name = next((known[key] for key in keys if key in known), name)
                known |= dict.fromkeys(keys, name)
            queues.setdefault(name, []).append(write_)
        return list(queues.values())

    def _needs_request(self, write_: PendingWrite) -> bool:
        """Return True if a write needs a request, and keep its plan if none was needed to make it.

        Otherwise record the outcome, or let the write wait, and return False.
        """
        if self.writer(write_).asks or write_.undo:
            return True
        made = self.plan(write_)
        if not self.caps.admit(write_, made):
            return False
        if made.outcome in {"created", "updated"}:
            write_.plan = made
            return True
        self.outcomes.end_write(write_, made, made.record)
        return False

    def _write_queue(self, left: list[list[PendingWrite]], queue: Sequence[PendingWrite]) -> None:
        """Carry out the writes of a queue in order.

        Add to ``left`` each write whose answer was lost, followed by those that have to wait for it.
        """
        stuck: list[list[PendingWrite]] = []
        for write_ in queue:
            writer = self.writer(write_)
            before = next((rest for rest in stuck if writer.blocks(rest[0], write_)), None)
            if before is not None:
                before.append(write_)
            elif self.recovery.failing or not (self.workers.failure or self._write(write_)):
                stuck.append([write_])
        left += stuck

    def _write(self, write_: PendingWrite) -> bool:
        """Carry out one write, or let it wait; return False if its answer was lost."""
        made = self._admitted(write_)
        if made is None:
            return True
        if made.outcome == "deleted" and made.record:  # an undo, whose deletes do not wait
            self._delete(write_, made.record)
            return True
        try:
            done = self._carry_out(write_, made)
        except (WriteRejected, Refused) as rejected:
            if write_.retry_at_end and isinstance(rejected, WriteRejected):
                self.waiting.put(write_)
            else:
                self.outcomes.end_write(write_, Plan("rejected", str(rejected)))
        except Unavailable as failure:
            self.recovery.lose(write_, made, failure)
            return False
        else:
            if done is not None:
                self._end(write_, *done)
        self.workers.check()
        return True

    def _admitted(self, write_: PendingWrite) -> Plan | None:
        """Return the plan of a write, or None if it waits or has ended."""
        if write_.plan and not self.writer(write_).only_adds:
            return write_.plan
        made = self.plan(write_)
        if self.caps.follows(write_) or not self.caps.admit(write_, made):
            return None
        return made

    def _carry_out(self, write_: PendingWrite, made: Plan) -> tuple[Plan, Record | None] | None:
        """Carry out a plan; return what was done and the record; None if the write waits or was rejected."""
        if made.outcome not in {"created", "updated"}:
            return made, made.record
        if self.settings.dry_run:
            self.undo_file.before(write_, made)
            id_ = f"{self.new}{next(self._simulated)}"
            return made, self.writer(write_).simulate(write_, made, id_)
        self.recovery.wait_for_late(write_)
        done = self._send(write_, made)
        self.recovery.remember(write_)
        return done

    def _end(self, write_: PendingWrite, made: Plan, now: Record | None) -> None:
        if self.channel and self.channel.unlinks_later(write_, made, now):
            return
        if write_.undo and now and made.outcome != "rejected":
            write_.undo.run.settled.add(str(now.get("id")))
        self.outcomes.end_write(write_, made, now)

    def _send(self, write_: PendingWrite, made: Plan) -> tuple[Plan, Record] | None:
        """Send a create or an update; if a create is refused as a duplicate, update that record instead.

        Return None if a cap on updates makes that update wait, or rejects it.
        """
        writer, undos = self.writer(write_), self.undo_file.before(write_, made)
        try:
            send = writer.create if made.outcome == "created" else writer.update
            now = send(write_, made)
        except WriteRejected as rejected:
            if made.outcome != "created" or not is_duplicate(rejected):
                raise
            writer.find_again([write_])
            if not writer.present(write_):
                raise
            self.undo_file.found(write_, undos)
            made = self.plan(write_)
            if made.outcome == "created":
                raise
            if not self.caps.admit(write_, made):
                return None
            if made.outcome != "updated":
                return made, made.record or {}
            self.undo_file.before(write_, made)
            now = writer.update(write_, made)
        else:
            self.undo_file.after(write_, undos, now)
        if write_.undo and (reason := writer.not_undone(write_, now)):
            raise WriteRejected(reason, 400)
        self.warn_not_applied(write_, writer.not_applied(write_, made, now))
        return made, now

    def delete(self, doomed: Sequence[tuple[PendingWrite, Record]]) -> None:
        """Delete records, or unlink them if they are links; record the outcomes."""
        writes = [write_ for write_, _ in doomed]
        links = any(write_.resource.only_message for write_ in writes)
        if links and self.channel and not self.settings.dry_run:
            self.channel.unlink(doomed)
        else:
            self._for_each(lambda pair: self._delete(*pair), doomed, writes)

    def _delete(self, write_: PendingWrite, record: Record) -> None:
        try:
            if not self.settings.dry_run:
                self.recovery.wait_for_late(write_)
            self.undo_file.before_delete(write_, record)
            there = self.settings.dry_run or self.writer(write_).delete(write_, record)
        except (LookupFailed, Refused, WriteRejected) as rejected:
            self.outcomes.end_write(write_, Plan("rejected", str(rejected)), record)
        except Unavailable as failure:
            self.recovery.lose(write_, Plan("deleted", record=record), failure)
            self.recovery.give_up(write_)
        else:
            made = Plan("deleted") if there else Plan("unchanged", "it is not there")
            if write_.undo:
                run, dry_run = write_.undo.run, self.settings.dry_run
                run.settle(write_.undo, str(record["id"]), dry_run=dry_run)
            self.outcomes.end_write(write_, made, record)
