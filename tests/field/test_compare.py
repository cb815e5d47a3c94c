"""A value that a loader has kept is told from one that it has changed, and the change has its name."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from field import compare as c
from field.messages import Written

MOMENTS = st.datetimes(
    min_value=dt.datetime(1900, 1, 1),  # noqa: DTZ001 - the zone is added below
    timezones=st.just(dt.UTC),
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text())
def test_text_is_the_same_or_named(text: str) -> None:
    assert c.changed("string", text, text) is None
    assert c.changed("string", text, text + "x") is not None


@given(MOMENTS)
def test_a_moment_is_the_same_in_any_form(moment: dt.datetime) -> None:
    before = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert c.changed("date-time", before, moment) is None
    assert c.changed("date-time", before, moment.replace(tzinfo=None)) is None
    assert c.changed("date-time", before, str(moment)) is None
    assert c.changed("date-time", before, moment + dt.timedelta(hours=1)) == c.MOMENT
    cut = moment.replace(microsecond=0)
    assert c.changed("date-time", before, cut) == (c.MILLISECONDS if cut != moment else None)


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_a_structure_is_the_same_as_its_text_of_json(value: Any) -> None:
    kind = "object" if isinstance(value, dict) else "array"
    assert c.changed(kind, value, value) is None
    assert c.changed(kind, value, json.dumps(value)) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_number_keeps_its_digits_or_those_of_a_double(number: Decimal) -> None:
    assert c.changed("number", number, number) is None
    as_double = c.changed("number", number, float(number))
    assert as_double == (None if Decimal(repr(float(number))) == number else c.DOUBLE)


CASES: list[tuple[str, Any, Any, str | None]] = [
    ("string", None, None, None),
    ("string", None, "", c.NULL_TO_EMPTY),
    ("string", "", None, c.EMPTY_TO_NULL),
    ("string", "x", None, c.LEFT_OUT),
    ("integer", 0, None, c.ZERO_TO_NULL),
    ("number", Decimal("0.0"), None, c.ZERO_TO_NULL),
    ("boolean", False, None, c.ZERO_TO_NULL),
    ("boolean", True, 1, None),
    ("boolean", False, "False", None),
    ("boolean", True, "False", c.OTHER),
    ("string", "a\nb\tc", "a\\nb\\tc", c.ESCAPED_CONTROLS),
    ("string", '\x01 \\ "', r'\u0001 \ "', c.ESCAPED_CONTROLS),
    ("string", "NULL", None, c.NULL_TEXT),
    ("string", "ä", r"\u00e4", c.ESCAPED),
    ("string", "'x'", "x", c.UNQUOTED),
    ("string", "x", "y", c.OTHER),
    ("date", "2026-01-31", dt.date(2026, 1, 31), None),
    ("date", "2026-01-31", "2026-01-31T00:00:00", c.DAY),
    ("number", Decimal("123456789.12"), 123456792, c.SINGLE),
    ("number", Decimal(1), "one", c.OTHER),
    ("object", {"a": True}, "{'a': True}", c.PYTHON),
    ("string", '{"a": true}', "{'a': True}", c.PYTHON),
    ("object", {"a": 1}, {"a": 2}, c.OTHER),
    ("object", {"a": Decimal("0.10")}, '{"a": 0.1}', None),
]


@pytest.mark.parametrize(("kind", "before", "after", "change"), CASES)
def test_each_change_has_its_name(kind: str, before: Any, after: Any, change: str | None) -> None:
    assert c.changed(kind, before, after) == change


def messages(*records: dict[str, Any]) -> list[str]:
    properties = {"id": {"type": ["string"]}, "name": {"type": ["string", "null"]}}
    schema = {"type": "SCHEMA", "key_properties": ["id"], "schema": {"properties": properties}}
    found = [schema, *({"type": "RECORD", "record": record} for record in records)]
    return [json.dumps({"stream": "users", **message}) for message in found]


def test_what_is_missing_is_seen_and_the_last_row_of_a_key_counts() -> None:
    written = Written().add(
        messages({"id": "1", "name": "old"}, {"id": "1", "name": "new"}, {"id": "2"})
    )
    appended = [{"id": "1", "name": "old"}, {"id": "1", "name": "new"}]
    found = c.compare(written, {"users": appended})
    assert (found.keys, found.missing, found.rows, found.changes) == (2, 1, 2, {})
    assert found.kept == "some"
    assert c.compare(written, {}).kept == "none"
    late = c.compare(written, {"users": [*reversed(appended), {"id": "2"}]})
    assert late.as_data()["changes"] == {c.OTHER: "users.name"}
    assert late.as_data()["rows"] == "one for each record"
