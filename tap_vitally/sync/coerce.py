"""Making values fit the types a schema declares, so that typed tables can be loaded.

The API's types are known from observation, not from a contract, and sources disagree on some.
A value of another type than declared is converted where nothing is lost, which is logged; what cannot
be converted is made null, logged and counted. The schema in force decides, also one of an older catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any

from vitally_api import as_text
from vitally_api.values import (
    LARGEST,
    SMALLEST,
    InvalidValue,
    all_canonical,
    as_day,
    as_moment,
    boolean_of,
    has_time_of_day,
    number_of,
    whole_number_of,
)

FITTING: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, Decimal, float),
    "boolean": (bool,),
    "object": (dict,),
}
"""The types that are let through unseen; moments, whole numbers and lists are looked at.

A float is the tap's own, in what it says of a run: numbers of the API keep their digits."""
COLUMN = "additionalProperties"
"""The column that holds, by name, what the API sends and the schema does not declare."""
WHOLE: Mapping[str | None, type] = {"date-time": str, "integer": int, "array": list}
"""Kinds whose columns can be checked as a whole, with the type that they come in."""

Report = Callable[[str, str], None]


class Coercer:
    """Fits the records of one stream to its schema.

    ``report`` is called with a property and what was done to a value of it, ``lost`` with a
    property when a value of it was made null, ``day`` with one that holds days and whether a time of
    day was cut off. ``blank`` is a record that holds nothing, in the order of the schema.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a schema, and where to report
        self,
        schema: Mapping[str, Any],
        report: Report,
        lost: Callable[[str], None],
        known: Collection[str] = (),
        masked: Collection[str] = (),
        day: Callable[[str, bool], None] = lambda name, cut: None,  # noqa: ARG005
    ) -> None:
        """Learn the JSON schema in force.

        ``known`` are the properties that the stream declares itself, which an older catalog may
        lack; ``masked`` those that a catalog or a stream map names, so that none slips through.
        """
        self._report, self._lost, self._day = report, lost, day
        self._known, self._masked = known, masked
        declared = schema.get("properties") or {}
        self.blank: Mapping[str, Any] = dict.fromkeys(declared)
        kinds = {name: _kind(how) for name, how in declared.items()}
        self._choices = {n: _types(how) for n, how in declared.items() if len(_types(how)) > 1}
        self._checked = [
            (name, kind, itemgetter(name), {type(None), *FITTING.get(kind or "", ())})
            for name, kind in kinds.items()
            if kind or name in self._choices
        ]
        self._holds = {n: _kind(how.get("items")) for n, how in declared.items()}
        self._fitting_items = {
            n: None if kind is None else frozenset(FITTING.get(kind, ()))
            for n, kind in self._holds.items()
        }

    def coerce(self, records: Sequence[dict[str, Any]]) -> None:
        """Change, in place, the values of a page that do not fit; its records were made of `blank`.

        What is not declared moves, together, into one column. A column in which all fits is seen as a
        whole, in an eighth of the time that its values would take one by one.
        """
        for record in records:
            if len(record) > len(self.blank) or record.get(COLUMN) is not None:
                self._gather(record)
        for name, kind, get, fitting in self._checked:
            values = list(map(get, records))
            if fitting.issuperset(map(type, values)):
                continue
            if kind not in WHOLE or not self._all_fit(name, kind, values):
                for record, value in zip(records, values, strict=True):
                    if value is not None and type(value) not in fitting:
                        record[name] = self._fit(name, kind, value)

    def _all_fit(self, name: str, kind: str | None, values: Iterable[Any]) -> bool:
        """Return True if all moments, whole numbers or lists of a column are as they should be."""
        found = [value for value in values if value is not None]
        if not {WHOLE[kind]}.issuperset(map(type, found)):
            return False
        if kind == "date-time":
            return all_canonical(found)
        if kind == "integer":
            return bool(min(found) >= SMALLEST and max(found) <= LARGEST)
        return self._items_fit(name, chain.from_iterable(found))

    def _fit(self, name: str, kind: str | None, value: Any) -> Any:
        if kind is None:
            return self._chosen(name, value)
        if kind in WHOLE and self._all_fit(name, kind, [value]):
            return value
        return self._coerced(name, kind, value)

    def _gather(self, record: dict[str, Any]) -> None:
        """Move what the schema does not declare into its column, unless somebody keeps it back."""
        own = record.get(COLUMN)
        names = [name for name in record if name not in self.blank]
        found = {name: record.pop(name) for name in names}
        if own is not None:
            found[COLUMN] = own
        kept = {n: value for n, value in found.items() if value is not None and self._keeps(n)}
        if COLUMN in self.blank:
            record[COLUMN] = kept or None

    def _keeps(self, name: str) -> bool:
        if name in self._known and name not in self.blank:
            self._report(name, "is not in the catalog: left out. Make a new one with --discover")
        elif name in self._masked:
            self._report(name, "is not in the schema, and masked by name: left out")
        elif COLUMN in self.blank:
            self._report(name, f"is not in the schema: kept in {COLUMN}")
            return True
        else:
            self._report(name, f"is not in the schema, nor is {COLUMN} selected: left out")
        return False

    def _coerced(self, name: str, kind: str, value: Any) -> Any:
        if kind == "array" and type(value) is list:
            return self._items(name, value)
        converted = CONVERTERS[kind](value)
        if kind == "date" and converted:
            self._day(name, cut := has_time_of_day(value))
            if cut:
                self._report(name, "held a time of day in place of a day: cut to the day")
        if converted is None:
            self._report(name, f"held a {type(value).__name__} that is no {kind}: made null")
            self._lost(name)
            return None
        if kind in SPELLED and isinstance(value, str):
            # Another spelling of the same is no other type, and not worth a word.
            return value if converted == value else converted
        self._report(name, f"held a {type(value).__name__} in place of a {kind}: converted")
        return self._items(name, converted) if kind == "array" else converted

    def _chosen(self, name: str, value: Any) -> Any:
        """Fit a value to one of several types, which only a catalog gives a property."""
        kinds = self._choices[name]
        if any(_is_of(kind, value) for kind in kinds):
            return value
        # Everything can be made text, so that comes last.
        for kind in sorted(kinds, key="string".__eq__):
            converted = CONVERTERS[kind](value)
            if converted is not None:
                self._report(name, f"held a {type(value).__name__} in place of a {kind}: converted")
                return converted
        self._report(name, f"held a {type(value).__name__} of no type it may have: made null")
        self._lost(name)
        return None

    def _items_fit(self, name: str, items: Iterable[Any]) -> bool:
        wanted = self._fitting_items[name]
        return wanted is None or wanted.issuperset(map(type, items))

    def _items(self, name: str, items: list[Any]) -> list[Any]:
        if self._items_fit(name, items):
            return items
        self._report(name, "held list items of another type: converted")
        kind = self._holds[name] or ""
        found = []
        for item in items:
            converted = (
                item if _is_of(kind, item) else None if item is None else CONVERTERS[kind](item)
            )
            if converted is not None:
                found.append(converted)
            elif item is not None:
                self._lost(name)
        return found


def _types(declared: Any) -> list[str]:
    """Find the types that a property may have; none where a catalog leaves it open."""
    if not isinstance(declared, Mapping):
        return []
    choices = [how for name in ("anyOf", "oneOf") for how in declared.get(name) or ()]
    found = declared.get("type") or [kind for how in choices for kind in _types(how)]
    found = [found] if isinstance(found, str) else found
    return [kind for kind in dict.fromkeys(found) if kind in CONVERTERS and kind not in SPELLED]


def _kind(declared: Any) -> str | None:
    """Find the type of a property, as far as it is one; None where a catalog leaves it open."""
    kinds = _types(declared)
    if len(kinds) != 1:
        return None
    if kinds[0] == "string" and declared.get("format") in SPELLED:
        return str(declared["format"])
    return kinds[0]


def _is_of(kind: str, value: Any) -> bool:
    """Return True if a value has a type; a true is no number here, and a whole number is limited."""
    if kind == "integer":
        return type(value) is int and SMALLEST <= value <= LARGEST
    return type(value) in FITTING.get(kind, (list,) if kind == "array" else ())


def _wrapped(value: Any) -> dict[str, Any]:
    if value == []:  # how some languages write an object without members
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _none_if_invalid(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converter(value: Any) -> Any:
        try:
            return read(value)
        except InvalidValue:
            return None

    return converter


def _integer(value: Any) -> int | None:
    number = whole_number_of(value)
    return number if SMALLEST <= number <= LARGEST else None


SPELLED = ("date-time", "date")
CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "string": as_text,
    "date-time": as_moment,
    "date": as_day,
    "integer": _none_if_invalid(_integer),
    "number": _none_if_invalid(number_of),
    "boolean": _none_if_invalid(boolean_of),
    "array": lambda value: [value],
    "object": _wrapped,
}
