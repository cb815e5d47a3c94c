"""The lists of a stream: those of the whole workspace, or those below each parent.

Both classes have the same methods for `StreamReader`. ``by_parent`` is True if there are lists for
each parent, ``parent_filter`` has the labels by which the settings select parents, ``resumable`` is
True if an interrupted pass can be resumed, ``waits_for`` names streams that must be read first, if
they are selected, since their rows decide what to read.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import Any

from tap_vitally.state.parent_scan import MOST_SKIPPED, OrderCheck, Parent, ParentScan, to_remember
from tap_vitally.state.passes import Pass, SortKey
from tap_vitally.state.stream_state import Resume
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.list_client import ListClient, RequestEstimate
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import CursorRefused, Refused, UnexpectedShape, Unreadable, VitallyError, safe_name
from vitally_api.statuses import INVALID, NOT_FOUND

REFUSED_IN_A_ROW = 10
"""Parents that are all refused before the whole resource is taken to be missing."""
MOST_REMEMBERED = 5_000
"""Lists that an interrupted pass remembers, in 60 kB of STATE; it reads those beyond them again."""
DIGEST_BYTES = 8
"""The length of a digest; two of 5,000 lists have the same once in 10^12 passes."""

Checkpoint = Callable[[], dict[str, Any]]
"""Returns the changes of the stream's entry in STATE once everything up to a page is written."""


