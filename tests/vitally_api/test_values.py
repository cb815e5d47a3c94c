"""Keys and e-mails have one text, however a source spells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitally_api.values import (
    InvalidValue,
    as_day,
    as_moment,
    boolean_of,
    canonical_moments,
    day_of,
    email_text,
    format_moment,
    has_time_of_day,
    is_canonical,
    key_text,
    moment_of,
    parse_moment,
    parse_moments,
    whole_number_of,
)

TRAIT = "trait:vitally.custom.erp"
DIGITS = st.decimals(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("by", ["externalId", TRAIT])
@pytest.mark.parametrize(
    ("spellings", "text"),
    [
        ([4711, 4711.0, Decimal("4711.00"), Decimal("4.711E+3")], "4711"),
        ([100, Decimal("1E+2"), 1e2], "100"),
        ([Decimal("1002.0"), 1002.0], "1002"),
        ([0, -0.0, Decimal("-0"), Decimal("0E+3"), Decimal("0.000")], "0"),
        ([Decimal("12.50"), 12.5], "12.5"),
        ([Decimal("-0.10"), -0.1], "-0.1"),
        ([None], ""),
    ],
)
def test_a_number_has_one_text(by: str, spellings: list[Any], text: str) -> None:
    assert {key_text(by, spelled) for spelled in spellings} == {text}


@pytest.mark.parametrize("by", ["externalId", "id", "name", TRAIT])
@given(
    text=st.text(st.characters(exclude_characters="\0")) | st.sampled_from(["007", "1e5", "1.0"])
)
def test_text_stays_as_it_is(by: str, text: str) -> None:
    assert key_text(by, text) == text


@given(st.integers())
def test_an_external_id_keeps_all_its_digits(number: int) -> None:
    assert key_text("externalId", number) == str(number)


@given(st.integers(-(10**30), 10**30) | DIGITS.filter(lambda number: abs(number) < 1e300))
def test_a_number_is_found_by_what_comes_back_of_it(number: int | Decimal) -> None:
    came_back = json.dumps(float(number))  # a service that keeps doubles
    for read in (json.loads(came_back), json.loads(came_back, parse_float=Decimal)):
        assert key_text(TRAIT, read) == key_text(TRAIT, number)


@given(DIGITS)
def test_a_text_of_a_number_is_that_number(number: Decimal) -> None:
    assert Decimal(key_text("externalId", number)) == number


@pytest.mark.parametrize("by", ["externalId", "email", TRAIT])
@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}, True, float("nan"), float("inf")])
def test_what_is_no_key_is_refused(by: str, value: Any) -> None:
    with pytest.raises(InvalidValue):
        key_text(by, value)


def test_case_and_blanks_of_an_email_do_not_count() -> None:
    assert email_text("\u00a0 Uma@Example.COM\t") == key_text("email", "uma@example.com")


def in_zone(moment: datetime, hours: float = 5.5) -> str:
    return moment.astimezone(timezone(timedelta(hours=hours))).isoformat()


SPELLINGS: list[Callable[[datetime], Any]] = [
    datetime.isoformat,
    lambda moment: f" {moment.isoformat()} ",
    lambda moment: moment.isoformat(" "),
    lambda moment: moment.isoformat().replace("+00:00", "z"),
    lambda moment: moment.isoformat().replace("+00:00", ""),
    lambda moment: moment.isoformat(" ").replace("+00:00", " UTC"),
    lambda moment: moment.isoformat(" ").replace("+", " +"),
    in_zone,
    lambda moment: in_zone(moment, -3).replace("-03", " -03"),
    lambda moment: moment,
    lambda moment: moment.replace(tzinfo=None),
]
FROM, UNTIL = map(datetime.fromisoformat, ("1900-01-01", "2100-01-01"))
CENTURY = st.datetimes(FROM, UNTIL, timezones=st.just(UTC))


@given(CENTURY, st.sampled_from(SPELLINGS))
def test_both_programs_read_the_same_moment(
    moment: datetime, spell: Callable[[datetime], Any]
) -> None:
    spelt = spell(moment)
    assert parse_moment(spelt) == moment
    assert timedelta(0) <= moment - moment_of(spelt) < timedelta(milliseconds=1)
    assert as_moment(spelt) == format_moment(moment_of(spelt))


@given(CENTURY, st.integers(-12, 14))
def test_a_day_is_that_of_the_text_in_both_programs(moment: datetime, hours: int) -> None:
    there = moment.astimezone(timezone(timedelta(hours=hours)))
    spelt = there.isoformat()
    assert as_day(spelt) == day_of(spelt).isoformat() == there.date().isoformat()
    assert has_time_of_day(spelt) == (there.time() != datetime.min.time())


@given(CENTURY.map(lambda moment: int(moment.timestamp() * 1000)).filter(lambda ms: ms >= 10**11))
def test_an_epoch_is_a_moment_of_the_api_and_none_of_a_row(milliseconds: int) -> None:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    for value in (milliseconds, str(milliseconds), Decimal(milliseconds)):
        read = parse_moment(value)
        assert read is not None
        assert abs(read - moment) < timedelta(milliseconds=1)
        with pytest.raises(InvalidValue):
            moment_of(value)


@given(st.integers(-(10**30), 10**30))
def test_a_whole_number_is_one_in_any_spelling(number: int) -> None:
    spellings = (number, str(number), f" {number}.00", Decimal(number), f"{Decimal(number):E}")
    assert {whole_number_of(value) for value in spellings} == {number}


@pytest.mark.parametrize(
    "value", [True, "", "1.5", 0.5, Decimal("1E+5000"), "1e5000", "NaN", float("inf"), [], None]
)
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue):
        whole_number_of(value)


@pytest.mark.parametrize(
    "value",
    [2, 10**5000, -1, 0.5, Decimal("0.1"), float("nan"), "", "perhaps", "2", "1.01", None, [], {}],
    ids=["two", "huge", *map(str, range(11))],
)
def test_what_is_neither_true_nor_false_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue):
        boolean_of(value)


def test_true_and_false_have_many_spellings() -> None:
    true = [True, 1, 1.0, Decimal("1.00"), "true", " Yes ", "t", "ON", "1", "1.000"]
    false = [False, 0, 0.0, Decimal("0E+3"), "false", "no", "F", "off", "0", "0.0"]
    assert [boolean_of(value) for value in true] == [True] * len(true)
    assert [boolean_of(value) for value in false] == [False] * len(false)


moments = st.sampled_from(
    [
        "2026-01-31T00:00:00.000Z",
        "2024-02-29T12:00:00.123Z",
        "2023-02-29T12:00:00.123Z",
        "2026-02-28T23:59:59.999Z",
        "2026-04-30T00:00:00.000Z",
        "2026-04-31T00:00:00.000Z",
        "0000-01-01T00:00:00.000Z",
        "2026-01-31T24:00:00.000Z",
        "2026-01-31",
        "2026-01-31T00:00:00Z",
        "\u0662026-01-31T00:00:00.000Z",
        "",
        "\n",
        None,
        1714979289,
    ]
)


@given(st.lists(moments | st.tuples(moments, moments).map(lambda two: "\n".join(map(str, two)))))
def test_a_column_of_moments_is_read_as_each_of_them_would_be(values: list[Any]) -> None:
    read = list(map(parse_moment, values))
    canonical = [
        moment is not None and format_moment(moment) == each
        for each, moment in zip(values, read, strict=True)
    ]
    assert canonical_moments(values) == (read if values and all(canonical) else None)
    assert list(map(is_canonical, values)) == canonical
    assert list(parse_moments(values)) == read


@given(
    st.datetimes().map(lambda moment: format_moment(moment.replace(tzinfo=UTC))), st.integers(0, 9)
)
def test_what_is_written_as_a_moment_is_canonical_in_any_number(text: str, count: int) -> None:
    assert canonical_moments([text] * (1 + count)) == [parse_moment(text)] * (1 + count)
    for odd in (text + text, f"{text}\n", f"{text}\n{text}", f'{text}","{text}', None):
        assert canonical_moments([*[text] * count, odd]) is None
