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
    "NULL",
    "None",
    "true",
    "2026-01-31",
    "=1+1",
    "{}",
    "[1, 2]",
    "\ufeffa mark before it",
    "\x01 a control character",
    "\u2028a line separator",
    "\\N",
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


EXTREME_NUMBERS: Final = (12345678901234567890, -(10**22), 5e-324, 1.7976931348623157e308)
EXTREME_COUNTS: Final = (9223372036854775807, -9223372036854775808)
EXTREME_MOMENTS: Final = ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")
EXTREME_DAYS: Final = ("0001-01-01", "9999-12-31")
DEPTH: Final = 50
FIELDS: Final = {
    "vitally.custom.nextStep": "a step",
    "vitally.custom.next_step": "another, whose column would have the same name",
    "vitally.custom.tier": "A",
    "vitally.custom.seats": 12.5,
    "vitally.custom.signed": "2026-01-31",
    "vitally.custom.unknown": {"a": [1, None]},
    f"vitally.custom.{'long' * 20}": "a name of more than 63 characters",
}
"""Custom fields of accounts, each with a value."""
TYPES: Final = {
    "vitally.custom.next_step": "text",
    "vitally.custom.seats": "number",
    "vitally.custom.signed": "date",
    "vitally.custom.unknown": "of no known type",
    f"vitally.custom.{'long' * 20}": "text",
}
"""The types of those that a sandbox does not have anyway."""
OTHER_FIELDS: Final = {
    "vitally.custom.seats": "twelve",
    "vitally.custom.tier": 3,
    "vitally.custom.signed": "2026-01-31T12:00:00.000Z",
    "vitally.custom.unknown": "plain text",
    "vitally.custom.later": True,
}
"""What they hold a day later, when their types are others and there is one more."""
OTHER_TYPES: Final = {
    "vitally.custom.seats": "text",
    "vitally.custom.tier": "number",
    "vitally.custom.signed": "datetime",
    "vitally.custom.unknown": "text",
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
        update(vitally, "accounts", row["id"], fields)
    for row in vitally.expected_rows("users")[: len(TEXTS)]:
        more = {
            "unsubscribedFromConversations": False,
            "npsLastScore": 0,
            "lastSeenTimestamp": next(moments),
        }
        update(vitally, "users", row["id"], {"name": next(texts), **more})
    for row in vitally.expected_rows("tasks")[: len(TEXTS)]:
        update(
            vitally,
            "tasks",
            row["id"],
            {"name": next(texts), "tags": ["", "a,b", "ä"], "dueDate": "2024-02-29"},
        )


def make_extreme(vitally: Vitally) -> None:
    """Give records the largest and smallest values there are, deep objects, and null in place of one."""
    nested: Any = "at the bottom"
    for _ in range(DEPTH):
        nested = {"in": nested}
    many = {"vitally.custom.digits": EXTREME_NUMBERS[0], "": "no name", "A": 1, "a": 2}
    traits = cycle((None, {}, {**many, "vitally.custom.deep": nested}))
    numbers, counts, moments, days = map(
        cycle, (EXTREME_NUMBERS, EXTREME_COUNTS, EXTREME_MOMENTS, EXTREME_DAYS)
    )
    for row in vitally.expected_rows("accounts")[: 2 * len(EXTREME_NUMBERS)]:
        fields = {"mrr": next(numbers), "usersCount": next(counts), "traits": next(traits)}
        update(vitally, "accounts", row["id"], {**fields, "firstPaidDate": next(moments)})
    for row in vitally.expected_rows("tasks")[: len(EXTREME_DAYS)]:
        update(vitally, "tasks", row["id"], {"dueDate": next(days), "tags": None})


def make_long(vitally: Vitally) -> None:
    """Give a note a text of three million characters, as a transcript may be that was pasted into one."""
    note = vitally.expected_rows("notes")[0]
    update(vitally, "notes", note["id"], {"note": "word " * 600_000})


def add_fields(vitally: Vitally) -> None:
    """Define custom fields of accounts, and give each account a value in each."""
    for path, kind in TYPES.items():
        _define(vitally, path, kind)
    for row in vitally.expected_rows("accounts"):
        update(vitally, "accounts", row["id"], {"traits": FIELDS})


def change_fields(vitally: Vitally) -> None:
    """Give custom fields other types, define one more, and set other values in half of the accounts."""
    for path, kind in OTHER_TYPES.items():
        update(vitally, "customFields", f"accounts/{path}", {"type": kind})
    _define(vitally, "vitally.custom.later", "boolean")
    for row in vitally.expected_rows("accounts")[::2]:
        update(vitally, "accounts", row["id"], {"traits": {**FIELDS, **OTHER_FIELDS}})


def _define(vitally: Vitally, path: str, kind: str) -> None:
    fields = {"model": "accounts", "label": path, "path": path, "type": kind}
    _change(vitally, {"op": "create", "resource": "customFields", "fields": fields})


def update(vitally: Vitally, resource: str, record_id: str, fields: dict[str, Any]) -> None:
    """Change a record that is there."""
    change = {"op": "update", "resource": resource, "id": record_id, "fields": fields}
    _change(vitally, change)


def _change(vitally: Vitally, change: dict[str, Any]) -> None:
    requests.post(f"{vitally.url}/control/change", json=change, timeout=60).raise_for_status()
