"""A scan of parents: which are done, in which order they come, from when to read each, where to go on.

A stream below others reads the lists of one parent after the other, newest parent first. One moment
is how far it has come: every parent after it, up to the signpost, is done. That is true only as long
as the parents come in that order, which is checked from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tap_vitally.state.passes import Pass, SortKey
from tap_vitally.state.stream_state import Resume, StreamState
from tap_vitally.state.watermarks import ChangeFilter
from vitally_api.values import LATEST, parse_moment

MOST_SKIPPED = 100
"""Parents that could not be read, and are remembered for the next run, before it is no accident."""
MAY_RETURN = ("status=active", "status=churned")
"""Filters by which a parent is left out in one run and is back in the next."""


@dataclass(frozen=True)
class Parent:
    """A record with lists below it.

    ``updated_at`` is spelled as the API does; ``organizations`` are those it links to, None if it
    does not say; ``content`` is a digest of it, ``record`` the record, where it is to be completed.
    """

    id: str
    created_at: datetime | None = None
    updated_at: str | None = None
    organizations: tuple[str, ...] | None = ()
    content: str = ""
    record: dict[str, Any] = field(default_factory=dict, repr=False)

    def moment(self, order: SortKey | None) -> datetime | None:
        """Return what an order goes by."""
        return parse_moment(self.updated_at) if order == "updatedAt" else self.created_at


def newest_first(parents: Iterable[Parent], order: SortKey | None) -> list[Parent]:
    """Sort a page: how far a scan has come is said by the last parent done."""
    if order is None:
        return list(parents)
    return sorted(parents, key=lambda parent: parent.moment(order) or LATEST, reverse=True)


@dataclass(frozen=True)
class ParentScan:
    """How the parents of a stream are scanned in one run.

    ``order`` is the order in which they come, None if none is certain; ``labels`` are the lists of
    each parent, ``parent_filter`` is how the settings choose parents: ``("status=active",)``;
    ``only_changed`` says that records change only when their parent does; ``start_date`` is the
    operator's limit. ``moves`` says that the address of a list holds what may change of its parent, so
    that it may be another list now.
    """

    order: SortKey | None
    labels: tuple[str, ...]
    parent_filter: tuple[str, ...] = ()
    only_changed: bool = False
    start_date: datetime | None = None
    moves: bool = False

    @property
    def fingerprint(self) -> str:
        """The lists and the parents that the settings choose, as text for STATE."""
        return ",".join(filter(None, [*self.labels, *self.parent_filter]))

    @property
    def may_return(self) -> bool:
        """Return True if a parent may have been left out before, and be back now that it changed."""
        return len(self.parent_filter) == 1 and self.parent_filter[0] in MAY_RETURN

    def can_go_on(self, resume: Resume) -> bool:
        """Return True if an interrupted scan read what this one would, in the same order."""
        same = resume.sort_by == self.order and resume.context == self.fingerprint
        return same and bool(resume.parents_after if self.order else resume.done)

    def is_done(self, parent: Parent, stream_state: StreamState) -> bool:
        """Return True if an interrupted run had read all that a parent has now."""
        resume, moment = stream_state.resume, parent.moment(self.order)
        if not (resume and resume.parents_after and moment) or parent.id in stream_state.to_retry:
            return False
        changed = parse_moment(parent.updated_at)
        unchanged = not self.only_changed or (changed is not None and changed < resume.signpost)
        return unchanged and resume.parents_after < moment < resume.signpost

    def remaining(
        self, parents: Iterable[Parent], stream_state: StreamState, done: list[Parent]
    ) -> Iterator[Parent]:
        """Leave out the parents that an interrupted run had done, and add them to ``done``.

        If they turn out not to be in order, all are yielded.
        """
        order_check = OrderCheck()
        for parent in parents:
            order_check.check(parent.moment(self.order))
            if order_check.in_order and self.is_done(parent, stream_state):
                done.append(parent)
            else:
                yield parent
        if not order_check.in_order:
            yield from done
            done.clear()

    def start_for(
        self, parent: Parent, stream_state: StreamState, start: datetime | None
    ) -> datetime | None:
        """Return from when on the records of a parent are wanted, None for all; ``start`` is the pass's.

        A parent that this stream has not read before may have records older than the bookmark: one
        that is new, could not be read, was left out by the settings until now, or had another address.
        """
        if start is None or stream_state.bookmark is None:
            return start
        changed = parse_moment(parent.updated_at)
        appeared = parent.created_at is None or parent.created_at >= start
        returned = (self.may_return or self.moves) and (changed is None or changed >= start)
        widened = not set(self.parent_filter).issubset(stream_state.contexts or self.parent_filter)
        if appeared or returned or widened or parent.id in stream_state.to_retry:
            return self.start_date
        return start

    def resume_after(
        self,
        parent: Parent | None,
        stream_state: StreamState,
        start: datetime | None = None,
        done: tuple[str, ...] = (),
    ) -> Resume | None:
        """Return where a run goes on that has everything up to this parent; None if nowhere.

        ``start`` is the pass's; ``done`` are the lists that were read, where they come in no order.
        """
        moment = parent.moment(self.order) if parent and self.order else None
        if not (moment or done):
            return None
        plan = Pass(self.order, start)
        return stream_state.at(self.fingerprint, plan, parents_after=moment, done=done)


Reason = Literal["new", "named", "organization named", "changed", "retry", "returned", "full scan"]
"""Why a parent is read, as the summary says it."""
ALL_LISTS = ""
"""The label that stands for all lists of a parent."""


@dataclass
class ChangedParentIds:
    """The parents of changed rows, and organizations whose accounts are parents of some.

    Each has the labels of the lists that the row may be in.
    """

    parents: dict[str, set[str]] = field(default_factory=dict)
    organizations: dict[str, set[str]] = field(default_factory=dict)

    def to(self, label: str, parents: Iterable[str], organizations: Iterable[str] = ()) -> None:
        """Add those that a row of a list links to."""
        for identity in parents:
            self.parents.setdefault(identity, set()).add(label)
        for identity in organizations:
            self.organizations.setdefault(identity, set()).add(label)

    def lists_of(self, parent: Parent) -> tuple[Reason, set[str]] | None:
        """Return why a parent is to be read, and which of its lists; None if nothing changed below it."""
        labels = set(self.parents.get(parent.id, ()))
        reason: Reason = "named" if labels else "organization named"
        own = self.organizations if parent.organizations is None else parent.organizations
        for organization in own:
            labels |= self.organizations.get(organization, set())
        return (reason, labels) if labels else None


def parents_to_read(
    parents: Iterable[Parent],
    change_filter: ChangeFilter,
    changed_ids: ChangedParentIds,
    scan: ParentScan,
    stream_state: StreamState,
) -> Iterator[tuple[Parent, Reason, set[str]]]:
    """Find the parents to read between two scans of all, why, and which of their lists."""
    since = change_filter.since
    for parent in parents:
        changed_at = parse_moment(parent.updated_at)
        changed = change_filter.has_changed(parent.id, changed_at, parent.content)
        created = parent.created_at
        own: Reason | None = None
        if parent.id in stream_state.to_retry:
            own = "retry"
        elif changed and created and (since is None or created >= since):
            own = "new"
        elif changed and (changed_at or scan.may_return):
            own = "returned" if scan.may_return else "changed"
        if own:
            yield parent, own, {ALL_LISTS}
        elif found := changed_ids.lists_of(parent):
            yield parent, *found


class OrderCheck:
    """Checks that moments come newest first; those that are missing prove nothing."""

    def __init__(self) -> None:
        self.in_order = True
        self._last: datetime | None = None

    def check(self, moment: datetime | None) -> bool:
        """Take in the next moment; return True if it is the first that breaks the order."""
        breaks = bool(self._last and moment and moment > self._last)
        self._last = moment or self._last
        first = breaks and self.in_order
        self.in_order = self.in_order and not breaks
        return first


def to_remember(
    skipped: Sequence[str], identity: str, *, gone: bool, retried: bool
) -> list[str] | None:
    """Return which unread parents the next run reads in full, now that one more was not read.

    A parent that is ``gone`` and was so when it was ``retried`` is given up. None means that there are
    too many to remember; of those that are gone, the rest is given up.
    """
    if identity in skipped or (gone and retried):
        return list(skipped)
    if len(skipped) < MOST_SKIPPED:
        return [*skipped, identity]
    return list(skipped) if gone else None
