"""The tables that the tap makes itself: which ids exist, and what each run did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, ClassVar

from typing_extensions import override

from tap_vitally.state.instants import format_instant
from tap_vitally.state.passes import Pass
from tap_vitally.sync.batches import ListRequest, RecordBatch
from tap_vitally.sync.list_client import count_pages
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_reader import Reader, RequestEstimate, counted
from vitally_api import Refused

ID_BYTES = 200
"""Memory that a record of an id takes, about."""


def is_short(count: int, before: int | None) -> bool:
    """Return True if a list of ids may have been cut: half of the last one is missing, or everything."""
    return count == 0 if before is None else 2 * count < before


class OwnReader(Reader):
    """Reads nothing: the records are made of the run itself."""

    @override
    def check(self) -> str:
        return "ok: made by the tap"

    @override
    def estimate(self) -> RequestEstimate:
        return RequestEstimate(0, 0, "made by the tap")

    @override
    def page_tasks(self) -> Iterator[Callable[[], Iterator[RecordBatch]]]:
        return iter(())


class InventoryReader(OwnReader):
    """Lists every id of the resources that the setting inventory_resources names."""

    @override
    def estimate(self) -> RequestEstimate:
        resources = self.workspace.settings.inventory_resources
        found = [
            count_pages(self.workspace.list_client(name), Pass(None), every=True)
            for name in resources
        ]
        pages, records, whole = (
            (sum(each) for each in zip(*found, strict=True)) if found else (0, 0, 0)
        )
        what = counted(
            records, whole == len(found), f"ids of {', '.join(resources) or 'nothing'}", Pass(None)
        )
        return RequestEstimate(pages, pages if whole == len(found) else None, what)

    @override
    def page_tasks(self) -> Iterator[Callable[[], Iterator[RecordBatch]]]:
        """Find one chain per resource."""
        if self.workspace.signpost is None:
            # Dated by another clock, what exists could look older than what was listed before.
            self.skip("all of it: the server does not tell its clock")
            return
        for resource in self.workspace.settings.inventory_resources:
            yield partial(self._list, resource)

    def _list(self, resource: str) -> Iterator[RecordBatch]:
        """List a resource once, and once more if the list is short: an answer may have been cut."""
        runs = self.workspace.readers.get(InventoryRunsReader.stream)
        before = runs.stream_state.counts.get(resource) if isinstance(runs, Reader) else None
        try:
            first = count = yield from self._pages(resource)
            if is_short(count, before):
                self.logger.warning(
                    "The list of ids of '%s' has %s%s: it is read a second time.",
                    resource,
                    f"{count:,}",
                    "" if before is None else f" where the last one had {before:,}",
                )
                count = max(first, (yield from self._pages(resource)))
        except Refused as refusal:
            yield RecordBatch(ListRequest("", label=resource), failure=refusal)
            return
        suspect = before is not None and is_short(count, before)
        if suspect:
            reported = f"{count:,} ids of {resource} where the last list had {before:,}: suspect"
            self.logger.warning("'%s': %s, so inventory_runs marks this run.", self.name, reported)
            self.metrics.remarks.append(reported)
        run = {"resource": resource, "count": count, "suspect": suspect, "countBefore": before}
        yield RecordBatch(ListRequest("", label=resource, inject=run), ends=True)

    def _pages(self, resource: str) -> Generator[RecordBatch, None, int]:
        """List the ids of a resource; return how many there are."""
        context = ListRequest("", label=resource)
        seen = format_instant(self.workspace.started_at)
        sizes: Counter[str] = Counter()
        digests: Counter[str] = Counter()

        def lacking() -> None:
            self.skip(f"{resource}: a record without its key")

        list_client = self.workspace.list_client(resource)
        for label, ids in list_client.ids(self.workspace.signpost, self.workspace.clock, lacking):
            rows = [{"resource": resource, "id": i, "seenAt": seen} for i in ids]
            if label is not None:
                sizes[label] += len(ids)
                digests[label] += sum(map(hash, ids))
            yield RecordBatch(
                context, self.mapper.records(rows, context), size_bytes=ID_BYTES * len(ids)
            )
        # Lists that are equal come of an API that does not know their parameter: they are one.
        return sum(size for size, _ in {(sizes[label], digests[label]) for label in sizes})

    @override
    def unfinished(self, page: RecordBatch) -> dict[str, Any]:
        """Start again after an interruption: half a list proves nothing."""
        return {}

    @override
    def taken(self, page: RecordBatch) -> dict[str, Any]:
        """Note the lists that were read to their end: only that proves that one was whole."""
        changes = super().taken(page)
        if page.ends and self.workspace.signpost:
            moments = {
                "startedAt": format_instant(self.workspace.signpost),
                "finishedAt": format_instant(self.workspace.clock()),
            }
            self.workspace.inventoried.append({**page.context.inject, **moments})
        return changes


class InventoryRunsReader(OwnReader):
    """Tells which lists of ids were read to their end in this run.

    STATE keeps how many ids each had, for the next run. It comes after the records, so that a run
    that is killed in between compares with the same list again.
    """

    stream: ClassVar[str] = "inventory_runs"

    @override
    def records_at_the_end(self) -> Iterator[Record]:
        yield from self.workspace.inventoried

    @override
    def finish(self) -> dict[str, Any]:
        entry, counts = super().finish(), dict(self.stream_state.counts)
        for run in self.workspace.inventoried:
            # A list that held something and holds nothing stays suspect in every run.
            if run["count"] or not run["suspect"]:
                counts[run["resource"]] = run["count"]
        return {**entry, **self.stream_state.written_for, "counts": counts} if counts else entry


class SyncRunsReader(OwnReader):
    """Tells what was done for each stream before this one, which is the last by its name."""

    @override
    def records_at_the_end(self) -> Iterator[Record]:
        started = format_instant(self.workspace.started_at)
        for reader in self.workspace.selected:
            if reader is not self:
                yield {"startedAt": started, "stream": reader.name, **reader.metrics.as_record()}


class DefinitionsReader(Reader):
    """Takes the list that the streams below custom objects walk, read once for all of them."""

    whole_parents = True

    @override
    def pages(self, context: ListRequest) -> Iterator[RecordBatch]:
        rows = [parent.record for parent in self.workspace.parents(self.name)]
        yield RecordBatch(context, self.mapper.records(rows, context), ends=True)
