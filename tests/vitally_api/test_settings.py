"""A setting is declared once: its JSON schema and its value follow from the declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.sync.settings import Settings as TapSettings
from target_vitally.pipeline.settings import Settings as TargetSettings
from vitally_api.settings import (
    LONGEST_TIMEOUT,
    ConnectionSettings,
    read_settings,
    schema_of,
    setting,
)


@dataclass(frozen=True)
class Sample(ConnectionSettings):
    """A setting of each type."""

    text: str = setting("Any text.", default="")
    colour: Literal["red", "blue"] = setting("One of two.", default="red")
    flag: bool = setting("Yes or no.", default=True)
    count: int = setting("How many.", title="Number", default=3, minimum=1, maximum=9)
    limit: int | None = setting("At most, if given.", default=None)
    names: tuple[str, ...] = setting("Several.", default=("a", "b"))
    tree: Mapping[str, Any] = setting("Anything by name.", default={})
    asked: bool = setting(
        "Said in a word.",
        default=False,
        type=["string", "null"],
        enum=["yes", "no"],
        written="no",
        read="yes".__eq__,
    )


SCHEMA = schema_of(Sample)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "text": st.none() | st.text(),
        "colour": st.sampled_from(["red", "blue"]),
        "flag": st.none() | st.booleans(),
        "count": st.none() | st.integers(1, 9),
        "limit": st.none() | st.integers(),
        "names": st.none() | st.lists(st.text()),
        "tree": st.none() | st.dictionaries(st.text(), st.integers()),
        "asked": st.sampled_from(["yes", "no"]),
        "request_timeout": st.none() | st.decimals(1, 10**6, places=2),
    },
)


def test_the_schema_says_what_a_setting_takes() -> None:
    properties = SCHEMA["properties"]
    assert SCHEMA["required"] == ["api_key"]
    assert properties["count"] == {
        "type": ["integer", "null"],
        "title": "Number",
        "description": "How many.",
        "minimum": 1,
        "maximum": 9,
        "default": 3,
    }
    assert properties["colour"]["title"] == "Colour"
    assert properties["request_timeout"]["title"] == "Request timeout"
    assert properties["colour"]["enum"] == ["red", "blue"]
    assert properties["names"]["default"] == ["a", "b"]
    assert properties["asked"]["type"] == ["string", "null"]
    assert properties["asked"]["default"] == "no"
    assert not any("default" in properties[name] for name in ("text", "limit", "tree"))


def test_the_address_comes_first_and_the_pace_last() -> None:
    names = list(SCHEMA["properties"])
    assert names[:4] == ["api_key", "data_center", "subdomain", "api_url"]
    assert names[4:12] == [each.name for each in fields(Sample) if each.name in names[4:12]]
    assert names[12:] == [
        "concurrency",
        "max_requests_per_minute",
        "request_timeout",
        "user_agent",
    ]


@given(VALUES)
def test_what_the_schema_lets_through_is_read_and_null_is_the_default(
    given_: dict[str, Any],
) -> None:
    config = {"api_key": "sandbox", **given_}
    plain = {k: float(v) if isinstance(v, Decimal) else v for k, v in config.items()}
    jsonschema.validate(plain, SCHEMA)
    read, usual = read_settings(Sample, config), Sample()
    for each in fields(Sample):
        value, used = config.get(each.name), getattr(read, each.name)
        assert type(used) is type(getattr(usual, each.name)) or each.name in {
            "limit",
            "request_timeout",
        }
        if value is None:
            assert used == getattr(usual, each.name)
        elif each.name == "asked":
            assert used == (value == "yes")
        elif each.name == "request_timeout":
            assert used == min(float(value), LONGEST_TIMEOUT)
        else:
            assert used == (tuple(value) if isinstance(value, list) else value)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    jsonschema.validate({"api_key": "sandbox", "count": 5.0}, SCHEMA)
    read = read_settings(Sample, {"count": 5.0, "limit": Decimal("7.0")})
    assert (repr(read.count), repr(read.limit)) == ("5", "7")


@pytest.mark.parametrize("settings", [TapSettings, TargetSettings], ids=["tap", "target"])
def test_the_key_is_in_no_log_of_settings(settings: type[ConnectionSettings]) -> None:
    assert "hidden" not in repr(read_settings(settings, {"api_key": "hidden"}))


@pytest.mark.parametrize("settings", [TapSettings, TargetSettings], ids=["tap", "target"])
def test_defaults_are_those_that_the_schema_says(settings: type[ConnectionSettings]) -> None:
    schema = schema_of(settings)
    said = {name: how["default"] for name, how in schema["properties"].items() if "default" in how}
    assert read_settings(settings, said) == settings()
