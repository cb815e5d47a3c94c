"""Streams that exist per parent: an account's notes, a conversation's messages.

The stream walks its parents itself, inside one sync: one SCHEMA, one bookmark for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from typing_extensions import override

from tap_vitally.state.instants import format_instant, parse_instant
from tap_vitally.state.parent_scan import (
    MOST_SKIPPED,
    OrderCheck,
    Parent,
    ParentScan,
    to_remember,
)
from tap_vitally.state.passes import Pass, SortKey
from tap_vitally.state.stream_state import Resume, StreamState
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, RecordBatch
from tap_vitally.sync.list_client import EMPTY, ListClient, count_pages
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_reader import Reader, RequestEstimate, counted
from vitally_api import Refused, Unavailable, Unreadable, VitallyError, safe_name, single

REFUSED_IN_A_ROW = 10
"""Parents refused, with none that was not, before the whole resource is taken to be missing."""
NOT_FOUND = 404
MOST_TRIED = 10
"""Parents tried by `--test`: the first custom object of a workspace may well be the empty one."""


class ChildReader(Reader):
    """Reads every list of every parent."""

    scans_parents = True
    scan: ParentScan
    _refused = 0

    @property
    def parents_called(self) -> str:
        """What the parents are called in messages."""
        return self.resource.parents

    @override
    def check(self) -> str:
        """Try the lists of one parent after the other, until one holds something."""
        called = self.parents_called
        found: list[str] = []
        try:
            for contexts in islice(self.lists_to_check(), MOST_TRIED):
                found.append(self.list_client.check(contexts))
                if found[-1] == "ok":
                    return "ok"
        except (Refused, Unreadable) as failure:
            if isinstance(failure, Refused) and failure.key:
                raise
            return f"NOT GIVEN, as its {called} are not: {failure}"
        if not found:
            return f"not tried: {self.without_parents}"
        refused = next((reported for reported in found if reported != EMPTY), "")
        return refused or f"{EMPTY} in {len(found):,} of the {called}"

    @override
    def estimate(self) -> RequestEstimate:
        """Count the lists of all parents, or the parents that changed."""
        if self.resource.only_changed and self.resource.parent:
            list_client = self.workspace.list_client(self.resource.parent.name)
            pages, records, whole = count_pages(list_client, self.plan)
            asked = pages + records
            what = counted(records, whole, f"{self.parents_called}, one for each", self.plan)
            return RequestEstimate(asked, asked if whole else None, what)
        parents = sum(1 for _ in self.parents())
        asked = parents * len(self.list_client.labels)
        return RequestEstimate(asked, asked, f"the lists of all {parents:,} {self.parents_called}")

    @property
    def without_parents(self) -> str:
        """Return why there is nothing to read, where there are no parents."""
        return f"there are no {self.parents_called}"

    def lists_to_check(self) -> Iterator[list[ListRequest]]:
        """Find the lists of each parent."""
        for parent in self.parents():
            yield list(self.lists_of(parent))

    @override
    def planned(self, stream_state: StreamState) -> Pass:
        """Decide how the parents are walked, too."""
        plan = super().planned(stream_state)
        resource, settings = self.resource, self.workspace.settings
        parent = resource.parent
        order: SortKey | None = None
        if resource.only_changed:
            order = plan.sort_by
        elif parent and parent.sortable:
            order = "createdAt"
        self.scan = ParentScan(
            order,
            tuple(self.list_client.labels),
            tuple(v.label for v in parent.lists(settings) if v.label) if parent else (),
            resource.only_changed,
            plan.start,
            settings.start_date,
        )
        self._written = OrderCheck()
        return plan

    @override
    def go_on(self, stream_state: StreamState) -> None:
        """Take up an interrupted walk, which read all that this one reads."""
        super().go_on(stream_state)
        stream_state.finished.update(self.list_client.labels, self.scan.parent_filter)

    @override
    def can_go_on(self, resume: Resume) -> bool:
        return self.incremental and self.scan.can_go_on(resume)

    # The parents

    def parents(self) -> Iterable[Parent]:
        """Find the parents to walk: all, from a list read once for all streams, or those changed."""
        assert self.resource.parent  # noqa: S101 - readers of streams without one find their own
        if self.resource.only_changed:
            return self.changed_parents(self.workspace.list_client(self.resource.parent.name))
        return self.workspace.parents(self.resource.parent.name)

    def changed_parents(self, list_client: ListClient) -> Iterator[Parent]:
        """Find the parents at or after this stream's own start, and those an earlier run did not read."""
        waiting = set(self.stream_state.to_retry)
        for parent in list_client.parents_changed_since(self.plan, self.stream_state.signpost):
            waiting.discard(parent.id)
            yield parent
        for identity in sorted(waiting):
            yield Parent(identity)

    @override
    def contexts(self) -> Iterator[ListRequest]:
        """Find each variant of each parent's list, newest parent first.

        Last come those of parents that an interrupted run had done, where something may have
        changed.
        """
        done: list[Parent] = []
        for parent in self.scan.remaining(self.parents(), self.stream_state, done):
            yield from self.lists_of(parent)
        for parent in self.changed_meanwhile(done) if done else ():
            for context in self.lists_of(parent):
                yield replace(context, since=self.stream_state.signpost)

    def lists_of(self, parent: Parent) -> Iterator[ListRequest]:
        """Find the lists of one parent, if its id can be part of an address."""
        if parent.id in {".", ".."}:
            self.skip(f"{self.parents_called} {parent.id}: that id cannot be part of an address")
            return
        yield from self.list_client.contexts(parent)

    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Find the parents, of those done, whose lists may hold changes since the interrupted run began."""
        return done if self.incremental and not self.resource.only_changed else ()

    @override
    def start_for(self, context: ListRequest) -> datetime | None:
        start = super().start_for(context)
        if context.parent is None or context.since:
            return start
        return self.scan.start_for(context.parent, self.stream_state, start)

    # Reading, on any thread

    @override
    def pages_or_failure(self, context: ListRequest) -> Iterator[RecordBatch]:
        """Read one parent's list; when it fails for long, see whether everything does."""
        try:
            try:
                yield from self.pages(context)
            except Unavailable:
                self.workspace.probe()
                yield from self.pages(context)
        except (Refused, Unreadable, Unavailable) as failure:
            if isinstance(failure, Unavailable):
                self.workspace.probe()
            yield RecordBatch(context, failure=failure, ends=True)

    @override
    def lists_to_look_at(self) -> Iterator[ListRequest]:
        """Find the lists of several pages: to look at every parent again would be another pass."""
        for parent in {parent.id: parent for parent in self._long_lists if parent}.values():
            yield from self.lists_of(parent)

    # Writing, on the main thread

    @override
    def covers(self, context: ListRequest) -> list[str]:
        return [*super().covers(context), *self.scan.parent_filter]

    @override
    def unfinished(self, page: RecordBatch) -> dict[str, Any]:
        """Say how far down the parents everything is done, as long as their order holds."""
        context = page.context
        resume = (
            None if context.since else self.scan.resume_after(context.parent, self.stream_state)
        )
        if resume is None:
            return {}
        if self._written.check(resume.parents_after):
            return {"resume": None}
        whole = page.ends and context.label == self.list_client.labels[-1]
        return self.stream_state.unfinished(resume) if whole and self._written.in_order else {}

    @override
    def left_out(self, page: RecordBatch, failure: VitallyError) -> dict[str, Any]:
        """Do without one parent; what may come back is tried again by the next run."""
        parent = page.context.parent
        refusal = failure if isinstance(failure, Refused) else None
        if parent is None or (refusal and refusal.key):
            raise failure
        unusable = isinstance(failure, Unreadable) or (refusal and refusal.missing)
        self._refused += bool(unusable)
        if self._refused == REFUSED_IN_A_ROW and not self.metrics.pages:
            msg = (
                f"The first {REFUSED_IN_A_ROW} {self.parents_called} were all refused, the last "
                f"so: {failure}"
            )
            raise Refused(msg, 403)
        self.skip(f"{self.parents_called} {safe_name(parent.id)}: {failure}", page.context)
        if self.incremental:
            gone = refusal is not None and refusal.status == NOT_FOUND
            self._retry_later(parent, failure, gone=gone)
        return self.unfinished(RecordBatch(page.context, ends=True)) if self.metrics.pages else {}

    def _retry_later(self, parent: Parent, failure: VitallyError, *, gone: bool) -> None:
        """Have the next run read a parent in full, unless it is gone for good."""
        retried = parent.id in self.stream_state.to_retry
        skipped = to_remember(self.stream_state.skipped, parent.id, gone=gone, retried=retried)
        if skipped is None:
            msg = (
                f"More than {MOST_SKIPPED} {self.parents_called} could not be read for "
                f"'{self.name}', which is no accident: {failure}"
            )
            raise VitallyError(msg)
        self.stream_state.skipped = skipped


