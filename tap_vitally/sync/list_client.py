"""Reads one resource's lists, page after page, on any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from tap_vitally.state.parent_scan import Parent, newest_first
from tap_vitally.state.passes import Pass, SortKey, Window
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, Page
from tap_vitally.sync.linked_ids import digest, organizations_of
from tap_vitally.sync.resource import Moments, Parse, Record, Resource, Variant
from tap_vitally.sync.settings import Settings
from tap_vitally.sync.summary import StreamMetrics
from vitally_api import (
    MOST_EMPTY_PAGES,
    Answer,
    CursorRefused,
    Cursors,
    Refused,
    Unreadable,
    Vitally,
)
from vitally_api.resources import Variants
from vitally_api.statuses import CURSOR_REFUSED, PARAMETER_REFUSED
from vitally_api.values import as_moment, format_moment, identity_of, parse_moment

PARENT_PATIENCE = 75.0
"""Seconds of failure for one parent before it is asked whether only this one fails; it is given
as much again after that, so that an outage of two minutes costs no parent."""
MOST_SECOND_LOOKS = 5
"""How often the front of a list is read again while it takes more than a page."""

MOST_COUNTED = 10
"""Pages of a list that are read to say what it will cost: a thousand records, which is most lists."""


class RequestEstimate(NamedTuple):
    """An estimate: at ``least`` and at ``most`` so many requests, None if unknown, and ``what`` they read."""

    least: int
    most: int | None
    what: str


class ListClient:
    """Reads the lists of a resource, and counts in ``metrics`` what that costs.

    ``fixed`` is injected into every record and path. ``reads_records`` says that the stream reads its
    records from its lists itself; ``moments`` returns what a declared stream may ask for a parent's
    lists by, ``kept`` are the columns that streams below need of a parent.
    """

    def __init__(
        self,
        resource: Resource,
        api: Vitally,
        settings: Settings,
        metrics: StreamMetrics,
        fixed: Mapping[str, str],
    ) -> None:
        self.resource, self.metrics = resource, metrics
        self.reads_records = False
        self.moments: Callable[[Parent | None], Moments] = lambda _: {}
        self.kept: frozenset[str] = frozenset()
        self._api, self._settings, self._fixed = api, settings, fixed
        self._respelled: set[str] = set()
        patience = min(api.policy.patience, PARENT_PATIENCE)
        self._parent_policy = replace(api.policy, patience=patience)

    @property
    def labels(self) -> list[str]:
        """The labels of the lists, in their order."""
        return [variant.label for variant in self.resource.lists(self._settings)]

    def contexts(
        self, parent: Parent | None = None, *, every: bool = False
    ) -> Iterator[ListRequest]:
        """Yield the lists of a parent, or of the workspace; ``every`` includes those left out by settings."""
        if declared := self.resource.declared:
            found = declared.addresses(parent, self.moments(parent))
            return (
                ListRequest(path, query, declared.version, inject, parent)
                for path, query, inject in found
            )
        settings = self._settings
        if every:
            settings = replace(settings, account_status="activeOrChurned", include_archived=True)
        return (self._context(variant, parent) for variant in self.resource.lists(settings))

    def _context(self, variant: Variant, parent: Parent | None) -> ListRequest:
        resource = self.resource
        of = {resource.parent_key: parent.id} if parent and resource.parent_key else {}
        inject = {**self._fixed, **of, **variant.inject}
        path = resource.path.format_map({k: quote(str(v), safe="") for k, v in inject.items()})
        own = {name: value.format_map(inject) for name, value in resource.query.items()}
        return ListRequest(path, {**variant.query, **own}, variant.label, inject, parent)

    def scan(
        self, context: ListRequest, sort_by: SortKey | None, start: datetime | None = None
    ) -> Iterator[Page]:
        """Yield the pages of a list, down to records before ``start``; None for all.

        ``sort_by`` is ignored if the API does not accept an order. Raise `CursorRefused` if a cursor is
        refused, and `Refused` or `Unreadable` for other answers.
        """
        resource, declared = self.resource, self.resource.declared
        cursors = Cursors(context.cursor, declared.find_cursor if declared else None)
        window = Window(start, resource.replication_key or "updatedAt", resource.ordered)
        query = dict(context.params)
        if resource.paginated:
            query.setdefault("limit", str(self._settings.page_size))
        if resource.sortable and sort_by:
            query["sortBy"] = sort_by

        def parse(body: Any) -> tuple[list[Record], str | None]:
            return resource.rows(body), cursors.following(body)

        ends = False
        while not ends:
            if cursors.current:
                query[declared.cursor_param if declared else "from"] = cursors.current
            try:
                answer = self._get_page(context, query, parse)
            except Refused as refusal:
                if refusal.status not in CURSOR_REFUSED or not cursors.current:
                    raise
                msg = f"{refusal} Nothing is lost: run again, and the list is read from its start."
                raise CursorRefused(msg, refusal.status) from None
            rows, following = answer.data
            cursors.advance(following, len(rows))
            records = [row for row in rows if isinstance(row, dict)]
            for _ in range(len(rows) - len(records)):
                self.metrics.skip("a row that is no record", context.label)
            if cursors.endless:
                raise Unreadable(
                    f"Vitally sent {MOST_EMPTY_PAGES:,} empty pages in a row, each pointing to "
                    f"another, at /resources{context.path}. If it goes on, tell Vitally's support."
                )
            kept = window.keep(records)
            ends = cursors.finished or window.finished
            size = MEMORY_FACTOR * answer.size
            yield Page(context, kept, size, following, window.newest, window.ordered, ends)

    def ask(
        self, context: ListRequest, parse: Parse | None = None, label: str | None = None
    ) -> Answer[list[Record]]:
        """Return the rows of a resource without pages; messages show ``label`` in place of the path."""
        return self._get(context, context.params, parse or self.resource.rows, label)

    def _get_page(self, context: ListRequest, query: Mapping[str, str], parse: Any) -> Answer[Any]:
        """Request a page; if a filter is refused, use its other spelling from then on."""
        variants = self.resource.variants
        value = query.get(variants.parameter, "")
        if value in self._respelled:
            return self._get(context, _respelled(variants, query), parse)
        try:
            return self._get(context, query, parse)
        except Refused as refusal:
            if value not in variants.spellings or refusal.status not in PARAMETER_REFUSED:
                raise
            try:
                answer = self._get(context, _respelled(variants, query), parse)
            except Refused:
                raise refusal from None
            self._respelled.add(value)
            return answer

    def _get(
        self, context: ListRequest, query: Mapping[str, str], parse: Any, label: str | None = None
    ) -> Answer[Any]:
        declared = self.resource.declared
        return self._api.get(
            context.path,
            query,
            parse,
            self.metrics,
            label=declared.called if declared else label,
            headers=declared.headers if declared else None,
            policy=self._parent_policy if context.parent else None,
        )

    def estimate(
        self,
        plan: Pass,
        called: str = "records",
        *,
        more: tuple[int, int] = (0, 0),
        every: bool = False,
    ) -> RequestEstimate:
        """Estimate the requests of a pass; each record takes at least and at most ``more`` requests.

        Read at most `MOST_COUNTED` pages of each list; ``every`` includes lists left out by settings.
        """
        pages = records = 0
        whole = True
        for request in self.contexts(every=every):
            for number, page in enumerate(self.scan(request, plan.sort_by, plan.start), 1):
                pages += 1
                records += len(page.records)
                if number == MOST_COUNTED and not page.ends:
                    whole = False
                    break
        since = f" changed since {format_moment(plan.start)}" if plan.start else ""
        what = f"{'' if whole else 'more than '}{records:,} {called}{since}"
        least, most = pages + more[0] * records, pages + more[1] * records
        return RequestEstimate(least, most if whole else None, what)

    # For others than the resource's own stream

    def rows(self, parent: Parent | None = None) -> Iterator[Record]:
        """Yield all rows of a parent's lists, or of the workspace's, as the API sent them."""
        for request in self.contexts(parent):
            for page in self.scan(replace(request, parent=None), None):
                yield from page.records

    def parents(self) -> Iterator[Parent]:
        """Yield all records as parents, the last created first."""
        order: SortKey | None = "createdAt" if self.resource.sortable else None
        yield from self.parents_changed_since(Pass(order), None)

    def parents_changed_since(self, plan: Pass, signpost: datetime | None) -> Iterator[Parent]:
        """Yield the records that changed since the start of a pass as parents, newest first.

        If the list had several pages, read changes since ``signpost`` again, as a record that changes
        meanwhile moves to the front; not if that is None.
        """
        variants = self.resource.lists(self._settings)
        for _ in range(1 + MOST_SECOND_LOOKS):
            requests = 0
            for variant in variants:
                for page in self.scan(self._context(variant, None), plan.sort_by, plan.start):
                    requests += 1
                    parents = filter(None, map(self._as_parent, page.records))
                    yield from newest_first(parents, plan.sort_by)
            if requests <= len(variants) or not signpost or plan.sort_by != "updatedAt":
                return
            plan = Pass("updatedAt", signpost)

    def _as_parent(self, row: Record) -> Parent | None:
        """Return a row as a parent, with what its lists need; None, counted as skipped, without an id.

        Records of a declared stream may have no id: then the columns that addresses need identify them.
        """
        own, declared = self.resource.parent_ids, self.resource.declared
        if declared:
            own = (*self.resource.primary_keys, *sorted(self.kept))
        found = filter(None, map(identity_of, map(row.get, own)))
        identity = next(found, "without a key" if declared else None)
        if identity is None:
            if not self.reads_records:
                self.metrics.skip("a record without its key")
            return None
        updated = as_moment(row.get("updatedAt"))
        created = parse_moment(as_moment(row.get("createdAt")))
        kept = row.keys() & self.kept
        record = row if self.resource.keeps_parents else {name: row[name] for name in kept}
        return Parent(identity, created, updated, organizations_of(row), digest(row), record)


def _respelled(variants: Variants, query: Mapping[str, str]) -> dict[str, str]:
    other = variants.spellings[query[variants.parameter]]
    rest = {name: each for name, each in query.items() if name != variants.parameter}
    return rest if other is None else {**rest, variants.parameter: other}
