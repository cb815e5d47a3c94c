"""How every stream reads: its lists, their pages, its place in STATE.

A stream is a sequence of contexts, and a context is a chain of pages. Chains may be fetched on
worker threads; what concerns STATE and the order of records happens on the main thread.
"""

from __future__ import annotations

import logging
import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import quote

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.singerlib.catalog import SelectionMask

from tap_vitally.api import PATIENCE
from tap_vitally.conform import Conformer
from tap_vitally.contexts import ONE, Context, Page, Parent, Record, Step, Variants
from tap_vitally.errors import CursorRefused, Refused, TapFailure, Unavailable, Unreadable
from tap_vitally.pagination import MOST_EMPTY_PAGES, Cursors
from tap_vitally.place import Place
from tap_vitally.readahead import Last
from tap_vitally.replication import (
    FIRST_PASS,
    Pass,
    Resume,
    Window,
    format_instant,
    parse_instant,
    plan_pass,
)
from tap_vitally.report import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context as SdkContext

    from tap_vitally.api import Answer
    from tap_vitally.replication import SortKey
    from tap_vitally.run import Run
    from tap_vitally.settings import Settings
    from tap_vitally.tap import TapVitally

T = TypeVar("T")

WEIGHT = 3
"""Bytes of memory that a byte of JSON takes once decoded, as measured on real-sized pages."""
EMBEDDED = (
    "account",
    "accounts",
    "customer",
    "customers",
    "organization",
    "organizations",
    "user",
    "users",
)
REFERENCE = ("id", "externalId", "name")
MISSING = {
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.GONE,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}
"""Answers that say that a resource is not there, or not in the plan."""
CURSOR_REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Answers that may mean the cursor alone: nobody knows which one the API gives to an old one."""
ENVELOPES = ("$.results[*]", "$.data[*]", "$[*]")
"""Where lists have been seen."""
LIST_REFUSED = {*MISSING, HTTPStatus.BAD_REQUEST}
LATEST = datetime.max.replace(tzinfo=UTC)
LOOKS = 5
"""How often the front of a list is read again while it takes more than a page."""
MOST_BREADCRUMBS = 10_000
"""Properties whose selection is remembered: traits may have any number of keys."""
PARENT_PATIENCE = 75.0
"""Seconds of failure for one parent before it is asked whether only this one fails; it is given
as much again after that, so that an outage of two minutes costs no parent."""


class VitallyStream(Stream):
    """A resource of the workspace, read from one list or a few.

    Subclasses declare; see ``tap_vitally.streams``.

    Attributes:
        path: The list, below ``/resources``; ``{property}`` stands for an injected property.
        records_jsonpath: Where a page holds its records.
        variants: The lists it is made of.
        query: Further query parameters; ``{property}`` as in the path.
        sortable: Whether the API lets the order be chosen.
        paginated: Whether the API takes ``limit`` and ``from``.
    """

    name: str = ""
    schema: ClassVar[dict[str, Any]]
    path: ClassVar[str]
    records_jsonpath: ClassVar[str] = "$.results[*]"
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    replication_key: str | None = "updatedAt"
    variants: ClassVar[Variants] = ONE
    query: ClassVar[Mapping[str, str]] = {}
    sortable: ClassVar[bool] = True
    paginated: ClassVar[bool] = True

    # Records are decoded from JSON and fitted to the schema when they are read.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    # STATE is written by pages, in `_remember`.
    STATE_MSG_FREQUENCY = 1 << 62

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Build the stream; nothing is read yet.

        Args:
            *args: As for any SDK stream.
            **kwargs: As for any SDK stream.
        """
        super().__init__(*args, **kwargs)
        self.tally = Tally()
        self.fixed: Mapping[str, str] = {}
        self._told: set[tuple[str, str]] = set()
        self._complete = False

    @property
    def run(self) -> Run:
        """The run this stream is read in."""
        return cast("TapVitally", self._tap).run

    @property
    def incremental(self) -> bool:
        """Whether this stream keeps a bookmark."""
        return self.replication_method == "INCREMENTAL" and self.replication_key is not None

    @cached_property
    def mask(self) -> SelectionMask:
        """Which properties are selected; the SDK asks for every value of every record."""
        return _RememberingMask(super().mask)

    # The plan, made on the main thread before anything is read

    def prepare(self, signpost: datetime | None) -> None:
        """Decide how to read, from what STATE says.

        Args:
            signpost: The server's clock at the start of the run.
        """
        settings = self.run.settings
        state = self.tap_state.get("bookmarks", {}).get(self.state_manager.stream_name, {})
        key = self.replication_key if self.incremental else None
        self.place = place = Place.from_state(state, key, signpost)
        self.plan = (
            plan_pass(place.bookmark, settings.start_date, settings.lookback)
            if self.incremental
            else Pass(FIRST_PASS.sort_by if self.sortable else None)
        )
        if place.resume and not self._usable(place.resume):
            place.resume = None
        if place.resume:
            self.logger.info("Going on where an earlier run of '%s' was interrupted.", self.name)
            place.go_on(self._labels())
        self._pages_read = self._pages_told = 0
        self._took_long: list[Parent | None] = []
        if place.bookmark:
            self.tally.bookmark_before = format_instant(place.bookmark)

    def _usable(self, resume: Resume) -> bool:
        """Whether an interrupted pass is one that this run would make too."""
        return (
            self.sortable
            and resume.context in self._labels()
            and (resume.cursor is None or resume.sort_by == self.plan.sort_by)
        )

    def _labels(self) -> list[str]:
        return [label for label, _, _ in self._variants()]

    def _variants(
        self, settings: Settings | None = None
    ) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
        """Label, query and injected properties of each variant."""
        variants = self.variants
        for value in variants.values(settings or self.run.settings):
            if not variants.parameter:
                yield "", {}, {}
            else:
                query = {variants.parameter: value}
                inject = {variants.inject: value} if variants.inject else {}
                yield f"{variants.parameter}={value}", query, inject

    def contexts(self) -> Iterator[Context]:
        """Find the lists to read.

        Yields:
            They, in their order.
        """
        resume = self.place.resume
        skipped = self._labels().index(resume.context) if resume else 0
        for context in list(self.lists_of())[skipped:]:
            going_on = resume and resume.context == context.label
            yield replace(context, cursor=resume.cursor) if resume and going_on else context

    def lists_of(self, parent: Parent | None = None) -> Iterator[Context]:
        """Find the lists of one parent, or those of the whole workspace.

        Args:
            parent: The parent, in a child stream.

        Yields:
            One list for each variant.
        """
        for label, query, inject in self._variants():
            yield self._context(label, query, {**self.fixed, **inject}, parent)

    def _context(
        self,
        label: str,
        query: Mapping[str, str],
        inject: Mapping[str, Any],
        parent: Parent | None = None,
    ) -> Context:
        path = self.path.format_map({k: quote(str(v), safe="") for k, v in inject.items()})
        own = {name: value.format_map(inject) for name, value in self.query.items()}
        return Context(path, {**query, **own}, label, inject, parent)

    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        """Find the chains of pages that make up this stream in this run.

        Yields:
            They, in the order in which their records are written.
        """
        for context in self.contexts():
            yield partial(self._pages_or_failure, context)
        if self.place.signpost and self._may_miss_changes:
            yield Last(partial(self._look_again, self.place.signpost))

    @property
    def _may_miss_changes(self) -> bool:
        """Whether a record that changes during the pass may slip through it.

        Not in a first pass of one list: it goes by ``createdAt``, which no change can move.
        """
        if self.place.resume:
            return self.sortable
        return self.incremental and (self.plan.sort_by == "updatedAt" or len(self._labels()) > 1)

    def everything(self) -> Iterator[Parent]:
        """List the records as parents of others, in the order in which they were created.

        Yields:
            They, newest first, whatever is selected and whatever the bookmark says.
        """
        yield from self.changed(Pass("createdAt" if self.sortable else None), None)

    def changed(self, plan: Pass, signpost: datetime | None) -> Iterator[Parent]:
        """List the records that a pass of another stream wants, as parents of that stream's.

        Args:
            plan: How that stream reads.
            signpost: From where to look again when the list took several pages, in which a
                record that changes meanwhile moves to the front; None not to.

        Yields:
            They, newest first.
        """
        requests = 0
        for label, query, _ in self._variants():
            for step in self.walk(self._context(label, query, {}), plan.sort_by, plan.start):
                requests += 1
                yield from _sorted(
                    (self.as_parent(row) for row in step.rows if row.get("id")), plan
                )
        if requests > len(self._labels()) and signpost and plan.sort_by == "updatedAt":
            yield from self.changed(Pass("updatedAt", signpost), None)

    def listed(self, inject: Mapping[str, str]) -> Iterator[Record]:
        """List the rows of one list as they are.

        Args:
            inject: What stands in the path.

        Yields:
            They.
        """
        for step in self.walk(self._context("", {}, inject), None):
            yield from step.rows

    def changes(self, since: datetime | None) -> Iterator[Record]:
        """List what changed since a moment, as it is.

        Args:
            since: The moment.

        Yields:
            The rows, those without a moment of change among them.
        """
        for context in self.lists_of():
            for step in self.walk(context, "updatedAt", since):
                yield from step.rows

    def check(self) -> str:
        """Find out whether the workspace gives this stream.

        Returns:
            A few words for a person.
        """
        found = 0
        for label, query, inject in self._variants():
            context = self._context(label, {**query, "limit": "1"}, inject)
            try:
                found += len(next(self.walk(context, None)).rows)
            except (Refused, Unreadable) as failure:
                if isinstance(failure, Refused) and failure.status == HTTPStatus.UNAUTHORIZED:
                    raise
                return f"NOT GIVEN{f' ({label})' if label else ''}: {failure}"
        return "ok" if found else "ok, but empty"

    def ids(self) -> Iterator[list[str]]:
        """List the ids of all records there are, whatever the settings leave out.

        Yields:
            They, page by page; one may come twice.
        """
        settings = replace(
            self.run.settings, account_status="activeOrChurned", include_archived=True
        )
        lists = [Context(self.path, query) for _, query, _ in self._variants(settings)]
        walks = [self.walk(context, "createdAt") for context in lists]
        if len(lists) > 1:
            # What moved from a list not yet read to one already read is at the front of that one.
            walks += [self.walk(context, "updatedAt", self.run.signpost) for context in lists]
        for step in chain.from_iterable(walks):
            yield [row["id"] for row in step.rows if row.get("id")]

    def as_parent(self, row: Record) -> Parent:
        """Keep of a record what its children need.

        Args:
            row: The record.

        Returns:
            The parent.
        """
        return Parent(str(row["id"]), parse_instant(row.get("createdAt")), row.get("updatedAt"))

    # Reading, on any thread

    def _pages_or_failure(self, context: Context) -> Iterator[Page]:
        try:
            yield from self.pages(context)
        except Refused as refusal:
            yield Page(context, failure=refusal, ends=True)

    def start_for(self, context: Context) -> datetime | None:
        """Decide from which moment on a list's records are wanted.

        A list this stream has not read before may hold records older than the bookmark.

        Args:
            context: The list.

        Returns:
            The pass's start, or None to read everything.
        """
        if context.since:
            return context.since
        start = self.plan.start
        place = self.place
        if start is None or place.bookmark is None:
            return start
        known = not context.label or place.contexts is None or context.label in place.contexts
        return start if known else self.run.settings.start_date

    def pages(self, context: Context) -> Iterator[Page]:
        """Read one list.

        Args:
            context: The list.

        Yields:
            Its pages.

        Raises:
            Refused: If the API refuses it.
        """
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
        for number, step in enumerate(self.walk(context, sort_by, start)):
            if step.ends and number:
                self._took_long.append(context.parent)
            self._note(context, step)
            yield self._page(context, step)

    def _page(self, context: Context, step: Step, *, again: bool = False) -> Page:
        return Page(
            context,
            self.shaped(step.rows, context),
            WEIGHT * step.size,
            step.cursor,
            step.newest,
            step.ends and not again,
            again,
        )

    def _note(self, context: Context, step: Step) -> None:
        """Count how a list was read, and say once if its order did not hold."""
        if not step.ordered and self.plan.sort_by == "updatedAt":
            if self._tell(context.label, "order"):
                self.logger.warning(
                    "%s is not in the order of updatedAt: it is read to its end, so that no "
                    "change is missed.",
                    context.path,
                )
            self.tally.add(out_of_order=step.ends)
        self.tally.add(stopped_early=step.ends and step.cursor is not None)

    def _look_again(self, signpost: datetime) -> Iterator[Page]:
        """Read the front of every list that took several pages once more, when all have been read.

        A record that changes while its list is paged moves to the front, and one that is archived
        moves to another list. Either way it now stands before everything changed earlier.
        """
        for context in self._lists_to_look_at():
            try:
                yield from self._looks(context, signpost)
            except Refused as refusal:
                # It was so before, and said; or what the list is of has gone since.
                if isinstance(refusal, CursorRefused) or refusal.status not in LIST_REFUSED:
                    raise

    def _looks(self, context: Context, start: datetime) -> Iterator[Page]:
        """Look at the front of a list until one page shows all that has changed since."""
        for _ in range(LOOKS):
            newest = []
            for step in self.walk(context, "updatedAt", start):
                newest.append(step.newest)
                yield self._page(context, step, again=True)
            if len(newest) == 1:
                break
            # What changes from now on comes before the first row of this look.
            start = newest[0] or start

    def _lists_to_look_at(self) -> Iterator[Context]:
        """Find the lists that took long enough to change: all of them, in an interrupted pass."""
        if self._took_long or self.place.resume:
            yield from self.lists_of()

    def walk(
        self, context: Context, sort_by: SortKey | None, start: datetime | None = None
    ) -> Iterator[Step]:
        """Follow a list from page to page, as far as it is wanted.

        Args:
            context: The list.
            sort_by: The order to ask for; not asked for where the API lets none be chosen.
            start: From which moment on its records are wanted; None for all.

        Yields:
            Its pages.
        """
        cursors = Cursors(context.cursor)
        window = Window(start, self.replication_key or "updatedAt")
        query = dict(context.params)
        if self.paginated:
            query.setdefault("limit", str(self.run.settings.page_size))
        if self.sortable and sort_by:
            query["sortBy"] = sort_by

        def parse(body: Any) -> tuple[list[Record], str | None]:
            return self.rows(body), cursors.following(body)

        ends = False
        while not ends:
            if cursors.current:
                query["from"] = cursors.current
            try:
                answer = self._get(context, query, parse)
            except Refused as refusal:
                if refusal.status not in CURSOR_REFUSED or not cursors.current:
                    raise
                msg = f"{refusal} Nothing is lost: run again, and the list is read from its start."
                raise CursorRefused(msg, refusal.status) from None
            rows, following = answer.data
            cursors.advance(following, len(rows))
            if cursors.endless:
                msg = (
                    f"Vitally sent {MOST_EMPTY_PAGES:,} empty pages in a row, each pointing to "
                    f"another, at /resources{context.path}. If it goes on, tell Vitally's support."
                )
                raise Unreadable(msg)
            kept = window.keep(rows)
            ends = cursors.finished or window.finished
            yield Step(kept, answer.size, following, window.newest, window.ordered, ends)

    def ask(self, context: Context) -> Answer[list[Record]]:
        """Read a resource that is one answer.

        Args:
            context: Where it is.

        Returns:
            The rows in it.
        """
        return self._get(context, context.params, self.rows)

    def _get(
        self, context: Context, query: Mapping[str, str], parse: Callable[[Any], T]
    ) -> Answer[T]:
        patience = PARENT_PATIENCE if context.parent else PATIENCE
        return self.run.api.get(context.path, query, parse, self.tally, patience=patience)

    def rows(self, body: Any) -> list[Record]:
        """Find the records of a page.

        Args:
            body: The decoded page.

        Returns:
            The records.

        Raises:
            Unreadable: If it is not a page of this list.
        """
        declared = self.records_jsonpath
        for place in (declared, *(ENVELOPES if declared in ENVELOPES else ())):
            found = [*extract_jsonpath(place.removesuffix("[*]"), body)] if _nested(body) else []
            if len(found) == 1 and isinstance(found[0], list):
                break
        else:
            msg = f"there is no list at {declared.removesuffix('[*]')}"
            raise Unreadable(msg)
        if not all(isinstance(row, dict) for row in found[0]):
            msg = f"the list at {place.removesuffix('[*]')} holds something else than records"
            raise Unreadable(msg)
        return found[0]

    def found(self, body: Any) -> list[Record]:
        """Find the records in the answer to a look-up.

        Args:
            body: The decoded answer.

        Returns:
            The records.
        """
        return single(body)

    def records_of(self, answer: Answer[list[Record]]) -> list[Record]:
        """Make records of a single answer; for subclasses that need more of it than its rows.

        Args:
            answer: The answer, with the rows found in it.

        Returns:
            The records.
        """
        return answer.data

    # Shaping

    def shaped(self, rows: Iterable[Record], context: Context) -> list[Record]:
        """Make records of rows.

        Args:
            rows: As the API sent them.
            context: The list they are from.

        Returns:
            The records, without rows that lack their key.
        """
        records = []
        for row in rows:
            record = self.shape({**row, **context.inject})
            if None in map(record.get, self._keys):
                self.skip("a record without its key", context)
                continue
            self._conformer.fit(record)
            records.append(record)
        return records

    def shape(self, row: Record) -> Record:
        """Make a record of a row; subclasses do what is particular to their resource.

        Args:
            row: As the API sent it, with the injected properties.

        Returns:
            The record.
        """
        for name in self._cut:
            if row.get(name):
                row[name] = _reference(row[name])
        return row

    @cached_property
    def _cut(self) -> tuple[str, ...]:
        """The properties whose embedded records are cut down to a reference."""
        return EMBEDDED if self.run.settings.embedded_objects == "reference" else ()

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(type(self).primary_keys)

    @cached_property
    def _conformer(self) -> Conformer:
        def report(name: str, what: str) -> None:
            if self._tell(name, what):
                self.logger.warning("Property '%s' %s.", printable(name), what)

        return Conformer(self.schema, report)

    def _tell(self, *what: str) -> bool:
        """Whether something is to be said for the first time in this run."""
        if what in self._told:
            return False
        self._told.add(cast("tuple[str, str]", what))
        return True

    # Writing, on the main thread

    def get_records(self, context: SdkContext | None) -> Generator[Record, None, None]:  # noqa: ARG002
        """Hand the stream's records to the SDK, and keep its place.

        Args:
            context: Not used: the stream walks its contexts itself.

        Yields:
            Records.
        """
        complete = True
        try:
            with closing(self.run.pages(self)) as pages:
                for page in pages:
                    if page.failure:
                        complete &= self._skip_or_raise(page)
                        continue
                    yield from page.records
                    self._take(page)
        except Refused as refusal:
            # The list of the parents was refused, or all there is below them.
            if isinstance(refusal, CursorRefused) or refusal.status not in MISSING:
                raise
            self.skip(str(refusal))
            complete = False
        self._complete = complete and not self.run.settings.lookups
        if self._complete and not self._in_batches:
            self._commit()
        cast("TapVitally", self._tap).flush()

    def get_batches(
        self, batch_config: BatchConfig, context: SdkContext | None = None
    ) -> Generator[tuple[Any, list[str]], None, None]:
        """Write records into files, and remember where the stream is when all have been told.

        Args:
            batch_config: Where and how.
            context: Not used.

        Yields:
            For each batch, how it is encoded and its files.
        """
        yield from super().get_batches(batch_config, context)
        if self._complete:
            self._commit()

    @cached_property
    def _in_batches(self) -> bool:
        """Whether records are gathered in files, which the target learns of later."""
        return self.get_batch_config(self.config) is not None

    def _take(self, page: Page) -> None:
        """Account for a page whose records have all been written."""
        self.tally.add(pages=1, records=len(page.records))
        self.place.take(page.newest)
        if page.ends:
            self.place.finished.update(self._covered(page.context))
        if not page.again:
            self._pages_read += 1
            self._remember(page)
        self.run.show_progress(self)

    def _covered(self, context: Context) -> list[str]:
        """What a bookmark stands for when this list has been read."""
        return [context.label]

    def _remember(self, page: Page) -> None:
        """Put the place in STATE, and write it whenever the pass has grown by an eighth."""
        kept = not (self.run.settings.lookups or self._in_batches)
        resume = self._resume_after(page) if kept else None
        if resume is None:
            return
        self._set_state(self.place.unfinished(resume))
        if self._pages_read >= self._pages_told + max(4, self._pages_told // 8):
            self._pages_told = self._pages_read
            self._tap.state_writer.write_state(self.tap_state)

    def _resume_after(self, page: Page) -> Resume | None:
        """Find where a run goes on that has everything up to this page; None if nowhere yet."""
        place, label, cursor = self.place, page.context.label, page.cursor
        if page.ends:
            labels = self._labels()
            following = labels[labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        if place.signpost is None:
            return None
        return Resume(place.signpost, place.newest, label, cursor, self.plan.sort_by)

    def _commit(self) -> None:
        """Write what a complete run may remember."""
        key = self.replication_key if self.incremental else None
        entry = self.place.complete(key)
        self.tally.bookmark_after = entry.get("replication_key_value")
        self._set_state(entry)

    def _set_state(self, changes: Mapping[str, Any]) -> None:
        """Replace the stream's entry in one step: a signal may come at any moment."""
        entry = {name: value for name, value in {**self.stream_state, **changes}.items() if value}
        self.tap_state["bookmarks"][self.state_manager.stream_name] = entry
        self.state_manager.is_flushed = False

    def get_replication_key_signpost(self, context: SdkContext | None = None) -> None:
        """Leave the signpost to `Place`: the SDK's own is this machine's clock.

        Args:
            context: Not used.
        """

    def _increment_stream_state(
        self, latest_record: Record, *, context: SdkContext | None = None
    ) -> None:
        """Leave the bookmark to `_commit`: the SDK's own would move with every record."""

    # What is left out

    def skip(self, reason: str, context: Context | None = None) -> None:
        """Leave something out, and say so.

        Args:
            reason: What and why, in one line.
            context: The list it belongs to.
        """
        where = f" ({context.label})" if context and context.label else ""
        if self.tally.leave_out(f"{reason}{where}") and self._tell("skip", reason):
            self.logger.warning("Skipped in '%s'%s: %s", self.name, where, reason)

    def _skip_or_raise(self, page: Page) -> bool:
        """Leave out a list that could not be read, if the rest makes sense without it.

        Returns:
            Whether the stream may still be called complete.
        """
        failure = cast("TapFailure", page.failure)
        status = failure.status if isinstance(failure, Refused) else None
        several = len(self._labels()) > 1
        if isinstance(failure, CursorRefused):
            raise failure
        if status in MISSING or (status == HTTPStatus.BAD_REQUEST and several):
            self.skip(str(failure), page.context)
            return several
        raise failure

    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Log for the SDK.

        Its line on an unhandled error is left out: the error itself is reported, once.

        Args:
            message: The message.
            *args: Its values.
            level: Its level.
            **kwargs: As for `logging.Logger.log`.
        """
        if message.startswith("An unhandled error occurred"):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)


class _RememberingMask(SelectionMask):
    """Finds out once whether a property is selected."""

    def __missing__(self, breadcrumb: tuple[str, ...]) -> bool:
        selected = super().__missing__(breadcrumb)
        if len(self) < MOST_BREADCRUMBS:
            self[breadcrumb] = selected
        return selected


def single(body: Any) -> list[Record]:
    """Find the records in an answer that is one record or a few, in any of the shapes seen.

    Args:
        body: An object, an array of objects, either of them under ``data`` or ``results``, null.

    Returns:
        The records; none for null and for empty objects.

    Raises:
        Unreadable: If it is none of these.
    """
    if isinstance(body, dict):
        for envelope in ("data", "results"):
            if isinstance(body.get(envelope), dict | list):
                return single(body[envelope])
        if body.get("error"):
            msg = "an error in place of data"
            raise Unreadable(msg)
        return [body] if body else []
    if body is None:
        return []
    if isinstance(body, list) and all(isinstance(row, dict) for row in body):
        return [row for row in body if row]
    msg = "the answer is no record"
    raise Unreadable(msg)


def _sorted(parents: Iterable[Parent], plan: Pass) -> list[Parent]:
    """Mend the order of a page: how far a walk has come is told by the last parent done."""

    def moment(parent: Parent) -> datetime:
        by_change = plan.sort_by == "updatedAt"
        found = parse_instant(parent.updated_at) if by_change else parent.created_at
        return found or LATEST

    return sorted(parents, key=moment, reverse=True) if plan.sort_by else list(parents)


def _reference(value: Any) -> Any:
    """Cut an embedded record, or a list of them, down to what identifies it."""
    if isinstance(value, list):
        return [_reference(item) for item in value]
    if isinstance(value, dict):
        return {name: value[name] for name in REFERENCE if name in value}
    return value


def _nested(body: Any) -> bool:
    return isinstance(body, dict | list)


def printable(text: str) -> str:
    """Make what a server sent fit for a log.

    Args:
        text: The name of a property, or an id.

    Returns:
        Letters, digits and a few signs, not too many.
    """
    return re.sub(r"[^\w.$-]", "?", text)[:80]
