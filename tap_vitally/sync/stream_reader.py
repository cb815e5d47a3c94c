"""One stream in one run: what is decided before it is fetched, and what STATE may remember of it.

All of this happens on the main thread: `prepare` before anything is read, `taken` and what follows
it when the records of a page have been written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from tap_vitally.state.instants import format_instant, latest
from tap_vitally.state.passes import FIRST_PASS, Pass, is_due, plan_pass
from tap_vitally.state.stream_state import Resume, StreamState, accounts_in, reason_to_discard
from tap_vitally.sync.batches import ListRequest, RecordBatch
from tap_vitally.sync.fetcher import BAD_REQUEST, Fetcher
from tap_vitally.sync.list_client import count_pages
from tap_vitally.sync.repeats import Repeats
from tap_vitally.sync.resource import Record
from vitally_api import CursorRefused, Refused, Unreadable, VitallyError

ACCOUNTS = "accounts"
FEWEST_PAGES_REPORTED = 4
"""Pages after which STATE is written for the first time; later it is whenever a pass has grown by an
eighth, so that a long one writes it some thirty times."""


@dataclass(frozen=True)
class RequestEstimate:
    """What a stream costs in a run: ``least`` requests, ``most`` if that is known, and for what."""

    least: int
    most: int | None
    what: str


class Reader(Fetcher):
    """Reads a stream: ``complete`` says whether everything was read, as far as it has come.

    ``distrusted`` is why the stream's entry in STATE is not used, empty if it is.
    """

    scans_parents: ClassVar[bool] = False
    complete = True
    distrusted = ""
    _pages_read = _pages_reported = 0

    @property
    def key(self) -> str | None:
        """The replication key, if the stream keeps a bookmark."""
        return self.resource.replication_key if self.incremental else None

    def check(self) -> str:
        """Say in a few words for a person whether the workspace gives this stream."""
        return self.list_client.check()

    def estimate(self) -> RequestEstimate:
        """Say what the next run will ask for, once the stream is prepared."""
        pages, records, whole = count_pages(self.list_client, self.plan)
        return RequestEstimate(
            pages, pages if whole else None, counted(records, whole, "records", self.plan)
        )

    # The plan, made on the main thread before anything is read

    def prepare(self, entry: Mapping[str, Any], signpost: datetime | None) -> None:
        """Decide how to read, from the stream's entry in STATE."""
        services, identity = self.workspace.fingerprint, self.workspace.identity
        self.distrusted = reason_to_discard(entry, signpost, services, identity.recognizes)
        if self.distrusted:
            self.logger.warning(
                "STATE of '%s' is not used, because %s: everything is read.",
                self.name,
                self.distrusted,
            )
            entry = {}
        self.stream_state = stream_state = StreamState.from_state(
            entry, self.key, signpost, services
        )
        self._remembered = accounts_in(entry)
        stream_state.workspace = identity.to_remember(self._remembered)
        self.plan = self.planned(stream_state)
        # What reads its records as parents of others counts there those that cannot be any.
        self.list_client.reads_records = not self.whole_parents
        if stream_state.resume and not self.can_go_on(stream_state.resume):
            stream_state.resume = None
        if stream_state.resume:
            if stream_state.resume.has_begun:
                reported = "Going on where an earlier run of '%s' was interrupted."
                self.logger.info(reported, self.name)
            self.go_on(stream_state)
        if stream_state.bookmark:
            self.metrics.bookmark_before = format_instant(stream_state.bookmark)
        if self.reads_whole and stream_state.whole_read_at:
            self.metrics.whole_read_at = format_instant(stream_state.whole_read_at)

    def planned(self, stream_state: StreamState) -> Pass:
        """Decide in which order the lists are read, and from when on."""
        settings = self.workspace.settings
        if not self.incremental:
            return self._whole_table()
        bookmark = None if self._is_whole_read_due(stream_state) else stream_state.bookmark
        plan = plan_pass(bookmark, settings.start_date, settings.lookback)
        if stream_state.resume:
            by_parent = self.scans_parents and not self.resource.only_changed
            plan = stream_state.resume.finishing(plan, settings.start_date, by_parent=by_parent)
        return plan

    @property
    def reads_whole(self) -> bool:
        """Whether the stream is read whole from time to time, beside what has changed."""
        hours = self.workspace.settings.full_read_hours
        return self.incremental and self.resource.changes_unseen and hours > 0

    def _is_whole_read_due(self, stream_state: StreamState) -> bool:
        hours = timedelta(hours=self.workspace.settings.full_read_hours)
        return self.reads_whole and is_due(stream_state.whole_read_at, stream_state.signpost, hours)

    def _whole_table(self) -> Pass:
        """Read all, but for what the operator does not want; without a moment of change, really all."""
        start = self.workspace.settings.start_date
        if start and self.resource.replication_key:
            return Pass("updatedAt", start)
        return Pass(FIRST_PASS.sort_by if self.resource.sortable else None)

    def go_on(self, stream_state: StreamState) -> None:
        """Take up an interrupted pass."""
        stream_state.go_on(self.list_client.labels)

    def can_go_on(self, resume: Resume) -> bool:
        """Whether an interrupted pass is one that this run would make too."""
        return (
            self.resource.sortable
            and resume.context in self.list_client.labels
            and (resume.cursor is None or resume.sort_by == self.plan.sort_by)
            and not (resume.has_begun and self.repeats.prevent_resuming(self.plan.sort_by))
        )

    def beginning(self) -> dict[str, Any]:
        """Say that a pass begins which no bookmark stands for: what changes in the entry."""
        stream_state = self.stream_state
        if (
            not self.incremental
            or stream_state.bookmark
            or stream_state.resume
            or stream_state.signpost is None
        ):
            return {}
        label = "" if self.scans_parents else self.list_client.labels[0]
        resume = Resume(
            stream_state.signpost, context=label, sort_by=self.plan.sort_by, start=self.plan.start
        )
        return stream_state.unfinished(resume)

    def waits_for(self) -> Collection[str]:
        """Name the streams that have to be read before it is known what to read."""
        return ()

    # Writing, on the main thread

    @cached_property
    def repeats(self) -> Repeats:
        """What leaves a record to the first of the stream's lists that has brought it."""

        def warn(message: str) -> None:
            self.logger.warning("'%s': %s.", self.name, message)
            self.metrics.remarks.append(message)

        return Repeats(self.list_client, warn)

    def taken(self, page: RecordBatch) -> dict[str, Any]:
        """Account for a page whose records have been written; return what changes in the entry."""
        if page.failure:
            return self.left_out(page, page.failure)
        self.metrics.add(pages=1, records=len(page.records))
        if self.name == ACCOUNTS and page.records:
            self.workspace.identity.note(str(page.records[-1]["id"]))
        self.stream_state.take(page.newest)
        self.workspace.newest = latest((self.workspace.newest, page.newest))
        if page.ends:
            self.stream_state.finished.update(self.covers(page.context))
        if page.again or self.workspace.settings.lookups:
            return {}
        self._pages_read += 1
        return self.unfinished(page)

    def covers(self, context: ListRequest) -> list[str]:
        """Say what a bookmark stands for when this list has been read."""
        return [context.label]

    def unfinished(self, page: RecordBatch) -> dict[str, Any]:
        """Say where a run goes on that has everything up to this page."""
        resume = self.resume_after(page)
        return self.stream_state.unfinished(resume) if resume else {}

    def resume_after(self, page: RecordBatch) -> Resume | None:
        """Find where a run goes on that has everything up to this page; None if nowhere yet."""
        stream_state, label, cursor = self.stream_state, page.context.label, page.cursor
        if page.ends:
            labels = self.list_client.labels
            following = labels[labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        if stream_state.signpost is None:
            return None
        return Resume(
            stream_state.signpost,
            stream_state.newest,
            label,
            cursor,
            self.plan.sort_by,
            start=self.plan.start,
        )

    def is_due(self) -> bool:
        """Whether the place has moved far enough since STATE was written for it."""
        if self._pages_read < self._pages_reported + max(
            FEWEST_PAGES_REPORTED, self._pages_reported // 8
        ):
            return False
        self._pages_reported = self._pages_read
        return True

    def dated(self, rows: list[Record], moment: datetime | None) -> list[Record]:  # noqa: ARG002
        """Add to rows the moment at which they were read, where the stream has a column for it."""
        return rows

    def records_at_the_end(self) -> Iterator[Record]:
        """Make records of the run itself, when all pages have been written."""
        return iter(())

    def finish(self) -> dict[str, Any]:
        """Say what a complete run may remember: what changes in the entry."""
        stream_state = self.stream_state
        stream_state.workspace = self.workspace.identity.to_remember(self._remembered)
        entry = stream_state.complete(self.key)
        self.metrics.bookmark_after = entry.get("replication_key_value")
        if self.reads_whole and stream_state.signpost:
            if self.plan.start is None or self.plan.start == self.workspace.settings.start_date:
                self.metrics.whole_read_at = format_instant(stream_state.signpost)
            entry["wholeReadAt"] = self.metrics.whole_read_at
        return entry

    # What is left out

    def left_out(self, page: RecordBatch, failure: VitallyError) -> dict[str, Any]:
        """Do without a list that could not be read, if the rest makes sense, or raise its failure."""
        several = len(self.list_client.labels) > 1
        if self.resource.optional:
            several = False
            if isinstance(failure, Refused) and failure.key:
                raise failure
        elif not _can_be_missing(failure, several=several):
            raise failure
        self.skip(str(failure), page.context)
        self.complete = self.complete and several
        return {}

    def give_up(self, refusal: Refused) -> None:
        """Do without the whole stream, if it is missing, or raise the refusal.

        The list of the parents was refused, or all there is below them.
        """
        if isinstance(refusal, CursorRefused) or not refusal.missing:
            raise refusal
        self.skip(str(refusal))
        self.complete = False


def counted(records: int, whole: bool, called: str, plan: Pass) -> str:  # noqa: FBT001
    """Return how many records a pass was found to read, for a person."""
    since = f" changed since {format_instant(plan.start)}" if plan.start else ""
    return f"{'' if whole else 'more than '}{records:,} {called}{since}"


def _can_be_missing(failure: VitallyError, *, several: bool) -> bool:
    """Whether a list is not there; one of several may also be unknown to the API, or odd."""
    if isinstance(failure, CursorRefused) or not isinstance(failure, Refused):
        return several and isinstance(failure, Unreadable)
    return failure.missing or (failure.status == BAD_REQUEST and several)
