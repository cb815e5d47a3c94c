"""Bodies in odd but plausible shapes, for lists that no stream of the tap is made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from sandbox.pages import ListPage, Plain
from sandbox.table import Row

Rows = list[Row]


def _first_key(row: Row) -> str:
    return next(iter(row))


def _mixed(rows: Rows) -> Rows:
    """Let numbers and booleans of every second row be text."""

    def other(value: Any) -> Any:
        return value if isinstance(value, str | dict) else str(value)

    return [
        {name: other(value) for name, value in row.items()} if place % 2 else row
        for place, row in enumerate(rows)
    ]


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(inner) for name, inner in value.items()}
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


ROWS: Final[Mapping[str, Callable[[Rows], list[Any]]]] = {
    "without_key": lambda rows: [
        {name: value for name, value in row.items() if name != _first_key(row)} for row in rows
    ],
    "null_key": lambda rows: [{**row, _first_key(row): None} for row in rows],
    "mixed_types": _mixed,
    "numbers_as_text": lambda rows: [_as_text(row) for row in rows],
    "null_rows": lambda rows: [None, *rows, None],
    "no_objects": lambda rows: [list(row.values()) for row in rows],
    "empty": lambda _: [],
}
"""What becomes of the rows, in the body that the endpoint has."""

NEXT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "next_url": lambda after: after and f"https://example.com/elsewhere?x=1&from={quote(after)}",
    "next_empty": lambda after: after or "",
    "next_zero": lambda after: after or 0,
    "next_false": lambda after: after or False,
    "next_object": lambda after: {"cursor": after},
    "next_list": lambda after: [after],
}
"""What becomes of the cursor, in the body that the endpoint has."""

BODIES: Final[Mapping[str, Callable[[Rows, Any], Any]]] = {
    "bare": lambda rows, _: rows,
    "data": lambda rows, after: {"data": rows, "next": after},
    "items": lambda rows, after: {"items": rows, "total": len(rows), "next": after},
    "nested": lambda rows, after: {"response": {"result": {"rows": rows}}, "next": after},
    "groups": lambda rows, _: {"groups": [{"rows": [row]} for row in rows]},
    "by_key": lambda rows, after: {"results": {r[_first_key(r)]: r for r in rows}, "next": after},
    "single": lambda rows, _: rows[0] if rows else {},
    "null_list": lambda _rows, _after: {"results": None, "next": None},
    "null": lambda _rows, _after: None,
    "columns": lambda rows, _: {
        "columns": list(rows[0]) if rows else [],
        "rows": [list(row.values()) for row in rows],
    },
    "number": lambda rows, _: len(rows),
}
"""Whole bodies, whatever the endpoint has."""

SHAPES: Final = (*ROWS, *NEXT, "no_metadata", *BODIES)
"""The names of all shapes."""


def odd_body(shape: str, page: ListPage) -> Plain | ListPage:
    """Bring a page of an endpoint without a stream into a shape; other lists stay as they are."""
    if page.body is None:
        return page
    if shape in ROWS:
        return replace(page, rows=ROWS[shape](page.rows))
    if shape in NEXT:
        body = page.body
        return replace(page, body=lambda rows, after: body(rows, NEXT[shape](after)))
    if shape == "no_metadata":
        return Plain(_without_metadata(page.body(page.rows, page.next), page.rows, page.next))
    if shape in BODIES:
        return Plain(BODIES[shape](page.rows, page.next))
    msg = f"unknown shape: {shape} (there are {', '.join(SHAPES)})"
    raise ValueError(msg)


def _without_metadata(body: Any, rows: Rows, after: Any) -> Any:
    """Keep of a body what leads to its rows and to the next page."""
    if not isinstance(body, dict):
        return body if body is rows or body == after else None
    kept = {name: _without_metadata(inner, rows, after) for name, inner in body.items()}
    return {name: inner for name, inner in kept.items() if inner or inner is rows}
