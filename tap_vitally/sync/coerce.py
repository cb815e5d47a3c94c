"""Convert values to the types in the schema, so that typed tables can be loaded.

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

from tap_vitally.sync.summary import StreamMetrics
from vitally_api import as_text
from vitally_api.values import (
    LARGEST,
    SMALLEST,
    InvalidValue,
    as_day,
    as_moment,
    boolean_of,
    canonical_moments,
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
WHOLE: Mapping[str, type] = {"date-time": str, "integer": int, "array": list}
"""Kinds whose columns can be checked as a whole, with the type that they come in."""


class Coercer:
    """Converts the records of one stream for the schema in use, and counts changes in ``metrics``.

    ``known`` are the properties that the stream declares itself, which an older catalog may lack;
    ``masked`` those that a catalog or a stream map names, so that none slips through; ``traits`` the
    columns whose values stand in `traits` as well. ``blank`` is a record that holds nothing, in the
    order of the schema.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        metrics: StreamMetrics,
        known: Collection[str] = (),
        masked: Collection[str] = (),
        traits: Collection[str] = (),
    ) -> None:
        self._metrics, self._traits = metrics, traits
        self._known, self._masked = known, masked
        declared = schema.get("properties") or {}
        self.blank: Mapping[str, Any] = dict.fromkeys(declared)
        kinds = {name: _kinds(how) for name, how in declared.items()}
        self._checked = [
            (name, each, itemgetter(name), {type(None), *_fitting(each)})
            for name, each in kinds.items()
            if each
        ]
        self._items_of = {name: _kinds(how.get("items")) for name, how in declared.items()}

    def coerce(self, records: Sequence[dict[str, Any]]) -> None:
        """Change, in place, the values of a page that do not fit; its records were made of `blank`.

        What is not declared moves, together, into one column. A column in which all fits is seen as a
        whole, in an eighth of the time that its values would take one by one.
        """
        for record in records:
            if len(record) > len(self.blank) or record.get(COLUMN) is not None:
                self._gather(record)
        for name, kinds, get, fitting in self._checked:
            values = list(map(get, records))
            if fitting.issuperset(map(type, values)) or self._all_fit(name, kinds, values):
                continue
            for record, value in zip(records, values, strict=True):
                if value is not None and type(value) not in fitting:
                    record[name] = self._fit(name, kinds, value)

    def _all_fit(self, name: str, kinds: Sequence[str], values: Iterable[Any]) -> bool:
        held = WHOLE.get(kinds[0]) if len(kinds) == 1 else None
        found = [value for value in values if value is not None]
        if held is None or not {held}.issuperset(map(type, found)):
            return False
        if held is str:
            return canonical_moments(found) is not None
        if held is int:
            return bool(min(found) >= SMALLEST and max(found) <= LARGEST)
        items = self._items_of[name]
        return len(items) != 1 or _fitting(items).issuperset(map(type, chain.from_iterable(found)))

    def _gather(self, record: dict[str, Any]) -> None:
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
            self._metrics.report(
                name, "is not in the catalog: left out. Make a new one with --discover"
            )
        elif name in self._masked:
            self._metrics.report(name, "is not in the schema, and masked by name: left out")
        elif COLUMN in self.blank:
            self._metrics.report(name, f"is not in the schema: kept in {COLUMN}")
            return True
        else:
            self._metrics.report(name, f"is not in the schema, nor is {COLUMN} selected: left out")
        return False

    def _fit(self, name: str, kinds: Sequence[str], value: Any) -> Any:
        """Convert a value to the first type that it fits; return None if it fits none."""
        if len(kinds) > 1 and any(_is_of(kind, value) for kind in kinds):
            return value
        if kinds[0] == "array" and type(value) is list:
            return self._items(name, value)
        found = ((kind, CONVERTERS[kind](value)) for kind in kinds)
        kind, converted = next((each for each in found if each[1] is not None), ("", None))
        held = f"held a {type(value).__name__}"
        if converted is None:
            self._metrics.report(name, f"{held} that is no {' or '.join(kinds)}: made null")
            self._metrics.make_null(name, trait=name in self._traits)
            return None
        if kind == "date":
            cut = has_time_of_day(value)
            self._metrics.note_day(name, cut)
            if cut:
                self._metrics.report(name, "held a time of day in place of a day: cut to the day")
        # Another spelling of the same moment is no other type, and not worth a word.
        same = kind in SPELLED and isinstance(value, str)
        if not same and type(converted) is not type(value):
            self._metrics.report(name, f"{held} in place of a {kind}: converted")
        return self._items(name, converted) if kinds == ["array"] else converted

    def _items(self, name: str, items: list[Any]) -> list[Any]:
        kinds = self._items_of[name]
        if len(kinds) != 1 or all(_is_of(kinds[0], item) for item in items):
            return items
        self._metrics.report(name, "held list items of another type: converted")
        present = [item for item in items if item is not None]
        made = [item if _is_of(kinds[0], item) else CONVERTERS[kinds[0]](item) for item in present]
        for _ in range(made.count(None)):
            self._metrics.make_null(name, trait=name in self._traits)
        return [item for item in made if item is not None]


def _types(declared: Any) -> list[str]:
    if not isinstance(declared, Mapping):
        return []
    choices = [how for name in ("anyOf", "oneOf") for how in declared.get(name) or ()]
    found = declared.get("type") or [kind for how in choices for kind in _types(how)]
    found = [found] if isinstance(found, str) else found
    return [kind for kind in dict.fromkeys(found) if kind in CONVERTERS and kind not in SPELLED]


def _kinds(declared: Any) -> list[str]:
    """Return what a property may hold, text last, since all can be made text.

    It is one kind for nearly all; a catalog may give several, or leave it open.
    """
    kinds = sorted(_types(declared), key="string".__eq__)
    return (
        [declared["format"]] if kinds == ["string"] and declared.get("format") in SPELLED else kinds
    )


def _fitting(kinds: Sequence[str]) -> set[type]:
    """Return the types that need no conversion; empty if a property allows several kinds."""
    return set(FITTING.get(kinds[0], ())) if len(kinds) == 1 else set()


def _is_of(kind: str, value: Any) -> bool:
    """Return True if a value has this type; booleans are no numbers, and integers have 64 bits."""
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
