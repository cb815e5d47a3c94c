"""Whatever the API sends, a record fits its schema, loses no digit, and what was done is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.streams import STREAMS
from tap_vitally.sync.coerce import COLUMN, Coercer
from tap_vitally.sync.summary import StreamMetrics
from vitally_api.values import identity_of, is_canonical

Record = dict[str, Any]

often = settings(max_examples=100)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": ["string"]},
        "text": {"type": ["string", "null"]},
        "moment": {"type": ["string", "null"], "format": "date-time"},
        "day": {"type": ["string", "null"], "format": "date"},
        "count": {"type": ["integer", "null"]},
        "amount": {"type": ["number", "null"]},
        "flag": {"type": "boolean"},
        "thing": {"type": ["object", "null"], "additionalProperties": True},
        "words": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "things": {"type": ["array", "null"], "items": {"type": "object", "properties": {}}},
        "additionalProperties": {"type": ["object", "null"], "additionalProperties": True},
    },
    "additionalProperties": True,
}
BIG = 12345678901234567890
MOST = (1 << 63) - 1
HUGE = Decimal("1E+5000")  # with some zeros more it would not fit into memory as an integer


class Noted(StreamMetrics):
    """Keeps all that it is told to report."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[tuple[str, str]] = []

    def report(self, column: str, what: str) -> None:
        self.reported.append((column, what))

    @property
    def lines(self) -> list[str]:
        return [" ".join(each) for each in self.reported]


def coerced(name: str, value: Any) -> tuple[Any, list[str]]:
    """What becomes of a value, and what is told of it."""
    noted = Noted()
    conformer = Coercer(SCHEMA, noted)
    record = {**conformer.blank, name: value}
    conformer.coerce([record])
    assert (noted.made_null == {name: 1}) == (value is not None and record[name] is None)
    assert list(record) == list(SCHEMA["properties"])
    return record[name], noted.lines


def exactly(value: Any) -> Any:
    """A form in which 1, True and Decimal(1) differ, and so do 0.1 and 0.10."""
    if isinstance(value, dict):
        return {name: exactly(item) for name, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return type(value).__name__, str(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in SCHEMA["properties"] if name != COLUMN),
        ("text", ""),
        ("text", "Zoë 🎉"),
        ("moment", "2024-05-06T07:08:09.123Z"),
        ("day", "2024-05-06"),
        ("count", 0),
        ("count", MOST),
        ("amount", 3),
        ("amount", BIG),
        ("amount", Decimal("0.10")),
        ("amount", HUGE),
        ("flag", False),
        ("thing", {}),
        ("thing", {"price": Decimal("0.10"), "ids": [BIG, None], "deep": {"a": [True]}}),
        ("words", []),
        ("words", ["one", ""]),
        ("things", []),
        ("things", [{}, {"a": Decimal("1.50")}]),
    ],
    ids=str,
)
def test_what_fits_is_left_alone_and_nothing_is_told(name: str, value: Any) -> None:
    result, reported = coerced(name, value)
    assert exactly(result) == exactly(value)
    assert reported == []


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("text", 5, "5"),
        ("text", BIG, "12345678901234567890"),
        ("text", Decimal("0.10"), "0.10"),
        ("text", True, "true"),
        ("text", {"name": "Zoë"}, '{"name": "Zoë"}'),
        ("id", 7, "7"),
        ("count", Decimal("3.0"), 3),
        ("count", Decimal(MOST), MOST),
        ("moment", 1714979289123, "2024-05-06T07:08:09.123Z"),
        ("moment", Decimal("1714979289.5"), "2024-05-06T07:08:09.500Z"),
        ("day", 1714953600, "2024-05-06"),
        ("thing", [], {}),
        ("count", "12", 12),
        ("count", "-3.0", -3),
        ("amount", "0.10", Decimal("0.10")),
        ("amount", "12345678901234567890", Decimal(BIG)),
        ("flag", "true", True),
        ("flag", "false", False),
        ("flag", "yes", True),
        ("flag", "0.0", False),
        ("flag", 1, True),
        ("flag", 0, False),
        ("thing", "x", {"value": "x"}),
        ("thing", Decimal("0.10"), {"value": Decimal("0.10")}),
        ("thing", [1], {"value": [1]}),
        ("words", "one", ["one"]),
        ("words", [1, "two", Decimal("0.10"), None], ["1", "two", "0.10"]),
        ("words", {"a": 1}, ['{"a": 1}']),
        ("things", {"a": 1}, [{"a": 1}]),
        ("things", ["x", {"a": 1}, None], [{"value": "x"}, {"a": 1}]),
        ("things", 5, [{"value": 5}]),
    ],
    ids=str,
)
def test_what_can_be_converted_is_and_that_is_told(name: str, value: Any, result: Any) -> None:
    found, reported = coerced(name, value)
    assert _same(found, result)
    assert reported
    assert all(line.startswith(f"{name} held") and "converted" in line for line in reported)


