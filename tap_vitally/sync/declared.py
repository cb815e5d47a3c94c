"""What a reader is given of a stream that an operator declares, beside what every stream has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tap_vitally.state.parent_scan import Parent

Moments = Mapping[str, datetime | None]
"""By name the start of the run (``now``), ``start_date``, and from when on records are wanted, the
``bookmark`` less the lookback."""


class Address(NamedTuple):
    """Where a list is: its path, its query, and what is injected into each of its records."""

    path: str
    query: Mapping[str, str]
    inject: Mapping[str, str]


@dataclass(frozen=True)
class Declared:
    """How the lists of a declared stream are asked for.

    ``addresses`` finds the lists of a parent, or of the workspace; ``called`` is what messages call
    them, since a path may name a person. ``find_cursor`` finds the next page in a body, and
    ``cursor_param`` asks for it; ``headers`` are secrets. ``in_order`` says that a list comes newest
    change first. ``version`` is a digest of the declaration: a bookmark stands for that alone.
    ``parent_columns`` are what has to be kept of each parent.
    """

    addresses: Callable[[Parent | None, Moments], Iterable[Address]]
    called: str
    find_cursor: Callable[[Any], str | None]
    cursor_param: str
    headers: Mapping[str, str] = field(repr=False)
    in_order: bool
    version: str
    parent_columns: frozenset[str] = frozenset()

    @property
    def moves(self) -> bool:
        """Return True if an address holds more of a parent than its id, which never changes."""
        return not self.parent_columns <= {"id"}
