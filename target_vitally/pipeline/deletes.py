"""Rows to delete, which wait for the end of the input, so that their number is known before the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from target_vitally.mapping.merge_rows import RowGroup
from target_vitally.mapping.parse_row import Key, Rejection
from target_vitally.mapping.plan import ARCHIVED, Plan, plan
from target_vitally.mapping.resource import Record
from target_vitally.pipeline.index import LookupFailed
from target_vitally.pipeline.outcomes import InputRow
from target_vitally.pipeline.run import Run
from target_vitally.pipeline.source import key_of_record
from target_vitally.pipeline.work import PendingWrite, pending_write
from target_vitally.pipeline.writer import Writer


class Deletes:
    """What is to be deleted at the end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._groups: dict[str, dict[Key | None, RowGroup[InputRow]]] = {}
        self._said: dict[tuple[str, Key | None], int] = {}
        self._kept: dict[tuple[str, Key], int] = {}
        self._doubtful: list[PendingWrite] = []
        self._unlinking: list[tuple[PendingWrite, int]] = []

    def put(self, resource: str, group: RowGroup[InputRow]) -> None:
        """Let a group wait to be deleted."""
        key = group.key
        waiting = self._groups.setdefault(resource, {})
        if key in waiting:
            group.rows[:0] = waiting[key].rows
        waiting[key] = group
        self._said[resource, key] = group.rows[-1].number

    def keep(self, resource: str, keys: Iterable[Key], number: int) -> None:
        """Remember the last row that wants a record, by every key that it may be known by.

        A delete before it may have named the record by another key: which one shows at the end.
        """
        if self._groups.get(resource):
            self._kept |= dict.fromkeys(((resource, key) for key in keys), number)

    def cancel_delete(self, resource: str, key: Key | None) -> list[InputRow]:
        """Take back what was to be deleted, because a later row wants it."""
        group = self._groups.get(resource, {}).pop(key, None) if key else None
        return group.rows if group else []

    def merge_into_delete(self, resource: str, group: RowGroup[InputRow]) -> bool:
        """Let rows that would only update share the fate of their record, if it waits to be deleted."""
        waiting = self._groups.get(resource, {}).get(group.key) if group.key else None
        if waiting:
            waiting.rows += group.rows
        return waiting is not None

    def defer_archived(self, write_: PendingWrite) -> None:
        """Let rows of an archived record wait for the delete that may come after them."""
        self._doubtful.append(write_)

    def unlink(self, write_: PendingWrite, links: int) -> None:
        """Let rows wait that take so many links away: these count as deletes."""
        self._unlinking.append((write_, links))

    def rows(self) -> Iterator[InputRow]:
        """Give the rows that wait."""
        for write_ in (*self._doubtful, *(write_ for write_, _ in self._unlinking)):
            yield from write_.rows
        for groups in self._groups.values():
            for group in groups.values():
                yield from group.rows

    def carry_out(self, writer: Writer, write: Callable[[Sequence[PendingWrite]], None]) -> str:
        """Unlink and delete, if it is not too much; return what is wrong, or nothing."""
        self._settle(writer)
        doomed: list[tuple[PendingWrite, Record]] = []
        ranks = sorted(self._groups, key=lambda name: -self._run.resources[name].rank)
        for name in ranks:
            doomed += self._found(name, list(self._groups[name].values()))
        doomed = self._once(doomed)
        most = self._run.settings.max_deletes
        links = sum(count for _, count in self._unlinking)
        if len(doomed) + links > most:
            reason = f"more than max_deletes ({most:,}) would be deleted, so that nothing was"
            over = [(write_, str(record["id"])) for write_, record in doomed]
            for write_, id_ in over + [(write_, "") for write_, _ in self._unlinking]:
                for row in write_.rows:
                    self._run.outcomes.end(row, "rejected", reason, key=write_.key, id_=id_)
            reported = f" and {links:,} links" if links else ""
            return (
                f"{len(doomed):,} records{reported} would be deleted, and max_deletes is {most:,}: "
                "nothing was deleted."
            )
        write([write_ for write_, _ in self._unlinking])
        for name in ranks:
            mine = [pair for pair in doomed if pair[0].resource.name == name]
            self._run.each(lambda pair: writer.delete(*pair), mine)
        return ""

    @staticmethod
    def _once(doomed: Sequence[tuple[PendingWrite, Record]]) -> list[tuple[PendingWrite, Record]]:
        """Put together the rows that delete one record by several keys."""
        found: dict[tuple[str, str], tuple[PendingWrite, Record]] = {}
        for write_, record in doomed:
            first, _ = found.setdefault((write_.resource.name, str(record["id"])), (write_, record))
            if first is not write_:
                first.rows += write_.rows
        return list(found.values())

    def _is_kept(self, write_: PendingWrite, record: Record) -> bool:
        """Tell whether a row after the delete wants the record, by whichever key."""
        name = write_.resource.name
        said = self._said[name, write_.key]
        lookups = {key.by for resource, key in self._kept if resource == name}
        known = ((name, Key(by, key_of_record(by, record))) for by in lookups)
        return any(self._kept.get(key, 0) > said for key in known)

    def _settle(self, writer: Writer) -> None:
        """Let rows of archived records go with the delete that came, or reject them."""
        for write_ in self._doubtful:
            group = self._groups.get(write_.resource.name, {}).get(write_.key)
            if group:
                group.rows[:0] = write_.rows
            else:
                self._end(write_.rows, Plan("rejected", ARCHIVED), write_.key)
                writer.stop_if_rejected("rejected")

    def _found(
        self, name: str, groups: Sequence[RowGroup[InputRow]]
    ) -> list[tuple[PendingWrite, Record]]:
        """Look up what is there to be deleted; the rest ends here."""
        writer = self._run.writers[name]
        self._run.references.prefetch(
            named
            for group in groups
            for names in group.parsed.references.values()
            for named in names or ()
        )
        writes = [write_ for group in groups if (write_ := self._work(group))]
        writer.find(writes)
        found = []
        for write_ in writes:
            try:
                made = plan(write_.resource, "delete", write_.parsed, {}, writer.present(write_))
            except LookupFailed as failed:
                made = Plan("rejected", str(failed))
            if made.outcome == "deleted" and made.record and self._is_kept(write_, made.record):
                made = Plan("unchanged", "a later row keeps it", record=made.record)
            if made.outcome == "deleted" and made.record:
                found.append((write_, made.record))
            else:
                self._end(write_.rows, made, write_.key)
        return found

    def _work(self, group: RowGroup[InputRow]) -> PendingWrite | None:
        try:
            write_ = pending_write(group, self._run.references, self._run.metrics)
        except Rejection as rejection:
            self._end(group.rows, Plan("rejected", str(rejection)), group.key)
            return None
        missing = write_.missing
        if missing is None:
            return write_
        gone = not missing.count
        made = Plan("unchanged", "it is not there") if gone else Plan("rejected", str(missing))
        self._end(group.rows, made, group.key)
        return None

    def _end(self, rows: Sequence[InputRow], made: Plan, key: Key | None) -> None:
        for row in rows:
            id_ = str((made.record or {}).get("id") or "")
            self._run.outcomes.end(row, made.outcome, made.reason, key=key, id_=id_)
