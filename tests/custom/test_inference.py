"""Columns of what an endpoint sends: none that a database would confuse, and keys that hold."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.custom.inference import inferred


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 2], ["integer"]),
        (["a", "b"], ["string"]),
        ([1, "b"], ["string"]),
        ([1, 2**63], ["string"]),
        ([1, 2.5], ["string"]),
        ([None, 1], ["integer"]),
        ([None], ["string"]),
        ([True], ["string"]),
        (["2026-01-01"], ["string"]),
    ],
)
def test_a_key_has_one_type_that_holds_it(values: list[Any], wanted: list[str]) -> None:
    assert inferred([{"id": value} for value in values], ["id"])["id"] == {"type": wanted}


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["userId", "userID", "user_id", "name"], ["userId", "name"]),
        (["ID", "id"], ["id"]),
        (["", " ", "$x", "x", "x y", "x_y"], ["$x", "x y"]),
        (["URLPath", "urlPath", "url_path"], ["URLPath"]),
    ],
)
def test_names_that_a_database_confuses_are_one_column(names: list[str], wanted: list[str]) -> None:
    assert list(inferred([dict.fromkeys(names, "text")], ["id"])) == wanted


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@given(st.lists(st.text("aAbB_ 1$é", max_size=5), max_size=8))
def test_columns_stay_different_in_sql(names: list[str]) -> None:
    found = list(inferred([dict.fromkeys(names, 1)], ["a"]))
    for spell in (str.lower, snake, lambda name: re.sub(r"\W", "_", name.lower()).strip("_")):
        spelled = list(map(spell, found))
        assert len(set(spelled)) == len(spelled)
        assert "" not in spelled
    if "a" in names:
        assert "a" in found
