"""Records, metadata and cursors in the answers of a declared stream, found by JSONPath."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from singer_sdk.helpers.jsonpath import extract_jsonpath

from vitally_api import Unreadable

MOST_SUGGESTED = 5
DEEPEST = 4
"""Objects within each other that are looked through for arrays of objects."""

Record = dict[str, Any]


def records_in(body: Any, path: str, metadata: Mapping[str, str]) -> list[Any]:
    """Return the records at a path, each with what the metadata paths find outside of them.

    ``$`` takes an answer that is an object as one record. An empty list is an empty list;
    `Unreadable` is raised where there is nothing at that place, with the paths that would match.
    """
    found = list(extract_jsonpath(path, body))
    if len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    elif not found and not list(extract_jsonpath(path.removesuffix("[*]"), body)):
        suggested = ", ".join(paths_in(body)) or "none"
        msg = f"there is nothing at {path}; paths that would match: {suggested}"
        raise Unreadable(msg)
    if not metadata:
        return found
    beside = {name: _first(body, where) for name, where in metadata.items()}
    return [{**row, **beside} if isinstance(row, dict) else row for row in found]


def _first(body: Any, path: str) -> Any:
    return next(iter(extract_jsonpath(path, body)), None)


def paths_in(body: Any) -> list[str]:
    """Return the JSONPaths of the arrays of objects in an answer, with their lengths, and ``$``.

    Names of properties alone are in it, and no value.
    """
    found = [f"{path}[*] ({length:,})" for path, length in _arrays(body, "$", DEEPEST)]
    return [*found[:MOST_SUGGESTED], *(["$"] if isinstance(body, dict) and body else [])]


def _arrays(value: Any, path: str, depth: int) -> Iterator[tuple[str, int]]:
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, len(value)
    elif isinstance(value, dict) and depth:
        for name, inner in value.items():
            plain = name.isidentifier()
            yield from _arrays(inner, f"{path}.{name}" if plain else f"{path}['{name}']", depth - 1)


def cursor_in(body: Any, path: str, param: str) -> str | None:
    """Return what asks for the next page; None at the end of the list.

    Of an address only its own parameter is taken: an answer cannot send the key to another host.
    `Unreadable` is raised for what is neither text nor a whole number.
    """
    following = _first(body, path)
    if following is None or following is False or following == "":
        return None
    if isinstance(following, int) and not isinstance(following, bool):
        return str(following)
    if not isinstance(following, str):
        msg = f"its next page, at {path}, is neither text nor a number"
        raise Unreadable(msg)
    if following.startswith(("http://", "https://", "/", "?")):
        cursors = parse_qs(urlsplit(following).query).get(param, [])
        if not cursors:
            msg = f"its next page, at {path}, is an address without {param}"
            raise Unreadable(msg)
        return cursors[0]
    return following
