"""Lists below each account and each organization, read for those that something points at.

A walk of all parents costs a request for each of their lists. Between two such walks, the list of
the whole workspace says in a request or two what has changed, and whom it is of.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from typing_extensions import override

from tap_vitally.reading.children import ChildReader
from tap_vitally.reading.conform import identity_of
from tap_vitally.reading.declaration import Record
from tap_vitally.reading.links import digest
from tap_vitally.reading.page import Context, Page, Step
from tap_vitally.reading.pointing import Pointing, TooDear
from tap_vitally.reading.reader import Price
from tap_vitally.replication.instants import (
    EARLIEST,
    format_instant,
    latest,
    moment_of,
    parse_instant,
)
from tap_vitally.replication.marks import MOST_SEEN, Mark, Walked, Watch
from tap_vitally.replication.parents import ALL_LISTS, Parent, Pointers, Reason, pointed_at
from tap_vitally.replication.passes import Pass, before
from tap_vitally.replication.place import Place
from vitally_api import Refused, Unavailable, Unreadable


class NestedReader(ChildReader):
    """Reads below each parent what a list of the whole workspace holds, too.

    ``full`` says that all parents are walked.
    """

    full = True

    @property
    def _whole(self) -> str:
        """The stream that holds the same records."""
        assert self.resource.of  # noqa: S101 - the table of nested lists says of what each is
        return self.resource.of.name

    # The plan

    @override
    def planned(self, place: Place) -> Pass:
        """Decide whether all parents are walked, and from when on their lists are wanted."""
        plan = super().planned(place)
        lookback = self.workspace.settings.lookback
        rows, walked = Watch(place.walked.rows, lookback), place.walked
        self._rows, self._parents = rows, Watch(walked.parents, lookback)
        self._pointed: dict[str, tuple[Reason, str]] = {}
        self._undated: dict[tuple[str, str], tuple[Record, set[str]]] = {}
        self._noting = threading.Lock()
        self.tally.full_walk_at = format_instant(walked.full) if walked.full else None
        self.full = self._walks_all(place)
        since = rows.since
        if self.full:
            plan = self._from_last_walk(plan, place)
            since = place.resume.signpost if place.resume else None
            rows = Watch(Mark(since), lookback)
        elif plan.start and since:
            start_date = self.workspace.settings.start_date or EARLIEST
            plan = replace(plan, start=min(plan.start, max(since, start_date)))
        self._pointing = Pointing(self.workspace, self._whole, self.listing, rows)
        if since:
            # One list of each parent holds the archived, too, whether they are wanted or not.
            every = self.listing.labels == [ALL_LISTS]
            self.workspace.changed(self._whole).ask_for(since, self._pointing.take, every=every)
        self.walk = replace(self.walk, start=plan.start)
        return plan

    def _walks_all(self, place: Place) -> bool:
        """Whether it is time for a walk of all, or nothing else would do."""
        settings = self.workspace.settings
        needed = {*self.listing.labels, *self.walk.parent_filter} - {""}
        return bool(
            not self.incremental
            or place.signpost is None
            or place.resume
            or settings.lookups
            or place.walked.is_due(place.signpost, settings.full_walk_days)
            or not needed.issubset(needed if place.contexts is None else place.contexts)
        )

    def _from_last_walk(self, plan: Pass, place: Place) -> Pass:
        """Read from where the last walk of all began: it finds what no row named since."""
        began, settings = place.walked.full, self.workspace.settings
        if plan.start is None or began is None:
            return plan
        earliest = max(before(began, settings.lookback), settings.start_date or EARLIEST)
        return replace(plan, start=min(plan.start, earliest))

    @override
    def waits_for(self) -> Collection[str]:
        """Between two walks of all, wait for those that say whom to read."""
        named = {self._whole, *(["messages"] if self._whole == "conversations" else [])}
        selected = [reader.name for reader in self.workspace.selected]
        return [] if self.full else [name for name in selected if name in named]

    @override
    def beginning(self) -> dict[str, Any]:
        return super().beginning() if self.full else {}

    @override
    def price(self) -> Price:
        """Count the lists of all parents, or of those that are new or changed: more may be named."""
        whole = super().price()
        if self.full or whole.most is None:
            return whole
        parents = super().parents()
        found = pointed_at(parents, self._parents, Pointers(), self.walk, self.place)
        known, labels = sum(1 for _ in found), len(self.listing.labels)
        what = f"{known:,} new or changed {self.parents_called}, and those that a change names"
        return Price(known * labels + 1, whole.most, what)

    # Which lists to read, on one of the threads that find them

    @override
    def contexts(self) -> Iterator[Context]:
        """Find the lists that something points at; all, where that is cheaper or not to be known."""
        if not self.full:
            parents = list(super().parents())
            self.full = not self._knows_whom(len(parents))
            if not self.full:
                self.tally.parents_known = len(parents)
                yield from self._pointed_at(parents)
                return
            self.plan = self._from_last_walk(self.plan, self.place)
            self.walk = replace(self.walk, start=self.plan.start)
        yield from super().contexts()

    def _pointed_at(self, parents: list[Parent]) -> Iterator[Context]:
        pointers = self._pointing.pointers
        for parent, reason, labels in pointed_at(
            parents, self._parents, pointers, self.walk, self.place
        ):
            wanted = [
                context
                for context in self.lists_of(parent)
                if ALL_LISTS in labels or context.label in labels
            ]
            if wanted:
                self._pointed[parent.id] = reason, wanted[-1].label
            yield from wanted

    @override
    def parents(self) -> Iterator[Parent]:
        """Find all parents, which pass by the watch on their list."""
        for known, parent in enumerate(super().parents(), 1):
            self._parents.has_changed(parent.id, parse_instant(parent.updated_at), parent.content)
            self.tally.parents_known = known
            yield parent

    @override
    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Find those whose lists hold what changed since an interrupted walk began; all if unknown."""
        if not self._knows_whom(len(done)):
            return done
        return [parent for parent in done if self._pointing.pointers.lists_of(parent)]

    def _knows_whom(self, parents: int) -> bool:
        """Whether it can be found whom the changed rows point at, for less than to read all."""
        price = parents * len(self.listing.labels)
        try:
            return self._pointing.settle(price)
        except (Refused, Unreadable, Unavailable, TooDear) as reason:
            self.logger.info(
                "'%s' reads the lists of all %s, which takes %s requests: %s.",
                self.name,
                self.parents_called,
                f"{price:,}",
                str(reason).rstrip("."),
            )
            return False

    # Reading, on any thread

    @override
    def _page(self, context: Context, step: Step, *, again: bool = False) -> Page:
        """Remember of a walk of all which rows it brought, for the run after it."""
        signpost, parent = self.place.signpost, context.parent
        if self.full and parent and signpost:
            with self._noting:
                for row in step.rows:
                    identity = identity_of(row.get("id"))
                    moment = moment_of(row.get("updatedAt"))
                    if identity and moment is None and len(self._undated) <= MOST_SEEN:
                        key = identity, digest(row)
                        self._undated.setdefault(key, (row, set()))[1].add(parent.id)
                    # What changed later may have come too late for another parent of the same row.
                    elif identity and moment and moment < signpost:
                        self._rows.has_changed(identity, moment)
        return super()._page(context, step, again=again)

    # Writing, on the main thread

    @override
    def taken(self, page: Page) -> dict[str, Any]:
        """Count the parent when its last list is read."""
        context, parent = page.context, page.context.parent
        if parent and page.ends and not (page.failure or page.again or context.since):
            all_lists: tuple[Reason, str] = "full walk", self.listing.labels[-1]
            reason, last = self._pointed.get(parent.id, all_lists)
            if context.label == last:
                self.tally.walked[reason] += 1
        return super().taken(page)

    @override
    def unfinished(self, page: Page) -> dict[str, Any]:
        """Say how far a walk of all has come; a shorter one begins again."""
        return super().unfinished(page) if self.full else {}

    @override
    def finish(self) -> dict[str, Any]:
        place = self.place
        if not self.full:
            place.finished.update(self.listing.labels, self.walk.parent_filter)
        entry = super().finish()
        signpost = place.signpost
        if not self.incremental or signpost is None:
            return entry
        full = signpost if self.full else place.walked.full
        parents = self._parents.mark(signpost)
        if self.full:
            newest = latest((self.workspace.newest, self._parents.newest))
            for (identity, content), (row, found_below) in self._undated.items():
                named = self._pointing.parents_of(row)
                if named and named <= found_below:
                    self._rows.has_changed(identity, None, content)
            # The list of the whole workspace was not read: what else was seen tells how late it was.
            reached = min(newest or signpost, signpost)
            rows = self._rows.mark_at(reached, signpost)
            if self.tally.parents_known and not parents.moment:
                parents = self._parents.mark_at(reached, signpost)
        else:
            rows = self._rows.mark(signpost)
        walked = Walked(full, rows, parents)
        self.tally.full_walk_at = format_instant(full) if full else None
        return {**entry, "walk": walked.to_state()}
