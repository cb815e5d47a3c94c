"""Hold deletes back until the end of the input, so that they can be counted before the first is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from target_vitally.lookup.kept_records import key_of_record
from target_vitally.lookup.resolve import refs_of, resolve
from target_vitally.lookup.store import Store
from target_vitally.mapping.parse_row import Key, Rejection, key_of, record_keys
from target_vitally.mapping.plan import ARCHIVED, Outcome, Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, PendingWrite
from target_vitally.pipeline.caps import OVER, HeldRecords, counted
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.row_parser import ParsedRows, RowParser
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.waiting_rows import WaitingRows
from target_vitally.writers.base import ResourceWriter

Doomed = tuple[PendingWrite, Record]


@dataclass
class Deletes(Stage):
    """Deletes records and removes links at the end of the input, unless ``max_deletes`` is exceeded."""

    parser: RowParser
    store: Store

    def __post_init__(self) -> None:
        self._held = HeldRecords(self.writers)
        self._scope = self.references.store.new_scope()
        self._waiting = WaitingRows(self.store)
        self._kept_ways: defaultdict[str, set[str]] = defaultdict(set)
        self.archived = WaitingRows(self.store)
        """Rows of archived records, which wait for the delete that may come after them."""
        self._unlinking: list[tuple[PendingWrite, int]] = []

    def waits(self, resource: str, key: Key | None) -> bool:
        """Return True if a delete with this key waits."""
        return key is not None and self._waiting.has(resource, [key])

    def put(self, resource: str, key: Key, rows: Sequence[InputRow]) -> None:
        """Keep the rows of a delete, together with rows of the same key that wait already."""
        self._waiting.keep(resource, [key], [*self.take(resource, key), *rows])

    def take(self, resource: str, key: Key | None) -> list[InputRow]:
        """Remove a waiting delete and return its rows; an empty list if none has this key."""
        return self._waiting.take(resource, key) if key else []

    def keep(self, resource: Resource, rows: ParsedRows) -> None:
        """Note which row last wrote each record, under all keys of the record.

        A delete before that row must not be carried out, and may have another key of the same record.
        """
        for parsed, row in rows if resource.name in self._waiting.resources else ():
            if not (parsed.delete or parsed.archived or parsed.mode == "update"):
                for key in record_keys(resource, parsed):
                    self._kept_ways[resource.name].add(key.by)
                    kept = ("kept", self._scope, resource.name, key)
                    self.references.store.remember(kept, row.number)

    def unlink(self, write_: PendingWrite, links: int) -> None:
        """Keep a write that removes ``links`` links until the end: each counts as a delete."""
        self._unlinking.append((write_, links))

    def rows(self) -> Iterator[InputRow]:
        """Yield all rows that wait for the end of the input."""
        yield from self.archived.rows()
        yield from self._waiting.rows()
        for write_, _ in self._unlinking:
            yield from write_.rows

    def carry_out(self, executor: Executor) -> str:
        """Remove links and delete records; return an error message, or an empty string.

        If ``max_deletes`` is exceeded, delete nothing and reject the rows. Resources are deleted in the
        reverse of the order in which they are written.
        """
        self._end_archived()
        rank = {name: writer.resource.rank for name, writer in self.writers.items()}
        names = sorted(self._waiting.resources, key=rank.__getitem__, reverse=True)
        found = {name: self._find_all(name) for name in names}
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
        """Add rows of archived records to the delete that came after them, or reject them."""
        for resource in self.archived.resources:
            for rows in self.archived.writes(resource):
                key = key_of(rows[-1].mapping, rows[-1].record)
                if key and (delete := self.take(resource, key)):
                    self.put(resource, key, [*rows, *delete])
                else:
                    self.outcomes.end(rows, "rejected", ARCHIVED, key=key)

    def _find_all(self, name: str) -> list[Doomed]:
        """Return the records of a resource to delete, each once, with the writes that ask for it.

        Record the outcome of deletes that have no record to delete.
        """
        found: dict[str, Doomed] = {}
        waiting = self._writes(name)
        while writes := list(islice(waiting, self.settings.batch_size_rows)):
            self._find(self.writers[name], writes, found)
        return list(found.values())

    def _writes(self, name: str) -> Iterator[PendingWrite]:
        """Yield the waiting deletes of a resource."""
        for rows in self._waiting.writes(name):
            parsed = [each for row in rows if (each := self.parser.parse(row))]
            yield PendingWrite(next(each for each in reversed(parsed) if each.delete), rows)

    def _find(
        self, writer: ResourceWriter, writes: Sequence[PendingWrite], found: dict[str, Doomed]
    ) -> None:
        """Add the records to delete to ``found``, by their ids; record the outcome of all other deletes."""
        self.references.prefetch(ref for write_ in writes for ref in refs_of(write_.parsed))
        writes = [write_ for write_ in writes if self._resolve(write_)]
        writer.find(writes)
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

    def _is_kept(self, write_: PendingWrite, record: Record) -> bool:
        """Return True if a row after the delete writes the record, under any of its keys."""
        name, deleted_at = write_.resource.name, write_.rows[-1].number
        known = (Key(by, key_of_record(by, record)) for by in self._kept_ways[name])
        places = (("kept", self._scope, name, key) for key in known)
        kept_at = map(self.references.store.recall, places)
        return any((number or 0) > deleted_at for number in kept_at)

    def _resolve(self, write_: PendingWrite) -> bool:
        """Look up the ids that a delete needs; if that fails, record the outcome and return False."""
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
