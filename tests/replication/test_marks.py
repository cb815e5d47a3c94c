"""A mark in a list lets no change pass unseen, and no row point twice in the same version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.replication.instants import format_instant
from tap_vitally.replication.marks import MOST_SEEN, Mark, Walked, Watch
from tap_vitally.replication.passes import before

BEGINNING = datetime(2026, 3, 4, tzinfo=UTC)
often = settings(max_examples=200, deadline=None)

minutes = st.integers(0, 60)
moments = minutes.map(lambda minute: BEGINNING + timedelta(minutes=minute))
rows = st.dictionaries(st.integers(0, 30).map(str), moments, max_size=20)
lookbacks = st.integers(0, 10).map(lambda minute: timedelta(minutes=minute))


def seen_by(watch: Watch, found: dict[str, datetime]) -> set[str]:
    return {identity for identity, moment in found.items() if watch.has_changed(identity, moment)}


@often
@given(rows, rows, moments, lookbacks)
def test_whatever_changes_after_a_run_points_in_the_next(
    found: dict[str, datetime],
    changes: dict[str, datetime],
    signpost: datetime,
    lookback: timedelta,
) -> None:
    watch = Watch(Mark(), lookback)
    first = {identity: moment for identity, moment in found.items() if moment < signpost}
    assert seen_by(watch, first) == first.keys()
    mark = Mark.from_state(watch.mark(signpost).to_state())
    later = {identity: moment for identity, moment in changes.items() if moment >= signpost}
    again = Watch(mark, lookback)
    pointing = seen_by(again, {**first, **later})
    assert later.keys() <= pointing
    assert pointing == (later.keys() if mark.moment else first.keys() | later.keys())


@often
@given(rows, moments, lookbacks)
def test_a_row_that_may_change_once_more_in_the_same_moment_points_again(
    found: dict[str, datetime], signpost: datetime, lookback: timedelta
) -> None:
    watch = Watch(Mark(), lookback)
    seen_by(watch, found)
    mark = watch.mark(signpost)
    assert {identity for identity, _ in mark.seen} <= {
        identity for identity, moment in found.items() if moment < signpost
    }
    assert mark.moment is None or mark.moment <= signpost


@often
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), minutes)
def test_a_row_that_keeps_its_moment_points_when_its_content_changes(
    contents: list[int], minute: int
) -> None:
    mark, last = Mark(), None
    for content in contents:
        watch = Watch(mark, timedelta(0))
        moment = BEGINNING + timedelta(minutes=minute)
        assert watch.has_changed("a", moment, str(content)) == (content != last)
        mark, last = watch.mark(BEGINNING), content


@often
@given(st.lists(st.integers(0, 3), max_size=6))
def test_a_row_without_a_moment_points_when_its_content_changes(contents: list[int]) -> None:
    mark, last = Mark(), None
    for content in contents:
        watch = Watch(mark, timedelta(0))
        assert watch.has_changed("a", None, str(content)) == (content != last)
        watch.has_changed("b", BEGINNING)
        mark, last = watch.mark(BEGINNING + timedelta(hours=1)), content


def test_state_does_not_grow_with_the_list() -> None:
    watch = Watch(Mark(), timedelta(hours=1))
    for number in range(5 * MOST_SEEN):
        watch.has_changed(str(number), BEGINNING)
        watch.has_changed(f"undated {number}", None, "same")
    assert watch.mark(BEGINNING + timedelta(minutes=1)).seen == frozenset()
    few = Watch(Mark(), timedelta(hours=1))
    for number in range(MOST_SEEN):
        few.has_changed(str(number), BEGINNING)
    assert len(few.mark(BEGINNING + timedelta(minutes=1)).seen) == MOST_SEEN


@often
@given(st.none() | moments, st.none() | moments, rows)
def test_what_walks_left_survives_a_trip_through_state(
    full: datetime | None, at: datetime | None, found: dict[str, datetime]
) -> None:
    seen = frozenset((identity, format_instant(moment)) for identity, moment in found.items())
    walked = Walked(full, Mark(at, seen), Mark(at))
    assert Walked.from_state(walked.to_state()) == walked


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
    walked = Walked.from_state(state)
    assert walked.full is None or walked.full.tzinfo
    assert all(len(pair) == 2 for pair in walked.rows.seen)


@often
@given(moments, st.integers(0, 100_000))
def test_nothing_is_before_all_time(moment: datetime, days: int) -> None:
    assert before(moment, timedelta(days=days)) <= moment


@often
@given(moments, moments, st.integers(0, 3))
def test_all_parents_are_walked_again_in_time(full: datetime, now: datetime, days: int) -> None:
    mark = Mark(full)
    walked = Walked(full, mark, mark)
    assert walked.is_due(now, days) == (now - full >= timedelta(days=days))
    for lacking in (
        Walked(full),
        Walked(None, mark, mark),
        Walked(full, mark),
        Walked(full, parents=mark),
    ):
        assert lacking.is_due(now, days)
