"""The state of one stream in one run, which its reader, contexts and source share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from tap_vitally.state.passes import FIRST_PASS
from tap_vitally.state.stream_state import StreamState
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, Page
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.record_mapper import RecordMapper
from tap_vitally.sync.resource import Record, Resource
from tap_vitally.sync.settings import Settings
from tap_vitally.sync.summary import StreamMetrics
from tap_vitally.sync.workspace import Workspace
from vitally_api import Answer
from vitally_api.values import format_moment


class StreamRun:
    """What one run knows of a stream.

    ``fixed`` is injected into every record; ``masked`` are properties that a catalog or a stream map
    names. ``key`` is the replication key, if it keeps a bookmark. ``stream_state`` is its past and
    ``plan`` how it is read; both are set before the first list is asked for. ``complete`` is False
    once the bookmark must stay where it is. ``note_rows`` is called with the rows of each page of a
    list, on any thread.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the seam knows of a stream
        self,
        resource: Resource,
        workspace: Workspace,
        name: str,
        schema: Mapping[str, Any],
        logger: logging.Logger,
        incremental: bool,  # noqa: FBT001
        fixed: Mapping[str, str],
        masked: Collection[str],
    ) -> None:
        self.resource, self.workspace, self.name = resource, workspace, name
        self.logger, self.incremental = logger, incremental
        self.key = resource.replication_key if incremental else None
        self.settings: Settings = workspace.settings
        self.metrics = StreamMetrics(name=name, logger=logger)
        self.list_client = ListClient(resource, workspace.api, self.settings, self.metrics, fixed)
        self._schema, self._masked = schema, masked
        self.stream_state = StreamState(None)
        self.plan = FIRST_PASS
        self.complete = True
        self.note_rows: Callable[[ListRequest, Sequence[Record]], None] = lambda _list, _rows: None

    @cached_property
    def mapper(self) -> RecordMapper:
        """The mapper of rows to records; built for the first row, as most streams of a run have none."""
        embedded = self.settings.embedded_objects
        return RecordMapper(self.resource, self._schema, embedded, self.metrics, self._masked)

    def page(self, request: ListRequest, rows: Iterable[Any], size: int = 0, **place: Any) -> Page:
        """Return a page with rows of a resource without pages; ``size`` is that of the JSON in bytes."""
        records = self.mapper.records(rows, request)
        return Page(request, records, MEMORY_FACTOR * size, **place)

    def dated(self, answer: Answer[list[Record]]) -> list[Record]:
        """Return the rows of an answer; add the time of the request to those of a snapshot."""
        if not self.resource.snapshot:
            return answer.data
        moment = format_moment(answer.date or self.workspace.clock())
        return [{"observedOn": moment[:10], "observedAt": moment, **row} for row in answer.data]
