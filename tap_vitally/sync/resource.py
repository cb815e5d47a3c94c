"""The declaration of a stream as a value: where its lists are, and how they are read."""

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
"""Times by name: ``now``, the start of the run; ``start_date``; ``bookmark``, less the lookback."""


class Address(NamedTuple):
    """The address of a list: path, query, and the values that are added to each of its records."""

    path: str
    query: Mapping[str, str]
    inject: Mapping[str, str]


class Variant(NamedTuple):
    """One of a stream's lists: its label in STATE and messages, query, and values added to records."""

    label: str = ""
    query: Mapping[str, str] = {}
    inject: Mapping[str, str] = {}


@dataclass(frozen=True)
class Declared:
    """How the lists of a stream in ``custom_streams`` are requested.

    ``addresses`` returns the lists of a parent, or of the workspace; messages show ``called`` in place of
    a path, which may hold an e-mail address. ``find_cursor`` returns the cursor in a body, which is sent
    as ``cursor_param``; ``headers`` are secret. ``in_order`` is True if lists come newest change first.
    ``version`` is a digest of the declaration, for which a bookmark is valid. ``parent_columns`` are the
    columns of a parent that addresses need.
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

    Requests: ``path`` is below ``/resources`` and, like ``query``, may contain ``{property}`` for an
    injected property; ``records_jsonpath`` is the place of the records in a page. ``sortable``: the API
    accepts ``sortBy``; ``paginated``: it accepts ``limit`` and ``from``; ``optional``: a workspace may
    refuse it in any way; ``changes_unseen``: values change without a new ``updatedAt``.

    Child streams: ``parent`` is the resource with the parents, ``parent_ids`` the members of a row with the
    parent's id, ``parent_key`` the property of a record that receives it, ``parents`` their name in
    messages. ``only_changed``: a record changes only when its parent does. ``of`` is the resource of the
    whole workspace with the same records. ``keeps_parents``: the whole row of a parent is kept.

    Records: ``snapshot``: the API has no history, and records get the time of the request. ``linked``
    returns a record in an answer whose links nested streams may need. ``parse`` returns the rows in a
    body, ``shape`` converts a row to a record. ``declared`` is set for streams in ``custom_streams``.
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
        """True if a list comes newest first, because that is requested or declared."""
        return self.sortable or (self.declared is not None and self.declared.in_order)

    def rows(self, body: Any) -> list[Record]:
        """Return the rows in a body, which may not all be objects; raise `Unreadable` if there is no list."""
        return self.parse(body) if self.parse else rows_at(body, self.records_jsonpath)

    def lists(self, settings: Settings) -> list[Variant]:
        """Return the lists that the settings select, in order."""
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
