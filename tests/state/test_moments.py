"""A moment is the same however it is spelt, and what is no moment is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.state.passes import Window
from tests.state.simulation import SPELLINGS, json_values, maybe, moments, sometimes
from vitally_api.values import format_moment, latest, parse_moment


@sometimes
@given(moments, st.sampled_from(SPELLINGS))
def test_a_moment_is_the_same_however_it_is_spelt(
    moment: datetime, spell: Callable[[datetime], str]
) -> None:
    assert parse_moment(spell(moment)) == moment


def test_spellings_are_compared_as_instants() -> None:
    window = Window(parse_moment("2026-03-04T05:06:07Z"))
    falling = [
        "2026-03-04T10:36:07.002+05:30",
        "2026-03-04T05:06:07.001Z",
        "2026-03-04T00:06:07-05:00",
        "2026-03-04T05:06:07+00:00",
    ]
    rows = [{"updatedAt": text} for text in falling]
    assert window.keep(rows) == rows
    assert window.ordered
    assert not window.finished


@pytest.mark.parametrize("value", [None, "", "soon", 5, 1.5, True, {}, [], "2026-13-01", "24:00"])
def test_what_is_no_moment_is_none(value: Any) -> None:
    assert parse_moment(value) is None


@sometimes
@given(json_values)
def test_no_value_breaks_the_reading_of_moments(value: Any) -> None:
    moment = parse_moment(value)
    assert moment is None or moment.utcoffset() == timedelta(0)


@sometimes
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_never_written_later_than_it_is(moment: datetime) -> None:
    written = parse_moment(format_moment(moment))
    assert written is not None
    assert timedelta() <= moment - written < timedelta(milliseconds=1)


@sometimes
@given(st.lists(maybe))
def test_the_latest_of_moments_some_of_which_are_missing(moments: list[datetime | None]) -> None:
    found = latest(moments)
    reported = [moment for moment in moments if moment]
    assert (found is None) == (not reported)
    assert all(found is not None and found >= moment for moment in reported)
    assert found is None or found in reported


@pytest.mark.parametrize(
    "value",
    [
        # A reader of ISO 8601 takes its first eight digits for a day of the year 1712.
        "1712010112345",
        1712010112345,
        Decimal("1712010112.345"),
        " 2024-04-01T22:21:52.345z ",
    ],
    ids=repr,
)
def test_an_epoch_in_a_list_is_the_moment_that_it_means(value: Any) -> None:
    moment = parse_moment("2024-04-01T22:21:52.345Z")
    assert parse_moment(value) == moment
    window = Window(moment)
    assert window.keep([{"updatedAt": value}]) == [{"updatedAt": value}]
    assert (window.newest, window.finished) == (moment, False)