class DetailReader(ChildReader):
    """Reads records that are one answer per parent, from the parent's own resource."""

    @override
    def start_for(self, context: ListRequest) -> datetime | None:
        """Keep all that the answer holds."""
        return None

    @override
    def pages(self, context: ListRequest) -> Iterator[RecordBatch]:
        """Read one parent's records, which are as new as their parent."""
        answer = self.list_client.ask(context, partial(self.rows, context))
        newest = parse_instant(context.parent.updated_at) if context.parent else None
        records = self.mapper.records(self.dated(answer.data, answer.date), context)
        yield RecordBatch(context, records, MEMORY_FACTOR * answer.size, newest=newest, ends=True)

    def rows(self, context: ListRequest, body: Any) -> list[Record]:  # noqa: ARG002 - for a subclass
        """Find the rows in an answer, on any thread."""
        return self.resource.rows(body)


class MessageReader(DetailReader):
    """Reads conversations for their messages, and tells those who ask whom they name."""

    @override
    def rows(self, context: ListRequest, body: Any) -> list[Record]:
        rows = super().rows(context, body)
        self.workspace.remember_linked_ids(context.path, conversation_in(body))
        return rows


def conversation_in(body: Any) -> Any:
    """Find the conversation in an answer, which may be in an envelope; else the answer as it is."""
    if not isinstance(body, dict) or body.keys() & {"id", "messages"}:
        return body
    found = single(body)
    return found[0] if len(found) == 1 else body


