"""How one stream is fetched: chains of pages, on any thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from tap_vitally.state.parent_scan import Parent
from tap_vitally.state.passes import FIRST_PASS, SortKey, Window
from tap_vitally.state.stream_state import StreamState
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, RawPage, RecordBatch
from tap_vitally.sync.list_client import MOST_SECOND_LOOKS, ListClient
from tap_vitally.sync.prefetch import Last
from tap_vitally.sync.record_mapper import RecordMapper
from tap_vitally.sync.resource import Resource
from tap_vitally.sync.summary import StreamMetrics
from tap_vitally.sync.workspace import Workspace
from vitally_api import CursorRefused, Refused, Unavailable, UnexpectedShape, Unreadable

BAD_REQUEST = 400


class Fetcher:
    """Fetches a stream that is made of one list or a few.

    ``place`` is the stream's place in STATE and ``plan`` how it is read, both set before the first
    chain is started.
    """

    whole_parents: ClassVar[bool] = False

    def __init__(  # noqa: PLR0913, PLR0917 - what the seam knows of a stream
        self,
        resource: Resource,
        workspace: Workspace,
        name: str,
        schema: Mapping[str, Any],
        logger: logging.Logger,
        incremental: bool,  # noqa: FBT001
        fixed: Mapping[str, str] | None = None,
        masked: Collection[str] = (),
    ) -> None:
        """Prepare to read a stream; its ``name`` may differ from the resource's.

        ``masked`` are properties that a catalog or a stream map names.
        """
        self.resource = resource
        self.workspace = workspace
        self.name = name
        self.logger = logger
        self.incremental = incremental
        self.list_client = ListClient(
            resource,
            workspace.api,
            workspace.settings,
            skip=self.skip,
            fixed=fixed,
            whole_parents=self.whole_parents,
        )
        embedded = workspace.settings.embedded_objects
        self.mapper = RecordMapper(
            resource, schema, embedded, logger, self.skip, self.metrics, masked
        )
        self.stream_state = StreamState(None)
        self.plan = FIRST_PASS
        self._long_lists: list[Parent | None] = []
        self._unusable: set[str] = set()
        self._reported: set[tuple[str, str]] = set()

    @property
    def metrics(self) -> StreamMetrics:
        """The stream's counts."""
        return self.list_client.metrics

    def contexts(self) -> Iterator[ListRequest]:
        """Find the lists to read, in their order."""
        resume = self.stream_state.resume
        skipped = self.list_client.labels.index(resume.context) if resume else 0
        for context in list(self.list_client.contexts())[skipped:]:
            going_on = resume and resume.context == context.label
            yield replace(context, cursor=resume.cursor) if resume and going_on else context

    def page_tasks(self) -> Iterator[Callable[[], Iterator[RecordBatch]]]:
        """Find the chains of pages that make up this stream, in the order of their records."""
        for context in self.contexts():
            yield partial(self.pages_or_failure, context)
        if self.stream_state.signpost and self._may_miss_changes:
            yield Last(partial(self._second_look, self.stream_state.signpost))

    @property
    def _may_miss_changes(self) -> bool:
        """Whether a record that changes during the pass may slip through it.

        Not in a first pass of one list: it goes by ``createdAt``, which no change can move. A whole
        read looks again, so that it brings what a later pass would have brought.
        """
        if self.stream_state.resume:
            return self.resource.sortable
        return self.incremental and (
            self.plan.sort_by == "updatedAt"
            or self.stream_state.bookmark is not None
            or len(self.list_client.labels) > 1
        )

    def pages_or_failure(self, context: ListRequest) -> Iterator[RecordBatch]:
        """Read one list; a refusal becomes a page, to be judged where it would have been written."""
        began = False
        try:
            for page in self.pages(context):
                began = True
                yield page
        except Refused as refusal:
            yield RecordBatch(context, failure=refusal, ends=True)
        except Unreadable as failure:
            # What breaks off in the middle is no list that may be missing.
            odd = (
                isinstance(failure, UnexpectedShape)
                and len(self.list_client.labels) > 1
                and not began
            )
            if not (odd or self.resource.optional):
                raise
            self._unusable.add(context.label)
            yield RecordBatch(context, failure=failure, ends=True)

    def start_for(self, context: ListRequest) -> datetime | None:
        """Decide from which moment on a list's records are wanted; None for all of them.

        A list this stream has not read before may hold records older than the bookmark.
        """
        if context.since:
            return context.since
        start, stream_state = self.plan.start, self.stream_state
        if start is None or stream_state.bookmark is None:
            return start
        known = (
            not context.label
            or stream_state.contexts is None
            or context.label in stream_state.contexts
        )
        return start if known else self.workspace.settings.start_date

    def pages(self, context: ListRequest) -> Iterator[RecordBatch]:
        """Read one list, from its start again if the cursor of an earlier run is not taken."""
        start = self.start_for(context)
        began = False
        try:
            for page in self._pages_from(context, start):
                began = True
                yield page
        except (CursorRefused, Unavailable, Unreadable) as failure:
            if not isinstance(failure, CursorRefused) and (began or not context.cursor):
                raise
            self.logger.warning(
                "%s is read again from its start: Vitally no longer takes the cursor.",
                context.path,
            )
            yield from self._pages_from(replace(context, cursor=None), start)

    def _pages_from(self, context: ListRequest, start: datetime | None) -> Iterator[RecordBatch]:
        sort_by = "updatedAt" if context.since else self.plan.sort_by
        for number, raw_page in enumerate(self._raw_pages(context, sort_by, start)):
            if raw_page.ends and number:
                self._long_lists.append(context.parent)
            self._note(context, raw_page)
            yield self._page(context, raw_page)

    def _raw_pages(
        self, context: ListRequest, sort_by: SortKey | None, start: datetime | None
    ) -> Iterator[RawPage]:
        """Follow a list, and let the streams below others hear of what it says has changed."""
        changes = (
            None if context.parent or context.cursor else self.workspace.changes.get(self.name)
        )
        if changes is None:
            yield from self.list_client.scan(context, sort_by, start)
            return
        own = Window(start, self.resource.replication_key or "updatedAt")
        reach = changes.reach(start)
        for raw_page in self.list_client.scan(context, sort_by, reach):
            changes.note(context.label, raw_page)
            yield raw_page if reach == start else replace(raw_page, rows=own.keep(raw_page.rows))

    def _page(self, context: ListRequest, raw_page: RawPage, *, again: bool = False) -> RecordBatch:
        return RecordBatch(
            context,
            self.mapper.records(raw_page.rows, context),
            MEMORY_FACTOR * raw_page.size,
            raw_page.cursor,
            raw_page.newest,
            raw_page.ends and not again,
            again,
        )

    def _note(self, context: ListRequest, raw_page: RawPage) -> None:
        """Count how a list was read, and say once if its order did not hold."""
        if not raw_page.ordered and self.plan.sort_by == "updatedAt":
            if self._warn("order", context.label):
                self.logger.warning(
                    "%s is not in the order of updatedAt: it is read to its end, so that no "
                    "change is missed.",
                    context.path,
                )
            self.metrics.add(out_of_order=raw_page.ends)
        self.metrics.add(stopped_early=raw_page.ends and raw_page.cursor is not None)

    def _second_look(self, signpost: datetime) -> Iterator[RecordBatch]:
        """Read the front of every list that took several pages once more, when all have been read.

        A record that changes while its list is paged moves to the front, and one that is archived
        moves to another list. Either way it now stands before everything changed earlier.
        """
        for context in self.lists_to_look_at():
            if context.label in self._unusable:
                continue
            try:
                yield from self._looks(context, signpost)
            except Refused as refusal:
                # It was so before, and said; or what the list is of has gone since.
                passes = refusal.missing or refusal.status == BAD_REQUEST
                if isinstance(refusal, CursorRefused) or not passes:
                    raise

    def _looks(self, context: ListRequest, start: datetime) -> Iterator[RecordBatch]:
        """Look at the front of a list until one page shows all that has changed since."""
        for _ in range(MOST_SECOND_LOOKS):
            newest = []
            for raw_page in self.list_client.scan(context, "updatedAt", start):
                newest.append(raw_page.newest)
                yield self._page(context, raw_page, again=True)
            if len(newest) == 1:
                break
            # What changes from now on comes before the first row of this look.
            start = newest[0] or start

    def lists_to_look_at(self) -> Iterator[ListRequest]:
        """Find the lists that took long enough to change: all of them, in an interrupted pass."""
        if self._long_lists or self.stream_state.resume:
            yield from self.list_client.contexts()

    # What is left out

    def skip(self, reason: str, context: ListRequest | None = None) -> None:
        """Leave something out, and say in one line what and why."""
        where = f" ({context.label})" if context and context.label else ""
        if self.metrics.leave_out(f"{reason}{where}") and self._warn("skip", reason):
            self.logger.warning("Skipped in '%s'%s: %s", self.name, where, reason)

    def _warn(self, *what: str) -> bool:
        """Whether something is to be said for the first time in this run."""
        first = what not in self._reported
        self._reported.add(what)  # type: ignore[arg-type]
        return first
