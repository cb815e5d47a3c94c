"""The tables that the tap makes itself: which ids exist, and what each run did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from typing_extensions import override

from tap_vitally.reading.declaration import Record
from tap_vitally.reading.page import Context, Page
from tap_vitally.reading.reader import Price, Reader, counted
from tap_vitally.replication.instants import format_instant
from tap_vitally.replication.passes import Pass
from vitally_api import Refused

ID_BYTES = 200
"""Memory that a record of an id takes, about."""


class OwnReader(Reader):
    """Reads nothing: the records are made of the run itself."""

    @override
    def check(self) -> str:
        return "ok: made by the tap"

    @override
    def price(self) -> Price:
        return Price(0, 0, "made by the tap")

    @override
    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        return iter(())


class InventoryReader(OwnReader):
    """Lists every id of the resources that the setting inventory_resources names."""

    @override
    def price(self) -> Price:
        resources = self.workspace.settings.inventory_resources
        found = [self.workspace.listing(name).count(Pass(None), every=True) for name in resources]
        pages, records, whole = (
            (sum(each) for each in zip(*found, strict=True)) if found else (0, 0, 0)
        )
        what = counted(
            records, whole == len(found), f"ids of {', '.join(resources) or 'nothing'}", Pass(None)
        )
        return Price(pages, pages if whole == len(found) else None, what)

    @override
    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        """Find one chain per resource."""
        self._counts: Counter[str] = Counter()
        if self.workspace.signpost is None:
            # Dated by another clock, what exists could look older than what was listed before.
            self.skip("all of it: the server does not tell its clock")
            return
        for resource in self.workspace.settings.inventory_resources:
            yield partial(self._list, resource)

    def _list(self, resource: str) -> Iterator[Page]:
        context = Context("", label=resource)
        seen = format_instant(self.workspace.started_at)
        try:

            def lacking() -> None:
                self.skip(f"{resource}: a record without its key")

            for ids in self.workspace.listing(resource).ids(self.workspace.signpost, lacking):
                rows = [{"resource": resource, "id": i, "seenAt": seen} for i in ids]
                yield Page(context, self.shaper.records(rows, context), weight=ID_BYTES * len(ids))
            yield Page(context, ends=True)
        except Refused as refusal:
            yield Page(context, failure=refusal)

    @override
    def unfinished(self, page: Page) -> dict[str, Any]:
        """Start again after an interruption: half a list proves nothing."""
        return {}

    @override
    def taken(self, page: Page) -> dict[str, Any]:
        """Count what has been written; only the end of a list proves that it was whole."""
        changes = super().taken(page)
        resource = page.context.label
        self._counts[resource] += len(page.records)
        if page.ends and self.workspace.signpost:
            self.workspace.inventoried.append(
                {
                    "resource": resource,
                    "startedAt": format_instant(self.workspace.signpost),
                    "finishedAt": format_instant(self.workspace.clock()),
                    "count": self._counts[resource],
                }
            )
        return changes


class InventoryRunsReader(OwnReader):
    """Tells which lists of ids were read to their end in this run."""

    @override
    def records_at_the_end(self) -> Iterator[Record]:
        yield from self.workspace.inventoried


class SyncRunsReader(OwnReader):
    """Tells what was done for each stream before this one, which is the last by its name."""

    @override
    def records_at_the_end(self) -> Iterator[Record]:
        started = format_instant(self.workspace.started_at)
        for reader in self.workspace.selected:
            if reader is not self:
                yield {"startedAt": started, "stream": reader.name, **reader.tally.as_record()}


class DefinitionsReader(Reader):
    """Takes the list that the streams below custom objects walk, read once for all of them."""

    whole_parents = True

    @override
    def pages(self, context: Context) -> Iterator[Page]:
        rows = [parent.record for parent in self.workspace.parents(self.name)]
        yield Page(context, self.shaper.records(rows, context), ends=True)