class TopLevel:
    """The lists of the whole workspace, one for each variant."""

    by_parent = False
    resumable = True
    parent_filter: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()

    def __init__(self, stream: StreamRun) -> None:
        self.stream = stream
        self.labels = stream.list_client.labels
        self._began = ""

    def plan(self, plan: Pass) -> Pass:
        """Return the plan unchanged."""
        return plan

    def can_resume(self, resume: Resume) -> bool:
        """Return True if this run can resume an interrupted pass: same lists and order."""
        same_order = not resume.cursor or resume.sort_by == self.stream.plan.sort_by
        return self.stream.resource.ordered and resume.context in self.labels and same_order

    def requests(self) -> Iterator[ListRequest]:
        """Yield the lists to read, from the place of an interrupted pass on."""
        resume = self.stream.stream_state.resume
        for request in self.lists()[self.labels.index(resume.context) if resume else 0 :]:
            here = resume and resume.context == request.label
            yield replace(request, cursor=resume.cursor) if resume and here else request

    def lists_to_look_at(self, long: list[ListRequest]) -> Iterable[ListRequest]:
        """Return all lists if one had several pages or the pass was resumed, as records may have moved."""
        changed = long or self.stream.stream_state.resume
        return self.lists() if self.stream.resource.ordered and changed else ()

    def place(self, page: Page) -> Checkpoint | None:
        """Return the place after this page for STATE; None at the end of the pass."""
        stream, label, cursor = self.stream, page.request.label, page.cursor
        self._began = label
        if page.ends:
            following = self.labels[self.labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        resume = stream.stream_state.at(label, stream.plan, cursor=cursor)
        return partial(stream.stream_state.unfinished, resume) if resume else None

    def leave_out(self, page: Page, failure: VitallyError) -> Checkpoint | None:
        """Skip a list that does not exist, or one of several that cannot be read; else raise the failure."""
        stream, several = self.stream, len(self.labels) > 1
        if stream.resource.optional:
            several, allowed = False, isinstance(failure, Refused | Unreadable)
        elif isinstance(failure, Refused) and not isinstance(failure, CursorRefused):
            allowed = failure.missing or (several and failure.status in INVALID)
        else:
            began = self._began == page.request.label
            allowed = several and isinstance(failure, UnexpectedShape) and not began
        if not allowed:
            raise failure
        stream.metrics.skip(str(failure), page.request.label)
        stream.complete = stream.complete and several
        return None

    def records_at_the_end(self) -> Iterable[Record]:
        """Add nothing."""
        return ()

    def finish(self) -> dict[str, Any]:
        """Add nothing."""
        return {}

    def lists(self) -> list[ListRequest]:
        """Return all lists; none for a stream whose records the tap generates."""
        return list(self.stream.list_client.contexts()) if self.stream.resource.path else []

    def estimate(self) -> RequestEstimate:
        """Estimate the requests from the number of pages."""
        return self.stream.list_client.estimate(self.stream.plan)


Find = Callable[[StreamRun], Iterable[Parent]]
ListsOf = Callable[[StreamRun, Parent], Iterable[ListRequest]]


class PerParent:
    """The lists of each parent, newest parent first.

    ``find`` returns the parents, and ``lists`` the lists of one, if they are not as the resource
    declares. If ``setting`` is the name of a setting that is not set, there are no parents. If parents
    have no order by time, STATE has each list that was read (``one_by_one``). ``called`` is the name of
    the parents in messages.
    """

    by_parent = True
    resumable = True
    waits_for: tuple[str, ...] = ()

    def __init__(
        self,
        stream: StreamRun,
        find: Find | None = None,
        lists: ListsOf | None = None,
        setting: str = "",
        *,
        one_by_one: bool = False,
    ) -> None:
        self.stream = stream
        self.labels = stream.list_client.labels
        self.called = stream.resource.parents
        self._find, self._setting, self._one_by_one = find, setting, one_by_one
        self._done: list[str] = []
        self._lists = lists or (lambda stream, parent: stream.list_client.contexts(parent))
        self._written = OrderCheck()
        self._refused = 0
        self.scan = ParentScan(None, ())
        self.parent_filter: tuple[str, ...] = ()

    def plan(self, plan: Pass) -> Pass:
        """Decide how to scan the parents; return the plan unchanged."""
        resource, settings = self.stream.resource, self.stream.settings
        parent = resource.parent
        order: SortKey | None = None
        if resource.only_changed:
            order = plan.sort_by
        elif parent and parent.sortable and not self._one_by_one:
            order = "createdAt"
        if parent:
            self.parent_filter = tuple(v.label for v in parent.lists(settings) if v.label)
        self.scan = ParentScan(
            order,
            tuple(self.labels),
            self.parent_filter,
            resource.only_changed,
            settings.start_date,
            # An address may hold more of a parent than its id, which never changes.
            moves=bool(resource.declared and resource.declared.parent_columns - {"id"}),
        )
        return plan

    def can_resume(self, resume: Resume) -> bool:
        """Return True if this run can resume an interrupted scan; for snapshots, only on the same day."""
        same = self.stream.incremental
        if self.stream.resource.snapshot:
            same = resume.signpost.date() == self.stream.workspace.started_at.date()
        return same and self.resumable and self.scan.can_go_on(resume)

    def estimate(self) -> RequestEstimate:
        """Estimate the requests: one or more for each list of all parents, or for each changed parent."""
        stream, resource = self.stream, self.stream.resource
        parent = resource.parent
        if resource.only_changed and parent:
            client = stream.workspace.list_client(parent.name)
            what = f"{self.called}, one for each"
            return client.estimate(stream.plan, what, more=(1, 1))
        lists = [len(list(self._lists(stream, each))) for each in self.parents()]
        what = f"the lists of all {len(lists):,} {self.called}" if lists else self.without_parents
        declared = resource.declared
        pages = declared.cursor_param if declared else resource.paginated and not resource.snapshot
        most = None if lists and pages else sum(lists)
        return RequestEstimate(sum(lists), most, what)

    @property
    def without_parents(self) -> str:
        """The reason why there are no parents, for messages."""
        if self._setting and not getattr(self.stream.settings, self._setting):
            return f"{self._setting} is not set"
        return f"there are no {self.called}"

    # The parents, on one of the threads that find lists

    def parents(self) -> Iterable[Parent]:
        """Return all parents, from a list that is read once for all streams, or those that changed."""
        if self._find:
            return self._find(self.stream)
        workspace, parent = self.stream.workspace, self.stream.resource.parent
        assert parent  # noqa: S101 - a stream without parent says how to find some
        if self.stream.resource.only_changed:
            return self.changed_parents(workspace.list_client(parent.name))
        return workspace.parents(parent.name)

    def changed_parents(self, client: ListClient) -> Iterator[Parent]:
        """Yield the parents that changed since the start, and those that an earlier run could not read."""
        state = self.stream.stream_state
        waiting = set(state.to_retry)
        for parent in client.parents_changed_since(self.stream.plan, state.signpost):
            waiting.discard(parent.id)
            yield parent
        yield from map(Parent, sorted(waiting))

    def requests(self) -> Iterator[ListRequest]:
        """Yield all lists of each parent.

        The last ones are lists that an interrupted run had read, and that may have changed since.
        """
        done: list[Parent] = []
        again: list[ListRequest] = []
        state = self.stream.stream_state
        self._done = list(state.resume.done) if state.resume else []
        known = set(self._done)
        for parent in self.scan.remaining(self.parents(), state, done):
            for request in self.lists_of(parent):
                if known and _digest(request) in known and parent.id not in state.to_retry:
                    again.append(request)
                else:
                    yield request
        changed = self.changed_meanwhile(done) if done else ()
        for request in chain(again, chain.from_iterable(map(self.lists_of, changed))):
            yield replace(request, since=state.signpost)

    def lists_of(self, parent: Parent) -> Iterator[ListRequest]:
        """Yield the lists of one parent; skip a parent whose id cannot be part of an address."""
        if parent.id in {".", ".."}:
            reason = f"{self.called} {parent.id}: that id cannot be part of an address"
            self.stream.metrics.skip(reason)
        else:
            yield from self._lists(self.stream, parent)

    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Return those parents in ``done`` whose lists may have changed since the interrupted run began."""
        return done if self.stream.incremental and not self.stream.resource.only_changed else ()

    def lists_to_look_at(self, long: list[ListRequest]) -> Iterator[ListRequest]:
        """Yield the lists of parents with a list of several pages, as records may have moved there."""
        for parent in {each.parent.id: each.parent for each in long if each.parent}.values():
            yield from self.lists_of(parent)

    # Writing, on the main thread

    def place(self, page: Page) -> Checkpoint | None:
        """Return the place after this page's parent or list for STATE; None if there is none yet."""
        request, state = page.request, self.stream.stream_state
        if request.since or not self.resumable:
            return None
        if self._one_by_one and page.ends and len(self._done) < MOST_REMEMBERED:
            self._done.append(_digest(request))
        start, done = self.stream.plan.start, tuple(self._done)
        resume = self.scan.resume_after(request.parent, state, start, done)
        if resume is None:
            return None
        if self._written.check(resume.parents_after):
            return lambda: {"resume": None}
        whole = page.ends and (self._one_by_one or request.label == self.labels[-1])
        return partial(state.unfinished, resume) if whole and self._written.in_order else None

    def leave_out(self, page: Page, failure: VitallyError) -> Checkpoint | None:
        """Skip one parent, and keep it in STATE for the next run; raise if all or too many are refused."""
        stream, parent = self.stream, page.request.parent
        refusal = failure if isinstance(failure, Refused) else None
        gone = refusal is not None and refusal.status in NOT_FOUND
        if gone and stream.resource.snapshot:
            # This run has seen the parent, so it is there and has none.
            stream.metrics.add(have_none=1)
            return self.place(page)
        if parent is None:
            raise failure
        self._refused += bool(isinstance(failure, Unreadable) or (refusal and refusal.missing))
        if self._refused == REFUSED_IN_A_ROW and not stream.metrics.pages:
            first = f"The first {REFUSED_IN_A_ROW} {self.called} were all refused"
            raise Refused(f"{first}, the last so: {failure}", 403)
        reason = f"{self.called} {safe_name(parent.id)}: {failure}"
        stream.metrics.skip(reason, page.request.label)
        if stream.incremental:
            state = stream.stream_state
            retried = parent.id in state.to_retry
            skipped = to_remember(state.skipped, parent.id, gone=gone, retried=retried)
            if skipped is None:
                raise VitallyError(
                    f"More than {MOST_SKIPPED} {self.called} could not be read for "
                    f"'{stream.name}', which is no accident: {failure}"
                )
            state.skipped = skipped
        return self.place(page) if stream.metrics.pages else None

    def records_at_the_end(self) -> Iterable[Record]:
        """Return no records; log if all parents answered 404: the plan may not include the resource."""
        metrics = self.stream.metrics
        if metrics.have_none >= REFUSED_IN_A_ROW and not metrics.pages:
            metrics.skip(
                f"404 Not Found for all of {metrics.have_none:,} {self.called}: see the plan"
            )
        return ()

    def finish(self) -> dict[str, Any]:
        """Add nothing."""
        return {}


def _digest(request: ListRequest) -> str:
    """Return a digest that identifies a list in STATE, without showing its values."""
    of = json.dumps([request.parent and request.parent.id, sorted(request.inject.items())])
    digest = sha256(of.encode()).digest()[:DIGEST_BYTES]
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
