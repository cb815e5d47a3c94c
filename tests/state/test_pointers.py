"""Between two walks of all, exactly those parents are walked that something points at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.state.parent_scan import (
    ALL_LISTS,
    ChangedParentIds,
    Parent,
    ParentScan,
    parents_to_read,
)
from tap_vitally.state.stream_state import StreamState
from tap_vitally.state.watermarks import ChangeFilter, Watermark
from vitally_api.values import format_moment, parse_moment

BEGINNING = datetime(2026, 3, 4, tzinfo=UTC)
MARK = BEGINNING + timedelta(minutes=10)
often = settings(max_examples=75)

moments = st.integers(0, 20).map(lambda minute: BEGINNING + timedelta(minutes=minute))
organizations = st.sampled_from(["o1", "o2", "o3"])
parents = st.builds(
    Parent,
    st.integers(0, 15).map(str),
    st.none() | moments,
    st.none() | moments.map(format_moment),
    st.none() | st.lists(organizations, max_size=2, unique=True).map(tuple),
)
some_parents = st.lists(parents, max_size=10, unique_by=lambda parent: parent.id)
labels = st.sampled_from(["archived=false", "archived=true", ALL_LISTS])
named = st.lists(
    st.tuples(labels, st.lists(st.integers(0, 15).map(str)), st.lists(organizations)), max_size=4
)


@often
@given(some_parents, named, st.sets(st.integers(0, 15).map(str)), st.booleans())
def test_who_is_pointed_at_is_walked_and_nobody_else(
    found: list[Parent],
    rows: list[tuple[str, list[str], list[str]]],
    retry: set[str],
    filtered: bool,
) -> None:
    changed_ids = ChangedParentIds()
    for label, ids, of in rows:
        changed_ids.to(label, ids, of)
    scan = ParentScan("createdAt", ("",), ("status=active",) if filtered else ())
    stream_state = StreamState(BEGINNING, to_retry=frozenset(retry))
    change_filter = ChangeFilter(Watermark(MARK), timedelta(0))
    scanned = {
        p.id: (why, of)
        for p, why, of in parents_to_read(found, change_filter, changed_ids, scan, stream_state)
    }
    for parent in found:
        why, lists = scanned.get(parent.id, (None, frozenset[str]()))
        labels_of = set(lists)
        updated = parse_moment(parent.updated_at)
        by_id = {label for label, ids, _ in rows if parent.id in ids}
        by_organization = {
            label
            for label, _, ids in rows
            if ids and (parent.organizations is None or set(ids) & set(parent.organizations))
        }
        changed = filtered if updated is None else updated >= MARK
        is_new = parent.created_at is not None and parent.created_at >= MARK
        if parent.id in retry:
            assert why == "retry"
        elif is_new and (changed or updated is None):
            assert why == "new"
        elif changed:
            assert why == ("returned" if filtered else "changed")
        elif by_id or by_organization:
            assert why == ("named" if by_id else "organization named")
            assert labels_of == by_id | by_organization
        else:
            assert why is None
        if why in {"retry", "new", "changed", "returned"}:
            assert labels_of == {ALL_LISTS}


@often
@given(some_parents)
def test_a_parent_that_was_seen_in_its_version_points_at_itself_no_more(
    found: list[Parent],
) -> None:
    signpost = BEGINNING + timedelta(hours=1)
    scan, stream_state = ParentScan("createdAt", ("",)), StreamState(signpost)
    first = ChangeFilter(Watermark(), timedelta(minutes=5))
    list(parents_to_read(found, first, ChangedParentIds(), scan, stream_state))
    watermark = first.watermark(signpost)
    if watermark.moment is None:
        return
    again = ChangeFilter(watermark, timedelta(minutes=5))
    scanned = {
        parent.id
        for parent, *_ in parents_to_read(found, again, ChangedParentIds(), scan, stream_state)
    }
    # Without a moment of change it cannot be told whether it was seen.
    unknown = {parent.id for parent in found if parent.updated_at is None}
    assert scanned <= unknown
