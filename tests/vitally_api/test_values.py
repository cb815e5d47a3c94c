"""Keys and e-mails have one text, however a source spells them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitally_api.values import InvalidValue, email_text, key_text

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
