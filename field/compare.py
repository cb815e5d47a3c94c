"""What a loader has made of a value: nothing, or one of the changes that have a name."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from field.messages import Key, Written, exact, kind
from field.programs import Row

EMPTY_TO_NULL: Final = "empty text becomes null"
NULL_TO_EMPTY: Final = "null becomes empty text"
LEFT_OUT: Final = "a value becomes null"
ZERO_TO_NULL: Final = "0 and false become null"
ESCAPED_CONTROLS: Final = "line breaks, tabs and other control characters become text such as `\\n`"
NULL_TEXT: Final = "the text `NULL` becomes null"
ESCAPED: Final = r"characters beyond ASCII become \uXXXX"
MILLISECONDS: Final = "milliseconds are cut"
MOMENT: Final = "a moment becomes another"
DAY: Final = "a day gets a time"
DOUBLE: Final = "numbers keep the digits of a double"
SINGLE: Final = "numbers lose digits"
PYTHON: Final = "objects and arrays become Python text in place of JSON"
UNQUOTED: Final = "text in single quotes loses them"
OTHER: Final = "other text"


@dataclass
class Found:
    """What is in a destination in place of what was written."""

    keys: int = 0
    missing: int = 0
    surplus: int = 0
    rows: int = 0
    changes: dict[str, set[str]] = field(default_factory=dict)
    """The columns in which a value was changed, by the name of the change."""

    @property
    def kept(self) -> str:
        """How many of the keys are there, in a word."""
        return "all" if not self.missing else "none" if self.missing == self.keys else "some"

    def as_data(self) -> Row:
        """Return what goes into the results: no number that the next run would not have."""
        return {
            "keys": self.kept,
            "rows": "one for each key" if self.rows <= self.keys else "one for each record",
            "changes": {name: min(columns) for name, columns in sorted(self.changes.items())},
        }


def compare(written: Written, loaded: dict[str, list[Row]]) -> Found:
    """Compare all records that a tap has written with the rows of a destination.

    Where a destination has several rows of a key, the last one counts.
    """
    found = Found()
    for stream, records in written.records.items():
        rows = loaded.get(stream, [])
        last: dict[Key, Row] = {written.key(stream, row): row for row in rows}
        found.keys += len(records)
        found.rows += len(rows)
        found.missing += len(records.keys() - last.keys())
        found.surplus += len(last.keys() - records.keys())
        for key in records.keys() & last.keys():
            for name, declared in written.schemas[stream].items():
                change = changed(kind(declared), records[key].get(name), last[key].get(name))
                if change:
                    found.changes.setdefault(change, set()).add(f"{stream}.{name}")
    return found


def changed(declared: str, before: Any, after: Any) -> str | None:  # noqa: PLR0911 - a table
    """Return the name of what has become of a value, None if it says the same."""
    if isinstance(before, str) and after == before:
        return None  # also where the declared type was another one when it was written
    if before is None:
        return None if after is None else NULL_TO_EMPTY if after == "" else OTHER
    if after is None or (after == "" and before != ""):
        return _gone(before)
    match declared:
        case "date-time":
            return _moment(before, after)
        case "date":
            return None if str(after) == before else DAY
        case "integer" | "number":
            return _number(before, after)
        case "boolean":
            return None if str(after).lower() in {str(before).lower(), str(int(before))} else OTHER
        case "object" | "array":
            return _structure(before, after)
    return None if str(after) == str(before) else _text(str(before), str(after))


def _gone(before: Any) -> str:
    if before is False or before == 0:
        return ZERO_TO_NULL
    return {"": EMPTY_TO_NULL, "NULL": NULL_TEXT}.get(str(before), LEFT_OUT)


def _moment(before: str, after: Any) -> str | None:
    wanted = dt.datetime.fromisoformat(before)
    try:
        found = after if isinstance(after, dt.datetime) else dt.datetime.fromisoformat(str(after))
    except ValueError:
        return OTHER
    if found.tzinfo is None:
        found = found.replace(tzinfo=dt.UTC)
    if found == wanted:
        return None
    return MILLISECONDS if found == wanted.replace(microsecond=0) else MOMENT


def _number(before: Any, after: Any) -> str | None:
    try:
        wanted, found = Decimal(str(before)), Decimal(str(after))
    except InvalidOperation:
        return OTHER
    if wanted == found:
        return None
    return DOUBLE if float(wanted) == float(found) else SINGLE


def _structure(before: Any, after: Any) -> str | None:
    if isinstance(after, str):
        try:
            after = exact(after)
        except json.JSONDecodeError:
            return PYTHON
    if _plain(after) == _plain(before):
        return None
    if _plain(after, digits=False) == _plain(before, digits=False):
        return DOUBLE
    return OTHER


def _plain(value: Any, *, digits: bool = True) -> Any:
    """Return a structure whose numbers can be compared, text of JSON decoded."""
    if isinstance(value, dict):
        return {name: _plain(one, digits=digits) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, digits=digits) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return Decimal(str(value)).normalize() if digits else float(value)


def _text(before: str, after: str) -> str:
    if after == re.sub(r"[\x00-\x1f]", lambda found: json.dumps(found[0])[1:-1], before):
        return ESCAPED_CONTROLS
    if after == before.encode("ascii", "backslashreplace").decode() or _unescaped(after) == before:
        return ESCAPED
    if f"'{after}'" == before:
        return UNQUOTED
    try:
        return PYTHON if _plain(ast.literal_eval(after)) == _plain(exact(before)) else OTHER
    except (ValueError, SyntaxError, MemoryError):  # the last is how it refuses what nests too deep
        return OTHER


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except json.JSONDecodeError:
        return text
