"""Reads one stream: decides how, hands out its lists, and says what STATE may remember of it.

``phases`` and what they call run on any thread; all else runs on the main thread: `prepare`
before anything is read, `taken` and what follows when the records of a page have been written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import compress
from typing import Any, Protocol

from tap_vitally.state.parent_scan import Parent
from tap_vitally.state.passes import FIRST_PASS, Pass, SortKey, is_due, plan_pass
from tap_vitally.state.stream_state import Resume, StreamState, accounts_in, reason_to_discard
from tap_vitally.sync import lookups
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.contexts import Checkpoint, PerParent, TopLevel
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.prefetch import PageTask, Phases
from tap_vitally.sync.resource import Moments
from tap_vitally.sync.sources import Source, look_again
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import CursorRefused, KeyRefused, Refused, Unavailable, Unreadable
from vitally_api.statuses import NOT_OFFERED
from vitally_api.values import format_moment, identity_of, latest

Contexts = TopLevel | PerParent


class MakeContexts(Protocol):
    """A class of contexts, or a `partial` of one."""

    def __call__(self, stream: StreamRun, /) -> Contexts:
        """Return the contexts for a stream."""


ACCOUNTS = "accounts"
FEWEST_PAGES_REPORTED = 4
"""Pages after which STATE is written for the first time; later it is whenever a pass has grown by an
eighth, so that a long one writes it some thirty times."""


class StreamReader:
    """Reads a stream, given where its lists are and how the records of one list are got.

    ``discarded`` is why the stream's entry in STATE is not used, empty if it is.
    """

    def __init__(self, stream: StreamRun, contexts: MakeContexts, source: Source) -> None:
        self.stream, self.discarded = stream, ""
        self.contexts = contexts(stream)
        self.repeats = Repeats(stream.list_client)
        self._source = source
        self._remembered: list[str] | None = None
        self._long: list[ListRequest] = []
        self._failed: set[tuple[str, str]] = set()
        self._pages_read = self._pages_reported = 0
        stream.list_client.moments = self._moments

    # The plan

    def prepare(self, entry: Mapping[str, Any], signpost: datetime | None) -> None:
        """Decide how to read the stream, from its entry in STATE and the server's clock."""
        stream, workspace = self.stream, self.stream.workspace
        services, identity = workspace.fingerprint, workspace.identity
        if stream.settings.lookups:
            entry = {}  # no bookmark is used or moved: to prove whose STATE it is took two requests more
        self.discarded = reason_to_discard(entry, signpost, services, identity.recognizes)
        if self.discarded:
            stream.logger.warning(
                "STATE of '%s' is not used, because %s: everything is read.",
                stream.name,
                self.discarded,
            )
            entry = {}
        state = StreamState.from_state(entry, stream.key, signpost, services)
        stream.stream_state = state
        self._remembered = accounts_in(entry)
        state.workspace = identity.to_remember(self._remembered)
        stream.plan = self.contexts.plan(self._plan(state))
        # What reads its records as parents of others counts there those that cannot be any.
        stream.list_client.reads_records = not stream.resource.keeps_parents
        if state.resume and not self._can_resume(state.resume):
            state.resume = None
        if state.resume:
            if state.resume.has_begun:
                line = "Going on where an earlier run of '%s' was interrupted."
                stream.logger.info(line, stream.name)
            state.go_on(self.contexts.labels)
            if self.contexts.by_parent:
                state.finished.update(self.contexts.labels, self.contexts.parent_filter)
        if state.bookmark:
            stream.metrics.bookmark_before = format_moment(state.bookmark)
        if self._reads_whole and state.whole_read_at:
            stream.metrics.whole_read_at = format_moment(state.whole_read_at)

    def _plan(self, state: StreamState) -> Pass:
        stream, resource, settings = self.stream, self.stream.resource, self.stream.settings
        if not stream.incremental:
            # Without a moment of change, nothing says which records start_date leaves out.
            if settings.start_date and resource.replication_key:
                return Pass("updatedAt", settings.start_date)
            return Pass(FIRST_PASS.sort_by if resource.sortable else None)
        hours = timedelta(hours=settings.full_read_hours)
        whole = self._reads_whole and is_due(state.whole_read_at, state.signpost, hours)
        bookmark = None if whole else state.bookmark
        plan = plan_pass(bookmark, settings.start_date, settings.lookback)
        plan = state.resume.finishing(plan) if state.resume else plan
        if resource.declared:
            # Its list has the order that it has, also in a first pass.
            return Pass("updatedAt" if resource.ordered else None, plan.start)
        return plan

    @property
    def _reads_whole(self) -> bool:
        """Return True if the stream is read whole from time to time, beside what has changed."""
        hours = self.stream.settings.full_read_hours
        return self.stream.incremental and self.stream.resource.changes_unseen and hours > 0

    def _can_resume(self, resume: Resume) -> bool:
        return self.contexts.can_resume(resume) and not (
            resume.has_begun and self.repeats.prevent_resuming(self.stream.plan.sort_by)
        )

    def beginning(self) -> dict[str, Any]:
        """Return the changes of the entry in STATE when a pass without a bookmark begins."""
        stream, state = self.stream, self.stream.stream_state
        known = not stream.incremental or state.bookmark or state.resume
        label = "" if self.contexts.by_parent else self.contexts.labels[0]
        resume = None if known else state.at(label, stream.plan)
        return state.unfinished(resume) if resume and self.contexts.resumable else {}

    # Reading, on any thread

    def phases(self) -> Phases:
        """Return the lists of this stream, and those to read once these have all been read."""
        if self.stream.settings.lookups:
            requests = lookups.requests(self.stream)
            return [partial(lookups.look_up, self.stream, each) for each in requests], ()
        return (
            partial(self._read, each) for each in self.contexts.requests()
        ), self._second_looks()

    def _second_looks(self) -> Iterator[PageTask]:
        """Yield a task that reads records that changed, and so moved, while the pass was running.

        Nothing has in a first pass of one list: it goes by ``createdAt``, which no change can move. A
        whole read looks again, so that it brings what a later pass would have brought. A declared list
        in no order is read whole in every run, and a second look would be another read.
        """
        stream, state = self.stream, self.stream.stream_state
        movable = stream.incremental and (
            stream.plan.sort_by == "updatedAt"
            or state.bookmark is not None
            or len(self.contexts.labels) > 1
        )
        if state.resume:
            movable = stream.resource.ordered
        if state.signpost and movable and (stream.resource.ordered or not stream.resource.declared):
            yield partial(self._second_look, state.signpost)

    def _second_look(self, signpost: datetime) -> Iterator[Page]:
        """Read the first pages of every list that had several pages once more."""
        for request in self.contexts.lists_to_look_at(self._long):
            if _named(request) in self._failed:
                continue
            try:
                yield from look_again(self.stream, request, signpost)
            except Refused as refusal:
                # It was so before, and said; or what the list is of has gone since.
                if isinstance(refusal, CursorRefused) or refusal.status not in NOT_OFFERED:
                    raise

    def _read(self, request: ListRequest) -> Iterator[Page]:
        """Yield the pages of one list; a failure is yielded as a page, for the main thread to handle."""
        patient = self.contexts.by_parent
        while True:
            pages = 0
            try:
                for page in self._source(self.stream, request, self._start_for(request)):
                    pages += 1
                    if page.ends and pages > 1:
                        self._long.append(request)
                    yield page
            except (KeyRefused, Refused, Unreadable, Unavailable) as failure:
                if isinstance(failure, Unavailable) and self.contexts.by_parent:
                    self.stream.workspace.first_answer()  # that took long: perhaps everything fails
                    if patient:
                        patient = False
                        continue
                self._failed.add(_named(request))
                yield Page(request, failure=failure)
            return

    def _start_for(self, request: ListRequest) -> datetime | None:
        """Return the start for the records of a list; None for all of them.

        A list that this stream has not read before may hold records older than the bookmark.
        """
        if request.since:
            return request.since
        state, start = self.stream.stream_state, self.stream.plan.start
        known = not request.label or state.contexts is None or request.label in state.contexts
        if start and state.bookmark and not known:
            start = self.stream.settings.start_date
        if request.parent and isinstance(self.contexts, PerParent):
            return self.contexts.scan.start_for(request.parent, state, start)
        return start

    def _moments(self, parent: Parent | None) -> Moments:
        """Return the moments that the requests of a declared stream may contain, for one parent.

        ``bookmark`` is the start of this parent's records. It is that of a full read for a parent whose
        lists failed before, since a server that filters by it would hide what was missed then.
        """
        stream = self.stream
        since = self._start_for(ListRequest("", label=self.contexts.labels[0], parent=parent))
        start = stream.settings.start_date
        return {"now": stream.workspace.started_at, "start_date": start, "bookmark": since}

    # Writing, on the main thread

    def taken(self, page: Page) -> Checkpoint | None:
        """Count a page whose records have been written; return the place after it for STATE, or None."""
        if isinstance(page.failure, KeyRefused):
            raise page.failure
        if page.failure:
            return self.contexts.leave_out(page, page.failure)
        stream, workspace = self.stream, self.stream.workspace
        stream.metrics.add(pages=1, records=len(page.records))
        if stream.name == ACCOUNTS and page.records:
            workspace.identity.note(str(page.records[-1]["id"]))
        stream.stream_state.take(page.newest)
        workspace.newest = latest((workspace.newest, page.newest))
        if page.ends:
            stream.stream_state.finished.update([page.request.label, *self.contexts.parent_filter])
        if page.again or stream.settings.lookups:
            return None
        self._pages_read += 1
        return self.contexts.place(page)

    def is_due(self) -> bool:
        """Return True if enough pages were read since STATE was last written."""
        grown = max(FEWEST_PAGES_REPORTED, self._pages_reported // 8)
        if self._pages_read < self._pages_reported + grown:
            return False
        self._pages_reported = self._pages_read
        return True

    def finish(self) -> dict[str, Any]:
        """Return the changes of the entry in STATE after a complete run."""
        stream, state = self.stream, self.stream.stream_state
        state.workspace = stream.workspace.identity.to_remember(self._remembered)
        more = self.contexts.finish()
        entry = {**state.complete(stream.key), **more}
        stream.metrics.bookmark_after = entry.get("replication_key_value")
        if self._reads_whole and state.signpost:
            if stream.plan.start in {None, stream.settings.start_date}:
                stream.metrics.whole_read_at = format_moment(state.signpost)
            entry["wholeReadAt"] = stream.metrics.whole_read_at
        return entry

    def give_up(self, refusal: Refused) -> None:
        """Skip the whole stream if it does not exist; else raise the refusal.

        Either the list of parents was refused, or all lists below them.
        """
        if isinstance(refusal, CursorRefused) or not refusal.missing:
            raise refusal
        self.stream.metrics.skip(str(refusal))
        self.stream.complete = False


def _named(request: ListRequest) -> tuple[str, str]:
    return request.parent.id if request.parent else "", request.label


class Repeats:
    """Drops records that an earlier list of the stream has had already, and logs the first of them.

    ``target`` of the NPS responses is missing in older documents. Where it is ignored, both lists hold
    the same records, and each would get the target of the last list.
    """

    def __init__(self, list_client: ListClient) -> None:
        self._client = list_client
        self._keys = list_client.resource.primary_keys
        inject = list_client.resource.variants.inject
        # Where the list is part of the key, each has records of its own.
        self._matter = inject is not None and inject not in self._keys
        self._in_first: set[int] = set()
        self._warned = False

    def left_out(self, page: Page) -> Page:
        """Return a page without the records that were in the first list.

        A hash of 8 bytes is kept for each of those, which takes some 70 bytes in a set.
        """
        if not self._matter or not page.records:
            return page
        keys = [hash(tuple(map(record.get, self._keys))) for record in page.records]
        first, label = self._client.labels[0], page.request.label
        if label == first:
            self._in_first.update(keys)
            return page
        new = [key not in self._in_first for key in keys]
        if not all(new) and not self._warned:
            self._warned = True
            line = f"records of {first} came again in {label}, and stay those of {first}"
            self._client.metrics.remark(line)
        return replace(page, records=list(compress(page.records, new)))

    def prevent_resuming(self, sort_by: SortKey | None) -> bool:
        """Return True if a pass cannot be resumed, because its lists have the same records.

        Only the run that read the first list knows its records. Also return True if a list cannot be read.
        """
        seen: set[Any] = set()
        try:
            for context in self._client.contexts() if self._matter else ():
                rows = next(self._client.scan(context, sort_by)).records
                ids = {identity_of(row.get("id")) for row in rows}
                if seen & ids:
                    return True
                seen |= ids
        except (Refused, Unreadable):
            return True
        return False
