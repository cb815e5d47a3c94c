"""One stream in one run: how its lists are read, and what of that STATE may remember.

`prepare` decides; `chains` are fetched on worker threads; `taken` and what follows it happens on
the main thread, when the records of a page have been written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from tap_vitally.reading.declaration import Record, Resource
from tap_vitally.reading.listing import Listing
from tap_vitally.reading.page import WEIGHT, Context, Page, Step
from tap_vitally.reading.readahead import Last
from tap_vitally.reading.shaping import Shaper
from tap_vitally.reading.summary import Tally
from tap_vitally.reading.workspace import Workspace
from tap_vitally.replication.instants import format_instant
from tap_vitally.replication.parents import Parent
from tap_vitally.replication.passes import FIRST_PASS, Pass, plan_pass
from tap_vitally.replication.place import Place, Resume
from vitally_api import CursorRefused, Refused, Unavailable, Unreadable, VitallyError

BAD_REQUEST = 400
MOST_SECOND_LOOKS = 5
"""How often the front of a list is read again while it takes more than a page."""
FEWEST_PAGES_TOLD = 4
"""Pages after which STATE is written for the first time; later it is whenever a pass has grown by an
eighth, so that a long one writes it some thirty times."""


class Reader:
    """Reads a stream that is made of one list or a few.

    ``place`` is the stream's place in STATE and ``plan`` how it is read, both from `prepare` on;
    ``complete`` says whether everything was read, as far as it has come.
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
    ) -> None:
        """Prepare to read a stream; its ``name`` may differ from the resource's."""
        self.resource = resource
        self.workspace = workspace
        self.name = name
        self.logger = logger
        self.incremental = incremental
        self.complete = True
        self.listing = Listing(
            resource,
            workspace.api,
            workspace.settings,
            fixed=fixed,
            whole_parents=self.whole_parents,
        )
        self.shaper = Shaper(
            resource, schema, workspace.settings.embedded_objects, logger, self.skip
        )
        self.place = Place(None)
        self.plan = FIRST_PASS
        self._pages_read = self._pages_told = 0
        self._long_lists: list[Parent | None] = []
        self._told: set[tuple[str, str]] = set()

    @property
    def tally(self) -> Tally:
        """The stream's counts."""
        return self.listing.tally

    @property
    def key(self) -> str | None:
        """The replication key, if the stream keeps a bookmark."""
        return self.resource.replication_key if self.incremental else None

    def check(self) -> str:
        """Say in a few words for a person whether the workspace gives this stream."""
        return self.listing.check()

    # The plan, made on the main thread before anything is read

    def prepare(self, entry: Mapping[str, Any], signpost: datetime | None) -> None:
        """Decide how to read, from the stream's entry in STATE."""
        self.place = place = Place.from_state(entry, self.key, signpost)
        self.plan = self.planned(place)
        if place.resume and not self.can_go_on(place.resume):
            place.resume = None
        if place.resume:
            self.logger.info("Going on where an earlier run of '%s' was interrupted.", self.name)
            place.go_on(self.listing.labels)
        if place.bookmark:
            self.tally.bookmark_before = format_instant(place.bookmark)

    def planned(self, place: Place) -> Pass:
        """Decide in which order the lists are read, and from when on."""
        settings = self.workspace.settings
        if self.incremental:
            return plan_pass(place.bookmark, settings.start_date, settings.lookback)
        return Pass(FIRST_PASS.sort_by if self.resource.sortable else None)

    def can_go_on(self, resume: Resume) -> bool:
        """Whether an interrupted pass is one that this run would make too."""
        return (
            self.resource.sortable
            and resume.context in self.listing.labels
            and (resume.cursor is None or resume.sort_by == self.plan.sort_by)
        )

    def contexts(self) -> Iterator[Context]:
        """Find the lists to read, in their order."""
        resume = self.place.resume
        skipped = self.listing.labels.index(resume.context) if resume else 0
        for context in list(self.listing.contexts())[skipped:]:
            going_on = resume and resume.context == context.label
            yield replace(context, cursor=resume.cursor) if resume and going_on else context

    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        """Find the chains of pages that make up this stream, in the order of their records."""
        for context in self.contexts():
            yield partial(self.pages_or_failure, context)
        if self.place.signpost and self._may_miss_changes:
            yield Last(partial(self._second_look, self.place.signpost))

    @property
    def _may_miss_changes(self) -> bool:
        """Whether a record that changes during the pass may slip through it.

        Not in a first pass of one list: it goes by ``createdAt``, which no change can move.
        """
        if self.place.resume:
            return self.resource.sortable
        return self.incremental and (
            self.plan.sort_by == "updatedAt" or len(self.listing.labels) > 1
        )

    # Reading, on any thread

    def pages_or_failure(self, context: Context) -> Iterator[Page]:
        """Read one list; a refusal becomes a page, to be judged where it would have been written."""
        try:
            yield from self.pages(context)
        except Refused as refusal:
            yield Page(context, failure=refusal, ends=True)
        except Unreadable as failure:
            if not self.resource.optional:
                raise
            yield Page(context, failure=failure, ends=True)

    def start_for(self, context: Context) -> datetime | None:
        """Decide from which moment on a list's records are wanted; None for all of them.

        A list this stream has not read before may hold records older than the bookmark.
        """
        if context.since:
            return context.since
        start, place = self.plan.start, self.place
        if start is None or place.bookmark is None:
            return start
        known = not context.label or place.contexts is None or context.label in place.contexts
        return start if known else self.workspace.settings.start_date

    def pages(self, context: Context) -> Iterator[Page]:
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

    def _pages_from(self, context: Context, start: datetime | None) -> Iterator[Page]:
        sort_by = "updatedAt" if context.since else self.plan.sort_by
        for number, step in enumerate(self.listing.walk(context, sort_by, start)):
            if step.ends and number:
                self._long_lists.append(context.parent)
            self._note(context, step)
            yield self._page(context, step)

    def _page(self, context: Context, step: Step, *, again: bool = False) -> Page:
        return Page(
            context,
            self.shaper.records(step.rows, context),
            WEIGHT * step.size,
            step.cursor,
            step.newest,
            step.ends and not again,
            again,
        )

    def _note(self, context: Context, step: Step) -> None:
        """Count how a list was read, and say once if its order did not hold."""
        if not step.ordered and self.plan.sort_by == "updatedAt":
            if self._tell("order", context.label):
                self.logger.warning(
                    "%s is not in the order of updatedAt: it is read to its end, so that no "
                    "change is missed.",
                    context.path,
                )
            self.tally.add(out_of_order=step.ends)
        self.tally.add(stopped_early=step.ends and step.cursor is not None)

    def _second_look(self, signpost: datetime) -> Iterator[Page]:
        """Read the front of every list that took several pages once more, when all have been read.

        A record that changes while its list is paged moves to the front, and one that is archived
        moves to another list. Either way it now stands before everything changed earlier.
        """
        for context in self.lists_to_look_at():
            try:
                yield from self._looks(context, signpost)
            except Refused as refusal:
                # It was so before, and said; or what the list is of has gone since.
                passes = refusal.missing or refusal.status == BAD_REQUEST
                if isinstance(refusal, CursorRefused) or not passes:
                    raise

    def _looks(self, context: Context, start: datetime) -> Iterator[Page]:
        """Look at the front of a list until one page shows all that has changed since."""
        for _ in range(MOST_SECOND_LOOKS):
            newest = []
            for step in self.listing.walk(context, "updatedAt", start):
                newest.append(step.newest)
                yield self._page(context, step, again=True)
            if len(newest) == 1:
                break
            # What changes from now on comes before the first row of this look.
            start = newest[0] or start

    def lists_to_look_at(self) -> Iterator[Context]:
        """Find the lists that took long enough to change: all of them, in an interrupted pass."""
        if self._long_lists or self.place.resume:
            yield from self.listing.contexts()

    # Writing, on the main thread

    def taken(self, page: Page) -> dict[str, Any]:
        """Account for a page whose records have been written; return what changes in the entry."""
        if page.failure:
            return self.left_out(page, page.failure)
        self.tally.add(pages=1, records=len(page.records))
        self.place.take(page.newest)
        if page.ends:
            self.place.finished.update(self.covers(page.context))
        if page.again or self.workspace.settings.lookups:
            return {}
        self._pages_read += 1
        return self.unfinished(page)

    def covers(self, context: Context) -> list[str]:
        """Say what a bookmark stands for when this list has been read."""
        return [context.label]

    def unfinished(self, page: Page) -> dict[str, Any]:
        """Say where a run goes on that has everything up to this page."""
        resume = self.resume_after(page)
        return self.place.unfinished(resume) if resume else {}

    def resume_after(self, page: Page) -> Resume | None:
        """Find where a run goes on that has everything up to this page; None if nowhere yet."""
        place, label, cursor = self.place, page.context.label, page.cursor
        if page.ends:
            labels = self.listing.labels
            following = labels[labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        if place.signpost is None:
            return None
        return Resume(place.signpost, place.newest, label, cursor, self.plan.sort_by)

    def is_due(self) -> bool:
        """Whether the place has moved far enough since STATE was written for it."""
        if self._pages_read < self._pages_told + max(FEWEST_PAGES_TOLD, self._pages_told // 8):
            return False
        self._pages_told = self._pages_read
        return True

    def dated(self, rows: list[Record], moment: datetime | None) -> list[Record]:  # noqa: ARG002
        """Add to rows the moment at which they were read, where the stream has a column for it."""
        return rows

    def records_at_the_end(self) -> Iterator[Record]:
        """Make records of the run itself, when all pages have been written."""
        return iter(())

    def finish(self) -> dict[str, Any]:
        """Say what a complete run may remember: what changes in the entry."""
        entry = self.place.complete(self.key)
        self.tally.bookmark_after = entry.get("replication_key_value")
        return entry

    # What is left out

    def skip(self, reason: str, context: Context | None = None) -> None:
        """Leave something out, and say in one line what and why."""
        where = f" ({context.label})" if context and context.label else ""
        if self.tally.leave_out(f"{reason}{where}") and self._tell("skip", reason):
            self.logger.warning("Skipped in '%s'%s: %s", self.name, where, reason)

    def left_out(self, page: Page, failure: VitallyError) -> dict[str, Any]:
        """Do without a list that could not be read, if the rest makes sense, or raise its failure."""
        several = len(self.listing.labels) > 1
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

    def _tell(self, *what: str) -> bool:
        """Whether something is to be said for the first time in this run."""
        first = what not in self._told
        self._told.add(what)  # type: ignore[arg-type]
        return first


def _can_be_missing(failure: VitallyError, *, several: bool) -> bool:
    """Whether a list is not there; one of several may also be unknown to the API."""
    if isinstance(failure, CursorRefused) or not isinstance(failure, Refused):
        return False
    return failure.missing or (failure.status == BAD_REQUEST and several)
