"""Whoever a record names is found, in every way that has been seen."""

from __future__ import annotations

from typing import Any

import pytest

from tap_vitally.reading.links import fill_links, ids_named


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
        ({"accounts": [{"id": "a1"}], "accountIds": []}, []),
        ({"accountId": "a1"}, None),
        ({"accounts": None}, None),
    ],
)
def test_an_array_that_was_not_sent_is_filled_from_copies_alone(
    record: dict[str, Any], ids: list[str] | None
) -> None:
    fill_links(record, ["accountIds"])
    assert record.get("accountIds") == ids
