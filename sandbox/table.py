"""One kind of row: the rows, what each of them is listed under, and the orders they come in."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = dict[str, Any]
"""A row as the API lists it. Rows are never changed in place: a change puts a new dict."""

Links: TypeAlias = tuple[str, ...]
"""What a row is listed under: ids of its parents, or a plain word such as an NPS target."""

NO_VALUE = "~"
"""Stands for a null sort value. It sorts above every timestamp, as PostgreSQL's DESC has it."""


class Key(NamedTuple):
    """Where a row stands in an order; the id makes it unambiguous among equal timestamps."""

    value: str
    id: str


class View(NamedTuple):
    """A choice of rows and their order."""

    sort: str
    """The field to order by."""
    link: str | None = None
    """Only rows listed under this."""
    where: tuple[str, bool] | None = None
    """Only rows in which this timestamp field is set (True) or null (False)."""


class Table:
    """Rows by id, with an index per view that is sorted once and kept until the next change."""

    def __init__(self) -> None:
        """Start without rows."""
        self.rows: dict[str, Row] = {}
        self.ids: list[str] = []
        self._links: dict[str, Links] = {}
        self._listed: dict[str, dict[str, None]] = {}
        self._orders: dict[View, list[Key]] = {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def put(self, key: str, row: Row, links: Links = ()) -> None:
        """Insert a row or replace the one with the same key."""
        if key not in self.rows:
            self.ids.append(key)
        if self._links.get(key) != links:
            self._unlist(key)
            self._links[key] = links
            for link in links:
                self._listed.setdefault(link, {})[key] = None
        self.rows[key] = row
        self._orders.clear()

    def drop(self, key: str) -> None:
        """Forget a row without a trace."""
        self._unlist(key)
        del self.rows[key], self._links[key]
        self.ids.remove(key)
        self._orders.clear()

    def links(self, key: str) -> Links:
        """Return what a row is listed under."""
        return self._links[key]

    def listed(self, link: str) -> list[str]:
        """Return the ids of the rows listed under a parent."""
        return list(self._listed.get(link, ()))

    def page(self, view: View, after: Key | None, limit: int) -> tuple[list[Key], bool]:
        """Return keys of a view downwards, below a key that may be gone, and True if more follow."""
        order = self._order(view)
        end = len(order) if after is None else bisect_left(order, after)
        start = max(0, end - limit)
        return order[start:end][::-1], start > 0

    def _order(self, view: View) -> list[Key]:
        order = self._orders.get(view)
        if order is None:
            keys = self.rows if view.link is None else self._listed.get(view.link, {})
            chosen = ((key, self.rows[key]) for key in keys)
            if view.where:
                field, is_set = view.where
                chosen = (pair for pair in chosen if (pair[1][field] is not None) is is_set)
            order = sorted(Key(row.get(view.sort) or NO_VALUE, key) for key, row in chosen)
            self._orders[view] = order
        return order

    def _unlist(self, key: str) -> None:
        for link in self._links.get(key, ()):
            del self._listed[link][key]
