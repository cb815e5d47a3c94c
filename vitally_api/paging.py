"""Following ``next`` cursors through a Vitally list, and finding the rows in a body.

Nothing here touches the network. Source: API notes, "Pagination (list endpoints)".
"""

from __future__ import annotations

from collections import deque
from typing import Any
from urllib.parse import parse_qs, urlsplit

from vitally_api.errors import Unreadable

MOST_EMPTY_PAGES = 1000
"""Pages without a row, one after the other, before the list is taken to have no end."""
REMEMBERED = 100
"""Cursors that a list may not come back to at once. A longer loop is found by a marker, which is set
at pages 1, 2, 4, 8 and so on: all cursors of a million records would take 2 MB."""
ENVELOPES = ("$.results[*]", "$.data[*]", "$[*]")
"""Where lists have been seen."""

Row = dict[str, Any]


class Cursors:
    """Walks one chain of pages from cursor to cursor.

    A page without rows is not the end of a list: only a missing, null or empty ``next``, or
    ``atEnd``, is. ``current`` is the page to ask for, None for the first; ``finished`` says that
    there is no further page; ``endless`` that the list seems to go on for ever with nothing in it.
    """

    def __init__(self, first: str | None = None) -> None:
        self.current = first
        self.finished = False
        self.endless = False
        self._recent = deque([first], REMEMBERED)
        self._marker: str | None = None
        self._pages = 0
        self._empty = 0

    def following(self, body: Any) -> str | None:
        """Find where the page that answered ``current`` points to; None at the end of the list.

        `Unreadable` is raised for a page that points back into this chain, which would never end.
        """
        following = next_cursor(body)
        if following is not None and (following == self._marker or following in self._recent):
            msg = "its next page is one that was read before"
            raise Unreadable(msg)
        return following

    def advance(self, following: str | None, rows: int) -> None:
        """Go on to the next page, which `following` found, after one with so many rows."""
        self._empty = 0 if rows else self._empty + 1
        self.endless = self._empty >= MOST_EMPTY_PAGES
        self.finished = following is None
        self._recent.append(following)
        self._pages += 1
        if self._pages.bit_count() == 1:
            self._marker = following
        self.current = following


def next_cursor(body: Any) -> str | None:
    """Find the value of ``from`` for the page after this one; None at the end of the list.

    Bare arrays and objects without ``next`` are lists of one page. `Unreadable` is raised if there
    is a next page, but no telling where.
    """
    if not isinstance(body, dict) or body.get("atEnd") is True:
        return None
    following = body.get("next")
    if not following:
        return None
    if isinstance(following, int):
        return str(following)
    if not isinstance(following, str):
        msg = "its next page is named by something else than text"
        raise Unreadable(msg)
    if following.startswith(("http://", "https://")):
        return _cursor_in(following)
    return following


def _cursor_in(address: str) -> str:
    """Take only the cursor of an address, which one client has met as ``next``.

    The rest is not followed: an answer must not be able to send the key to another host.
    """
    try:
        cursors = parse_qs(urlsplit(address).query).get("from", [])
    except ValueError:
        cursors = []
    if not cursors:
        msg = "its next page is an address without a cursor"
        raise Unreadable(msg)
    return cursors[0]


def rows_at(body: Any, path: str) -> list[Any]:
    """Find the list at a path such as ``$.results[*]``, or in another envelope that lists come in.

    The items are as they came, whatever they are. `Unreadable` is raised where there is no list.
    """
    for place in (path, *(ENVELOPES if path in ENVELOPES else ())):
        found = body
        for name in place.removeprefix("$").removesuffix("[*]").strip(".").split("."):
            if name:
                found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, list):
            return found
    msg = f"there is no list at {path.removesuffix('[*]')}"
    raise Unreadable(msg)


def objects_at(body: Any, path: str) -> list[Row]:
    """Find the rows at a path; `Unreadable` is raised also where one of them is no object."""
    found = rows_at(body, path)
    if not all(isinstance(row, dict) for row in found):
        msg = f"the list at {path.removesuffix('[*]')} holds something else than records"
        raise Unreadable(msg)
    return found


def single(body: Any) -> list[Any]:
    """Find the records in an answer that is one record or a few, in any of the shapes seen.

    That is an object, an array of objects, either of them under ``data`` or ``results``, or null;
    there are none in null and in empty objects. What stands beside records in an array is as it came.
    `Unreadable` is raised for anything else.
    """
    if isinstance(body, dict):
        for envelope in ("data", "results"):
            if isinstance(body.get(envelope), dict | list):
                return single(body[envelope])
        if body.get("error"):
            msg = "an error in place of data"
            raise Unreadable(msg)
        return [body] if body else []
    if body is None:
        return []
    if isinstance(body, list) and (not body or any(isinstance(row, dict) for row in body)):
        return [row for row in body if row != {}]
    msg = "the answer is no record"
    raise Unreadable(msg)
