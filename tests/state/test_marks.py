"""A mark in a list lets no change pass unseen, and no row point twice in the same version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.state.passes import before
from tap_vitally.state.watermarks import MOST_SEEN, ChangeFilter, ScanHistory, Watermark
from vitally_api.values import format_moment

BEGINNING = datetime(2026, 3, 4, tzinfo=UTC)
often = settings(max_examples=75)

minutes = st.integers(0, 60)
moments = minutes.map(lambda minute: BEGINNING + timedelta(minutes=minute))
rows = st.dictionaries(st.integers(0, 30).map(str), moments, max_size=20)
lookbacks = st.integers(0, 10).map(lambda minute: timedelta(minutes=minute))


def seen_by(change_filter: ChangeFilter, found: dict[str, datetime]) -> set[str]:
    return {
        identity
        for identity, moment in found.items()
        if change_filter.has_changed(identity, moment)
    }


@often
@given(rows, rows, moments, lookbacks)
def test_whatever_changes_after_a_run_points_in_the_next(
    found: dict[str, datetime],
    changes: dict[str, datetime],
    signpost: datetime,
    lookback: timedelta,
) -> None:
    change_filter = ChangeFilter(Watermark(), lookback)
    first = {identity: moment for identity, moment in found.items() if moment < signpost}
    assert seen_by(change_filter, first) == first.keys()
    watermark = Watermark.from_state(change_filter.watermark(signpost).to_state())
    later = {identity: moment for identity, moment in changes.items() if moment >= signpost}
    again = ChangeFilter(watermark, lookback)
    linked = seen_by(again, {**first, **later})
    assert later.keys() <= linked
    assert linked == (later.keys() if watermark.moment else first.keys() | later.keys())


@often
@given(rows, moments, lookbacks)
def test_a_row_that_may_change_once_more_in_the_same_moment_points_again(
    found: dict[str, datetime], signpost: datetime, lookback: timedelta
) -> None:
    change_filter = ChangeFilter(Watermark(), lookback)
    seen_by(change_filter, found)
    watermark = change_filter.watermark(signpost)
    assert {identity for identity, _ in watermark.seen} <= {
        identity for identity, moment in found.items() if moment < signpost
    }
    assert watermark.moment is None or watermark.moment <= signpost


@often
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), minutes)
def test_a_row_that_keeps_its_moment_points_when_its_content_changes(
    contents: list[int], minute: int
) -> None:
    watermark, last = Watermark(), None
    for content in contents:
        change_filter = ChangeFilter(watermark, timedelta(0))
        moment = BEGINNING + timedelta(minutes=minute)
        assert change_filter.has_changed("a", moment, str(content)) == (content != last)
        watermark, last = change_filter.watermark(BEGINNING), content


@often
@given(st.lists(st.integers(0, 3), max_size=6))
def test_a_row_without_a_moment_points_when_its_content_changes(contents: list[int]) -> None:
    watermark, last = Watermark(), None
    for content in contents:
        change_filter = ChangeFilter(watermark, timedelta(0))
        assert change_filter.has_changed("a", None, str(content)) == (content != last)
        change_filter.has_changed("b", BEGINNING)
        watermark, last = change_filter.watermark(BEGINNING + timedelta(hours=1)), content


def test_state_does_not_grow_with_the_list() -> None:
    change_filter = ChangeFilter(Watermark(), timedelta(hours=1))
    for number in range(5 * MOST_SEEN):
        change_filter.has_changed(str(number), BEGINNING)
        change_filter.has_changed(f"undated {number}", None, "same")
    assert change_filter.watermark(BEGINNING + timedelta(minutes=1)).seen == frozenset()
    few = ChangeFilter(Watermark(), timedelta(hours=1))
    for number in range(MOST_SEEN):
        few.has_changed(str(number), BEGINNING)
    assert len(few.watermark(BEGINNING + timedelta(minutes=1)).seen) == MOST_SEEN


@often
@given(st.none() | moments, st.none() | moments, rows)
def test_what_walks_left_survives_a_trip_through_state(
    full: datetime | None, at: datetime | None, found: dict[str, datetime]
) -> None:
    seen = frozenset((identity, format_moment(moment)) for identity, moment in found.items())
    scanned = ScanHistory(full, Watermark(at, seen), Watermark(at))
    assert ScanHistory.from_state(scanned.to_state()) == scanned


@often
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["full", "rows", "parents", "at", "seen"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_nothing_in_state_can_break_the_reading_of_it(state: object) -> None:
    scanned = ScanHistory.from_state(state)
    assert scanned.full is None or scanned.full.tzinfo
    assert all(len(pair) == 2 for pair in scanned.rows.seen)


@often
@given(moments, st.integers(0, 100_000))
def test_nothing_is_before_all_time(moment: datetime, days: int) -> None:
    assert before(moment, timedelta(days=days)) <= moment


@often
@given(moments, moments, st.integers(0, 3))
def test_all_parents_are_walked_again_in_time(full: datetime, now: datetime, days: int) -> None:
    watermark = Watermark(full)
    scanned = ScanHistory(full, watermark, watermark)
    assert scanned.is_due(now, days) == (now - full >= timedelta(days=days))
    for lacking in (
        ScanHistory(full),
        ScanHistory(None, watermark, watermark),
        ScanHistory(full, watermark),
        ScanHistory(full, parents=watermark),
    ):
        assert lacking.is_due(now, days)
