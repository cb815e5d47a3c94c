"""Following ``next`` cursors through a Vitally list, as decisions on values.

Nothing here touches the network or the SDK. Source: API notes, "Pagination (list endpoints)".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tap_vitally.errors import Unreadable

MOST_EMPTY_PAGES = 1000
"""Pages without a row, one after the other, before the list is taken to have no end."""


class Cursors:
    """Walks one chain of pages from cursor to cursor.

    A page without rows is not the end of a list: only a missing, null or empty ``next``, or
    ``atEnd``, is.

    Attributes:
        current: The page to ask for; None for the first.
        finished: Whether there is no further page.
        endless: Whether the list seems to go on for ever, with nothing in it.
    """

    def __init__(self, first: str | None = None) -> None:
        """Start a chain.

        Args:
            first: Where to start: a cursor kept from an earlier run, or None for the first page.
        """
        self.current = first
        self.finished = False
        self.endless = False
        self._followed = {hash(first)}
        self._empty = 0

    def following(self, body: Any) -> str | None:
        """Find where the page that answered ``current`` points to.

        Args:
            body: The decoded page.

        Returns:
            The next page's cursor, or None at the end of the list.

        Raises:
            Unreadable: If the page points back into this chain, which would never end.
        """
        following = next_cursor(body)
        if following is not None and hash(following) in self._followed:
            msg = "its next page is one that was read before"
            raise Unreadable(msg)
        return following

    def advance(self, following: str | None, rows: int) -> None:
        """Go on to the next page.

        Args:
            following: What `following` found.
            rows: How many rows the page had.
        """
        self._empty = 0 if rows else self._empty + 1
        self.endless = self._empty >= MOST_EMPTY_PAGES
        self.finished = following is None
        self._followed.add(hash(following))
        self.current = following


def next_cursor(body: Any) -> str | None:
    """Find the cursor of the page after this one.

    Args:
        body: A decoded page. Bare arrays and objects without ``next`` are lists of one page.

    Returns:
        The value for ``from``, or None at the end of the list.

    Raises:
        Unreadable: If there is a next page, but no telling where.
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
