"""Records, metadata and cursors in the answers of a declared stream, found by JSONPath."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from jsonpath_ng.ext.parser import parse
from jsonpath_ng.jsonpath import Child, Fields, Index, Root
from singer_sdk.helpers.jsonpath import extract_jsonpath

from vitally_api import Unreadable, as_cursor, safe_name

MOST_SUGGESTED = 10
DEEPEST = 8
"""The depth to which an answer is searched for arrays of objects."""
PLAIN = re.compile(r"(?!where\Z)[A-Za-z_]\w*", re.ASCII)
"""Names that a JSONPath may contain unquoted; ``where`` is a keyword there."""

Record = dict[str, Any]
parsed = cache(parse)


def records_in(body: Any, path: str, metadata: Mapping[str, str]) -> list[Any]:
    """Return the records at a path, each with the values at the ``metadata`` paths of the body.

    ``$`` reads an object as one record. Return an empty list for an empty list; raise `Unreadable`
    if nothing matches the path, with the paths that would match.
    """
    found = _find(body, path)
    if not found and not _is_empty(body, path):
        suggested = ", ".join(paths_in(body)) or "none"
        raise Unreadable(f"there is nothing at {path}; paths that would match: {suggested}")
    if _is_one_place(path):
        found = [row for each in found for row in (each if isinstance(each, list) else [each])]
        found = [] if found == [None] else found
    if not metadata:
        return found
    beside = {name: _value(body, where) for name, where in metadata.items()}
    return [{**row, **beside} if isinstance(row, dict) else row for row in found]


def _find(body: Any, path: str) -> list[Any]:
    try:
        return list(extract_jsonpath(path, body))
    except Exception:  # noqa: BLE001 - a filter fails with whatever its comparison raises
        raise Unreadable(
            f"{path} cannot be looked for in it: a filter or an order meets values of other types"
        ) from None


def _value(body: Any, path: str) -> Any:
    found = _find(body, path)
    return found if len(found) > 1 else next(iter(found), None)


def _is_one_place(path: str) -> bool:
    """Return True if a path ends at one value, which may be a list, and not at the items of a list."""
    last = getattr(parsed(path), "right", Root())
    return isinstance(last, Root | Index) or (isinstance(last, Fields) and "*" not in last.fields)


def _is_empty(body: Any, path: str) -> bool:
    """Return True if a path matches nothing because a list on it is empty, null or filtered out.

    The last value on the path that exists decides.
    """
    step = parsed(path)
    while isinstance(step, Child):
        values = [match.value for match in step.left.find(body)]
        if values:
            named = isinstance(step.right, Fields) and "*" not in step.right.fields
            in_list = [isinstance(value, list) and not (named and value) for value in values]
            null = [not value and not isinstance(step.left, Root) for value in values]
            return all(map(max, in_list, null))
        step = step.left
    return False


def paths_in(body: Any) -> list[str]:
    """Return the JSONPaths of all arrays of objects in an answer, with their lengths, and ``$``.

    An object whose values all have the same members counts as an array: its names are values, such as
    ids. The paths have names of properties, and no values.
    """
    arrays = sorted(_arrays([body], "$", DEEPEST), key=lambda found: found[0].count("*"))
    found = [f"{path} ({length:,})" for path, length in arrays[:MOST_SUGGESTED]]
    return [*found, *(["$"] if isinstance(body, dict) and body else [])]


def _arrays(values: Sequence[Any], path: str, depth: int) -> Iterator[tuple[str, int]]:
    objects = [value for value in values if isinstance(value, dict)]
    items = [item for value in values if isinstance(value, list) for item in value]
    step = "[*]"
    if objects and not items and all(map(_is_keyed, objects)):
        items, objects, step = [item for value in objects for item in value.values()], [], ".*"
    if not objects and any(isinstance(item, dict) for item in items):
        yield path + step, len(items)
    if not depth:
        return
    if items and not objects:
        yield from _arrays(items, path + step, depth - 1)
    for name in dict.fromkeys(name for value in objects for name in value):
        inner = [value[name] for value in objects if name in value]
        yield from _arrays(inner, path + _step(name), depth - 1)


def _is_keyed(value: Record) -> bool:
    """Return True for an object whose values are objects with the same members: its names are ids."""
    inner = list(value.values())
    if len(inner) < 2 or not all(isinstance(each, dict) and each for each in inner):  # noqa: PLR2004
        return False
    return all(each.keys() == inner[0].keys() for each in inner)


def _step(name: str) -> str:
    if PLAIN.fullmatch(name):
        return f".{name}"
    name = name if len(name) <= len(safe_name(name)) else f"{safe_name(name)}..."
    escaped = name.replace("\\", r"\\").replace("'", r"\'")
    return f"['{escaped}']"


def cursor_in(body: Any, path: str, param: str) -> str | None:
    """Return the cursor of the next page, at ``path`` in a body; None at the end of the list."""
    found = _find(body, path)
    if len(found) > 1:
        raise Unreadable(f"its next page, at {path}, is {len(found):,} values")
    ends = isinstance(body, dict) and body.get("atEnd") is True
    return as_cursor(None if ends or not found else found[0], param, f", at {path},")