def _same(found: Any, result: Any) -> bool:
    """JSON within text may be spaced in any way."""
    if isinstance(found, str) and found.startswith("{"):
        return bool(json.loads(found) == json.loads(result))
    if isinstance(found, list) and isinstance(result, list):
        return len(found) == len(result) and all(map(_same, found, result))
    return bool(exactly(found) == exactly(result))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("moment", "soon"),
        ("moment", ""),
        ("moment", {}),
        ("day", "06/05/2024"),
        ("day", 20240506),
        ("count", "many"),
        ("count", Decimal("0.5")),
        ("count", True),
        ("count", [1]),
        ("count", HUGE),
        ("count", MOST + 1),
        ("count", BIG),
        ("day", "2024-02-30T07:08:09Z"),
        ("day", "2024-05-06T25:08:09Z"),
        ("moment", 20240506),
        ("count", "1e5000"),
        ("amount", "NaN"),
        ("amount", "-Infinity"),
        ("amount", "a lot"),
        ("amount", False),
        ("amount", {"value": 1}),
        ("flag", "perhaps"),
        ("flag", 2),
        ("flag", []),
    ],
    ids=str,
)
def test_what_cannot_be_converted_becomes_null_and_that_is_told(name: str, value: Any) -> None:
    found, reported = coerced(name, value)
    assert found is None
    assert len(reported) == 1
    assert "made null" in reported[0]


def test_a_value_is_told_by_its_type_and_never_itself() -> None:
    for name in SCHEMA["properties"]:
        for value in ("zoe@example.com", ["zoe@example.com", 5], {"mail": "zoe@example.com"}):
            assert not any("zoe" in line for line in coerced(name, value)[1])


# Every record of every stream

numbers = st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.just(HUGE)
strings = st.text() | st.sampled_from(
    ["true", "12", "0.10", "1e5000", "2024-05-06", "2024-05-06T07:08:09.123Z", "NaN"]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

not_null = values.filter(lambda value: value is not None)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: str(stream.name))
def test_a_record_of_any_values_fits_the_schema_of_its_stream(stream: Any) -> None:
    schema = stream.schema
    validator = jsonschema.Draft7Validator(schema)
    # A record without its key is left out before, and a key that is a date is the tap's own.
    keys = {
        name: st.just("2024-05-06") if "format" in schema["properties"][name] else not_null
        for name in schema["required"]
    }
    others = st.sampled_from(
        sorted(schema["properties"].keys() - keys.keys() - {COLUMN}) or ["new"]
    )

    @settings(max_examples=15)
    @given(
        st.fixed_dictionaries(keys),
        st.dictionaries(others, values, max_size=6),
        st.dictionaries(st.text(), values, max_size=1),
    )
    def check(key: Record, known: Record, unknown: Record) -> None:
        noted = Noted()
        record = {**unknown, **known, **key}
        before = exactly(record)
        conformer = Coercer(schema, noted)
        record = {**conformer.blank, **record}
        conformer.coerce([record])
        reported = [name for name, _ in noted.reported]
        assert [error.message for error in validator.iter_errors(record)] == []
        assert list(record) == list(schema["properties"])
        undeclared = {n: v for n, v in unknown.items() if n not in known and v is not None}
        undeclared = {n: v for n, v in undeclared.items() if n not in conformer.blank}
        assert exactly(record.pop(COLUMN)) == exactly(undeclared or None)
        assert set(reported) >= undeclared.keys()
        reported = [name for name in reported if name not in undeclared]
        before = {name: value for name, value in before.items() if name in record}
        record = {name: record[name] for name in before}
        changed = {name for name in record if exactly(record[name]) != before[name]}
        spelled = {name for name in changed if "format" in schema["properties"][name]}
        assert changed - spelled <= set(reported) <= record.keys()
        gone = {name for name in record if record[name] is None and name in before}
        assert {name for name in gone if before[name] != exactly(None)} == set(noted.made_null)
        assert changed <= schema["properties"].keys()

    check()


