"""Scan parents: which of them are done, their order, the start of each, and where to resume.

A child stream reads the lists of one parent after the other, newest parent first. STATE has a single
time for its progress: all parents between it and the signpost are done. That is true only while the
parents come in that order, which is checked from one to the next.
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
"""The most parents that one run may fail to read and keep in STATE for the next run."""
MAY_RETURN = ("status=active", "status=churned")
"""Filters with which a parent may be left out of one run and be part of the next."""


@dataclass(frozen=True)
class Parent:
    """A record with lists below it.

    ``updated_at`` is text in the API's form; ``organizations`` are the ids that it links to, None if
    unknown; ``content`` is a digest of the record, ``record`` the record itself if it is needed.
    """

    id: str
    created_at: datetime | None = None
    updated_at: str | None = None
    organizations: tuple[str, ...] | None = ()
    content: str = ""
    record: dict[str, Any] = field(default_factory=dict, repr=False)

    def moment(self, order: SortKey | None) -> datetime | None:
        """Return the time that parents are sorted by in this order."""
        return parse_moment(self.updated_at) if order == "updatedAt" else self.created_at


def newest_first(parents: Iterable[Parent], order: SortKey | None) -> list[Parent]:
    """Sort a page of parents, newest first; keep their order if ``order`` is None."""
    if order is None:
        return list(parents)
    return sorted(parents, key=lambda parent: parent.moment(order) or LATEST, reverse=True)


@dataclass(frozen=True)
class ParentScan:
    """How one run scans the parents of a stream.

    ``order`` is the order of the parents, None if uncertain; ``labels`` are the lists of each parent;
    ``parent_filter`` selects parents by the settings: ``("status=active",)``; ``only_changed`` is True if
    records change only when their parent does; ``start_date`` is the setting. ``moves`` is True if the
    address of a list contains values of the parent that may change, so that it may be another list now.
    """

    order: SortKey | None
    labels: tuple[str, ...]
    parent_filter: tuple[str, ...] = ()
    only_changed: bool = False
    start_date: datetime | None = None
    moves: bool = False

    @property
    def fingerprint(self) -> str:
        """The labels and the parent filter as text, to compare with STATE."""
        return ",".join(filter(None, [*self.labels, *self.parent_filter]))

    @property
    def may_return(self) -> bool:
        """True if a parent may have been left out of earlier runs by the filter, and changed since."""
        return len(self.parent_filter) == 1 and self.parent_filter[0] in MAY_RETURN

    def can_go_on(self, resume: Resume) -> bool:
        """Return True if this scan can resume an interrupted one: same lists, parents and order."""
        same = resume.sort_by == self.order and resume.context == self.fingerprint
        return same and bool(resume.parents_after if self.order else resume.done)

    def is_done(self, parent: Parent, stream_state: StreamState) -> bool:
        """Return True if an interrupted run has read all lists of a parent, and it needs no second read."""
        resume, moment = stream_state.resume, parent.moment(self.order)
        if not (resume and resume.parents_after and moment) or parent.id in stream_state.to_retry:
            return False
        changed = parse_moment(parent.updated_at)
        unchanged = not self.only_changed or (changed is not None and changed < resume.signpost)
        return unchanged and resume.parents_after < moment < resume.signpost

    def remaining(
        self, parents: Iterable[Parent], stream_state: StreamState, done: list[Parent]
    ) -> Iterator[Parent]:
        """Yield the parents that an interrupted run has not done, and add the others to ``done``.

        If the parents turn out not to be in order, yield those of ``done``, too.
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
        """Return the start for the records of a parent, None for all; ``start`` is that of the pass.

        If this stream has not read the parent before, its records may be older than the bookmark: it is
        new, could not be read, was left out by the settings, or had another address.
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
        """Return the place to resume at if a run ends after this parent; None if it cannot resume.

        ``start`` is that of the pass; ``done`` are the lists that were read, if parents have no order.
        """
        moment = parent.moment(self.order) if parent and self.order else None
        if not (moment or done):
            return None
        plan = Pass(self.order, start)
        return stream_state.at(self.fingerprint, plan, parents_after=moment, done=done)


Reason = Literal["new", "named", "organization named", "changed", "retry", "returned", "full scan"]
"""The reason why a parent is read, for the summary."""
ALL_LISTS = ""
"""The label that stands for all lists of a parent."""


@dataclass
class ChangedParentIds:
    """The parents of changed rows, each with the labels of the lists that the row may be in.

    ``organizations`` has those whose accounts are all parents of a changed row.
    """

    parents: dict[str, set[str]] = field(default_factory=dict)
    organizations: dict[str, set[str]] = field(default_factory=dict)

    def to(self, label: str, parents: Iterable[str], organizations: Iterable[str] = ()) -> None:
        """Add the parents and organizations that a row in the list ``label`` links to."""
        for identity in parents:
            self.parents.setdefault(identity, set()).add(label)
        for identity in organizations:
            self.organizations.setdefault(identity, set()).add(label)

    def lists_of(self, parent: Parent) -> tuple[Reason, set[str]] | None:
        """Return why a parent must be read, and the labels of its lists; None if nothing below it changed."""
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
    """Yield the parents to read between two full scans, with the reason and the labels of the lists."""
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
    """Checks that times come newest first; None is skipped."""

    def __init__(self) -> None:
        self.in_order = True
        self._last: datetime | None = None

    def check(self, moment: datetime | None) -> bool:
        """Check the next time; return True if it is the first that is not in order."""
        breaks = bool(self._last and moment and moment > self._last)
        self._last = moment or self._last
        first = breaks and self.in_order
        self.in_order = self.in_order and not breaks
        return first


def to_remember(
    skipped: Sequence[str], identity: str, *, gone: bool, retried: bool
) -> list[str] | None:
    """Return the ids of unread parents for STATE, after one more could not be read.

    A parent that does not exist (``gone``) is given up if it was ``retried``, or if there are too many.
    Return None if there are too many and the parent exists.
    """
    if identity in skipped or (gone and retried):
        return list(skipped)
    if len(skipped) < MOST_SKIPPED:
        return [*skipped, identity]
    return list(skipped) if gone else None
