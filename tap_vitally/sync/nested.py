"""Lists below each account and organization, which are read for parents with changed records only.

A scan of all parents costs a request for each of their lists. Between two such scans, the list of
the whole workspace says in a request or two what has changed, and below which parents.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from typing_extensions import override

from tap_vitally.state.parent_scan import (
    ALL_LISTS,
    ChangedParentIds,
    Parent,
    Reason,
    parents_to_read,
)
from tap_vitally.state.passes import Pass, before
from tap_vitally.state.watermarks import MOST_SEEN, ChangeFilter, ScanHistory, Watermark
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.changed_parents import ChangedParents, CostLimitExceeded
from tap_vitally.sync.contexts import Checkpoint, PerParent
from tap_vitally.sync.linked_ids import digest
from tap_vitally.sync.list_client import RequestEstimate
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import Refused, Unavailable, Unreadable
from vitally_api.values import EARLIEST, format_moment, identity_of, latest, parse_moment


class NestedLists(PerParent):
    """Lists below each parent, whose records are also in a list of the whole workspace.

    ``resumable`` is True for a scan of all parents; a shorter scan is not resumed.
    """

    def __init__(self, stream: StreamRun) -> None:
        super().__init__(stream)
        assert stream.resource.of  # noqa: S101 - the table of nested lists says so
        self._whole = stream.resource.of.name
        self._reasons: dict[str, tuple[Reason, str]] = {}
        self._undated: dict[tuple[str, str], tuple[Record, set[str]]] = {}
        self._noting = threading.Lock()
        stream.note_rows = self._note_rows

    # The plan

    @override
    def plan(self, plan: Pass) -> Pass:
        """Decide if all parents are scanned, and return the plan with the start of their lists."""
        plan = super().plan(plan)
        stream, state, settings = self.stream, self.stream.stream_state, self.stream.settings
        full = state.scanned.full
        self._rows = changed = ChangeFilter(state.scanned.rows, settings.lookback)
        self._parents = ChangeFilter(state.scanned.parents, settings.lookback)
        stream.metrics.full_walk_at = format_moment(full) if full else None
        self.resumable = self._scans_all()
        if not self.resumable:
            # They say which parents to read; messages look their conversations up.
            more = ["messages"] if self._whole == "conversations" else []
            self.waits_for = (self._whole, *more)
        since = changed.since
        plan = self._reaching_back(plan, None if self.resumable else since)
        if self.resumable:
            since = state.resume.signpost if state.resume else None
            changed = ChangeFilter(Watermark(since), settings.lookback)
        self._changed = ChangedParents(stream.workspace, self._whole, stream.list_client, changed)
        if since:
            # One list of each parent holds the archived, too, whether they are wanted or not.
            every = self.labels == [ALL_LISTS]
            stream.workspace.changed(self._whole).ask_for(since, self._changed.take, every=every)
        return plan

    def _scans_all(self) -> bool:
        """Return True if all parents must be scanned: it is due, or changes cannot be found otherwise."""
        state, settings = self.stream.stream_state, self.stream.settings
        needed = {*self.labels, *self.parent_filter} - {""}
        return bool(
            not self.stream.incremental
            or state.signpost is None
            or state.resume
            or settings.lookups
            or state.scanned.is_due(state.signpost, settings.full_walk_days)
            or (state.contexts is not None and not needed.issubset(state.contexts))
        )

    def _reaching_back(self, plan: Pass, since: datetime | None = None) -> Pass:
        """Move the start of a plan back to ``since``, or to the start of the last scan of all parents."""
        began, settings = self.stream.stream_state.scanned.full, self.stream.settings
        since = since or (before(began, settings.lookback) if began else None)
        if plan.start is None or since is None:
            return plan
        return replace(plan, start=min(plan.start, max(since, settings.start_date or EARLIEST)))

    @override
    def estimate(self) -> RequestEstimate:
        """Estimate the requests for all parents, or for the new and changed ones as a minimum."""
        whole = super().estimate()
        if self.resumable:
            return whole
        known = sum(1 for _ in self._to_read(super().parents(), ChangedParentIds()))
        what = f"{known:,} new or changed {self.called}, and those that a change names"
        return RequestEstimate(known * len(self.labels) + 1, whole.least, what)

    # Which lists to read, on one of the threads that find them

    @override
    def requests(self) -> Iterator[ListRequest]:
        """Yield the lists of parents with changes; those of all parents if that takes fewer requests."""
        if self.resumable:
            yield from super().requests()
            return
        parents = list(super().parents())
        self.resumable = not self._finds_changed_parents(len(parents))
        if self.resumable:
            self.stream.plan = self._reaching_back(self.stream.plan)
            yield from super().requests()
            return
        self.stream.metrics.parents_known = len(parents)
        for parent, reason, labels in self._to_read(parents, self._changed.changed_ids):
            lists = self.lists_of(parent)
            wanted = [each for each in lists if ALL_LISTS in labels or each.label in labels]
            if wanted:
                self._reasons[parent.id] = reason, wanted[-1].label
            yield from wanted

    def _to_read(
        self, parents: Iterable[Parent], changed_ids: ChangedParentIds
    ) -> Iterator[tuple[Parent, Reason, set[str]]]:
        state = self.stream.stream_state
        return parents_to_read(parents, self._parents, changed_ids, self.scan, state)

    @override
    def parents(self) -> Iterator[Parent]:
        """Yield all parents, and note which of them changed."""
        for known, parent in enumerate(super().parents(), 1):
            self._parents.has_changed(parent.id, parse_moment(parent.updated_at), parent.content)
            self.stream.metrics.parents_known = known
            yield parent

    @override
    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Return those with changes since the interrupted scan began; all if that cannot be found out."""
        if not self._finds_changed_parents(len(done)):
            return done
        return [parent for parent in done if self._changed.changed_ids.lists_of(parent)]

    def _finds_changed_parents(self, parents: int) -> bool:
        estimate = parents * len(self.labels)
        try:
            return self._changed.settle(estimate)
        except (Refused, Unreadable, Unavailable, CostLimitExceeded) as reason:
            self.stream.logger.info(
                "'%s' reads the lists of all %s, which takes %s requests: %s.",
                self.stream.name,
                self.called,
                f"{estimate:,}",
                str(reason).rstrip("."),
            )
            return False

    # Reading, on any thread

    def _note_rows(self, request: ListRequest, rows: Sequence[Record]) -> None:
        signpost, parent = self.stream.stream_state.signpost, request.parent
        if not (self.resumable and parent and signpost):
            return
        with self._noting:
            for row in rows:
                identity, moment = identity_of(row.get("id")), parse_moment(row.get("updatedAt"))
                if identity and moment is None and len(self._undated) <= MOST_SEEN:
                    key = identity, digest(row)
                    self._undated.setdefault(key, (row, set()))[1].add(parent.id)
                # What changed later may have come too late for another parent of the same row.
                elif identity and moment and moment < signpost:
                    self._rows.has_changed(identity, moment)

    # Writing, on the main thread

    @override
    def place(self, page: Page) -> Checkpoint | None:
        """Count a parent after its last list; return the place of a scan of all parents for STATE."""
        request, parent = page.request, page.request.parent
        if parent and page.ends and not (page.failure or request.since):
            every: tuple[Reason, str] = "full scan", self.labels[-1]
            reason, last = self._reasons.get(parent.id, every)
            self.stream.metrics.scanned[reason] += request.label == last
        return super().place(page) if self.resumable else None

    @override
    def finish(self) -> dict[str, Any]:
        """Return ``walk`` for STATE: the time of the last full scan, and the new watermarks."""
        stream, state = self.stream, self.stream.stream_state
        if not self.resumable:
            state.finished.update(self.labels, self.parent_filter)
        if not stream.incremental or state.signpost is None:
            return {}
        full, rows = state.scanned.full, self._rows.watermark(state.signpost)
        parents = self._parents.watermark(state.signpost)
        if self.resumable:
            # The list of the whole workspace was not read: what else was seen says how far it went.
            seen = latest((stream.workspace.newest, self._parents.newest))
            full, reached = state.signpost, min(seen or state.signpost, state.signpost)
            for (identity, content), (row, found_below) in self._undated.items():
                named = self._changed.parents_of(row)
                if named and named <= found_below:
                    self._rows.has_changed(identity, None, content)
            rows = self._rows.watermark_at(reached, state.signpost)
            if stream.metrics.parents_known and not parents.moment:
                parents = self._parents.watermark_at(reached, state.signpost)
        stream.metrics.full_walk_at = format_moment(full) if full else None
        return {"walk": ScanHistory(full, rows, parents).to_state()}
