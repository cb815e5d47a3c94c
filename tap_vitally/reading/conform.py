"""Making values fit the types a schema declares, so that typed tables can be loaded.

The API's types are known from observation, not from a contract, and sources disagree on some.
A value of another type than declared is converted where nothing is lost, and reported.
Nothing here touches the network or the SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from vitally_api import as_text

FITTING: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "date-time": (),
    "date": (),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "array": (),
    "object": (dict,),
}
"""The types that are let through unseen; the rest, all dates and all lists are looked at."""

LARGEST = 1 << 64
"""More than any count, and no more than a database's integer may hold."""


class Conformer:
    """Fits the records of one stream to its schema."""

    def __init__(self, schema: Mapping[str, Any], report: Callable[[str, str], None]) -> None:
        """Learn a JSON schema; ``report`` is called with a property and what was done to a value of it."""
        self._report = report
        self._kinds = {name: _kind(declared) for name, declared in schema["properties"].items()}
        self._fitting = {name: FITTING[kind] for name, kind in self._kinds.items()}
        self._of_text = {
            name
            for name, declared in schema["properties"].items()
            if "string" in declared.get("items", {}).get("type", ())
        }

    def fit(self, record: dict[str, Any]) -> None:
        """Change, in place, the values that do not fit; undeclared properties stay as they are."""
        fitting = self._fitting
        for name, value in record.items():
            if value is None or type(value) in fitting.get(name, ()):
                continue
            kind = self._kinds.get(name)
            if kind is None:
                self._report(name, "is not in the schema: passed on as it is")
            elif kind == "array" and type(value) is list:
                if not self._items_fit(name, value):
                    record[name] = self._items(name, value)
            elif not _is_moment(kind, value):
                record[name] = self._converted(name, kind, value)

    def _items_fit(self, name: str, items: list[Any]) -> bool:
        wanted = str if name in self._of_text else dict
        return {wanted}.issuperset(map(type, items))

    def _items(self, name: str, items: list[Any]) -> list[Any]:
        self._report(name, "held list items of another type: converted")
        make = as_text if name in self._of_text else _wrapped
        return [make(item) for item in items if item is not None]

    def _converted(self, name: str, kind: str, value: Any) -> Any:
        converted = CONVERTERS[kind](value)
        told = type(value).__name__
        if converted is None:
            self._report(name, f"held a {told} that is no {kind}: made null")
            return None
        self._report(name, f"held a {told} in place of a {kind}: converted")
        return self._items(name, converted) if kind == "array" else converted


def _kind(declared: Mapping[str, Any]) -> str:
    if declared.get("format") in {"date-time", "date"}:
        return str(declared["format"])
    types = declared["type"]
    return next(t for t in ([types] if isinstance(types, str) else types) if t != "null")


def _is_moment(kind: str, value: Any) -> bool:
    if kind not in {"date-time", "date"} or type(value) is not str:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _wrapped(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def _number(value: Any) -> int | Decimal | None:
    try:
        return Decimal(value) if isinstance(value, str) and Decimal(value).is_finite() else None
    except InvalidOperation:
        return None


def _integer(value: Any) -> int | None:
    number: int | Decimal | None = value if isinstance(value, Decimal) else _number(value)
    if number is None or not -LARGEST < number < LARGEST or number != int(number):
        return None
    return int(number)


def _boolean(value: Any) -> bool | None:
    return {"true": True, "false": False, 1: True, 0: False}.get(value)


CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "string": as_text,
    "date-time": lambda _: None,
    "date": lambda _: None,
    "integer": _integer,
    "number": _number,
    "boolean": lambda value: _boolean(value) if isinstance(value, str | int) else None,
    "array": lambda value: [value],
    "object": _wrapped,
}