class SnapshotReader(DetailReader):
    """Reads what the API keeps no history of, and dates it."""

    @override
    def go_on(self, stream_state: StreamState) -> None:
        """Take up an interrupted walk, which read all that this one reads."""
        super().go_on(stream_state)
        stream_state.finished.update(self.list_client.labels, self.scan.parent_filter)

    @override
    def can_go_on(self, resume: Resume) -> bool:
        """Whether an interrupted walk took its snapshots today."""
        today = self.workspace.started_at.date()
        return self.scan.can_go_on(resume) and resume.signpost.date() == today

    @override
    def left_out(self, page: RecordBatch, failure: VitallyError) -> dict[str, Any]:
        """Take a 404 for what it says of a parent that this run has seen: it has none."""
        if isinstance(failure, Refused) and failure.status == NOT_FOUND:
            self.metrics.add(have_none=1)
            return self.unfinished(RecordBatch(page.context, ends=True))
        return super().left_out(page, failure)

    @override
    def records_at_the_end(self) -> Iterator[Record]:
        """Add nothing, but say so if nobody has any: the plan may not include them."""
        none = self.metrics.have_none
        if none >= REFUSED_IN_A_ROW and not self.metrics.pages:
            self.skip(f"404 Not Found for all of {none:,} {self.parents_called}: see the plan")
        return iter(())

    @override
    def dated(self, rows: list[Record], moment: datetime | None) -> list[Record]:
        reported = format_instant(moment or self.workspace.clock())
        return [{"observedOn": reported[:10], "observedAt": reported, **row} for row in rows]


def breakdown_in(body: Any) -> list[dict[str, Any]]:
    """Keep a health breakdown as it came, since no source shows its shape; none without scores.

    A list becomes an object of ``results``, because a column holds objects.
    """
    if isinstance(body, dict) and body.get("error"):
        msg = "an error in place of data"
        raise Unreadable(msg)
    nothing: tuple[Any, ...] = (None, [], {})
    if body in nothing or (isinstance(body, dict) and all(v in nothing for v in body.values())):
        return []
    return [{"breakdown": {"results": body} if isinstance(body, list) else body}]
