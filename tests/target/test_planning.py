"""The decisions about rows, as values."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_vitally.lookup.resolve import refs_of
from target_vitally.mapping.entries import camel, problems_with, resource_named
from target_vitally.mapping.parse_row import (
    Key,
    ParsedRow,
    Rejection,
    key_of,
    parse_row,
    record_keys,
)
from target_vitally.mapping.plan import changes, plan
from target_vitally.mapping.stream_mapping import MappingError, StreamMapping, map_stream
from target_vitally.mapping.values import coerce, same
from target_vitally.resources import IGNORED, RESOURCES
from vitally_api.values import InvalidValue, same_json

ACCOUNTS = RESOURCES["accounts"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.integers(10**9, 7 * 10**9).flatmap(
    lambda seconds: ZONES.map(lambda zone: datetime.fromtimestamp(seconds, zone))
)


def mapping(resource: str, *columns: str, **entry: Any) -> StreamMapping:
    return map_stream(resource, columns, entry, RESOURCES[resource], "upsert")


@given(MOMENTS, ZONES)
def test_an_instant_says_the_same_in_every_zone(moment: datetime, zone: timezone) -> None:
    here, there = moment.isoformat(), moment.astimezone(zone).isoformat()
    assert same("instant", coerce("instant", here), there)
    assert coerce("instant", here) == coerce("instant", there)
    assert datetime.fromisoformat(coerce("instant", here)) == moment


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_number_is_a_number_however_it_is_written(number: Decimal) -> None:
    assert same_json(number, Decimal(f"{number:f}00"))
    assert same("number", coerce("number", str(number)), number)


@given(JSON)
def test_a_value_is_like_itself(value: Any) -> None:
    assert same_json(value, value)


@given(st.integers(0, 10**30))
def test_an_external_id_is_text_of_all_its_digits(number: int) -> None:
    assert coerce("text", number) == str(number)
    assert coerce("text", Decimal(number)) == str(number)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", {"a": 1}),
        ("text", True),
        ("number", "many"),
        ("number", float("nan")),
        ("integer", "9.5"),
        ("boolean", "maybe"),
        ("instant", "2026-02-31"),
        ("instant", 1700000000),
        ("date", "soon"),
        ("tags", "a"),
    ],
)
def test_what_does_not_fit_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(InvalidValue):
        coerce(kind, value)


def test_tags_are_a_set() -> None:
    assert same("tags", ["a", "b"], ["b", "a"])
    assert not same("tags", [], ["a"])


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("external_id", "externalId"),
        ("externalId", "externalId"),
        ("EXTERNAL_ID", "externalId"),
        ("NAME", "name"),
    ],
)
def test_columns_are_named_as_warehouses_do(column: str, name: str) -> None:
    assert camel(column) == name
    assert mapping("accounts", column).properties == {name: column}


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("accounts", "accounts"),
        ("crm-accounts", "accounts"),
        ("public-nps_responses", "nps_responses"),
        ("account_notes", "account_notes"),
        ("admins", "admins"),
        ("my_accounts", ""),
    ],
)
def test_a_stream_is_named_like_its_resource(stream: str, name: str) -> None:
    assert resource_named(stream, RESOURCES, IGNORED) == name


def test_unknown_columns_are_named_at_once() -> None:
    with pytest.raises(MappingError, match="colour, size"):
        mapping("accounts", "externalId", "colour", "size")
    assert mapping("accounts", "externalId", "colour", unknown="ignore").unmapped(["colour"]) == [
        "colour"
    ]


def test_every_column_of_the_tap_is_taken_or_left_out() -> None:
    row = {"id": "x", "externalId": "a1", "name": "A", "createdAt": "", "updatedAt": "", "mrr": 4}
    found = parse_row(map_stream("accounts", row, {}, ACCOUNTS, "upsert", copy=True), row, "omit")
    assert (found.key, found.copy) == (Key("externalId", "a1"), True)
    assert found.properties == {"id": "x", "externalId": "a1", "name": "A"}


@given(st.dictionaries(st.sampled_from("xyz"), JSON, max_size=3))
def test_what_was_written_is_not_written_again(traits: dict[str, Any]) -> None:
    record = {"id": "1", "name": "A", "traits": traits}
    assert changes(ACCOUNTS, {"name": "A"}, traits, record) == {}
    wanted = ParsedRow(Key("externalId", "a"), traits=traits)
    assert plan(ACCOUNTS, "upsert", wanted, {"name": "A"}, [record]).outcome == "unchanged"


@given(st.sampled_from(["upsert", "create", "update"]), st.booleans())
def test_a_mode_never_does_what_it_must_not(mode: Any, there: bool) -> None:
    wanted = ParsedRow(Key("externalId", "a"))
    present = [{"id": "1", "name": "old", "traits": {}}] if there else []
    made = plan(ACCOUNTS, mode, wanted, {"name": "new", "externalId": "a"}, present)
    expected = {
        ("upsert", True): "updated",
        ("upsert", False): "created",
        ("create", True): "ignored",
        ("create", False): "created",
        ("update", True): "updated",
        ("update", False): "ignored",
    }
    assert made.outcome == expected[mode, there]


def test_several_matches_and_archived_records_are_refused() -> None:
    wanted = ParsedRow(Key("externalId", "t"))
    tasks = RESOURCES["tasks"]
    twins = [{"id": "1"}, {"id": "2"}]
    assert plan(tasks, "upsert", wanted, {}, twins).outcome == "rejected"
    gone = {"id": "1", "name": "x", "archivedAt": "2026-01-01T00:00:00.000Z"}
    assert "archived" in plan(tasks, "upsert", wanted, {"name": "y"}, [gone]).reason


def test_tags_that_a_row_does_not_name_are_sent_back() -> None:
    record = {"id": "1", "name": "old", "tags": ["keep"], "traits": {}}
    made = plan(
        RESOURCES["tasks"], "upsert", ParsedRow(Key("externalId", "t")), {"name": "new"}, [record]
    )
    assert made.body == {"name": "new", "tags": ["keep"]}


def test_nulls_say_nothing_or_empty() -> None:
    row = {"externalId": "t", "description": None, "traits": {"x": None}}
    tasks = mapping("tasks", *row)
    assert parse_row(tasks, row, "omit").properties == {"externalId": "t"}
    cleared = parse_row(tasks, row, "clear")
    assert (cleared.properties["description"], cleared.traits) == (None, {"x": None})
    with pytest.raises(Rejection, match="name"):
        parse_row(
            mapping("tasks", "externalId", "name"), {"externalId": "t", "name": None}, "clear"
        )


def test_one_of_two_parents_may_be_null() -> None:
    row: dict[str, Any] = {
        "externalId": "t",
        "accountExternalId": "a",
        "organizationExternalId": None,
    }
    tasks = mapping("tasks", *row)
    assert parse_row(tasks, row, "clear").references.keys() == {"accountId"}
    with pytest.raises(Rejection, match="emptied"):
        parse_row(tasks, {**row, "accountExternalId": None}, "clear")
    accounts = mapping("accounts", "externalId", "organizationExternalId")
    alone = {"externalId": "a", "organizationExternalId": None}
    assert parse_row(accounts, alone, "clear").references == {"organizationId": None}


def test_traits_of_others_are_left_out() -> None:
    row = {"externalId": "a", "traits": {"hspot.x": 1, "plan": "gold"}}
    found = parse_row(mapping("accounts", *row), row, "omit", ["hspot.*"])
    assert found.traits == {"plan": "gold"}
    assert found.protected == {"hspot.x"}
    everything = mapping("accounts", *row, traits="all")
    assert parse_row(everything, row, "omit", ["hspot.*"]).traits == row["traits"]


def test_an_empty_list_of_accounts_is_never_sent() -> None:
    with pytest.raises(Rejection, match="empty list"):
        parse_row(
            mapping("users", "externalId", "accountIds"),
            {"externalId": "u", "accountIds": []},
            "omit",
        )


@pytest.mark.parametrize("clock", ["", "T00:00:00", " 23:59:59.999", "T12:00:00.123456"])
@pytest.mark.parametrize("zone", ["", "Z", "+01:00", "-11:00", "+14:00", " +0000", " UTC"])
def test_a_day_is_the_one_that_stands_in_the_text(clock: str, zone: str) -> None:
    text = f"2026-03-01{clock}{zone if clock else ''}"
    assert coerce("date", text) == "2026-03-01"
    assert same("date", text, "2026-03-01")
    assert not same("date", text, "2026-02-28")


def test_now_is_a_moment() -> None:
    assert coerce("date", datetime(2026, 1, 31, 23, tzinfo=UTC)) == "2026-01-31"


@given(MOMENTS, st.integers(0, 999_999), st.integers(0, 999))
def test_moments_are_compared_to_the_millisecond(
    moment: datetime, microsecond: int, more: int
) -> None:
    moment = moment.replace(microsecond=microsecond)
    text = moment.isoformat(sep=" ", timespec="microseconds")
    nanoseconds = text[:26] + f"{more:03}" + text[26:]  # as Snowflake writes them
    for spelled in (moment.isoformat(), nanoseconds):
        assert same("instant", spelled, coerce("instant", moment))
    other = moment + timedelta(milliseconds=1)
    assert not same("instant", other.isoformat(), coerce("instant", moment))


@given(st.decimals(-(10**15), 10**15, places=20) | st.integers(-(10**30), 10**30))
def test_a_number_is_what_comes_back_of_it(number: Decimal | int) -> None:
    came_back = float(number)  # a service that keeps doubles
    assert same("number", number, came_back)
    assert same_json({"x": [number]}, {"x": [Decimal(repr(came_back))]})
    assert same_json(number, math.nextafter(came_back, math.inf)) is False


@pytest.mark.parametrize(
    "true", [True, 1, 1.0, Decimal(1), "1", "1.0", " Yes", "y", "T", "TRUE"], ids=repr
)
def test_a_boolean_has_many_spellings(true: Any) -> None:
    assert coerce("boolean", true) is True
    assert coerce("boolean", "off") is False
    others: list[Any] = [2, 0.5, "2", "", [], {}, None]
    for other in others:
        with pytest.raises(InvalidValue):
            coerce("boolean", other)


@pytest.mark.parametrize("id_", [".", ".."])
@pytest.mark.parametrize("column", ["id", "externalId"])
def test_dots_are_no_id(column: str, id_: str) -> None:
    for stream in ("accounts", "users"):
        with pytest.raises(Rejection, match="addresses"):
            parse_row(mapping(stream, column), {column: id_}, "omit")
    with pytest.raises(Rejection, match="addresses"):
        parse_row(
            mapping("messages", "conversationId", "externalId"),
            {"conversationId": id_, "externalId": "m"},
            "omit",
        )


@pytest.mark.parametrize("traits", [{"a.b": "x", "a.c.d": "y"}, {"a": {"b": "x", "c": {"d": "y"}}}])
def test_a_path_may_come_as_maps_within_maps(traits: Any) -> None:
    """As Meltano hands a path with dots over, which it takes for a setting within a setting."""
    entry = {"resource": "accounts", "traits": traits}
    assert problems_with({"rows": entry}, RESOURCES) == []
    mapping = map_stream("rows", ["externalId", "x", "y"], entry, RESOURCES["accounts"], "upsert")
    assert mapping.traits == {"a.b": "x", "a.c.d": "y"}
    entry["traits"] = {"a": {"b": 1}}
    assert problems_with({"rows": entry}, RESOURCES) == [
        "streams.rows.traits is no map of names to columns"
    ]


@pytest.mark.parametrize(
    ("name", "text"), [("resource", "resource"), ("traits", "no map of names")]
)
def test_an_empty_text_in_an_entry_is_a_mistake(name: str, text: str) -> None:
    """As a variable of the environment leaves it that is not set: it stands for nothing."""
    (problem,) = problems_with({"accounts": {name: ""}}, RESOURCES)
    assert f"streams.accounts.{name}" in problem
    assert text in problem


ODD = (
    JSON
    | st.floats()
    | st.sampled_from([10**5000, -(10**400), Decimal("1E+9999"), Decimal("1E-9999")])
    | st.sampled_from(["[1,", '{"a": 1}', "2026-13-45", "..", "\0", "{{x}}", "9" * 5000, " "])
    | st.sampled_from([[{"email": 5}], [{"type": {"a": 1}}], {"type": []}, [{"externalId": [[]]}]])
    | st.sampled_from([".", [{"externalId": ".."}], {"type": "user", "id": "."}])
)


@given(st.data(), st.sampled_from(sorted(RESOURCES)), st.sampled_from(["omit", "clear"]))
def test_whatever_a_row_holds_it_is_read_or_refused(data: Any, name: str, nulls: Any) -> None:
    resource = RESOURCES[name]
    columns = [*sorted(resource.columns), "region", "no"]
    row = data.draw(st.dictionaries(st.sampled_from([*columns, "_deleted", "x"]), ODD, max_size=6))
    entry: dict[str, Any] = {
        "mode": data.draw(st.sampled_from(["upsert", "create", "update", "delete"])),
        "unknown": "ignore",
    }
    if resource.key is None and resource.model:
        entry |= {"match": "trait:own", "traits": {"own": ["region", "no"]}}
    elif resource.key:
        entry["properties"] = {resource.key: data.draw(st.sampled_from([["region", "no"], "no"]))}
    if data.draw(st.booleans()):
        entry["deleted"] = "region"
    copy = data.draw(st.booleans())
    said = map_stream(name, columns, entry, resource, "upsert", copy=copy)
    said = replace(said, unknown=data.draw(st.sampled_from(["fail", "ignore", "traits"])))
    key = key_of(said, row)
    try:
        coerce = parse_row(said, row, nulls, ("hspot.*",))
    except Rejection:
        return
    assert coerce.key == key
    assert record_keys(resource, coerce) >= ({key} if key else set())
    named = set(refs_of(coerce))
    assert all(ref in named for refs in coerce.references.values() for ref in refs or ())
