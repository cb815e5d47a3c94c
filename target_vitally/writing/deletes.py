"""Rows to delete, which wait for the end of the input, so that their number is known before the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from target_vitally.planning.fit import Key, Rejection
from target_vitally.planning.fold import Group
from target_vitally.planning.plan import ARCHIVED, Plan, plan
from target_vitally.planning.resource import Record
from target_vitally.writing.index import LookupFailed
from target_vitally.writing.outcomes import Row
from target_vitally.writing.run import Run
from target_vitally.writing.source import key_of_record
from target_vitally.writing.work import Work, work_of
from target_vitally.writing.writer import Writer


class Deletes:
    """What is to be deleted at the end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._groups: dict[str, dict[Key | None, Group[Row]]] = {}
        self._said: dict[tuple[str, Key | None], int] = {}
        self._kept: dict[tuple[str, Key], int] = {}
        self._doubtful: list[Work] = []
        self._unlinking: list[tuple[Work, int]] = []

    def put(self, resource: str, group: Group[Row]) -> None:
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

    def recalled(self, resource: str, key: Key | None) -> list[Row]:
        """Take back what was to be deleted, because a later row wants it."""
        group = self._groups.get(resource, {}).pop(key, None) if key else None
        return group.rows if group else []

    def joined(self, resource: str, group: Group[Row]) -> bool:
        """Let rows that would only update share the fate of their record, if it waits to be deleted."""
        waiting = self._groups.get(resource, {}).get(group.key) if group.key else None
        if waiting:
            waiting.rows += group.rows
        return waiting is not None

    def doubt(self, work: Work) -> None:
        """Let rows of an archived record wait for the delete that may come after them."""
        self._doubtful.append(work)

    def unlink(self, work: Work, links: int) -> None:
        """Let rows wait that take so many links away: these count as deletes."""
        self._unlinking.append((work, links))

    def rows(self) -> Iterator[Row]:
        """Give the rows that wait."""
        for work in (*self._doubtful, *(work for work, _ in self._unlinking)):
            yield from work.rows
        for groups in self._groups.values():
            for group in groups.values():
                yield from group.rows

    def carry_out(self, writer: Writer, write: Callable[[Sequence[Work]], None]) -> str:
        """Unlink and delete, if it is not too much; return what is wrong, or nothing."""
        self._settle(writer)
        doomed: list[tuple[Work, Record]] = []
        ranks = sorted(self._groups, key=lambda name: -self._run.resources[name].rank)
        for name in ranks:
            doomed += self._found(name, list(self._groups[name].values()))
        doomed = self._once(doomed)
        most = self._run.settings.max_deletes
        links = sum(count for _, count in self._unlinking)
        if len(doomed) + links > most:
            reason = f"more than max_deletes ({most:,}) would be deleted, so that nothing was"
            over = [(work, str(record["id"])) for work, record in doomed]
            for work, id_ in over + [(work, "") for work, _ in self._unlinking]:
                for row in work.rows:
                    self._run.outcomes.end(row, "rejected", reason, key=work.key, id_=id_)
            told = f" and {links:,} links" if links else ""
            return (
                f"{len(doomed):,} records{told} would be deleted, and max_deletes is {most:,}: nothing was "
                "deleted."
            )
        write([work for work, _ in self._unlinking])
        for name in ranks:
            mine = [pair for pair in doomed if pair[0].resource.name == name]
            self._run.each(lambda pair: writer.delete(*pair), mine)
        return ""

    @staticmethod
    def _once(doomed: Sequence[tuple[Work, Record]]) -> list[tuple[Work, Record]]:
        """Put together the rows that delete one record by several keys."""
        found: dict[tuple[str, str], tuple[Work, Record]] = {}
        for work, record in doomed:
            first, _ = found.setdefault((work.resource.name, str(record["id"])), (work, record))
            if first is not work:
                first.rows += work.rows
        return list(found.values())

    def _is_kept(self, work: Work, record: Record) -> bool:
        """Tell whether a row after the delete wants the record, by whichever key."""
        name = work.resource.name
        said = self._said[name, work.key]
        ways = {key.by for resource, key in self._kept if resource == name}
        known = ((name, Key(by, key_of_record(by, record))) for by in ways)
        return any(self._kept.get(key, 0) > said for key in known)

    def _settle(self, writer: Writer) -> None:
        """Let rows of archived records go with the delete that came, or reject them."""
        for work in self._doubtful:
            group = self._groups.get(work.resource.name, {}).get(work.key)
            if group:
                group.rows[:0] = work.rows
            else:
                self._end(work.rows, Plan("rejected", ARCHIVED), work.key)
                writer.stop_if_rejected("rejected")

    def _found(self, name: str, groups: Sequence[Group[Row]]) -> list[tuple[Work, Record]]:
        """Look up what is there to be deleted; the rest ends here."""
        door = self._run.doors[name]
        self._run.references.prefetch(
            named
            for group in groups
            for names in group.fitted.references.values()
            for named in names or ()
        )
        works = [work for group in groups if (work := self._work(group))]
        door.find(works)
        found = []
        for work in works:
            try:
                made = plan(work.resource, "delete", work.fitted, {}, door.present(work))
            except LookupFailed as failed:
                made = Plan("rejected", str(failed))
            if made.word == "deleted" and made.record and self._is_kept(work, made.record):
                made = Plan("unchanged", "a later row keeps it", record=made.record)
            if made.word == "deleted" and made.record:
                found.append((work, made.record))
            else:
                self._end(work.rows, made, work.key)
        return found

    def _work(self, group: Group[Row]) -> Work | None:
        try:
            work = work_of(group, self._run.references, self._run.totals)
        except Rejection as rejection:
            self._end(group.rows, Plan("rejected", str(rejection)), group.key)
            return None
        missing = work.missing
        if missing is None:
            return work
        gone = not missing.count
        made = Plan("unchanged", "it is not there") if gone else Plan("rejected", str(missing))
        self._end(group.rows, made, group.key)
        return None

    def _end(self, rows: Sequence[Row], made: Plan, key: Key | None) -> None:
        for row in rows:
            id_ = str((made.record or {}).get("id") or "")
            self._run.outcomes.end(row, made.word, made.reason, key=key, id_=id_)
