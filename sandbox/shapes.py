"""The same rows in other shapes: what an API may change from one day to the next."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sandbox.pages import ListPage, Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.table import Row

MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def _epoch(value: Any) -> Any:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return value
    since = datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _with_time(value: Any) -> Any:
    return f"{value}T14:30:00.000Z" if isinstance(value, str) and DAY.fullmatch(value) else value


RESHAPED: Final[Mapping[str, Callable[[Row, str], Row]]] = {
    "envelope": lambda row, _: row,
    "epochs": lambda row, _: {name: _epoch(value) for name, value in row.items()},
    "times_of_day": lambda row, _: {name: _with_time(value) for name, value in row.items()},
    "undeclared": lambda row, name: {**row, name: {"since": "2026-03-04", "score": 7}},
}
"""What becomes of a row, by the kind of fault."""


def reshaped(kind: str, name: str, answer: Plain | ListPage) -> Plain | ListPage:
    """Bring the rows of an answer into another shape, or the answer into another envelope."""
    row = RESHAPED[kind]
    if isinstance(answer, ListPage):
        if kind == "envelope":
            return replace(answer, key=name) if name else Plain(answer.rows)
        return replace(answer, rows=[row(each, name) for each in answer.rows])
    payload = answer.payload
    if kind == "envelope":
        return replace(answer, payload={name: payload}) if name else answer
    if isinstance(payload, list):
        return replace(answer, payload=[row(each, name) for each in payload])
    return replace(answer, payload=row(payload, name)) if isinstance(payload, dict) else answer
