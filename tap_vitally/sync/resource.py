"""What a stream declares and a reader is given: a resource of the API, as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.settings import Settings
from vitally_api import rows_at
from vitally_api.resources import ACCOUNT_STATUS, ARCHIVED, ONE, Variants

Record = dict[str, Any]
Parse = Callable[[Any], list[Record]]
Moments = Mapping[str, datetime | None]
"""By name the start of the run (``now``), ``start_date``, and from when on records are wanted, the
``bookmark`` less the lookback."""


class Address(NamedTuple):
    """Where a list is: its path, its query, and what is injected into each of its records."""

    path: str
    query: Mapping[str, str]
    inject: Mapping[str, str]


class Variant(NamedTuple):
    """One of a stream's lists: its label in STATE and messages, its query, what records get of it."""

    label: str = ""
    query: Mapping[str, str] = {}
    inject: Mapping[str, str] = {}


@dataclass(frozen=True)
class Declared:
    """How the lists of a stream are asked for that an operator declares.

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


@dataclass(frozen=True)
class Resource:
    """A resource of the API, as a stream class declares it.

    ``path`` is below ``/resources`` and, as ``query``, may hold ``{property}`` for an injected
    property; ``records_jsonpath`` is where a page holds its records. ``sortable`` says whether the
    API lets the order be chosen, ``paginated`` whether it takes ``limit`` and ``from``,
    ``optional`` whether a workspace may answer anything at all for it, ``changes_unseen`` whether
    values of its records move without ``updatedAt``. ``parent`` is the resource
    whose records the lists are below, ``parent_ids`` where a row that becomes a parent has its id,
    ``parent_key`` the property that receives a parent's id, ``parents`` what they are called;
    ``only_changed`` says that a record changes only when its parent does. ``of`` is the resource of
    the whole workspace that holds the same records. ``keeps_parents`` says that a row that becomes a
    parent keeps all that is in it, ``snapshot`` that the API keeps no history, so that records are
    dated by when they were read; ``linked`` finds in an answer a record whose links the streams below
    parents may ask for. ``parse`` finds the rows in a body and
    ``shape`` makes a record of a row: pure functions beside the declaration that needs them.
    ``declared`` is how a stream is asked for that an operator declares.
    """

    name: str
    schema: Mapping[str, Any] = field(repr=False)
    path: str = ""
    primary_keys: tuple[str, ...] = ("id",)
    replication_key: str | None = "updatedAt"
    records_jsonpath: str = "$.results[*]"
    variants: Variants = ONE
    query: Mapping[str, str] = field(default_factory=dict)
    sortable: bool = True
    paginated: bool = True
    optional: bool = False
    changes_unseen: bool = False
    parent: Resource | None = None
    parent_key: str = ""
    parents: str = ""
    only_changed: bool = False
    of: Resource | None = None
    parent_ids: tuple[str, ...] = ("id",)
    keeps_parents: bool = False
    snapshot: bool = False
    linked: Callable[[Any], Any] | None = None
    parse: Parse | None = None
    shape: Callable[[Record], Record] | None = None
    declared: Declared | None = None

    @property
    def ordered(self) -> bool:
        """Return True if a list comes newest first, because that is asked for or declared."""
        return self.sortable or (self.declared is not None and self.declared.in_order)

    def rows(self, body: Any) -> list[Record]:
        """Return the rows of a page, even those that are no record; else raise `Unreadable`."""
        return self.parse(body) if self.parse else rows_at(body, self.records_jsonpath)

    def lists(self, settings: Settings) -> list[Variant]:
        """Return the lists that the settings ask for, in their order."""
        variants = self.variants
        if not variants.parameter:
            return [Variant(self.declared.version if self.declared else "")]
        values = variants.values
        if variants.parameter == ACCOUNT_STATUS.parameter:
            values = (settings.account_status,)
        elif variants.parameter == ARCHIVED.parameter and not settings.include_archived:
            values = values[:1]
        return [
            Variant(
                f"{variants.parameter}={value}",
                {variants.parameter: value},
                {variants.inject: value} if variants.inject else {},
            )
            for value in values
        ]
