"""Every mistake in the setting custom_streams is one line that names the entry and the key, and no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.custom.declaration import (
    Cursor,
    parent_column,
    read_custom_streams,
)
from tap_vitally.streams import STREAMS

"""A loaded machine takes seconds to draw what an idle one draws at once."""
KNOWN = {
    stream.name: None if stream.parent else frozenset(stream.schema["properties"])
    for stream in STREAMS
}
GOOD = {"name": "subscriptions", "path": "/accounts/{accounts.id}/subscriptions"}
SENT = "hush\nhush"


def mistakes(*entries: Any) -> list[str]:
    return read_custom_streams(list(entries), KNOWN)[1]


WRONG: dict[str, tuple[Any, str]] = {
    "no object": (3, "custom_streams[0]: it takes an object"),
    "no name": ({"path": "/x"}, ".name: it is missing"),
    "no path": ({"name": "x"}, ".path: it is missing"),
    "name in camel case": ({**GOOD, "name": "planUse"}, ".name: it takes"),
    "name is taken": ({**GOOD, "name": "accounts"}, ".name: there is another stream"),
    "unknown key": ({**GOOD, "recordPath": "$"}, ".recordPath: there is no such key"),
    "path without slash": ({**GOOD, "path": "x"}, ".path: it takes"),
    "path with host": ({**GOOD, "path": "//example.com/x"}, ".path: it takes"),
    "path with query": ({**GOOD, "path": "/x?a=b"}, ".path: it takes"),
    "path that leaves": ({**GOOD, "path": "/x/../y"}, ".path: . and .. would lead out"),
    "brace alone": ({**GOOD, "path": "/x/{"}, ".path: a { stands alone"),
    "placeholder of nothing": ({**GOOD, "path": "/x/{}"}, ".path: {} is no placeholder"),
    "placeholder without values": ({**GOOD, "path": "/x/{region}"}, "{region} is neither"),
    "placeholder of no stream": ({**GOOD, "path": "/x/{plans.id}"}, "there is no stream plans"),
    "placeholder of no property": (
        {**GOOD, "path": "/x/{accounts.plan}"},
        "accounts has no property plan",
    ),
    "parent below a parent": (
        {**GOOD, "path": "/x/{account_notes.id}"},
        "account_notes is itself below",
    ),
    "two parents": ({**GOOD, "params": {"u": "{users.id}"}}, "below one of them alone"),
    "itself as parent": ({**GOOD, "path": "/x/{subscriptions.id}"}, "there is no stream"),
    "shift without unit": (
        {**GOOD, "params": {"since": "{now-3}"}},
        ".params.since: {now-3} lacks",
    ),
    "shift out of time": ({**GOOD, "params": {"since": "{now-9999999w}"}}, "a hundred years"),
    "bookmark without key": (
        {**GOOD, "params": {"since": "{bookmark}"}},
        ".params.since: {bookmark} takes a replication_key",
    ),
    "params as list": ({**GOOD, "params": ["a"]}, ".params: it takes"),
    "param that is null": ({**GOOD, "params": {"a": None}}, ".params.a: it takes"),
    "param of the cursor": ({**GOOD, "params": {"from": "a"}}, ".cursor.param: params has it"),
    "date format": ({**GOOD, "date_format": "unix"}, ".date_format: it takes"),
    "records path": ({**GOOD, "records_path": "results"}, ".records_path: it takes"),
    "records path that is none": ({**GOOD, "records_path": "$.[["}, ".records_path: it takes"),
    "metadata path": ({**GOOD, "metadata": {"asOf": "asOf"}}, ".metadata.asOf: it takes"),
    "metadata that clashes": (
        {**GOOD, "metadata": {"parentAccountId": "$.x"}},
        ".metadata.parentAccountId: a placeholder",
    ),
    "header of the key": ({**GOOD, "headers": {"authorization": "x"}}, ".headers: it takes"),
    "header with a line break": ({**GOOD, "headers": {"X-A": SENT}}, ".headers.X-A: it takes"),
    "header that is a number": ({**GOOD, "headers": {"X-A": 12345678}}, ".headers.X-A: it takes"),
    "header name": ({**GOOD, "headers": {"X A": "x"}}, ".headers: it takes"),
    "primary keys as text": ({**GOOD, "primary_keys": "id"}, ".primary_keys: it takes"),
    "primary key twice": ({**GOOD, "primary_keys": ["id", "id"]}, ".primary_keys: it takes"),
    "replication key": ({**GOOD, "replication_key": 7}, ".replication_key: it takes"),
    "order": ({**GOOD, "order": "oldest_first"}, ".order: it takes"),
    "order without key": ({**GOOD, "order": "newest_first"}, ".order: newest_first takes"),
    "cursor is true": ({**GOOD, "cursor": True}, ".cursor: it takes"),
    "cursor with another key": ({**GOOD, "cursor": {"next": "$.n"}}, ".cursor: it takes"),
    "cursor path": ({**GOOD, "cursor": {"response": "$.[["}}, ".cursor.response: it takes"),
    "values that are none": ({**GOOD, "values": {"region": []}}, ".values.region: it takes"),
    "values called now": ({**GOOD, "values": {"now": ["a"]}}, ".values: it takes"),
    "values with dots": (
        {**GOOD, "path": "/x/{r}", "values": {"r": ["a", ".."]}},
        ".values.r: . and .. cannot",
    ),
    "values that nobody uses": ({**GOOD, "values": {"r": ["a"]}}, ".values.r: nothing in path"),
    "file that is not there": (
        {**GOOD, "path": "/x/{r}", "values": {"r": {"file": "/nowhere", "column": "a"}}},
        ".values.r: the file cannot be read",
    ),
    "file without column": (
        {**GOOD, "path": "/x/{r}", "values": {"r": {"file": "/nowhere"}}},
        ".values.r: it takes",
    ),
    "schema without properties": ({**GOOD, "schema": {"type": "object"}}, ".schema: it takes"),
    "schema that is none": (
        {**GOOD, "schema": {"properties": {"id": {"type": "txt"}}}},
        ".schema: it is no JSON schema",
    ),
    "schema without the key": (
        {**GOOD, "schema": {"properties": {"name": {"type": "string"}}}},
        ".schema: it has no property id",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_line_that_names_entry_and_key(name: str) -> None:
    entry, wanted = WRONG[name]
    found = mistakes(entry)
    assert any(wanted in line for line in found), found
    assert all(line.startswith("custom_streams") and "\n" not in line for line in found)
    assert not any("hush" in line or "12345678" in line for line in found)
    if isinstance(entry, dict) and "name" in entry:
        assert all(entry["name"] in line for line in found)


def test_all_mistakes_of_all_entries_are_told_at_once() -> None:
    found = mistakes({"name": "a", "path": "x", "order": "up"}, GOOD, GOOD, 7)
    assert len(found) == 4
    assert [line.partition(":")[0] for line in found] == [
        "custom_streams[0] (a).path",
        "custom_streams[0] (a).order",
        "custom_streams[2] (subscriptions).name",
        "custom_streams[3]",
    ]


def test_a_wrong_form_hides_no_mistake_in_what_the_other_keys_say() -> None:
    entry = {
        "name": "plans",
        "path": "/x/{accounts.plan}/..",
        "params": {"since": "{now-3}", "of": "{bookmark}", "no": None},
        "order": "up",
        "records_path": "$.[[",
        "values": {"unused": ["a"]},
        "headers": 3,
        "colour": "blue",
    }
    found = [line.removeprefix("custom_streams[0] (plans).") for line in mistakes(entry)]
    assert sorted(line.partition(":")[0] for line in found) == [
        "colour", "headers", "order", "params.no", "params.of", "params.since", "path", "path",
        "records_path",
    ]  # fmt: skip
    follows = {**GOOD, "order": "newest_first", "replication_key": 7, "params": {"a": "{bookmark}"}}
    assert len(mistakes(follows)) == 1


@pytest.mark.parametrize("setting", [{"headers": {"X-A": "hush"}}, "hush", 3])
def test_a_setting_that_is_no_list_is_told_without_what_it_is(setting: Any) -> None:
    assert read_custom_streams(setting, KNOWN) == (
        [],
        ["custom_streams: it takes a list of streams"],
    )


def test_what_is_left_out_has_its_default() -> None:
    ((stream,), problems) = read_custom_streams([GOOD], KNOWN)
    assert problems == []
    assert stream.parent == "accounts"
    assert list(stream.injected.values()) == ["parentAccountId"]
    assert (stream.records_path, stream.primary_keys) == ("$.results[*]", ("id",))
    assert (stream.order, stream.cursor, stream.schema) == ("unknown", Cursor(), None)


def test_everything_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "regions.csv").write_text("\ufeffcode,name\nn,North\ns,South\nn,North\n")
    entry = {
        **GOOD,
        "path": "/accounts/{accounts.id}/{region}/{{raw}}",
        "params": {"since": "{now-30d}", "all": True, "from_day": "{bookmark}", "n": 3},
        "date_format": "%Y-%m-%d",
        "records_path": "$.data.items[?(@.kind == 'plan')]",
        "metadata": {"asOf": "$.asOf"},
        "headers": {"X-Feature": "beta"},
        "primary_keys": [],
        "replication_key": "changedAt",
        "order": "newest_first",
        "cursor": {"response": "$.meta.next", "param": "page"},
        "values": {"region": {"file": str(tmp_path / "regions.csv"), "column": "code"}},
    }
    ((stream,), problems) = read_custom_streams([entry], KNOWN)
    assert problems == []
    assert stream.values == {"region": ("n", "s")}
    assert "beta" not in repr(stream)
    assert list(stream.injected.values()) == ["parentAccountId", "region"]
    assert stream.params["all"].render({}) == "true"


def test_a_stream_may_be_below_another_that_is_declared() -> None:
    plans = {"name": "plans", "path": "/plans"}
    below = {"name": "plan_prices", "path": "/plans/{plans.code}/prices"}
    assert mistakes(below, plans) == []
    assert mistakes(plans, below, {"name": "x", "path": "/x/{plan_prices.id}"}) == [
        "custom_streams[2] (x).path: {plan_prices.id}: plan_prices is itself below another stream"
    ]


@pytest.mark.parametrize(
    ("stream", "column", "wanted"),
    [
        ("accounts", "id", "parentAccountId"),
        ("organizations", "externalId", "parentOrganizationExternalId"),
        ("custom_objects", "name", "parentCustomObjectName"),
    ],
)
def test_columns_of_parents_are_named_as_in_the_streams_that_are_there(
    stream: str, column: str, wanted: str
) -> None:
    assert parent_column(stream, column) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=9,
)
KEYS = st.sampled_from(
    [
        *("path", "params", "date_format", "records_path", "metadata", "headers", "primary_keys"),
        *("replication_key", "order", "cursor", "values", "schema", "name"),
    ]
)


@pytest.mark.parametrize(
    "entry",
    [
        {"values": {"x" * 99: 3}, "params": {"y" * 99: None}, "headers": {"z" * 99: ["hush"]}},
        {"schema": {"properties": 3}, "primary_keys": [1], "cursor": {"param": 3}},
        {"values": {"r": {"file": 3, "column": []}}, "metadata": {"a.b": 3, "c": []}},
    ],
)
def test_what_is_wrong_deep_inside_is_a_mistake_and_no_failure(entry: Any) -> None:
    found = mistakes({**GOOD, **entry})
    assert {line.split(".")[1].partition(":")[0] for line in found} == set(entry)


def test_each_key_that_is_missing_is_one_line() -> None:
    assert [line.partition(": ")[0] for line in mistakes({})] == [
        "custom_streams[0].name",
        "custom_streams[0].path",
    ]


@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_whatever_is_set_is_a_stream_or_a_mistake(entry: dict[str, Any]) -> None:
    streams, problems = read_custom_streams([{**GOOD, **entry}], {"accounts": frozenset()})
    assert streams or problems
    assert all(line.startswith("custom_streams") for line in problems)
