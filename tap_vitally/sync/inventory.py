"""The streams whose records the tap generates: ids that exist, and what each run did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from typing_extensions import override

from tap_vitally.state.passes import Pass
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.contexts import TopLevel
from tap_vitally.sync.list_client import RequestEstimate
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_run import StreamRun
from tap_vitally.sync.workspace import Workspace
from vitally_api.values import as_moment, format_moment, identity_of, parse_moment

ID_BYTES = 70
"""JSON that the record of an id is worth, about."""
RUNS = "inventory_runs"


class Inventory(TopLevel):
    """The lists of ids of the resources that the setting inventory_resources names."""

    @override
    def requests(self) -> Iterator[ListRequest]:
        workspace = self.stream.workspace
        if workspace.signpost is None:
            # Dated by another clock, what exists could look older than what was listed before.
            self.stream.metrics.skip("all of it: the server does not tell its clock")
            return
        for resource in self.stream.settings.inventory_resources:
            yield ListRequest("", label=resource, inject={"resource": resource})

    @override
    def estimate(self) -> RequestEstimate:
        found = [
            self.stream.workspace.list_client(name).estimate(
                Pass(None), f"ids of {name}", every=True
            )
            for name in self.stream.settings.inventory_resources
        ]
        most = [each.most for each in found if each.most is not None]
        return RequestEstimate(
            sum(each.least for each in found),
            sum(most) if len(most) == len(found) else None,
            ", ".join(each.what for each in found) or "ids of nothing",
        )

    @override
    def place(self, page: Page) -> None:
        """Note a list that was read to its end, for inventory_runs."""
        workspace = self.stream.workspace
        if page.ends and workspace.signpost:
            moments = {
                "startedAt": format_moment(workspace.signpost),
                "finishedAt": format_moment(workspace.clock()),
            }
            workspace.inventoried.append({**page.request.inject, **moments})


def _is_short(count: int, before: int | None) -> bool:
    """Return True if a list of ids may have been cut: half of the last one is missing, or everything."""
    return count == 0 if before is None else 2 * count < before


def read_ids(stream: StreamRun, request: ListRequest, _start: datetime | None) -> Iterator[Page]:
    """Read the ids of a list, and once more if there are too few: an answer may have been cut."""
    resource = request.label
    runs = stream.workspace.readers.get(RUNS)
    before = runs.stream_state.counts.get(resource) if runs else None
    first, without_key = yield from _ids(stream, request)
    count = first
    if _is_short(count, before):
        stream.logger.warning(
            "The list of ids of '%s' has %s%s: it is read a second time.",
            resource,
            f"{count:,}",
            "" if before is None else f" where the last one had {before:,}",
        )
        second, without_key = yield from _ids(stream, request)
        count = max(first, second)
    if without_key:  # those of other runs would look deleted
        line = f"{without_key:,} of {resource} came without an id"
        stream.metrics.remark(line, ", so this list is not in inventory_runs")
        return
    suspect = before is not None and _is_short(count, before)
    if suspect:
        stream.metrics.remark(
            f"{count:,} ids of {resource} where the last list had {before:,}: suspect",
            ", so inventory_runs marks this run",
        )
    run = {"count": count, "suspect": suspect, "countBefore": before}
    yield Page(replace(request, inject={**request.inject, **run}))


def _ids(stream: StreamRun, request: ListRequest) -> Generator[Page, None, tuple[int, int]]:
    """Yield the ids of a resource; return how many records have one, and how many have none."""
    workspace, resource = stream.workspace, request.label
    seen = format_moment(workspace.started_at)
    sizes: Counter[str] = Counter()
    digests: Counter[str] = Counter()
    client = workspace.list_client(resource)
    lists = list(client.contexts(every=True))
    scans = [client.scan(each, "createdAt") for each in lists]
    if len(lists) > 1:
        # What moved from a list not yet read to one already read is at the front of that one.
        scans += [client.scan(each, "updatedAt", workspace.signpost) for each in lists]
    without_key = 0
    for number, pages in enumerate(scans):
        for page in pages:
            rows = [row for row in page.records if not _created_meanwhile(row, workspace)]
            ids = [each for row in rows if (each := identity_of(row.get("id")))]
            without_key += len(rows) - len(ids)
            for _ in range(len(rows) - len(ids)):
                stream.metrics.skip(f"{resource}: a record without its key")
            if number < len(lists):  # in a second look, an id may come again
                sizes[page.request.label] += len(ids)
                digests[page.request.label] += sum(map(hash, ids))
            found = [{"id": each, "seenAt": seen} for each in ids]
            yield stream.page(request, found, ID_BYTES * len(ids), ends=False)
    # Lists that are equal come of an API that does not know their parameter: they are one.
    count = sum(size for size, _ in {(sizes[label], digests[label]) for label in sizes})
    return count, without_key


def _created_meanwhile(row: Record, workspace: Workspace) -> bool:
    """Return True for a row that was created since the start of the run, and is left to the next one.

    A stream that was read before this list cannot have it, and it would look as if the warehouse
    had lost it. The server's clock is in seconds; a row dated far ahead is there all the same.
    """
    created, start = parse_moment(as_moment(row.get("createdAt"))), workspace.signpost
    return bool(created and start and start < created < workspace.clock() + timedelta(minutes=1))


class Generated(TopLevel):
    """A stream without a list: ``records`` generates the records, ``remember`` the entry in STATE."""

    def __init__(
        self,
        stream: StreamRun,
        records: Callable[[StreamRun], Iterable[Record]],
        remember: Callable[[StreamRun], dict[str, Any]] = lambda _: {},
    ) -> None:
        super().__init__(stream)
        self._records, self._remember = records, remember

    @override
    def estimate(self) -> RequestEstimate:
        return RequestEstimate(0, 0, "made by the tap")

    @override
    def records_at_the_end(self) -> Iterable[Record]:
        return self._records(self.stream)

    @override
    def finish(self) -> dict[str, Any]:
        return self._remember(self.stream)


def _counts(stream: StreamRun) -> dict[str, Any]:
    """Return the number of ids of each list, for STATE.

    It comes after the records, so that a run that is killed in between compares with the same list
    again.
    """
    state = stream.stream_state
    counts = dict(state.counts)
    for run in stream.workspace.inventoried:
        # A list that held something and holds nothing stays suspect in every run.
        if run["count"] or not run["suspect"]:
            counts[run["resource"]] = run["count"]
    return {**state.written_for, "counts": counts} if counts else {}


def _sync_runs(stream: StreamRun) -> Iterator[Record]:
    """Yield a record about each stream; this is the last stream by its name."""
    started = format_moment(stream.workspace.started_at)
    for each in stream.workspace.selected:
        if each is not stream:
            yield {"startedAt": started, "stream": each.name, **each.metrics.as_record()}


INVENTORY_RUNS = partial(
    Generated, records=lambda stream: stream.workspace.inventoried, remember=_counts
)
SYNC_RUNS = partial(Generated, records=_sync_runs)
