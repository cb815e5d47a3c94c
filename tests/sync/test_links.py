"""Whoever a record names is found, in every way that has been seen."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tap_vitally.streams import STREAMS
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.linked_ids import COPIES, ids_of_kind, links_in
from tap_vitally.sync.record_mapper import RecordMapper
from tap_vitally.sync.summary import StreamMetrics

Row = dict[str, Any]
LINKED = [stream for stream in STREAMS if "adminIds" in stream.schema["properties"]]


def columns_of(stream: Any, embedded: str) -> list[str]:
    names = stream.schema["properties"]
    return [name for name in names if embedded != "none" or name not in COPIES]


def shaped(stream: Any, row: Row, embedded: str) -> list[Row]:
    """The record that a stream makes of a row, which has its key."""
    how = stream.schema["properties"]
    schema = {"properties": {name: how[name] for name in columns_of(stream, embedded)}}
    moment = "2026-03-04T05:06:07.000Z"
    key = {name: moment[:10] if "format" in how[name] else "k" for name in stream.primary_keys}
    if "startedAt" in key:
        key["startedAt"] = moment
    mapper = RecordMapper(stream.resource, schema, embedded, StreamMetrics())
    return mapper.records([{**row, **key}], ListRequest(""))


@pytest.mark.parametrize(
    ("record", "ids"),
    [
        ({"accounts": ["a1", "a2"]}, ["a1", "a2"]),
        ({"accounts": [{"id": "a1"}, {"name": "no id"}, None, {}, []]}, ["a1"]),
        ({"account": {"id": "a1"}}, ["a1"]),
        ({"account": "a1"}, ["a1"]),
        ({"accountId": "a1", "accounts": [{"id": "a1"}]}, ["a1"]),
        ({"accountIds": ["a1", 5, ""], "account": {"id": "a2"}}, ["a1", "5", "a2"]),
        ({"accounts": {"id": "a1"}}, ["a1"]),
        ({"accounts": None, "account": 0}, ["0"]),
        ({"users": ["u1"]}, []),
        ({}, []),
    ],
)
def test_ids_are_found_wherever_they_stand(record: dict[str, Any], ids: list[str]) -> None:
    assert ids_of_kind(record, "account") == ids


@pytest.mark.parametrize(
    ("record", "ids"),
    [
        ({"accounts": [{"id": "a1"}, "a2"]}, ["a1", "a2"]),
        ({"customers": [{"id": "a1"}]}, ["a1"]),
        ({"accounts": []}, []),
        ({"accounts": [{"id": "a1"}], "accountIds": ["a9"]}, ["a9"]),
        ({"accounts": [{"id": "a1"}], "accountIds": []}, ["a1"]),
        ({"accounts": [], "accountIds": []}, []),
        ({"accountId": "a1"}, ["a1"]),
        ({"account": 5}, ["5"]),
        ({"customerId": 0}, ["0"]),
        ({"customerIds": ["a1", "a2"]}, ["a1", "a2"]),
        ({"accounts": None}, None),
        ({"accounts": {"id": "a1"}}, ["a1"]),
        ({"accounts": "a1"}, ["a1"]),
        ({"accounts": {"results": [{"id": "a1"}]}}, ["a1"]),
        ({"account": {"id": "a1"}}, ["a1"]),
        ({"customers": [], "customer": {"id": 5}}, ["5"]),
        ({"accountIds": [{"id": "a1"}, "a2"]}, ["a1", "a2"]),
        ({"accountIds": "a1", "accounts": []}, "a1"),
        ({"accountIds": [{"name": "no id"}]}, [{"name": "no id"}]),
    ],
)
def test_an_array_that_was_not_sent_is_filled_from_copies_alone(
    record: dict[str, Any], ids: Any
) -> None:
    for link in links_in(["accountIds"]):
        link.fill([record], record.keys())
    assert record.get("accountIds") == ids


@pytest.mark.parametrize(
    ("record", "column", "identity"),
    [
        ({"account": {"id": "a1"}}, "accountId", "a1"),
        ({"account": [{"id": "a1"}], "accountId": None}, "accountId", "a1"),
        ({"account": {"id": "a1"}, "accountId": "a2"}, "accountId", "a2"),
        ({"account": {}}, "accountId", None),
        ({"customer": {"id": 7}}, "customerId", "7"),
        ({"organization": "o1"}, "organizationId", "o1"),
        ({"user": {"id": "u1"}}, "userId", "u1"),
        ({"users": [{"id": "u1"}]}, "userId", "u1"),
        ({"userIds": ["u1"]}, "userId", "u1"),
        ({"userIds": ["u1", "u2"]}, "userId", None),
        ({"customer": {"id": "a1"}}, "accountId", "a1"),
        ({"accountId": {"id": "a1"}}, "accountId", "a1"),
        ({"accountId": 7}, "accountId", "7"),
        ({"accountId": "", "account": {"id": "a1"}}, "accountId", "a1"),
        ({"admin": {"id": "d1"}}, "adminId", "d1"),
    ],
)
def test_a_single_id_that_was_not_sent_is_that_of_the_copy(
    record: dict[str, Any], column: str, identity: str | None
) -> None:
    for link in links_in([column]):
        link.fill([record], record.keys())
    assert record.get(column) == identity


KINDS = ("account", "customer", "organization", "user", "admin")
ONE_OR_IN_A_LIST = [
    {"id": "x1", "name": "Ann"},
    "x1",
    [{"id": "x1"}],
    ["x1"],
    {"data": [{"id": "x1"}]},
]


@pytest.mark.parametrize("embedded", ["none", "reference", "full"])
@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: str(stream.name))
def test_no_link_is_lost_in_any_stream(stream: Any, embedded: str) -> None:
    for kind, end, value in product(KINDS, ("", "s"), ONE_OR_IN_A_LIST):
        stream_state = f"{kind}{end}"
        (record,) = shaped(stream, {stream_state: value}, embedded)
        assert list(record) == columns_of(stream, embedded)
        held = {**record, **(record["additionalProperties"] or {})}
        own = kind.replace("customer", "account")
        places = {f"{own}Ids", f"{own}Id", *({"customerId"} if own == "account" else ())}
        if embedded == "none":
            assert not held.keys() & COPIES
        else:
            places.add(stream_state)
        assert any("x1" in str(held.get(name)) for name in places), (stream_state, value)


@pytest.mark.parametrize("stream", LINKED, ids=lambda stream: str(stream.name))
def test_several_that_are_linked_are_an_array_of_ids(stream: Any) -> None:
    several: list[list[Any]] = [["x1", "x2"], [1, 2], [{"id": "x1"}, {"id": 2}]]
    for kind, values, end in product(KINDS, several, ("", "s", "Ids")):
        (record,) = shaped(stream, {f"{kind}{end}": values}, "full")
        ids = [str(value["id"] if isinstance(value, dict) else value) for value in values]
        assert record[f"{kind.replace('customer', 'account')}Ids"] == ids, (kind, end)


@pytest.mark.parametrize("stream", LINKED, ids=lambda stream: str(stream.name))
def test_one_that_is_linked_has_a_column_or_an_array(stream: Any) -> None:
    for kind in KINDS[:1] + KINDS[2:]:
        for row in ({f"{kind}Id": "x1"}, {f"{kind}Id": 5}, {kind: {"id": "x1"}}, {kind: 5}):
            (record,) = shaped(stream, row, "none")
            reported = record.get(f"{kind}Id"), record[f"{kind}Ids"], record.get("customerId")
            assert {str(reported[0]), *(reported[1] or ()), str(reported[2])} & {"x1", "5"}, (
                row,
                reported,
            )
