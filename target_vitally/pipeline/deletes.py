"""Deletes wait for the end of the input, so that their number is known before the first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from target_vitally.lookup.kept_records import key_of_record
from target_vitally.lookup.resolve import resolve
from target_vitally.mapping.parse_row import Key, Rejection, record_keys
from target_vitally.mapping.plan import ARCHIVED, Outcome, Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, PendingWrite
from target_vitally.pipeline.caps import OVER, HeldRecords, counted
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.stage import Stage

Doomed = tuple[PendingWrite, Record]


@dataclass
class Deletes(Stage):
    """What is deleted at the end: records, and links that no row names."""

    def __post_init__(self) -> None:
        self._held = HeldRecords(self.writers)
        self._waiting: dict[str, dict[Key | None, PendingWrite]] = {}
        self._ways: defaultdict[str, set[str]] = defaultdict(set)
        self._deleted_at: dict[tuple[str, Key | None], int] = {}
        self._kept_ways: defaultdict[str, set[str]] = defaultdict(set)
        self._archived: list[PendingWrite] = []
        self._unlinking: list[tuple[PendingWrite, int]] = []

    def concerns(self, resource: str, key: Key | None) -> bool:
        """Return whether a delete waits that may be of the record that a key names."""
        waiting = self._waiting.get(resource)
        return bool(waiting) and (
            key is None or key in (waiting or ()) or self._ways[resource] != {key.by}
        )

    def put(self, resource: str, write_: PendingWrite) -> None:
        """Let a delete wait."""
        self._ways[resource].add(write_.key.by if write_.key else "")
        waiting = self._waiting.setdefault(resource, {})
        if write_.key in waiting:
            write_.rows[:0] = waiting[write_.key].rows
        waiting[write_.key] = write_
        self._deleted_at[resource, write_.key] = write_.rows[-1].number

    def keep(self, resource: Resource, write_: PendingWrite) -> None:
        """Remember the last row that wants a record, by every key that it may be known by.

        A delete before it may have named the record by another key: which one shows at the end.
        """
        if self._waiting.get(resource.name):
            for key in record_keys(resource, write_.parsed):
                self._kept_ways[resource.name].add(key.by)
                place = ("kept", resource.name, key)
                self.references.store.remember(place, write_.rows[-1].number)

    def cancel_delete(self, resource: str, key: Key | None) -> list[InputRow]:
        """Cancel a delete, because a later row wants the record; return its rows."""
        waiting = self._waiting.get(resource)
        write_ = waiting.pop(key, None) if waiting and key else None
        return write_.rows if write_ else []

    def merge_into_delete(self, resource: str, write_: PendingWrite) -> bool:
        """Let rows that would only update share the outcome of a delete, if one waits."""
        waiting = self._waiting.get(resource, {}).get(write_.key) if write_.key else None
        if waiting:
            waiting.rows += write_.rows
        return waiting is not None

    def defer_archived(self, write_: PendingWrite) -> None:
        """Let rows of an archived record wait for the delete that may come after them."""
        self._archived.append(write_)

    def unlink(self, write_: PendingWrite, links: int) -> None:
        """Let a write wait that takes so many links away: these count as deletes."""
        self._unlinking.append((write_, links))

    def rows(self) -> Iterator[InputRow]:
        """Yield the rows that wait."""
        deletes = (write_ for waiting in self._waiting.values() for write_ in waiting.values())
        for write_ in (*self._archived, *(write_ for write_, _ in self._unlinking), *deletes):
            yield from write_.rows

    def carry_out(self, executor: Executor, rank: Callable[[str], int]) -> str:
        """Unlink and delete, if it is not too much; return what is wrong, or nothing.

        ``rank`` is the place of a resource in the order of writing, which deletes follow backwards.
        """
        self._end_archived()
        names = sorted(self._waiting, key=rank, reverse=True)
        found = {name: self._find(name, list(self._waiting[name].values())) for name in names}
        counts = Counter({name: len(doomed) for name, doomed in found.items()})
        for write_, links in self._unlinking:
            counts[write_.resource.name] += links
        over = [pair for doomed in found.values() for pair in doomed]
        for write_, _ in [*over, *self._unlinking]:
            self._held.note(write_)
        most = self.settings.max_deletes.excess(counts, self._held.count)
        if most is not None:
            return self._refuse(over, most)
        executor.write([write_ for write_, _ in self._unlinking])
        for doomed in found.values():
            executor.delete(doomed)
        return ""

    def _refuse(self, over: Sequence[Doomed], most: str) -> str:
        refusal = OVER.format("max_deletes", self.settings.max_deletes.text, "deleted")
        for write_, record in over:
            self.outcomes.end_write(write_, Plan("deleted"), record, refusal=refusal)
        for write_, _ in self._unlinking:
            rows, key = write_.rows, write_.key
            self.outcomes.end(rows, "rejected", refusal, key=key, refused=True)
        links = sum(count for _, count in self._unlinking)
        reported = counted(len(over), "record")
        reported += f" and {counted(links, 'link')}" if links else ""
        return f"{reported} would be deleted, and max_deletes is {most}: nothing was deleted."

    def _end_archived(self) -> None:
        """Let rows of archived records go with the delete that came, or reject them."""
        for write_ in self._archived:
            delete = self._waiting.get(write_.resource.name, {}).get(write_.key)
            if delete:
                delete.rows[:0] = write_.rows
            else:
                self.outcomes.end(write_.rows, "rejected", ARCHIVED, key=write_.key)

    def _find(self, name: str, writes: Sequence[PendingWrite]) -> list[Doomed]:
        """Return what is there to be deleted, each record once; the rest ends here."""
        writer = self.writers[name]
        self.references.prefetch(
            ref
            for write_ in writes
            for refs in write_.parsed.references.values()
            for ref in refs or ()
        )
        writes = [write_ for write_ in writes if self._resolve(write_)]
        writer.find(writes)
        found: dict[str, Doomed] = {}
        for write_ in writes:
            made = self.plan(write_)
            record = made.record
            if made.outcome == "deleted" and record and self._is_kept(write_, record):
                made = Plan("unchanged", "a later row keeps it", record=record)
            if made.outcome == "deleted" and record:
                first, _ = found.setdefault(str(record["id"]), (write_, record))
                if first is not write_:  # several keys name one record
                    first.rows += write_.rows
            else:
                self._end(write_, made.outcome, made.reason, str((record or {}).get("id") or ""))
        return list(found.values())

    def _is_kept(self, write_: PendingWrite, record: Record) -> bool:
        """Return whether a row after the delete wants the record, by any key."""
        name = write_.resource.name
        deleted_at = self._deleted_at[name, write_.key]
        known = (Key(by, key_of_record(by, record)) for by in self._kept_ways[name])
        kept_at = (self.references.store.recall(("kept", name, key)) for key in known)
        return any((number or 0) > deleted_at for number in kept_at)

    def _resolve(self, write_: PendingWrite) -> bool:
        """Resolve what a delete refers to; return False if it ends here."""
        try:
            resolve(write_, self.references)
        except Rejection as rejection:
            self._end(write_, "rejected", str(rejection))
            return False
        if write_.missing is None:
            return True
        if write_.missing.count:
            self._end(write_, "rejected", str(write_.missing))
        else:
            self._end(write_, "unchanged", "it is not there")
        return False

    def _end(self, write_: PendingWrite, outcome: Outcome, reason: str, id_: str = "") -> None:
        self.outcomes.end(write_.rows, outcome, reason, key=write_.key, id_=id_, stops=False)
