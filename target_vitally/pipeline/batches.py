"""Turn rows of one resource into writes: parse, merge, look up ids and records, hand on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from target_vitally.lookup.exact_links import ExactLinks
from target_vitally.lookup.index import Index
from target_vitally.lookup.resolve import refs_of, resolve
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.entries import EVENTS
from target_vitally.mapping.links import PARTICIPANTS, unlinked
from target_vitally.mapping.parse_row import RecordRef, Rejection
from target_vitally.mapping.plan import Outcome, plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, PendingWrite, Unresolved, merge_rows
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.events import Events
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.row_parser import ParsedRows, RowParser
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.unchanged import UnchangedRows
from target_vitally.writers.base import NEW, ResourceWriter
from vitally_api.values import InvalidValue

OWN_ID = "its externalId is the id of a record in Vitally: say match: id, or map a key of your own"
DIGITS = 32
LEFT_OUT = "%s: some of %s cannot be found in this workspace and were left out."


@dataclass
class Batches(Stage):
    """Processes batches of rows of one resource; some rows wait for the end of the input."""

    executor: Executor
    exact: ExactLinks

    def __post_init__(self) -> None:
        self._waiting, self._channel = self.executor.waiting, self.executor.channel
        self._parser = RowParser(*self.shared, self.exact)
        self.deletes = Deletes(*self.shared, self._parser, self._waiting.store)
        self._unchanged = UnchangedRows(
            *self.shared, self.deletes, self._waiting, self.executor.caps, self._prefetch
        )
        self.events: Events | None = None
        if self._channel:
            self.events = Events(*self.shared, self._channel.sender, self._parser)
        self.under_way: list[InputRow] = []

    def process(self, resource: Resource, rows: Sequence[InputRow], *, last: bool) -> None:
        """Write a batch of rows; unless it is the ``last`` time, rows whose parents may yet come wait."""
        self.under_way = list(rows)
        if resource.name == EVENTS:
            assert self.events is not None  # noqa: S101 - or else the stream was refused
            self.events.process(rows)
            self.under_way = []  # of a long table, as many rows are held as a batch has
            return
        writer = self.writers[resource.name]
        more = not last and len(rows) >= self.settings.batch_size_rows
        parsed_rows = [(parsed, row) for row in rows if (parsed := self._parser.parse(row))]
        changing = self._unchanged.end(resource, parsed_rows, more=more)
        merged = self._merge(resource, changing, last=last)
        self.deletes.keep(resource, parsed_rows)
        refs = [ref for write_ in merged for ref in refs_of(write_.parsed)]
        self._prefetch(refs, more=more)
        separate = (part for write_ in merged for part in self._separate(write_, last=last))
        writes = [write_ for write_ in separate if self._resolve(write_, last=last)]
        writer.find(writes, more=more)
        at_fault = with_own_ids(writer, writes)
        self.executor.write(
            [
                write_
                for write_ in writes
                if (write_ not in at_fault or self._end(write_, "rejected", at_fault[write_]))
                and not self._may_be_deleted(write_)
                and not self._unlinks(write_, last=last)
            ]
        )

    def _prefetch(self, refs: Iterable[RecordRef], *, more: bool) -> None:
        """Look up the records that rows refer to; first confirm those that were sent in bulk."""
        refs = list(refs)
        if self._channel:
            self._channel.delivery.see_parents(refs)
        self.references.prefetch(refs, more=more)

    def _merge(self, resource: Resource, rows: ParsedRows, *, last: bool) -> list[PendingWrite]:
        """Merge the rows of each key; return the writes that need a look-up.

        Deletes are kept for the end of the input, and the outcomes of ignored and rejected rows recorded.
        """
        writes = []
        for write_ in merge_rows(rows):
            parsed = write_.parsed
            if not last and self._waiting.follows(write_.resource, write_.parsed):
                self._wait(write_)
            elif parsed.archived:
                self._end(write_, "ignored", "an archived row of a copy")
            elif parsed.delete:
                if parsed.key:
                    self.deletes.put(resource.name, parsed.key, write_.rows)
                else:
                    self._end(write_, "rejected", "it has no key to delete by")
            else:
                deleting = self.deletes.take(resource.name, parsed.key)
                write_.rows[:0] = deleting
                if parsed.key and deleting and parsed.mode == "update":  # which revives nothing
                    self.deletes.put(resource.name, parsed.key, write_.rows)
                else:
                    self.under_way += deleting
                    writes.append(write_)
        return writes

    def _separate(self, write_: PendingWrite, *, last: bool) -> list[PendingWrite]:
        """Split merged rows if their references cannot be resolved, so that only the bad row fails."""
        if len(write_.rows) == 1:
            return [write_]
        with suppress(Rejection):
            resolve(write_, self.references)
            if not write_.missing or (self._may_come(write_) and not last):
                return [write_]
        parsed = [self._parser.parse(row) for row in write_.rows]
        if not all(each and not each.delete for each in parsed):
            return [write_]
        pairs = zip(parsed, write_.rows, strict=True)
        return [PendingWrite(each, [row]) for each, row in pairs if each]

    def _may_come(self, write_: PendingWrite) -> bool:
        """Return True if a record that a write refers to may still come with the input."""
        missing = write_.missing
        if missing is None or missing.count or self._is_unseen(missing):
            return False
        return self.references.can_come(missing.ref)

    def _is_unseen(self, missing: Unresolved) -> bool:
        return self._channel is not None and missing.ref in self._channel.delivery.not_seen

    def _resolve(self, write_: PendingWrite, *, last: bool) -> bool:
        """Fill in the ids that a write refers to; return False if it has to wait, or has its outcome."""
        if not last and self._waiting.follows(write_.resource, write_.parsed):
            return self._wait(write_)
        try:
            resolve(write_, self.references)
            self.fields.type_traits(write_, self.settings.nulls)
        except (Rejection, InvalidValue) as rejection:
            return self._end(write_, "rejected", str(rejection))
        parsed, missing = write_.parsed, write_.missing
        if not last and self._may_come(write_):
            return self._wait(write_)
        if missing and (parsed.mode == "upsert" or write_.missing_parent):
            return self._end_without(write_, missing)
        if write_.left_out:
            if not last and any(self.references.can_come(ref) for _, ref in write_.left_out):
                return self._wait(write_)
            for name, _ in write_.left_out:
                self.outcomes.warn_once(write_.mapping.stream, LEFT_OUT, name)
        # Vitally finds people by their e-mails, and somebody who comes later it does not find now.
        write_.retry_at_end = not last and PARTICIPANTS in write_.body
        write_.exact = write_.mapping.links == "exact"
        return True

    def _end_without(self, write_: PendingWrite, missing: Unresolved) -> bool:
        """Record the outcome of a write that refers to a missing record; return False."""
        if self._is_unseen(missing):
            reason = f"its {missing.ref.resource.removesuffix('s')} was not seen"
            return self._end(write_, "rejected", reason)
        if missing.count:  # nobody knows whether the record of the row is there
            return self._end(write_, "rejected", str(missing))
        parsed = write_.parsed
        made = plan(write_.resource, parsed.mode, parsed, {}, [], missing=str(missing))
        return self._end(write_, made.outcome, made.reason)

    def _only_record(self, write_: PendingWrite) -> Record | None:
        """Return the record that a write would change; None if there is none, several, or it is unknown."""
        if write_.parsed.mode == "create" or not write_.key:
            return None
        try:
            found = self.writer(write_).present(write_)
        except LookupFailed:
            return None
        return found[0] if len(found) == 1 else None

    def _may_be_deleted(self, write_: PendingWrite) -> bool:
        """Keep a write to an archived record, and return True: it is rejected unless a delete follows."""
        archives = self.settings.deletes and write_.resource.archives
        record = self._only_record(write_) if archives else None
        if not record or not record.get("archivedAt"):
            return False
        self.deletes.archived.put(write_)
        return True

    def _unlinks(self, write_: PendingWrite, *, last: bool) -> bool:
        """Keep a write that removes links, and return True: removing a link counts as a delete.

        It waits until all rows of the input have named their links.
        """
        resource = write_.resource
        record = None if write_.missing or not write_.exact else self._only_record(write_)
        if not record or record.get("archivedAt"):
            return False
        if self.exact.is_spared(resource, write_.parsed, record):
            write_.exact = False
            return False
        parsed = self.exact.together(resource, write_.parsed, record)
        whole = PendingWrite(parsed, write_.rows)
        self.references.prefetch(refs_of(parsed))
        resolve(whole, self.references)
        if whole.missing and (whole.missing.count or PARTICIPANTS in parsed.properties):
            write_.exact = False  # what another row names is not known, and may be linked
            return False
        write_.parsed, write_.body = parsed, whole.body
        gone = unlinked(resource, write_.body, record)
        if gone and last:
            self.deletes.unlink(write_, sum(map(len, gone.values())))
        elif gone:
            self._wait(write_)
        return bool(gone)

    def _wait(self, write_: PendingWrite) -> bool:
        self._waiting.put(write_)
        return False

    def _end(self, write_: PendingWrite, outcome: Outcome, reason: str) -> bool:
        self.outcomes.end(write_.rows, outcome, reason, key=write_.key)
        return False


def with_own_ids(
    writer: ResourceWriter, writes: Sequence[PendingWrite]
) -> Mapping[PendingWrite, str]:
    """Return the creates whose external id is, or may be, the Vitally id of a record, with the reason.

    They are rejected, since they would create that record a second time.
    """
    by_index: dict[Index, dict[str, list[PendingWrite]]] = {}
    for write_ in writes:
        id_ = _as_id(write_)
        if id_ and _is_new(writer, write_):
            by_index.setdefault(writer.index(write_), {}).setdefault(id_, []).append(write_)
    found: dict[PendingWrite, str] = {}
    for index, by_id in by_index.items():
        if "id" in writer.resource.api.lookups:
            index.find("id", by_id)
        for id_, of_id in by_id.items():
            try:
                there = OWN_ID if index.get("id", id_) else ""
            except LookupFailed as failed:
                there = str(failed)
            found |= dict.fromkeys(of_id, there) if there else {}
    return found


def _is_new(writer: ResourceWriter, write_: PendingWrite) -> bool:
    simulated = any(id_.startswith(NEW) for id_ in write_.inside.values())
    if write_.parsed.mode == "update" or writer.asks or simulated:
        return False
    with suppress(LookupFailed):
        return not writer.present(write_)
    return False


def _as_id(write_: PendingWrite) -> str:
    """Return a write's external id as a lower-case UUID, the form of Vitally's ids; empty if it is none."""
    key = write_.key
    text = key.value if key and key.by == "externalId" else str(write_.body.get("externalId") or "")
    try:
        return str(UUID(text)) if len(text) >= DIGITS else ""
    except ValueError:
        return ""
