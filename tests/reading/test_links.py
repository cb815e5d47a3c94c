"""Whoever a record names is found, in every way that has been seen."""

from __future__ import annotations

from typing import Any

import pytest

from tap_vitally.reading.links import COPIES, copies_in, ids_named, links_in
from tap_vitally.streams import STREAMS


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
    assert ids_named(record, "account") == ids


@pytest.mark.parametrize(
    ("record", "ids"),
    [
        ({"accounts": [{"id": "a1"}, "a2"]}, ["a1", "a2"]),
        ({"customers": [{"id": "a1"}]}, ["a1"]),
        ({"accounts": []}, []),
        ({"accounts": [{"id": "a1"}], "accountIds": ["a9"]}, ["a9"]),
        ({"accounts": [{"id": "a1"}], "accountIds": []}, ["a1"]),
        ({"accounts": [], "accountIds": []}, []),
        ({"accountId": "a1"}, None),
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
        link.fill(record, ["accountIds"])
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
    ],
)
def test_a_single_id_that_was_not_sent_is_that_of_the_copy(
    record: dict[str, Any], column: str, identity: str | None
) -> None:
    for link in links_in([column]):
        link.fill(record, [column])
    assert record.get(column) == identity


def test_no_copy_is_left_out_whose_ids_stand_nowhere() -> None:
    for stream in STREAMS:
        own = stream.schema["properties"]
        columns = {name for link in links_in(own) for name in (link.array, *link.one)}
        for copy in set(COPIES).union(copies_in(own)) & own.keys():
            kind = copy.removesuffix("s").replace("customer", "account")
            assert columns & own.keys() & {f"{kind}Ids", f"{kind}Id"}, (stream.name, copy)
