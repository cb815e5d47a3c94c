"""A walk over parents leaves none out, whatever interrupts it and in whatever order they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.replication.instants import format_instant
from tap_vitally.replication.parents import (
    MOST_SKIPPED,
    Descent,
    Parent,
    Walk,
    newest_first,
    to_remember,
)
from tap_vitally.replication.place import Place, Resume

BEGINNING = datetime(2026, 3, 4, tzinfo=UTC)
often = settings(max_examples=200, deadline=None)

moments = st.integers(0, 30).map(lambda minutes: BEGINNING + timedelta(minutes=minutes))
parents = st.builds(
    Parent,
    st.integers(0, 20).map(str),
    st.none() | moments,
    st.none() | moments.map(format_instant),
)
some_parents = st.lists(parents, max_size=12, unique_by=lambda parent: parent.id)
orders = st.sampled_from(["createdAt", "updatedAt", None])


def interrupted(walk: Walk, after: datetime | None, signpost: datetime) -> Place:
    """The place of a run whose predecessor had done all parents after a moment."""
    resume = Resume(signpost, None, walk.fingerprint, None, walk.order, after)
    return Place(signpost, resume=resume)


@often
@given(some_parents, orders, st.none() | moments, moments, st.booleans())
def test_every_parent_is_read_or_was_done(
    found: list[Parent], order: str, after: datetime | None, signpost: datetime, changed: bool
) -> None:
    walk = Walk(order, ("",), only_changed=changed)  # type: ignore[arg-type]
    place = interrupted(walk, after, signpost)
    done: list[Parent] = []
    read = list(walk.remaining(found, place, done))
    assert sorted([*read, *done], key=found.index) == found
    assert all(walk.is_done(parent, place) for parent in done)
    in_order = [p for p in found if p.moment(walk.order)]
    if in_order != newest_first(in_order, walk.order) and walk.order:
        assert done == []


@often
@given(some_parents, moments, st.integers(0, 12))
def test_who_goes_on_where_a_walk_broke_off_reads_the_rest_and_what_is_new(
    found: list[Parent], signpost: datetime, broke_off: int
) -> None:
    walk = Walk("createdAt", ("archived=false", "archived=true"), ("status=active",))
    listed = newest_first(found, "createdAt")
    place, descent = Place(signpost), Descent()
    resume = None
    for parent in listed[:broke_off]:
        told = walk.resume_after(parent, place)
        if told and not descent.pass_by(told.parents_after):
            resume = told
    if resume is None:
        return
    assert walk.can_go_on(resume)
    read_before = {parent.id for parent in listed[:broke_off]}
    done: list[Parent] = []
    going_on = Place(signpost, resume=resume)
    read = {parent.id for parent in walk.remaining(listed, going_on, done)}
    assert {parent.id for parent in done} <= read_before
    assert {parent.id for parent in found} <= read | read_before


@often
@given(parents, moments, moments, st.booleans(), st.booleans())
def test_a_parent_with_unread_records_is_read_from_the_beginning(
    parent: Parent, bookmark: datetime, start: datetime, retried: bool, widened: bool
) -> None:
    walk = Walk("createdAt", ("",), ("status=activeOrChurned",))
    contexts = ["status=active"] if widened else ["status=activeOrChurned"]
    retry = frozenset({parent.id} if retried else ())
    place = Place(bookmark, bookmark, contexts, retry)
    new = parent.created_at is None or parent.created_at >= start
    wanted = None if new or retried or widened else start
    assert walk.start_for(parent, place, start) == wanted


@often
@given(parents, moments, moments)
def test_a_parent_that_may_have_been_left_out_is_read_from_the_beginning_when_it_changed(
    parent: Parent, bookmark: datetime, start: datetime
) -> None:
    walk = Walk("createdAt", ("",), ("status=churned",))
    place = Place(bookmark, bookmark, ["status=churned"])
    changed = parent.moment("updatedAt")
    whole = (
        changed is None
        or changed >= start
        or parent.created_at is None
        or parent.created_at >= start
    )
    assert (walk.start_for(parent, place, start) is None) == whole


@often
@given(st.lists(st.none() | moments, max_size=15))
def test_an_order_holds_until_the_first_moment_that_rises(found: list[datetime | None]) -> None:
    descent = Descent()
    breaks = [descent.pass_by(moment) for moment in found]
    told = [moment for moment in found if moment]
    assert descent.in_order == (told == sorted(told, reverse=True))
    assert sum(breaks) == (not descent.in_order)


@often
@given(st.integers(0, MOST_SKIPPED), st.booleans(), st.booleans(), st.booleans())
def test_parents_that_could_not_be_read_are_remembered_up_to_a_number(
    known: int, again: bool, gone: bool, retried: bool
) -> None:
    skipped = [str(number) for number in range(known)]
    identity = "0" if again and known else "new"
    told = to_remember(skipped, identity, gone=gone, retried=retried)
    if identity in skipped or (gone and retried):
        assert told == skipped
    elif known < MOST_SKIPPED:
        assert told == [*skipped, identity]
    else:
        assert told == (skipped if gone else None)
