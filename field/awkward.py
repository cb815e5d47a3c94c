"""Rows that are valid and that some loader changes."""

from __future__ import annotations

from itertools import cycle
from typing import Any, Final

import requests

from demo.processes import Vitally

TEXTS: Final = (
    "",
    " blanks around ",
    "line\nbreak",
    "tab\there",
    "return\r\nand line",
    "back\\slash, and \\n as two letters",
    'in "double" quotes',
    "'in single quotes'",
    "comma, semicolon; pipe|",
    "ä é ß 東京 🙂",
    "007",
    "1e5",
    "null",
    "None",
    "true",
    "2026-01-31",
    "=1+1",
    "{}",
    "[1, 2]",
    "\ufeffa mark before it",
    "long " * 5_000,
)
NUMBERS: Final = (0, 0.0, -1, 0.1, 1e-7, 123456789.12, 9007199254740991, 1234567890123.25)
COUNTS: Final = (0, 1, 2_147_483_648)
MOMENTS: Final = (
    "1969-12-31T23:59:59.999Z",
    "2026-03-29T01:30:00.001Z",
    "2026-02-28T12:00:00+05:30",
    "2099-12-31T23:59:59.000Z",
)
TRAITS: Final[dict[str, Any]] = {
    "vitally.custom.none": None,
    "vitally.custom.zero": 0,
    "vitally.custom.no": False,
    "vitally.custom.empty": "",
    "vitally.custom.nested": {"list": [1, 0.10, None, {"a": "ä\n"}], "empty": {}},
    "vitally.custom.digits": 0.1,
}


def make_awkward(vitally: Vitally) -> None:
    """Give such values to records that are there."""
    texts, numbers, counts, moments = map(cycle, (TEXTS, NUMBERS, COUNTS, MOMENTS))
    for index, row in enumerate(vitally.expected_rows("accounts")[: len(TEXTS)]):
        fields: dict[str, Any] = {
            "name": next(texts),
            "mrr": next(numbers),
            "usersCount": next(counts),
        }
        fields["firstPaidDate"] = next(moments)
        fields["traits"] = {**TRAITS, "vitally.custom.text": TEXTS[-1 - index]}
        _update(vitally, "accounts", row["id"], fields)
    for row in vitally.expected_rows("users")[: len(TEXTS)]:
        more = {
            "unsubscribedFromConversations": False,
            "npsLastScore": 0,
            "lastSeenTimestamp": next(moments),
        }
        _update(vitally, "users", row["id"], {"name": next(texts), **more})
    for row in vitally.expected_rows("tasks")[: len(TEXTS)]:
        _update(
            vitally,
            "tasks",
            row["id"],
            {"name": next(texts), "tags": ["", "a,b", "ä"], "dueDate": "2024-02-29"},
        )


def _update(vitally: Vitally, resource: str, record_id: str, fields: dict[str, Any]) -> None:
    change = {"op": "update", "resource": resource, "id": record_id, "fields": fields}
    requests.post(f"{vitally.url}/control/change", json=change, timeout=60).raise_for_status()