@often
@given(numbers, st.sampled_from(["amount", "thing", "things", "text", "words"]))
def test_no_number_loses_a_digit_wherever_it_ends_up(number: int | Decimal, name: str) -> None:
    found, _ = coerced(name, number)
    (left,) = _leaves(found)
    assert Decimal(left).as_tuple() == Decimal(number).as_tuple()


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield value


def test_declared_twice_is_no_question_of_order() -> None:
    kinds = {"type": ["null", "integer"]}, {"type": ["integer", "null"]}, {"type": "integer"}
    for declared in kinds:
        record: Record = {"n": "5"}
        Coercer({"properties": {"n": declared}}, Noted()).coerce([record])
        assert record == {"n": 5}


@pytest.mark.parametrize(
    "spelled",
    [
        "2024-05-06T07:08:09.123Z",
        "2024-05-06T07:08:09.123456Z",
        "2024-05-06 07:08:09.123",
        "2024-05-06T12:38:09.123+05:30",
        "20240506T070809.123Z",
        "2024-W19-1T07:08:09.123",
        " 2024-05-06t07:08:09.123z ",
        "1714979289123",
        "1714979289.123",
        1714979289123,
        Decimal("1714979289.123"),
    ],
    ids=repr,
)
def test_a_moment_has_one_spelling(spelled: Any) -> None:
    assert coerced("moment", spelled)[0] == "2024-05-06T07:08:09.123Z"


@often
@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
def test_every_moment_of_every_spelling_is_the_same_moment(moment: datetime) -> None:
    for spelled in (moment.isoformat(), moment.isoformat(" "), moment.isoformat().upper()):
        found = coerced("moment", spelled)[0]
        if found is None:  # the first and the last day of all in another zone
            assert moment.year in {1, 9999}
            continue
        assert is_canonical(found)
        cut = moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
        assert datetime.fromisoformat(found) == cut


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        ("a", "a"),
        (5, "5"),
        (0, "0"),
        (Decimal("7.0"), "7"),
        ("", None),
        (" ", None),
        (None, None),
        (True, None),
        ({}, None),
        ([], None),
        (["a"], None),
        (Decimal("0.5"), None),
        (HUGE, None),
    ],
    ids=str,
)
def test_an_id_is_text_or_a_whole_number(value: Any, identity: str | None) -> None:
    assert identity_of(value) == identity


@pytest.mark.parametrize(
    ("how", "value", "becomes"),
    [
        ({"type": ["string", "boolean", "null"]}, 5, "5"),
        ({"type": ["integer", "boolean"]}, "perhaps", None),
        ({"type": ["integer", "number"]}, Decimal("1.5"), Decimal("1.5")),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 5, "5"),
        ({"oneOf": [{"type": "object"}, {"type": "array"}]}, [1], [1]),
        ({"type": "array", "items": {"type": "integer"}}, ["1", 2, "x", None], [1, 2]),
        ({"type": "array", "items": {}}, ["x", 1], ["x", 1]),
        ({"type": "array", "items": [{"type": "string"}]}, ["x", 1], ["x", 1]),
        ({"type": "array"}, "x", ["x"]),
        ({}, 5, 5),
    ],
)
def test_a_type_that_only_a_catalog_gives_is_kept_to(how: Any, value: Any, becomes: Any) -> None:
    record = {"it": value}
    noted = Noted()
    schema = {"properties": {"it": how}}
    Coercer(schema, noted).coerce([record])
    assert exactly(record["it"]) == exactly(becomes)
    assert bool(noted.made_null) == (becomes is None or (value == ["1", 2, "x", None]))
