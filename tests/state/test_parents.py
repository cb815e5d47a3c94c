"""A walk over parents leaves none out, whatever interrupts it and in whatever order they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.state.parent_scan import (
    MOST_SKIPPED,
    OrderCheck,
    Parent,
    ParentScan,
    newest_first,
    to_remember,
)
from tap_vitally.state.stream_state import Resume, StreamState
from vitally_api.values import format_moment

BEGINNING = datetime(2026, 3, 4, tzinfo=UTC)
often = settings(max_examples=75)

moments = st.integers(0, 30).map(lambda minutes: BEGINNING + timedelta(minutes=minutes))
parents = st.builds(
    Parent,
    st.integers(0, 20).map(str),
    st.none() | moments,
    st.none() | moments.map(format_moment),
)
some_parents = st.lists(parents, max_size=12, unique_by=lambda parent: parent.id)
orders = st.sampled_from(["createdAt", "updatedAt", None])


def interrupted(scan: ParentScan, after: datetime | None, signpost: datetime) -> StreamState:
    """The place of a run whose predecessor had done all parents after a moment."""
    resume = Resume(signpost, None, scan.fingerprint, None, scan.order, after)
    return StreamState(signpost, resume=resume)


@often
@given(some_parents, orders, st.none() | moments, moments, st.booleans())
def test_every_parent_is_read_or_was_done(
    found: list[Parent], order: str, after: datetime | None, signpost: datetime, changed: bool
) -> None:
    scan = ParentScan(order, ("",), only_changed=changed)  # type: ignore[arg-type]
    stream_state = interrupted(scan, after, signpost)
    done: list[Parent] = []
    read = list(scan.remaining(found, stream_state, done))
    assert sorted([*read, *done], key=found.index) == found
    assert all(scan.is_done(parent, stream_state) for parent in done)
    in_order = [p for p in found if p.moment(scan.order)]
    if in_order != newest_first(in_order, scan.order) and scan.order:
        assert done == []


@often
@given(some_parents, moments, st.integers(0, 12))
def test_who_goes_on_where_a_walk_broke_off_reads_the_rest_and_what_is_new(
    found: list[Parent], signpost: datetime, broke_off: int
) -> None:
    scan = ParentScan("createdAt", ("archived=false", "archived=true"), ("status=active",))
    listed = newest_first(found, "createdAt")
    stream_state, order_check = StreamState(signpost), OrderCheck()
    resume = None
    for parent in listed[:broke_off]:
        reported = scan.resume_after(parent, stream_state)
        if reported and not order_check.check(reported.parents_after):
            resume = reported
    if resume is None:
        return
    assert scan.can_go_on(resume)
    read_before = {parent.id for parent in listed[:broke_off]}
    done: list[Parent] = []
    going_on = StreamState(signpost, resume=resume)
    read = {parent.id for parent in scan.remaining(listed, going_on, done)}
    assert {parent.id for parent in done} <= read_before
    assert {parent.id for parent in found} <= read | read_before


@often
@given(parents, moments, moments, st.booleans(), st.booleans())
def test_a_parent_with_unread_records_is_read_from_the_beginning(
    parent: Parent, bookmark: datetime, start: datetime, retried: bool, widened: bool
) -> None:
    scan = ParentScan("createdAt", ("",), ("status=activeOrChurned",))
    contexts = ["status=active"] if widened else ["status=activeOrChurned"]
    retry = frozenset({parent.id} if retried else ())
    stream_state = StreamState(bookmark, bookmark, contexts, retry)
    new = parent.created_at is None or parent.created_at >= start
    wanted = None if new or retried or widened else start
    assert scan.start_for(parent, stream_state, start) == wanted


@often
@given(parents, moments, moments)
def test_a_parent_that_may_have_been_left_out_is_read_from_the_beginning_when_it_changed(
    parent: Parent, bookmark: datetime, start: datetime
) -> None:
    scan = ParentScan("createdAt", ("",), ("status=churned",))
    stream_state = StreamState(bookmark, bookmark, ["status=churned"])
    changed = parent.moment("updatedAt")
    whole = (
        changed is None
        or changed >= start
        or parent.created_at is None
        or parent.created_at >= start
    )
    assert (scan.start_for(parent, stream_state, start) is None) == whole


@often
@given(st.lists(st.none() | moments, max_size=15))
def test_an_order_holds_until_the_first_moment_that_rises(found: list[datetime | None]) -> None:
    order_check = OrderCheck()
    breaks = [order_check.check(moment) for moment in found]
    reported = [moment for moment in found if moment]
    assert order_check.in_order == (reported == sorted(reported, reverse=True))
    assert sum(breaks) == (not order_check.in_order)


@often
@given(st.integers(0, MOST_SKIPPED), st.booleans(), st.booleans(), st.booleans())
def test_parents_that_could_not_be_read_are_remembered_up_to_a_number(
    known: int, again: bool, gone: bool, retried: bool
) -> None:
    skipped = [str(number) for number in range(known)]
    identity = "0" if again and known else "new"
    reported = to_remember(skipped, identity, gone=gone, retried=retried)
    if identity in skipped or (gone and retried):
        assert reported == skipped
    elif known < MOST_SKIPPED:
        assert reported == [*skipped, identity]
    else:
        assert reported == (skipped if gone else None)
