"""Rows of one resource, compared with what Vitally holds and written where they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from target_vitally.planning.fit import Fitted, Key, Named, Rejection, marks
from target_vitally.planning.fold import Group, folded
from target_vitally.planning.links import unlinked
from target_vitally.planning.plan import Word, plan
from target_vitally.planning.resource import Resource
from target_vitally.writing.deletes import Deletes
from target_vitally.writing.exact import ExactLinks
from target_vitally.writing.index import LookupFailed
from target_vitally.writing.outcomes import Row
from target_vitally.writing.rows import RowReader
from target_vitally.writing.run import Run
from target_vitally.writing.work import Work, work_of
from target_vitally.writing.writer import Writer
from vitally_api.values import InvalidValue


class Batches:
    """Takes rows of one resource after the other through look-ups, plans and writes."""

    def __init__(self, run: Run, deletes: Deletes, defer: Callable[[Row], None]) -> None:
        self._run = run
        self._deletes = deletes
        self._defer = defer
        self._waiting: defaultdict[str, set[Key]] = defaultdict(set)
        self._exact = ExactLinks()
        self._reader = RowReader(run, self._exact, self.end)
        self.under_way: list[Row] = []
        self._writer = Writer(run, lambda work: self._wait(work.resource, work))

    def process(self, resource: Resource, rows: Sequence[Row], *, last: bool) -> None:
        """Take rows to their end; those whose parents may still come wait, unless it is the last time."""
        self.under_way = list(rows)
        groups = self._groups(resource, rows, last=last)
        for group in groups:
            if group.fitted.mode != "update":
                keys = marks(resource, group.fitted)
                self._deletes.keep(resource.name, keys, group.rows[-1].number)
        self._run.references.prefetch(
            named for group in groups for named in self._names(resource, group.fitted)
        )
        apart = (part for group in groups for part in self._apart(group, last=last))
        works = [work for group in apart if (work := self._work(resource, group, last=last))]
        self._run.doors[resource.name].find(works)
        works = [work for work in works if not self._may_be_deleted(work)]
        self.write([work for work in works if not self._unlinks(work, last=last)])

    def write(self, works: Sequence[Work]) -> None:
        """Write, side by side but for what belongs together."""
        while works:
            lanes: dict[str, list[Work]] = {}
            for name, work in zip(self._lanes(works), works, strict=True):
                lanes.setdefault(name, []).append(work)
            # Most rows of a nightly push have nothing to write: a worker for each would cost 50 µs.
            busy = [
                lane for lane in lanes.values() if len(lane) > 1 or not self._writer.settle(lane[0])
            ]
            left: list[list[Work]] = []
            self._run.each(partial(self._follow, left), busy)
            lost = [rest[0] for rest in left if rest[0].lost]
            again = {id(work) for work in self._writer.recover(lost)}
            works = [w for rest in left for w in rest if not w.lost or id(w) in again]
        self._writer.end_aside()

    def _follow(self, left: list[list[Work]], lane: Sequence[Work]) -> None:
        """Write one after the other; add to ``left`` what is lost, and what has to wait for that."""
        stuck: list[list[Work]] = []
        for work in lane:
            door = self._run.doors[work.resource.name]
            before = next((rest for rest in stuck if door.in_turn(rest[0], work)), None)
            if before is not None:
                before.append(work)
            elif self._writer.failing or not (self._run.failure or self._writer.write(work)):
                stuck.append([work])
        left += stuck

    def _lanes(self, works: Sequence[Work]) -> Iterator[str]:
        """Name what must be written one after the other; what is new may go by several keys."""
        several = len({work.key.by for work in works if work.key}) > 1
        known: dict[Key, str] = {}
        for work in works:
            lane = self._run.doors[work.resource.name].lane(work)
            if several:
                names = marks(work.resource, work.fitted)
                lane = next((known[name] for name in names if name in known), lane)
                known |= dict.fromkeys(names, lane)
            yield lane

    def _groups(self, resource: Resource, rows: Iterable[Row], *, last: bool) -> list[Group[Row]]:
        """Fit and fold rows; what needs no look-up ends here."""
        fit_rows = [(fitted, row) for row in rows if (fitted := self._reader.read(row))]
        groups = []
        for group in folded(fit_rows):
            if not last and self._follows_one_that_waits(resource, group):
                self._wait(resource, group)
            elif group.fitted.archived:
                self.end(group.rows, "ignored", "an archived row of a copy", group.key)
            elif group.fitted.delete:
                self._delete(resource, group)
            elif group.fitted.mode == "update" and self._deletes.joined(resource.name, group):
                continue
            else:
                recalled = self._deletes.recalled(resource.name, group.key)
                self.under_way += recalled
                group.rows[:0] = recalled
                groups.append(group)
        return groups

    def _unlinks(self, work: Work, *, last: bool) -> bool:
        """Let a row that takes links away wait until all have been named, and counted with the deletes."""
        resource, references = work.resource, self._run.references
        if not work.exact or work.fitted.mode == "create" or work.missing:
            return False
        try:
            found = self._run.doors[resource.name].present(work)
        except LookupFailed:
            return False  # which the plan meets, too
        if len(found) != 1 or found[0].get("archivedAt"):
            return False
        if self._exact.is_spared(resource, work.fitted, found[0]):
            work.exact = False
            return False
        whole = self._exact.together(resource, work.fitted, found[0])
        references.prefetch(self._names(resource, whole))
        made = work_of(Group(whole, work.rows), references, self._run.totals)
        work.fitted, work.body = made.fitted, made.body
        gone = unlinked(resource, work.body, found[0])
        if gone and last:
            self._deletes.unlink(work, sum(map(len, gone.values())))
        elif gone:
            self._wait(resource, work)
        return bool(gone)

    def _delete(self, resource: Resource, group: Group[Row]) -> None:
        if group.key is None and resource.door != "transcript":
            self.end(group.rows, "rejected", "it has no key to delete by")
        else:
            self._deletes.put(resource.name, group)

    def _names(self, resource: Resource, fitted: Fitted) -> Iterable[Named]:
        for names in fitted.references.values():
            yield from names or ()
        yield from self._run.doors[resource.name].wanted(fitted)

    def _apart(self, group: Group[Row], *, last: bool) -> list[Group[Row]]:
        """Take rows of one key apart that cannot be written together: one of them stops no other."""
        references = self._run.references
        if len(group.rows) == 1:
            return [group]
        with suppress(Rejection):
            missing = work_of(group, references, self._run.totals).missing
            may_come = missing and not missing.count and references.can_come(missing.named)
            if not missing or (may_come and not last):
                return [group]
        fitted = [self._reader.read(row) for row in group.rows]
        if not all(each and not each.delete for each in fitted):
            return [group]
        return [Group(each, [row]) for each, row in zip(fitted, group.rows, strict=True) if each]

    def _work(self, resource: Resource, group: Group[Row], *, last: bool) -> Work | None:
        """Resolve what a group refers to, or let it wait, or reject it."""
        references = self._run.references
        if not last and self._follows_one_that_waits(resource, group):
            self._wait(resource, group)
            return None
        try:
            work = work_of(group, references, self._run.totals)
            self._run.fields.type_traits(work, self._run.settings.nulls)
        except (Rejection, InvalidValue) as rejection:
            self.end(group.rows, "rejected", str(rejection), group.key)
            return None
        missing = work.missing
        if missing and not last and not missing.count and references.can_come(missing.named):
            self._wait(resource, group)
            return None
        mode = work.fitted.mode
        if missing and (mode == "upsert" or work.homeless):
            made = plan(resource, mode, work.fitted, {}, [], missing=str(missing))
            self.end(group.rows, made.word, made.reason, group.key)
            return None
        if not last and any(references.can_come(named) for _, named in work.left_out):
            self._wait(resource, group)
            return None
        # Whom an e-mail names is Vitally's to find: somebody who comes later is nobody now.
        work.hopeful = not last and "participants" in work.body
        work.exact = self._reader.is_exact(work.meaning)
        for name, _ in work.left_out:
            stream = work.meaning.stream
            self._run.outcomes.tell_once(
                stream,
                f"left out {name}",
                "%s: some of %s cannot be found in this workspace and were left out.",
                stream,
                name,
            )
        return work

    def _follows_one_that_waits(self, resource: Resource, group: Group[Row]) -> bool:
        waiting = self._waiting[resource.name]
        return bool(waiting) and not waiting.isdisjoint(marks(resource, group.fitted))

    def _may_be_deleted(self, work: Work) -> bool:
        """Let rows of an archived record wait: they are at fault unless a delete comes after them."""
        archives = self._run.settings.deletes and work.resource.archives
        if not archives or work.fitted.mode == "create" or not work.key:
            return False
        try:
            found = self._run.doors[work.resource.name].present(work)
        except LookupFailed:
            return False  # which the plan meets, too
        if len(found) != 1 or not found[0].get("archivedAt"):
            return False
        self._deletes.doubt(work)
        return True

    def _wait(self, resource: Resource, group: Group[Row] | Work) -> None:
        self._waiting[resource.name] |= marks(resource, group.fitted)
        for row in group.rows:
            self._defer(row)

    def end(
        self, rows: Iterable[Row], word: Word, reason: str = "", key: Key | None = None
    ) -> None:
        """Let rows end without a write."""
        for row in rows:
            self._run.outcomes.end(row, word, reason, key=key)
        self._writer.stop_if_rejected(word)

    @property
    def writer(self) -> Writer:
        """What writes single records."""
        return self._writer
