"""Rows of one resource, compared with what Vitally holds and written where they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from target_vitally.mapping.links import unlinked
from target_vitally.mapping.merge_rows import RowGroup, merge_rows
from target_vitally.mapping.parse_row import Key, ParsedRow, RecordRef, Rejection, record_keys
from target_vitally.mapping.plan import Outcome, plan
from target_vitally.mapping.resource import Resource
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.exact import ExactLinks
from target_vitally.pipeline.index import LookupFailed
from target_vitally.pipeline.outcomes import InputRow
from target_vitally.pipeline.rows import RowReader
from target_vitally.pipeline.run import Run
from target_vitally.pipeline.work import PendingWrite, pending_write
from target_vitally.pipeline.writer import Writer
from vitally_api.values import InvalidValue


class Batches:
    """Takes rows of one resource after the other through look-ups, plans and writes."""

    def __init__(self, run: Run, deletes: Deletes, defer: Callable[[InputRow], None]) -> None:
        self._run = run
        self._deletes = deletes
        self._defer = defer
        self._waiting: defaultdict[str, set[Key]] = defaultdict(set)
        self._exact = ExactLinks()
        self._reader = RowReader(run, self._exact, self.end)
        self.under_way: list[InputRow] = []
        self._writer = Writer(run, lambda write_: self._wait(write_.resource, write_))

    def process(self, resource: Resource, rows: Sequence[InputRow], *, last: bool) -> None:
        """Take rows to their end; those whose parents may still come wait, unless it is the last time."""
        self.under_way = list(rows)
        groups = self._groups(resource, rows, last=last)
        for group in groups:
            if group.parsed.mode != "update":
                keys = record_keys(resource, group.parsed)
                self._deletes.keep(resource.name, keys, group.rows[-1].number)
        self._run.references.prefetch(
            named for group in groups for named in self._names(resource, group.parsed)
        )
        apart = (part for group in groups for part in self._apart(group, last=last))
        writes = [write_ for group in apart if (write_ := self._work(resource, group, last=last))]
        self._run.writers[resource.name].find(writes)
        writes = [write_ for write_ in writes if not self._may_be_deleted(write_)]
        self.write([write_ for write_ in writes if not self._unlinks(write_, last=last)])

    def write(self, writes: Sequence[PendingWrite]) -> None:
        """Write, side by side but for what belongs together."""
        while writes:
            queues: dict[str, list[PendingWrite]] = {}
            for name, write_ in zip(self._queues(writes), writes, strict=True):
                queues.setdefault(name, []).append(write_)
            # Most rows of a nightly push have nothing to write: a worker for each would cost 50 µs.
            busy = [
                queue
                for queue in queues.values()
                if len(queue) > 1 or not self._writer.settle(queue[0])
            ]
            left: list[list[PendingWrite]] = []
            self._run.each(partial(self._follow, left), busy)
            lost = [rest[0] for rest in left if rest[0].lost]
            again = {id(write_) for write_ in self._writer.recover(lost)}
            writes = [w for rest in left for w in rest if not w.lost or id(w) in again]
        self._writer.end_aside()

    def _follow(self, left: list[list[PendingWrite]], queue: Sequence[PendingWrite]) -> None:
        """Write one after the other; add to ``left`` what is lost, and what has to wait for that."""
        stuck: list[list[PendingWrite]] = []
        for write_ in queue:
            writer = self._run.writers[write_.resource.name]
            before = next((rest for rest in stuck if writer.in_turn(rest[0], write_)), None)
            if before is not None:
                before.append(write_)
            elif self._writer.failing or not (self._run.failure or self._writer.write(write_)):
                stuck.append([write_])
        left += stuck

    def _queues(self, writes: Sequence[PendingWrite]) -> Iterator[str]:
        """Name what must be written one after the other; what is new may go by several keys."""
        several = len({write_.key.by for write_ in writes if write_.key}) > 1
        known: dict[Key, str] = {}
        for write_ in writes:
            queue = self._run.writers[write_.resource.name].queue(write_)
            if several:
                names = record_keys(write_.resource, write_.parsed)
                queue = next((known[name] for name in names if name in known), queue)
                known |= dict.fromkeys(names, queue)
            yield queue

    def _groups(
        self, resource: Resource, rows: Iterable[InputRow], *, last: bool
    ) -> list[RowGroup[InputRow]]:
        """Fit and fold rows; what needs no look-up ends here."""
        parsed_rows = [(parsed, row) for row in rows if (parsed := self._reader.read(row))]
        groups = []
        for group in merge_rows(parsed_rows):
            if not last and self._follows_one_that_waits(resource, group):
                self._wait(resource, group)
            elif group.parsed.archived:
                self.end(group.rows, "ignored", "an archived row of a copy", group.key)
            elif group.parsed.delete:
                self._delete(resource, group)
            elif group.parsed.mode == "update" and self._deletes.merge_into_delete(
                resource.name, group
            ):
                continue
            else:
                cancel_delete = self._deletes.cancel_delete(resource.name, group.key)
                self.under_way += cancel_delete
                group.rows[:0] = cancel_delete
                groups.append(group)
        return groups

    def _unlinks(self, write_: PendingWrite, *, last: bool) -> bool:
        """Let a row that takes links away wait until all have been named, and counted with the deletes."""
        resource, references = write_.resource, self._run.references
        if not write_.exact or write_.parsed.mode == "create" or write_.missing:
            return False
        try:
            found = self._run.writers[resource.name].present(write_)
        except LookupFailed:
            return False  # which the plan meets, too
        if len(found) != 1 or found[0].get("archivedAt"):
            return False
        if self._exact.is_spared(resource, write_.parsed, found[0]):
            write_.exact = False
            return False
        whole = self._exact.together(resource, write_.parsed, found[0])
        references.prefetch(self._names(resource, whole))
        made = pending_write(RowGroup(whole, write_.rows), references, self._run.metrics)
        write_.parsed, write_.body = made.parsed, made.body
        gone = unlinked(resource, write_.body, found[0])
        if gone and last:
            self._deletes.unlink(write_, sum(map(len, gone.values())))
        elif gone:
            self._wait(resource, write_)
        return bool(gone)

    def _delete(self, resource: Resource, group: RowGroup[InputRow]) -> None:
        if group.key is None and resource.writer != "transcript":
            self.end(group.rows, "rejected", "it has no key to delete by")
        else:
            self._deletes.put(resource.name, group)

    def _names(self, resource: Resource, parsed: ParsedRow) -> Iterable[RecordRef]:
        for names in parsed.references.values():
            yield from names or ()
        yield from self._run.writers[resource.name].wanted(parsed)

    def _apart(self, group: RowGroup[InputRow], *, last: bool) -> list[RowGroup[InputRow]]:
        """Take rows of one key apart that cannot be written together: one of them stops no other."""
        references = self._run.references
        if len(group.rows) == 1:
            return [group]
        with suppress(Rejection):
            missing = pending_write(group, references, self._run.metrics).missing
            may_come = missing and not missing.count and references.can_come(missing.named)
            if not missing or (may_come and not last):
                return [group]
        parsed = [self._reader.read(row) for row in group.rows]
        if not all(each and not each.delete for each in parsed):
            return [group]
        return [RowGroup(each, [row]) for each, row in zip(parsed, group.rows, strict=True) if each]

    def _work(
        self, resource: Resource, group: RowGroup[InputRow], *, last: bool
    ) -> PendingWrite | None:
        """Resolve what a group refers to, or let it wait, or reject it."""
        references = self._run.references
        if not last and self._follows_one_that_waits(resource, group):
            self._wait(resource, group)
            return None
        try:
            write_ = pending_write(group, references, self._run.metrics)
            self._run.fields.type_traits(write_, self._run.settings.nulls)
        except (Rejection, InvalidValue) as rejection:
            self.end(group.rows, "rejected", str(rejection), group.key)
            return None
        missing = write_.missing
        if missing and not last and not missing.count and references.can_come(missing.named):
            self._wait(resource, group)
            return None
        mode = write_.parsed.mode
        if missing and (mode == "upsert" or write_.missing_parent):
            made = plan(resource, mode, write_.parsed, {}, [], missing=str(missing))
            self.end(group.rows, made.outcome, made.reason, group.key)
            return None
        if not last and any(references.can_come(named) for _, named in write_.left_out):
            self._wait(resource, group)
            return None
        # Whom an e-mail names is Vitally's to find: somebody who comes later is nobody now.
        write_.retry_at_end = not last and "participants" in write_.body
        write_.exact = self._reader.is_exact(write_.mapping)
        for name, _ in write_.left_out:
            stream = write_.mapping.stream
            self._run.outcomes.warn_once(
                stream,
                f"left out {name}",
                "%s: some of %s cannot be found in this workspace and were left out.",
                stream,
                name,
            )
        return write_

    def _follows_one_that_waits(self, resource: Resource, group: RowGroup[InputRow]) -> bool:
        waiting = self._waiting[resource.name]
        return bool(waiting) and not waiting.isdisjoint(record_keys(resource, group.parsed))

    def _may_be_deleted(self, write_: PendingWrite) -> bool:
        """Let rows of an archived record wait: they are at fault unless a delete comes after them."""
        archives = self._run.settings.deletes and write_.resource.archives
        if not archives or write_.parsed.mode == "create" or not write_.key:
            return False
        try:
            found = self._run.writers[write_.resource.name].present(write_)
        except LookupFailed:
            return False  # which the plan meets, too
        if len(found) != 1 or not found[0].get("archivedAt"):
            return False
        self._deletes.defer_archived(write_)
        return True

    def _wait(self, resource: Resource, group: RowGroup[InputRow] | PendingWrite) -> None:
        self._waiting[resource.name] |= record_keys(resource, group.parsed)
        for row in group.rows:
            self._defer(row)

    def end(
        self, rows: Iterable[InputRow], outcome: Outcome, reason: str = "", key: Key | None = None
    ) -> None:
        """Let rows end without a write."""
        for row in rows:
            self._run.outcomes.end(row, outcome, reason, key=key)
        self._writer.stop_if_rejected(outcome)

    @property
    def writer(self) -> Writer:
        """What writes single records."""
        return self._writer
