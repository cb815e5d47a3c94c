"""Lists below each account and each organization, read for those that something points at.

A walk of all parents costs a request for each of their lists. Between two such walks, the list of
the whole workspace says in a request or two what has changed, and whom it is of.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from typing_extensions import override

from tap_vitally.state.instants import (
    EARLIEST,
    format_instant,
    latest,
    moment_of,
    parse_instant,
)
from tap_vitally.state.parent_scan import (
    ALL_LISTS,
    ChangedParentIds,
    Parent,
    Reason,
    parents_to_read,
)
from tap_vitally.state.passes import Pass, before
from tap_vitally.state.stream_state import StreamState
from tap_vitally.state.watermarks import MOST_SEEN, ChangeFilter, ScanHistory, Watermark
from tap_vitally.sync.batches import ListRequest, RawPage, RecordBatch
from tap_vitally.sync.changed_parents import ChangedParents, CostLimitExceeded
from tap_vitally.sync.children import ChildReader
from tap_vitally.sync.coerce import identity_of
from tap_vitally.sync.linked_ids import digest
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_reader import RequestEstimate
from vitally_api import Refused, Unavailable, Unreadable


class NestedReader(ChildReader):
    """Reads below each parent what a list of the whole workspace holds, too.

    ``full`` says that all parents are walked.
    """

    full = True

    @property
    def _whole(self) -> str:
        """The stream that holds the same records."""
        assert self.resource.of  # noqa: S101 - the table of nested lists says of what each is
        return self.resource.of.name

    # The plan

    @override
    def planned(self, stream_state: StreamState) -> Pass:
        """Decide whether all parents are walked, and from when on their lists are wanted."""
        plan = super().planned(stream_state)
        lookback = self.workspace.settings.lookback
        rows, scanned = ChangeFilter(stream_state.scanned.rows, lookback), stream_state.scanned
        self._rows, self._parents = rows, ChangeFilter(scanned.parents, lookback)
        self._reasons: dict[str, tuple[Reason, str]] = {}
        self._undated: dict[tuple[str, str], tuple[Record, set[str]]] = {}
        self._lock_notes = threading.Lock()
        self.metrics.full_walk_at = format_instant(scanned.full) if scanned.full else None
        self.full = self._scans_all(stream_state)
        since = rows.since
        if self.full:
            plan = self._from_last_scan(plan, stream_state)
            since = stream_state.resume.signpost if stream_state.resume else None
            rows = ChangeFilter(Watermark(since), lookback)
        elif plan.start and since:
            start_date = self.workspace.settings.start_date or EARLIEST
            plan = replace(plan, start=min(plan.start, max(since, start_date)))
        self._changed_parents = ChangedParents(self.workspace, self._whole, self.list_client, rows)
        if since:
            # One list of each parent holds the archived, too, whether they are wanted or not.
            every = self.list_client.labels == [ALL_LISTS]
            self.workspace.changed(self._whole).ask_for(
                since, self._changed_parents.take, every=every
            )
        self.scan = replace(self.scan, start=plan.start)
        return plan

    def _scans_all(self, stream_state: StreamState) -> bool:
        """Whether it is time for a walk of all, or nothing else would do."""
        settings = self.workspace.settings
        needed = {*self.list_client.labels, *self.scan.parent_filter} - {""}
        return bool(
            not self.incremental
            or stream_state.signpost is None
            or stream_state.resume
            or settings.lookups
            or stream_state.scanned.is_due(stream_state.signpost, settings.full_walk_days)
            or not needed.issubset(
                needed if stream_state.contexts is None else stream_state.contexts
            )
        )

    def _from_last_scan(self, plan: Pass, stream_state: StreamState) -> Pass:
        """Read from where the last walk of all began: it finds what no row named since."""
        began, settings = stream_state.scanned.full, self.workspace.settings
        if plan.start is None or began is None:
            return plan
        earliest = max(before(began, settings.lookback), settings.start_date or EARLIEST)
        return replace(plan, start=min(plan.start, earliest))

    @override
    def waits_for(self) -> Collection[str]:
        """Between two walks of all, wait for those that say whom to read."""
        named = {self._whole, *(["messages"] if self._whole == "conversations" else [])}
        selected = [reader.name for reader in self.workspace.selected]
        return [] if self.full else [name for name in selected if name in named]

    @override
    def beginning(self) -> dict[str, Any]:
        return super().beginning() if self.full else {}

    @override
    def estimate(self) -> RequestEstimate:
        """Count the lists of all parents, or of those that are new or changed: more may be named."""
        whole = super().estimate()
        if self.full or whole.most is None:
            return whole
        parents = super().parents()
        found = parents_to_read(
            parents, self._parents, ChangedParentIds(), self.scan, self.stream_state
        )
        known, labels = sum(1 for _ in found), len(self.list_client.labels)
        what = f"{known:,} new or changed {self.parents_called}, and those that a change names"
        return RequestEstimate(known * labels + 1, whole.most, what)

    # Which lists to read, on one of the threads that find them

    @override
    def contexts(self) -> Iterator[ListRequest]:
        """Find the lists that something points at; all, where that is cheaper or not to be known."""
        if not self.full:
            parents = list(super().parents())
            self.full = not self._finds_changed_parents(len(parents))
            if not self.full:
                self.metrics.parents_known = len(parents)
                yield from self._parents_to_read(parents)
                return
            self.plan = self._from_last_scan(self.plan, self.stream_state)
            self.scan = replace(self.scan, start=self.plan.start)
        yield from super().contexts()

    def _parents_to_read(self, parents: list[Parent]) -> Iterator[ListRequest]:
        changed_ids = self._changed_parents.changed_ids
        for parent, reason, labels in parents_to_read(
            parents, self._parents, changed_ids, self.scan, self.stream_state
        ):
            wanted = [
                context
                for context in self.lists_of(parent)
                if ALL_LISTS in labels or context.label in labels
            ]
            if wanted:
                self._reasons[parent.id] = reason, wanted[-1].label
            yield from wanted

    @override
    def parents(self) -> Iterator[Parent]:
        """Find all parents, which pass by the watch on their list."""
        for known, parent in enumerate(super().parents(), 1):
            self._parents.has_changed(parent.id, parse_instant(parent.updated_at), parent.content)
            self.metrics.parents_known = known
            yield parent

    @override
    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Find those whose lists hold what changed since an interrupted walk began; all if unknown."""
        if not self._finds_changed_parents(len(done)):
            return done
        return [parent for parent in done if self._changed_parents.changed_ids.lists_of(parent)]

    def _finds_changed_parents(self, parents: int) -> bool:
        """Whether it can be found whom the changed rows point at, for less than to read all."""
        estimate = parents * len(self.list_client.labels)
        try:
            return self._changed_parents.settle(estimate)
        except (Refused, Unreadable, Unavailable, CostLimitExceeded) as reason:
            self.logger.info(
                "'%s' reads the lists of all %s, which takes %s requests: %s.",
                self.name,
                self.parents_called,
                f"{estimate:,}",
                str(reason).rstrip("."),
            )
            return False

    # Reading, on any thread

    @override
    def _page(self, context: ListRequest, raw_page: RawPage, *, again: bool = False) -> RecordBatch:
        """Remember of a walk of all which rows it brought, for the run after it."""
        signpost, parent = self.stream_state.signpost, context.parent
        if self.full and parent and signpost:
            with self._lock_notes:
                for row in raw_page.rows:
                    identity = identity_of(row.get("id"))
                    moment = moment_of(row.get("updatedAt"))
                    if identity and moment is None and len(self._undated) <= MOST_SEEN:
                        key = identity, digest(row)
                        self._undated.setdefault(key, (row, set()))[1].add(parent.id)
                    # What changed later may have come too late for another parent of the same row.
                    elif identity and moment and moment < signpost:
                        self._rows.has_changed(identity, moment)
        return super()._page(context, raw_page, again=again)

    # Writing, on the main thread

    @override
    def taken(self, page: RecordBatch) -> dict[str, Any]:
        """Count the parent when its last list is read."""
        context, parent = page.context, page.context.parent
        if parent and page.ends and not (page.failure or page.again or context.since):
            all_lists: tuple[Reason, str] = "full walk", self.list_client.labels[-1]
            reason, last = self._reasons.get(parent.id, all_lists)
            if context.label == last:
                self.metrics.scanned[reason] += 1
        return super().taken(page)

    @override
    def unfinished(self, page: RecordBatch) -> dict[str, Any]:
        """Say how far a walk of all has come; a shorter one begins again."""
        return super().unfinished(page) if self.full else {}

    @override
    def finish(self) -> dict[str, Any]:
        stream_state = self.stream_state
        if not self.full:
            stream_state.finished.update(self.list_client.labels, self.scan.parent_filter)
        entry = super().finish()
        signpost = stream_state.signpost
        if not self.incremental or signpost is None:
            return entry
        full = signpost if self.full else stream_state.scanned.full
        parents = self._parents.watermark(signpost)
        if self.full:
            newest = latest((self.workspace.newest, self._parents.newest))
            for (identity, content), (row, found_below) in self._undated.items():
                named = self._changed_parents.parents_of(row)
                if named and named <= found_below:
                    self._rows.has_changed(identity, None, content)
            # The list of the whole workspace was not read: what else was seen tells how late it was.
            reached = min(newest or signpost, signpost)
            rows = self._rows.watermark_at(reached, signpost)
            if self.metrics.parents_known and not parents.moment:
                parents = self._parents.watermark_at(reached, signpost)
        else:
            rows = self._rows.watermark(signpost)
        scanned = ScanHistory(full, rows, parents)
        self.metrics.full_walk_at = format_instant(full) if full else None
        return {**entry, "walk": scanned.to_state()}
