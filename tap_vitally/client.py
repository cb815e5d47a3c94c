"""How every stream reads: its lists, their pages, its place in STATE.

A stream is a sequence of contexts, and a context is a chain of pages. Chains may be fetched on
worker threads; what concerns STATE and the order of records happens on the main thread.
"""

from __future__ import annotations

import logging
import re
import threading
from contextlib import closing
from dataclasses import replace
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import quote

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.helpers.jsonpath import extract_jsonpath

from tap_vitally.api import PATIENCE
from tap_vitally.conform import Conformer
from tap_vitally.contexts import ONE, Context, Page, Parent, Record, Variants
from tap_vitally.errors import Refused, TapFailure, Unreadable
from tap_vitally.pagination import Cursors
from tap_vitally.replication import (
    FIRST_PASS,
    Pass,
    Resume,
    Window,
    format_instant,
    latest,
    next_bookmark,
    parse_instant,
    plan_pass,
)
from tap_vitally.report import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Context as SdkContext

    from tap_vitally.api import Answer
    from tap_vitally.run import Run
    from tap_vitally.settings import Settings
    from tap_vitally.tap import TapVitally

T = TypeVar("T")

WEIGHT = 3
"""Bytes of memory that a byte of JSON takes once decoded, as measured on real-sized pages."""
EMBEDDED = ("account", "accounts", "customer", "customers", "organization", "organizations")
EMBEDDED_PEOPLE = ("user", "users")
REFERENCE = ("id", "externalId", "name")
MISSING = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
"""Answers that say that a resource is not there, or not in the plan."""
LOOKS = 5
"""How often the front of a list is read again while it takes more than a page."""
PARENT_PATIENCE = 30.0
"""Seconds of failure for one parent before it is asked whether only this one fails."""


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

    @property
    def run(self) -> Run:
        """The run this stream is read in."""
        return cast("TapVitally", self._tap).run

    @property
    def incremental(self) -> bool:
        """Whether this stream keeps a bookmark."""
        return self.replication_method == "INCREMENTAL" and self.replication_key is not None

    # The plan, made on the main thread before anything is read

    def prepare(self, signpost: datetime | None) -> None:
        """Decide how to read, from what STATE says.

        Args:
            signpost: The server's clock at the start of the run.
        """
        settings = self.run.settings
        state = self.tap_state.get("bookmarks", {}).get(self.state_manager.stream_name, {})
        self._bookmark = (
            parse_instant(state.get("replication_key_value"))
            if self.incremental and state.get("replication_key") == self.replication_key
            else None
        )
        self.plan = (
            plan_pass(self._bookmark, settings.start_date, settings.lookback)
            if self.incremental
            else Pass(FIRST_PASS.sort_by if self.sortable else None)
        )
        self._known_contexts: list[str] | None = state.get("contexts")
        self._to_retry: list[str] = state.get("skipped", []) if self._bookmark else []
        self._resume = self._usable(Resume.from_state(state.get("resume")))
        self._signpost = self._resume.signpost if self._resume else signpost
        self._newest = self._resume.newest if self._resume else None
        self._multi_page: list[Context] = []
        self._unread = 0
        self._all_read = threading.Condition()
        self._unskipped: list[str] = []
        self._checkpoint_at = 0
        self._pages = 0
        self._finished_contexts: list[str] = []
        self.tally.bookmark_before = format_instant(self._bookmark) if self._bookmark else None

    def _usable(self, resume: Resume | None) -> Resume | None:
        """Drop a place in a pass that this run would not make."""
        if resume is None or (resume.cursor and resume.sort_by != self.plan.sort_by):
            return None
        if not self._fan_out and resume.context not in self._labels():
            return None
        self.logger.info("Going on with '%s' where an earlier run was interrupted.", self.name)
        return resume

    _fan_out: ClassVar[bool] = False

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
        resume = self._resume
        labels = self._labels()
        skipped = labels.index(resume.context) if resume else 0
        for label, query, inject in list(self._variants())[skipped:]:
            cursor = resume.cursor if resume and resume.context == label else None
            yield self._context(label, query, {**self.fixed, **inject}, cursor=cursor)

    def _context(
        self,
        label: str,
        query: Mapping[str, str],
        inject: Mapping[str, Any],
        parent: Parent | None = None,
        cursor: str | None = None,
    ) -> Context:
        path = self.path.format_map({k: quote(str(v), safe="") for k, v in inject.items()})
        own = {name: value.format_map(inject) for name, value in self.query.items()}
        return Context(path, {**query, **own}, label, inject, parent, cursor)

    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        """Find the chains of pages that make up this stream in this run.

        Yields:
            They, in the order in which their records are written.
        """
        for context in self.contexts():
            with self._all_read:
                self._unread += 1
            yield partial(self._chain, context)
        if self.incremental:
            yield self._look_again

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
            context = self._context(label, query, {})
            cursors, window = Cursors(), Window(plan.start)
            while not cursors.finished and not window.finished:
                _, rows, following = self._fetch(context, cursors, plan.sort_by)
                cursors.advance(following)
                requests += 1
                yield from (self.as_parent(row) for row in window.keep(rows) if row.get("id"))
        if requests > len(self._labels()) and signpost and plan.sort_by == "updatedAt":
            yield from self.changed(Pass("updatedAt", signpost), None)

    def listed(self, inject: Mapping[str, str]) -> Iterator[Record]:
        """List the rows of one list as they are.

        Args:
            inject: What stands in the path.

        Yields:
            They.
        """
        context, cursors = self._context("", {}, inject), Cursors()
        while not cursors.finished:
            _, rows, following = self._fetch(context, cursors, None)
            cursors.advance(following)
            yield from rows

    def check(self) -> str:
        """Find out whether the workspace gives this stream.

        Returns:
            A few words for a person.
        """
        found = 0
        for label, query, inject in self._variants():
            context = self._context(label, {**query, "limit": "1"}, inject)
            try:
                found += len(self._fetch(context, Cursors(), None)[1])
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
        variants = list(self._variants(settings))
        for _, query, _ in variants:
            yield from self._ids(Context(self.path, query), "createdAt", None)
        if len(variants) > 1:
            # What moved from a list not yet read to one already read is at the front of that one.
            for _, query, _ in variants:
                yield from self._ids(Context(self.path, query), "updatedAt", self.run.signpost)

    def _ids(self, context: Context, sort_by: str, start: datetime | None) -> Iterator[list[str]]:
        cursors, window = Cursors(), Window(start)
        while not cursors.finished and not window.finished:
            _, rows, following = self._fetch(context, cursors, sort_by if self.sortable else None)
            cursors.advance(following)
            yield [row["id"] for row in window.keep(rows) if row.get("id")]

    def as_parent(self, row: Record) -> Parent:
        """Keep of a record what its children need.

        Args:
            row: The record.

        Returns:
            The parent.
        """
        return Parent(row["id"], parse_instant(row.get("createdAt")), row.get("updatedAt"))

    # Reading, on any thread

    def _chain(self, context: Context) -> Iterator[Page]:
        try:
            yield from self._pages_or_failure(context)
        finally:
            with self._all_read:
                self._unread -= 1
                self._all_read.notify_all()

    def _pages_or_failure(self, context: Context) -> Iterator[Page]:
        try:
            yield from self.pages(context)
        except Refused as refusal:
            yield Page(context, failure=refusal, ends=True)

    def start_for(self, context: Context) -> datetime | None:
        """Decide from which moment on a list's records are wanted.

        A list this stream has not read before, or the list of a parent that is new, may hold
        records older than the bookmark.

        Args:
            context: The list.

        Returns:
            The pass's start, or None to read everything.
        """
        start = self.plan.start
        if start is None or self._bookmark is None:
            return start
        if self._known_contexts is not None and context.label not in self._known_contexts:
            return self.run.settings.start_date
        parent = context.parent
        if parent and (
            parent.created_at is None or parent.created_at >= start or parent.id in self._to_retry
        ):
            return self.run.settings.start_date
        return start

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
        sort_by = self.plan.sort_by if self.sortable else None
        cursors = Cursors(context.cursor)
        window = self._window(start)
        restarted = False
        count = 0
        while True:
            try:
                answer, rows, following = self._fetch(context, cursors, sort_by)
            except Refused as refusal:
                if refusal.status != HTTPStatus.BAD_REQUEST or cursors.current is None or restarted:
                    raise
                self.logger.warning("%s The list is read again from its start.", refusal)
                cursors, window, restarted = Cursors(), self._window(start), True
                continue
            count += 1
            kept = window.keep(rows)
            cursors.advance(following)
            ends = cursors.finished or window.finished
            if ends and count > 1:
                self._multi_page.append(context)
            self._note_order(context, window, ends=ends, early=not cursors.finished)
            yield Page(
                context,
                self.shaped(kept, context),
                WEIGHT * answer.size,
                following,
                window.newest,
                ends,
            )
            if ends:
                return

    def _window(self, start: datetime | None) -> Window:
        return Window(start, self.replication_key or "updatedAt")

    def _note_order(self, context: Context, window: Window, *, ends: bool, early: bool) -> None:
        if self.plan.sort_by == "updatedAt" and not window.ordered:
            if self._tell(context.label, "order"):
                self.logger.warning(
                    "%s is not in the order of updatedAt: it is read to its end, so that no "
                    "change is missed.",
                    context.path,
                )
            if ends:
                self.tally.add(out_of_order=1)
        if ends and early:
            self.tally.add(stopped_early=1)

    def _look_again(self) -> Iterator[Page]:
        """Read the front of every list of several pages once more, when all have been read.

        A record that changes while its list is paged moves to the front, and one that is archived
        moves to another list. Either way it now stands before everything changed earlier.
        """
        with self._all_read:
            while self._unread:
                self._all_read.wait(1.0)
                self.run.check_stopped()
        if self._signpost is None:
            return
        for context in self._multi_page:
            for _ in range(LOOKS):
                window = self._window(self._signpost)
                cursors = Cursors()
                count = 0
                while not cursors.finished and not window.finished:
                    answer, rows, following = self._fetch(context, cursors, "updatedAt")
                    cursors.advance(following)
                    count += 1
                    records = self.shaped(window.keep(rows), context)
                    weight = WEIGHT * answer.size
                    yield Page(context, records, weight, newest=window.newest, again=True)
                if count <= 1:
                    break

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

    def _fetch(
        self, context: Context, cursors: Cursors, sort_by: str | None
    ) -> tuple[Answer[Any], list[Record], str | None]:
        def parse(body: Any) -> tuple[list[Record], str | None]:
            return self.rows(body), cursors.following(body)

        query = dict(context.params)
        if self.paginated:
            query.setdefault("limit", str(self.run.settings.page_size))
        if sort_by:
            query["sortBy"] = sort_by
        if cursors.current:
            query["from"] = cursors.current
        answer = self._get(context, query, parse)
        rows, following = answer.data
        return answer, rows, following

    def rows(self, body: Any) -> list[Record]:
        """Find the records of a page.

        Args:
            body: The decoded page.

        Returns:
            The records.

        Raises:
            Unreadable: If it is not a page of this list.
        """
        place = self.records_jsonpath.removesuffix("[*]")
        found = list(extract_jsonpath(place, body)) if isinstance(body, dict | list) else []
        if len(found) != 1 or not isinstance(found[0], list):
            msg = f"there is no list at {place}"
            raise Unreadable(msg)
        if not all(isinstance(row, dict) for row in found[0]):
            msg = f"the list at {place} holds something else than records"
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
            if any(record.get(name) is None for name in self._keys):
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
        if self.run.settings.embedded_objects == "reference":
            for name in (*EMBEDDED, *EMBEDDED_PEOPLE):
                if row.get(name):
                    row[name] = _reference(row[name])
        return row

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(type(self).primary_keys)

    @cached_property
    def _conformer(self) -> Conformer:
        def report(name: str, what: str) -> None:
            if self._tell(name, what):
                self.logger.warning("Property '%s' %s.", _printable(name), what)

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
            if refusal.status not in MISSING:
                raise
            self.skip(str(refusal))
            complete = False
        if complete and not self.run.settings.lookups:
            self._commit()
        cast("TapVitally", self._tap).flush()

    def _take(self, page: Page) -> None:
        """Account for a page whose records have all been written."""
        self.tally.add(pages=1, records=len(page.records))
        self._newest = latest((self._newest, page.newest))
        if page.ends:
            self._finished_contexts.append(page.context.label)
        if not page.again and not self.run.settings.lookups:
            self._pages += 1
            self._remember(page)
        self.run.show_progress(self)

    def _remember(self, page: Page) -> None:
        """Put the place in STATE, and write it whenever the pass has grown by an eighth."""
        place = self._place(page)
        if place is None:
            return
        self._set_state(resume=place.to_state())
        if self._pages >= self._checkpoint_at + max(4, self._checkpoint_at // 8):
            self._checkpoint_at = self._pages
            self._tap.state_writer.write_state(self.tap_state)

    def _place(self, page: Page) -> Resume | None:
        if self._signpost is None:
            return None
        label, cursor = page.context.label, page.cursor
        if page.ends:
            labels = self._labels()
            following = labels[labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        return Resume(self._signpost, self._newest, label, cursor, self.plan.sort_by)

    def _commit(self) -> None:
        """Write what a complete run may remember."""
        entry: dict[str, Any] = {"resume": None}
        if self.incremental:
            bookmark = next_bookmark(self._bookmark, self._newest, self._signpost)
            if bookmark:
                self.tally.bookmark_after = format_instant(bookmark)
                entry |= {
                    "replication_key": self.replication_key,
                    "replication_key_value": self.tally.bookmark_after,
                }
            if self.variants.parameter and not self._fan_out:
                entry["contexts"] = sorted(set(self._finished_contexts) | self._resumed_past())
            entry["skipped"] = self._unskipped
        self._set_state(**entry)

    def _resumed_past(self) -> set[str]:
        labels = self._labels()
        return set(labels[: labels.index(self._resume.context)]) if self._resume else set()

    def _set_state(self, **values: Any) -> None:
        """Replace the stream's entry in one step: a signal may come at any moment."""
        entry = {**self.stream_state, **values}
        self.tap_state["bookmarks"][self.state_manager.stream_name] = {
            k: v for k, v in entry.items() if v
        }
        self.state_manager.is_flushed = False

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


def _reference(value: Any) -> Any:
    """Cut an embedded record, or a list of them, down to what identifies it."""
    if isinstance(value, list):
        return [_reference(item) for item in value]
    if isinstance(value, dict):
        return {name: value[name] for name in REFERENCE if name in value}
    return value


def _printable(text: str) -> str:
    return re.sub(r"[^\w.$-]", "?", text)[:80]
