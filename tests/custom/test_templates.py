"""Placeholders stand for moments, values of parents and values of lists; schemas follow from samples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_vitally.custom.inference import inferred
from tap_vitally.custom.templates import Placeholder, Template, moments_of

"""A loaded machine takes seconds to draw what an idle one draws at once."""
NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


@given(st.text(max_size=30))
def test_text_with_doubled_braces_is_itself(text: str) -> None:
    template = Template(text.replace("{", "{{").replace("}", "}}"))
    assert template.render({}) == text
    assert template.placeholders == []


@pytest.mark.parametrize("text", ["{", "}", "{}", "{now-3}", "{a b}", "{a.b.c}", "{now-9999999w}"])
def test_what_is_no_placeholder_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match=r"\{|\}"):
        Template(text).render({})


def test_values_are_encoded_and_the_text_around_them_is_not() -> None:
    template = Template("/a b/{accounts.id}/{region}")
    values = {Placeholder("id", "accounts"): "x/../y", Placeholder("region"): "ö"}
    assert template.render(values, lambda text: quote(text, safe="")) == "/a b/x%2F..%2Fy/%C3%B6"
    assert template.render({Placeholder("region"): "n"}) is None


@pytest.mark.parametrize(
    ("text", "date_format", "wanted"),
    [
        ("{now}", "iso", "2026-03-01T12:30:15.250Z"),
        ("{now-1d}", "iso", "2026-02-28T12:30:15.250Z"),
        ("{now+2h}", "epoch", str(int((NOW + timedelta(hours=2)).timestamp()))),
        ("{now - 30 m}", "epoch_ms", str(int((NOW - timedelta(minutes=30)).timestamp() * 1000))),
        ("{now-1w}", "%d/%m/%Y", "22/02/2026"),
        ("{now-15s}", "%H:%M:%S", "12:30:00"),
        ("{start_date}", "%Y", "2025"),
        ("{bookmark}", "%Y", "2024"),
    ],
)
def test_moments_are_written_as_asked_for(text: str, date_format: str, wanted: str) -> None:
    known = {
        "now": NOW,
        "start_date": datetime(2025, 1, 1, tzinfo=UTC),
        "bookmark": datetime(2024, 1, 1, tzinfo=UTC),
    }
    template = Template(text)
    assert template.render(moments_of(template.placeholders, known, date_format)) == wanted


def test_a_bookmark_that_is_not_there_is_the_start_date_or_nothing() -> None:
    template = Template("{bookmark}")
    start = datetime(2025, 1, 1, tzinfo=UTC)
    found = moments_of(template.placeholders, {"start_date": start, "bookmark": None}, "%Y")
    assert template.render(found) == "2025"
    assert template.render(moments_of(template.placeholders, {}, "iso")) is None


def test_a_schema_is_wide_enough_for_what_comes_later() -> None:
    samples: list[dict[str, Any]] = [
        {"id": 1, "seats": 3, "price": 2.5, "on": True, "day": "2026-01-31", "plan": {"a": 1}},
        {"id": 2, "seats": None, "price": 3, "day": "2026-02-01", "at": "2026-01-31T10:00:00Z"},
        {"id": 3, "list": [1, 2.5], "rows": [{"a": 1}], "odd": "x", "none": None, "empty": []},
        {"id": 4, "odd": 3, "words": ["a"], "mixed": [1, "a"]},
    ]
    schema = inferred(samples, {"id"})
    assert schema["id"] == {"type": ["integer"]}
    assert schema["seats"]["type"] == schema["price"]["type"] == ["number", "null"]
    assert schema["day"]["format"] == "date"
    assert schema["at"]["format"] == "date-time"
    assert set(schema["odd"]["type"]) == {"string", "number", "null"}
    assert schema["plan"] == {"type": ["object", "null"], "additionalProperties": True}
    assert schema["rows"]["items"]["type"] == ["object", "null"]
    assert schema["words"]["items"] == {"type": ["string", "null"]}
    assert list(schema)[:3] == ["id", "seats", "price"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4), max_size=6))
def test_every_sample_fits_the_schema_that_it_led_to(samples: list[dict[str, Any]]) -> None:
    schema = {"type": "object", "properties": inferred(samples, ())}
    Draft7Validator.check_schema(schema)
    for sample in samples:
        Draft7Validator(schema).validate(sample)
