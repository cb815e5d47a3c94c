"""Read the records of one list request: page by page, or as one answer.

A source is a function that runs on any thread. It is given the stream, the request, and the moment
from which on records are wanted, None for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from tap_vitally.state.passes import Window
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.list_client import MOST_SECOND_LOOKS
from tap_vitally.sync.resource import Record
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import CursorRefused, Unavailable, Unreadable
from vitally_api.values import parse_moment

Source = Callable[[StreamRun, ListRequest, datetime | None], Iterator[Page]]


def read_list(stream: StreamRun, request: ListRequest, start: datetime | None) -> Iterator[Page]:
    """Read a list; begin at its start if the API refuses the cursor of an earlier run."""
    began = False
    try:
        for page in _pages(stream, request, start):
            began = True
            yield _as_records(stream, page)
    except (CursorRefused, Unavailable, Unreadable) as failure:
        if not isinstance(failure, CursorRefused) and (began or not request.cursor):
            raise
        stream.logger.warning(
            "%s is read again from its start: Vitally no longer takes the cursor.", request.path
        )
        for page in _pages(stream, replace(request, cursor=None), start):
            yield _as_records(stream, page)


def _as_records(stream: StreamRun, page: Page) -> Page:
    stream.note_rows(page.request, page.records)
    return replace(page, records=stream.mapper.records(page.records, page.request))


def _pages(stream: StreamRun, request: ListRequest, start: datetime | None) -> Iterator[Page]:
    """Read the pages of a list; pass changed rows, perhaps from an earlier start, to nested streams."""
    sort_by = "updatedAt" if request.since else stream.plan.sort_by
    changes = None
    if not (request.parent or request.cursor):
        changes = stream.workspace.changes.get(stream.name)
    reach = changes.reach(start) if changes else start
    own = Window(start, stream.resource.replication_key or "updatedAt")
    for page in stream.list_client.scan(request, sort_by, reach):
        if changes:
            changes.note(page)
        _count(stream, page)
        yield page if reach == start else replace(page, records=own.keep(page.records))


def _count(stream: StreamRun, page: Page) -> None:
    if not page.ordered and stream.plan.sort_by == "updatedAt":
        stream.metrics.warn_once(
            f"order of {page.request.label}",
            f"{page.request.path} is not in the order of updatedAt: it is read to its end, so that "
            "no change is missed.",
        )
        stream.metrics.add(out_of_order=page.ends)
    stream.metrics.add(stopped_early=page.ends and page.cursor is not None)


def look_again(stream: StreamRun, request: ListRequest, start: datetime | None) -> Iterator[Page]:
    """Read the front of a list until one page shows all that has changed since ``start``.

    A record that changes while its list is paged moves to the front, and one that is archived moves
    to another list. Either way it now stands before everything changed earlier.
    """
    for _ in range(MOST_SECOND_LOOKS):
        newest = []
        for page in stream.list_client.scan(request, "updatedAt", start):
            newest.append(page.newest)
            yield replace(_as_records(stream, page), ends=False, again=True)
        if len(newest) == 1:
            break
        # What changes from now on comes before the first row of this look.
        start = newest[0] or start


def read_detail(stream: StreamRun, request: ListRequest, _start: datetime | None) -> Iterator[Page]:
    """Read the records of one parent, which come in one answer and have the parent's time of change."""
    resource = stream.resource

    def rows_in(body: Any) -> list[Record]:
        rows = resource.rows(body)
        if resource.linked:
            stream.workspace.remember_linked_ids(request.path, resource.linked(body))
        return rows

    answer = stream.list_client.ask(request, rows_in)
    newest = parse_moment(request.parent.updated_at) if request.parent else None
    yield stream.page(request, stream.dated(answer), answer.size, newest=newest)


def read_parents(
    stream: StreamRun, request: ListRequest, _start: datetime | None
) -> Iterator[Page]:
    """Use the list of parents, which is read once for all child streams, as the records."""
    yield stream.page(request, [parent.record for parent in stream.workspace.parents(stream.name)])
