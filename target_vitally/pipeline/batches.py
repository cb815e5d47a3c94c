"""Rows of one resource: parsed, merged, resolved, looked up, and handed on to be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.index import LookupFailed
from target_vitally.lookup.references import References
from target_vitally.lookup.resolve import refs_of, resolve
from target_vitally.mapping.entries import EVENTS
from target_vitally.mapping.links import PARTICIPANTS, ExactLinks, unlinked
from target_vitally.mapping.parse_row import RecordRef, Rejection
from target_vitally.mapping.plan import Outcome, plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, PendingWrite, Unresolved, merge_rows
from target_vitally.pipeline.bulk_channel import BulkChannel
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.events import Events
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.overflow import WaitingRows
from target_vitally.pipeline.own_ids import OWN_ID, with_own_ids
from target_vitally.pipeline.row_parser import RowParser
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.unchanged import ParsedRows, UnchangedRows
from target_vitally.writers.base import ResourceWriter
from vitally_api.values import InvalidValue

LEFT_OUT = "%s: some of %s cannot be found in this workspace and were left out."


class Batches:
    """Takes rows of one resource to their end, or lets them wait for the end of the input."""

    def __init__(  # noqa: PLR0913, PLR0917 - the stages that it leads through
        self,
        settings: Settings,
        writers: Mapping[str, ResourceWriter],
        references: References,
        fields: CustomFields,
        outcomes: Outcomes,
        deletes: Deletes,
        executor: Executor,
        waiting: WaitingRows,
        exact: ExactLinks,
        channel: BulkChannel | None = None,
    ) -> None:
        self._settings = settings
        self._writers = writers
        self._references = references
        self._fields = fields
        self._outcomes = outcomes
        self._deletes = deletes
        self._executor = executor
        self._waiting = waiting
        self._exact = exact
        self._parser = RowParser(settings, fields, self._exact, outcomes, references.store)
        self._unchanged = UnchangedRows(
            settings,
            references,
            fields,
            outcomes,
            deletes,
            waiting,
            executor.admission,
            self._prefetch,
        )
        self._channel = channel
        self.events: Events | None = None
        if channel is not None:
            self.events = Events(settings, channel.sender, references, self._parser, outcomes)
        self.under_way: list[InputRow] = []

    def process(self, resource: Resource, rows: Sequence[InputRow], *, last: bool) -> None:
        """Process rows; those whose parents may still come wait, unless it is the ``last`` time."""
        self.under_way = list(rows)
        if resource.name == EVENTS:
            assert self.events is not None  # noqa: S101 - or else the stream was refused
            self.events.process(rows)
            self.under_way = []  # of a long table, as many rows are held as a batch has
            return
        writer = self._writers[resource.name]
        more = not last and len(rows) >= self._settings.batch_size_rows
        rows = self._unchanged.end_literal(resource, rows, more=more)
        parsed_rows = [(parsed, row) for row in rows if (parsed := self._parser.parse(row))]
        parsed_rows = self._unchanged.end(resource, parsed_rows, more=more)
        merged = self._merge(resource, parsed_rows, last=last)
        for write_ in merged:
            if write_.parsed.mode != "update":
                self._deletes.keep(resource, write_)
        refs = [ref for write_ in merged for ref in refs_of(write_.parsed)]
        self._prefetch(refs, more=more)
        separate = (part for write_ in merged for part in self._separate(write_, last=last))
        writes = [write_ for write_ in separate if self._resolve(write_, last=last)]
        writer.find(writes, more=more)
        own = with_own_ids(writer, writes)
        writes = [
            write_
            for place, write_ in enumerate(writes)
            if place not in own or self._end(write_, "rejected", OWN_ID)
        ]
        if self._settings.deletes and resource.archives:
            writes = [write_ for write_ in writes if not self._may_be_deleted(write_)]
        if any(write_.exact for write_ in writes):
            writes = [write_ for write_ in writes if not self._unlinks(write_, last=last)]
        self._executor.write(writes)

    def _prefetch(self, refs: Iterable[RecordRef], *, more: bool) -> None:
        """Look up what rows refer to, once it was looked whether what was sent of it is there."""
        refs = list(refs)
        if self._channel:
            self._channel.see_parents(refs)
        self._references.prefetch(refs, more=more)

    def _merge(self, resource: Resource, rows: ParsedRows, *, last: bool) -> list[PendingWrite]:
        """Merge rows of one key; what needs no look-up ends here."""
        writes = []
        for write_ in merge_rows(rows):
            parsed = write_.parsed
            if not last and self._waiting.follows(write_.resource.name, write_.keys):
                self._wait(write_)
            elif parsed.archived:
                self._end(write_, "ignored", "an archived row of a copy")
            elif parsed.delete:
                # What there is one of in each parent needs no key: its path tells which.
                if parsed.key is None and not self._writers[resource.name].asks:
                    self._end(write_, "rejected", "it has no key to delete by")
                else:
                    self._deletes.put(resource.name, write_)
            elif parsed.mode == "update" and self._deletes.merge_into_delete(resource.name, write_):
                continue
            else:
                cancelled = self._deletes.cancel_delete(resource.name, parsed.key)
                self.under_way += cancelled
                write_.rows[:0] = cancelled
                writes.append(write_)
        return writes

    def _separate(self, write_: PendingWrite, *, last: bool) -> list[PendingWrite]:
        """Separate rows of one key that cannot be written together: one of them stops no other."""
        if len(write_.rows) == 1:
            return [write_]
        with suppress(Rejection):
            resolve(write_, self._references)
            if not write_.missing or (self._may_come(write_) and not last):
                return [write_]
        parsed = [self._parser.parse(row) for row in write_.rows]
        if not all(each and not each.delete for each in parsed):
            return [write_]
        pairs = zip(parsed, write_.rows, strict=True)
        return [PendingWrite(each, [row]) for each, row in pairs if each]

    def _may_come(self, write_: PendingWrite) -> bool:
        """Return whether what a write refers to may still come with the input."""
        missing = write_.missing
        if missing is None or missing.count or self._is_unseen(missing):
            return False
        return self._references.can_come(missing.ref)

    def _is_unseen(self, missing: Unresolved) -> bool:
        return self._channel is not None and self._channel.is_unseen(missing.ref)

    def _resolve(self, write_: PendingWrite, *, last: bool) -> bool:
        """Resolve what a write refers to; return False if it waits or ends here."""
        if not last and self._waiting.follows(write_.resource.name, write_.keys):
            return self._wait(write_)
        try:
            resolve(write_, self._references)
            self._fields.type_traits(write_, self._settings.nulls)
        except (Rejection, InvalidValue) as rejection:
            return self._end(write_, "rejected", str(rejection))
        parsed, missing = write_.parsed, write_.missing
        if not last and self._may_come(write_):
            return self._wait(write_)
        if missing and (parsed.mode == "upsert" or write_.missing_parent):
            reason = str(missing)
            if self._is_unseen(missing):
                reason = f"its {missing.ref.resource.removesuffix('s')} was not seen"
            made = plan(write_.resource, parsed.mode, parsed, {}, [], missing=reason)
            return self._end(write_, made.outcome, made.reason)
        stream = write_.mapping.stream
        if write_.left_out:
            if not last and any(self._references.can_come(ref) for _, ref in write_.left_out):
                return self._wait(write_)
            for name, _ in write_.left_out:
                self._outcomes.warn_once(stream, f"left out {name}", LEFT_OUT, stream, name)
        # Vitally finds people by their e-mails, and somebody who comes later it does not find now.
        write_.retry_at_end = not last and PARTICIPANTS in write_.body
        write_.exact = write_.mapping.links == "exact"
        return True

    def _only_record(self, write_: PendingWrite) -> Record | None:
        """Return the one record that a write may change; what cannot be looked up is for its plan."""
        if write_.parsed.mode == "create" or not write_.key:
            return None
        try:
            found = self._writers[write_.resource.name].present(write_)
        except LookupFailed:
            return None
        return found[0] if len(found) == 1 else None

    def _may_be_deleted(self, write_: PendingWrite) -> bool:
        """Let rows of an archived record wait: they are at fault unless a delete comes after them."""
        record = self._only_record(write_)
        if not record or not record.get("archivedAt"):
            return False
        self._deletes.defer_archived(write_)
        return True

    def _unlinks(self, write_: PendingWrite, *, last: bool) -> bool:
        """Keep a write that removes links until all rows have named theirs: it counts as a delete."""
        resource = write_.resource
        record = None if write_.missing or not write_.exact else self._only_record(write_)
        if not record or record.get("archivedAt"):
            return False
        if self._exact.is_spared(resource, write_.parsed, record):
            write_.exact = False
            return False
        parsed = self._exact.together(resource, write_.parsed, record)
        whole = PendingWrite(parsed, write_.rows)
        self._references.prefetch(refs_of(parsed))
        resolve(whole, self._references)
        write_.parsed, write_.body = parsed, whole.body
        gone = unlinked(resource, write_.body, record)
        if gone and last:
            self._deletes.unlink(write_, sum(map(len, gone.values())))
        elif gone:
            self._wait(write_)
        return bool(gone)

    def _wait(self, write_: PendingWrite) -> bool:
        self._waiting.put(write_)
        return False

    def _end(self, write_: PendingWrite, outcome: Outcome, reason: str) -> bool:
        self._outcomes.end(write_.rows, outcome, reason, key=write_.key)
        return False
