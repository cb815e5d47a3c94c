"""Follow the cursors of a list, and find the rows in the body of an answer.

Nothing here touches the network. Source: API notes, "Pagination (list endpoints)".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from vitally_api.errors import Unreadable

MOST_EMPTY_PAGES = 1000
"""Pages without a row, one after the other, before the list is taken to have no end."""
LIST = "$.results[*]"
ENVELOPES = ("results", "data", "items", "records", "result", "record", "item")
"""Members that may hold a list or a record, in answers seen or in other APIs."""
CURSORS = ("next", "nextCursor", "next_cursor", "nextPageToken", "nextPage", "next_page")
AROUND = ("pagination", "paging", "meta", "links", "page", *ENVELOPES)
"""Objects in which a cursor may stand, if it does not stand beside the list."""
NOT_BESIDE_LISTS = frozenset({"id", "error", "errors", "message", "statusCode"})
"""Members that a record or an error has, and an envelope of a list has not."""

OF_RECORDS = frozenset({"id", "createdAt", "updatedAt", "meetingId"})
"""Members that a record has, and an envelope of records has not."""

Row = dict[str, Any]


class Cursors:
    """Follows the cursors of one list from page to page.

    A page without rows is not the end of a list: only a missing, null or empty ``next``, or
    ``atEnd``, is. ``current`` is the page to ask for, None for the first; ``finished`` says that
    there is no further page; ``endless`` that the list seems to go on for ever with nothing in it.
    """

    def __init__(
        self, first: str | None = None, find: Callable[[Any], str | None] | None = None
    ) -> None:
        """Begin at ``first``, None for the first page; ``find`` returns the next cursor in a body."""
        self.current = first
        self._find = find or next_cursor
        self.finished = self.endless = False
        # Those of a list of a million records take 2 MB.
        self._seen = {first}
        self._empty = 0

    def following(self, body: Any) -> str | None:
        """Return the cursor in a body, None at the end; raise `Unreadable` if it was used before."""
        following = self._find(body)
        if following is not None and following in self._seen:
            raise Unreadable("its next page is one that was read before")
        return following

    def advance(self, following: str | None, rows: int) -> None:
        """Go on to the page at the cursor ``following``, after a page with ``rows`` rows."""
        self._empty = 0 if rows else self._empty + 1
        self.endless = self._empty >= MOST_EMPTY_PAGES
        self.finished = following is None
        self._seen.add(following)
        self.current = following


def next_cursor(body: Any) -> str | None:
    """Return the value of ``from`` for the page after this one; None at the end of the list.

    Bare arrays and objects without ``next`` are lists of one page. `Unreadable` is raised if there
    is a next page, but no cursor to it.
    """
    if not isinstance(body, dict):
        return None
    places = [body, *(inner for name in AROUND if isinstance(inner := body.get(name), dict))]
    if any(place.get("atEnd") is True for place in places):
        return None
    following = next((found for place in places for n in CURSORS if (found := place.get(n))), None)
    if not following:
        if any(place.get("hasMore") is True or place.get("has_more") is True for place in places):
            raise Unreadable("it says that there is more, and not where")
        return None
    return as_cursor(following)


def as_cursor(following: Any, param: str = "from", where: str = "") -> str | None:
    """Return a cursor from text, a whole number, or the parameter ``param`` of an address.

    Return None for null, false and empty text, which end a list; raise `Unreadable` for anything else,
    with ``where`` in the message. The rest of an address is ignored: an answer must not be able to send
    the key to another host.
    """
    if isinstance(following, int | float | Decimal) and following is not True:
        if following == int(following):
            return str(int(following)) if following else None
    elif isinstance(following, str):
        text = following.strip()
        query = text.partition("?")[2].partition("#")[0]
        if cursors := parse_qs(query).get(param):
            return cursors[0]
        # A cursor may begin with a slash, which is one of the signs of Base64.
        if text.startswith(("http://", "https://")) or (query and text.startswith(("/", "?"))):
            raise Unreadable(f"its next page{where} is an address without {param}")
        return following if text else None
    elif not following:
        return None
    raise Unreadable(f"its next page{where} is neither text nor a whole number")


def rows_at(body: Any, path: str) -> list[Any]:
    """Return the list at a path such as ``$.results[*]``, or in another known envelope.

    Or else the only list of objects in a body that is not a record, such as ``accounts``. The items are
    not checked. Raise `Unreadable` if there is no list.
    """
    found = body
    for name in path.removeprefix("$").removesuffix("[*]").strip(".").split("."):
        if name:
            found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list) and path in OPEN_PATHS:
        found = _in_envelope(body)
    if isinstance(found, list):
        return found
    raise Unreadable(f"there is no list at {path.removesuffix('[*]')}")


OPEN_PATHS = (LIST, "$.data[*]", "$[*]")
"""Paths of lists that may also come in another envelope."""


def _in_envelope(body: Any, depth: int = 2) -> list[Any] | None:
    if isinstance(body, list) or not isinstance(body, dict) or not depth:
        return body if isinstance(body, list) else None
    for name in ENVELOPES:
        if isinstance(body.get(name), list | dict):
            return _in_envelope(body[name], depth - 1)
    lists = [value for value in body.values() if isinstance(value, list)]
    alone = len(lists) == 1 and not body.keys() & NOT_BESIDE_LISTS
    return lists[0] if alone and all(isinstance(row, dict) for row in lists[0]) else None


def objects_at(body: Any, path: str) -> list[Row]:
    """Return the list at a path; raise `Unreadable` if there is none, or if an item is not an object."""
    found = rows_at(body, path)
    if not all(isinstance(row, dict) for row in found):
        raise Unreadable(
            f"the list at {path.removesuffix('[*]')} holds something else than records"
        )
    return found


def single(body: Any) -> list[Any]:
    """Return the records in the answer to a request for one record, or for a few.

    The answer is an object or an array of objects, perhaps in an envelope such as ``data`` or the name
    of the record; null and empty objects have no records. Other items of an array are returned as they
    are. Raise `Unreadable` for anything else.
    """
    if isinstance(body, dict):
        inner = _enveloped(body)
        if inner is not None:
            return single(inner)
        if body.get("error"):
            raise Unreadable("an error in place of data")
        return [body] if body else []
    if body is None:
        return []
    if isinstance(body, list) and (not body or any(isinstance(row, dict) for row in body)):
        return [row for row in body if row != {}]
    raise Unreadable("the answer is no record")


def _enveloped(body: Row) -> Any:
    """Return the record or records inside an envelope; None if the object is a record itself."""
    if body.keys() & OF_RECORDS:
        # A record may have a property of such a name, but what is in an envelope has an id.
        found = (body.get(name) for name in ("data", "results"))
        return next((inner for inner in found if _has_id(inner)), None)
    for name in ENVELOPES:
        if isinstance(body.get(name), dict | list):
            return body[name]
    inner = [value for value in body.values() if _has_id(value)]
    return inner[0] if len(inner) == 1 and not body.get("error") else None


def _has_id(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and "id" in first
