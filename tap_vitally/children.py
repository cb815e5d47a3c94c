"""How streams read that exist per parent: an account's notes, a conversation's messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import ClassVar, cast

from tap_vitally.client import (
    MISSING,
    WEIGHT,
    VitallyStream,
    printable,
)
from tap_vitally.contexts import Context, Page, Parent
from tap_vitally.errors import Refused, TapFailure, Unavailable, Unreadable
from tap_vitally.replication import Resume, SortKey, parse_instant

GATE = 10
"""Parents refused, with none that was not, before the whole resource is taken to be missing."""
MOST_SKIPPED = 100
"""Parents that could not be read, and are remembered for the next run, before it is no accident."""


class ChildStream(VitallyStream):
    """A resource that is listed per parent: an account's notes, a custom object's instances.

    The stream walks its parents itself, inside one sync: one SCHEMA, one bookmark for all.

    Attributes:
        parent: The stream whose records are the parents; left as it is where there is none.
        parent_key: The property that receives the parent's id.
        changed_only: Whether a child changes only when its parent does.
    """

    parent: ClassVar[type[VitallyStream]] = VitallyStream
    parent_key: ClassVar[str]
    changed_only: ClassVar[bool] = False
    _refused = 0
    _previous: datetime | None = None
    _in_order = True

    @property
    def parent_name(self) -> str:
        """What the parents are called in messages."""
        return self.parent.name

    def check(self) -> str:
        """Say what the stream depends on: to read it takes a parent.

        Returns:
            A few words for a person.
        """
        return f"not tried: read for each of the {self.parent_name}"

    def parents(self) -> Iterable[Parent]:
        """Find the parents to walk.

        Returns:
            All of them, from a list read once per run for all child streams together; or those
            that changed.
        """
        return self.changed_parents() if self.changed_only else self.run.parents(self.parent.name)

    def changed_parents(self, listing: VitallyStream | None = None) -> Iterator[Parent]:
        """Find the parents at or after this stream's own start.

        Args:
            listing: Where to find them; the parent's own stream if not given.

        Yields:
            They, and those an earlier run could not read.
        """
        waiting = set(self.place.to_retry)
        for parent in (listing or self.run.stream(self.parent.name)).changed(
            self.plan, self.place.signpost
        ):
            waiting.discard(parent.id)
            yield parent
        for identity in sorted(waiting):
            yield Parent(identity)

    def contexts(self) -> Iterator[Context]:
        """Find the lists to read: each variant of each parent.

        Yields:
            They, newest parent first; then those of parents that an interrupted run had done,
            where something may have changed since.
        """
        done: list[Parent] = []
        for parent in self._undone(self.parents(), done):
            yield from self.lists_of(parent)
        for parent in self.changed_meanwhile(done) if done else ():
            for context in self.lists_of(parent):
                yield replace(context, since=self.place.signpost)

    def lists_of(self, parent: Parent | None = None) -> Iterator[Context]:
        """Find the lists of one parent.

        Args:
            parent: The parent.

        Yields:
            One list for each variant.
        """
        if parent is None:
            return
        if parent.id in {".", ".."}:
            self.skip(f"{self.parent_name} {parent.id}: that id cannot be part of an address")
            return
        for label, query, variant in self._variants():
            yield self._context(label, query, {self.parent_key: parent.id, **variant}, parent)

    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Find the parents whose lists may hold changes since the interrupted run began.

        Args:
            done: The parents that it had done.

        Returns:
            All of them, where there is no telling.
        """
        return done if self.incremental and not self.changed_only else ()

    def start_for(self, context: Context) -> datetime | None:
        """Decide from which moment on the records of a parent are wanted.

        A parent that this stream has not read before may have records older than the bookmark:
        one that is new, could not be read, or was left out by the settings until now.

        Args:
            context: The parent's list.

        Returns:
            The pass's start, or None to read everything.
        """
        start, place, parent = super().start_for(context), self.place, context.parent
        if start is None or place.bookmark is None or parent is None:
            return start
        created, updated = parent.created_at, parse_instant(parent.updated_at)
        appeared = created is None or created >= start
        returned = self._may_return and (updated is None or updated >= start)
        widened = not set(self._scope).issubset(place.contexts or self._scope)
        if appeared or returned or widened or parent.id in place.to_retry:
            return self.run.settings.start_date
        return start

    @cached_property
    def _scope(self) -> list[str]:
        """Which parents are walked, where the settings choose: ``status=active``."""
        variants = self.parent.variants
        values = variants.values(self.run.settings)
        return [f"{variants.parameter}={value}" for value in values] if variants.parameter else []

    @property
    def _may_return(self) -> bool:
        """Whether a parent may be left out in one run and be back in the next."""
        return self._scope in (["status=active"], ["status=churned"])

    def _covered(self, context: Context) -> list[str]:
        return [*super()._covered(context), *self._scope]

    def _undone(self, parents: Iterable[Parent], done: list[Parent]) -> Iterator[Parent]:
        """Leave out the parents that an interrupted run had done, and note them.

        All are yielded if they turn out not to be in the order of `_order`.
        """
        previous: datetime | None = None
        ordered = True
        for parent in parents:
            moment = self._moment(parent)
            ordered = ordered and not (previous and moment and moment > previous)
            previous = moment or previous
            if ordered and self._done(parent):
                done.append(parent)
            else:
                yield parent
        if not ordered:
            yield from done
            done.clear()

    @property
    def _order(self) -> SortKey | None:
        """The order in which the parents come."""
        if self.changed_only:
            return self.plan.sort_by
        return "createdAt" if self.parent.sortable else None

    def _moment(self, parent: Parent) -> datetime | None:
        """What the order of the parents goes by."""
        if self._order == "updatedAt":
            return parse_instant(parent.updated_at)
        return parent.created_at

    def _pages_or_failure(self, context: Context) -> Iterator[Page]:
        """Read one parent's list; when it fails for long, see whether everything does."""
        try:
            try:
                yield from self.pages(context)
            except Unavailable:
                self.run.probe()
                yield from self.pages(context)
        except (Refused, Unreadable, Unavailable) as failure:
            if isinstance(failure, Unavailable):
                self.run.probe()
            yield Page(context, failure=failure, ends=True)

    def _lists_to_look_at(self) -> Iterator[Context]:
        """Find the lists of several pages: to look at every parent again would be another pass."""
        for parent in {parent.id: parent for parent in self._took_long if parent}.values():
            yield from self.lists_of(parent)

    def _done(self, parent: Parent) -> bool:
        resume, moment = self.place.resume, self._moment(parent)
        if resume is None or resume.parents_after is None or moment is None:
            return False
        if parent.id in self.place.to_retry or not resume.parents_after < moment < resume.signpost:
            return False
        changed = parse_instant(parent.updated_at)
        return not self.changed_only or (changed is not None and changed < resume.signpost)

    def _usable(self, resume: Resume) -> bool:
        """Whether an interrupted walk of the parents went the way this one would."""
        return (
            self.incremental
            and resume.parents_after is not None
            and resume.sort_by == self._order is not None
            and resume.context == self._walked
        )

    @property
    def _walked(self) -> str:
        """What a walk reads of which parents: the settings may change it from run to run."""
        return ",".join(filter(None, [*self._labels(), *self._scope]))

    def _resume_after(self, page: Page) -> Resume | None:
        """Say how far down the parents everything is done; they come newest first."""
        place, parent = self.place, page.context.parent
        if page.context.since:
            return None
        moment = self._moment(parent) if parent and self._order else None
        if moment is None or place.signpost is None:
            return None
        if self._previous is not None and moment > self._previous:
            self._in_order = False
            self._set_state({"resume": None})
        self._previous = moment
        whole = page.ends and page.context.label == self._labels()[-1]
        if not (whole and self._in_order):
            return None
        return Resume(
            place.signpost,
            place.newest,
            self._walked,
            sort_by=self._order,
            parents_after=moment,
        )

    def _skip_or_raise(self, page: Page) -> bool:
        """Leave out one parent; what may come back is tried again by the next run."""
        failure = cast("TapFailure", page.failure)
        status = failure.status if isinstance(failure, Refused) else None
        if status == HTTPStatus.UNAUTHORIZED or page.context.parent is None:
            raise failure
        parent = page.context.parent
        self._refused += status in MISSING
        if self._refused == GATE and not self.tally.pages:
            msg = f"The first {GATE} {self.parent_name} were all refused, the last so: {failure}"
            raise Refused(msg, HTTPStatus.FORBIDDEN)
        self.skip(f"{self.parent_name} {printable(parent.id)}: {failure}", page.context)
        if self.incremental:
            self._retry_later(parent, failure)
        if self.tally.pages:
            self._remember(Page(page.context, ends=True))
        return True

    def _retry_later(self, parent: Parent, failure: TapFailure) -> None:
        """Have the next run read a parent in full, unless it is gone for good."""
        skipped = self.place.skipped
        missing = isinstance(failure, Refused) and failure.status == HTTPStatus.NOT_FOUND
        missing_again = missing and parent.id in self.place.to_retry
        if parent.id in skipped or missing_again:
            return
        if len(skipped) < MOST_SKIPPED:
            skipped.append(parent.id)
        elif not missing:
            msg = (
                f"More than {MOST_SKIPPED} {self.parent_name} could not be read for "
                f"'{self.name}', which is no accident: {failure}"
            )
            raise TapFailure(msg)


class DetailStream(ChildStream):
    """Records that are read one request per parent, from the parent's own resource."""

    sortable = False
    paginated = False

    def start_for(self, context: Context) -> datetime | None:  # noqa: ARG002
        """Keep all that the answer holds.

        Args:
            context: Not looked at.

        Returns:
            None.
        """
        return None

    def pages(self, context: Context) -> Iterator[Page]:
        """Read one parent's records, which are as new as their parent.

        Args:
            context: The parent's.

        Yields:
            One page.
        """
        answer = self.ask(context)
        parent = cast("Parent", context.parent)
        yield Page(
            context,
            self.shaped(self.records_of(answer), context),
            WEIGHT * answer.size,
            newest=parse_instant(parent.updated_at),
            ends=True,
        )
