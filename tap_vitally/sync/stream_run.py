"""One stream in one run: what its reader, its contexts and its source share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tap_vitally.state.parent_scan import Parent
from tap_vitally.state.passes import FIRST_PASS
from tap_vitally.state.stream_state import StreamState
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, RecordBatch
from tap_vitally.sync.declared import Moments
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

    ``stream_state`` is its past and ``plan`` how it is read; both are set before the first list is
    asked for. ``complete`` is False once the bookmark must stay where it is. ``note_rows`` is called
    with the rows of each page of a list, on any thread; ``start_for`` decides from when on the
    records of a list are wanted.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the seam knows of a stream
        self,
        resource: Resource,
        workspace: Workspace,
        name: str,
        schema: Mapping[str, Any],
        logger: logging.Logger,
        incremental: bool,  # noqa: FBT001
        fixed: Mapping[str, str] | None = None,
        masked: Collection[str] = (),
    ) -> None:
        """Prepare to read a stream; its ``name`` may differ from the resource's.

        ``fixed`` is injected into every record; ``masked`` are properties that a catalog or a
        stream map names.
        """
        self.resource, self.workspace, self.name = resource, workspace, name
        self.logger, self.incremental = logger, incremental
        self.list_client = ListClient(
            resource, workspace.api, workspace.settings, skip=self.skip, fixed=fixed
        )
        self.mapper = RecordMapper(
            resource,
            schema,
            workspace.settings.embedded_objects,
            logger,
            self.skip,
            self.metrics,
            masked,
        )
        self.list_client.moments = self._moments
        self.stream_state = StreamState(None)
        self.plan = FIRST_PASS
        self.complete = True
        self.note_rows: Callable[[ListRequest, Sequence[Record]], None] = lambda _list, _rows: None
        self.start_for: Callable[[ListRequest], datetime | None] = lambda _: None
        self._warned: set[tuple[str, str]] = set()

    @property
    def metrics(self) -> StreamMetrics:
        """The stream's counts."""
        return self.list_client.metrics

    def _moments(self, parent: Parent | None) -> Moments:
        """Return what the lists of a parent are asked for by, in a declared stream.

        ``bookmark`` is where this parent's records start: all of them are wanted of one that could not
        be read before, and a server that cuts its lists off must not hide the rest.
        """
        request = ListRequest("", label=self.list_client.labels[0], parent=parent)
        start, since = self.settings.start_date, self.start_for(request)
        return {"now": self.workspace.started_at, "start_date": start, "bookmark": since}

    @property
    def settings(self) -> Settings:
        """The operator's settings."""
        return self.workspace.settings

    @property
    def key(self) -> str | None:
        """The replication key, if the stream keeps a bookmark."""
        return self.resource.replication_key if self.incremental else None

    def batch(  # noqa: PLR0913 - see `RecordBatch`
        self,
        request: ListRequest,
        rows: Iterable[Any],
        size: int = 0,
        *,
        cursor: str | None = None,
        newest: datetime | None = None,
        ends: bool = True,
        again: bool = False,
    ) -> RecordBatch:
        """Make records of rows as the API sent them, in ``size`` bytes of JSON."""
        records = self.mapper.records(rows, request)
        return RecordBatch(request, records, MEMORY_FACTOR * size, cursor, newest, ends, again)

    def dated(self, answer: Answer[list[Record]]) -> list[Record]:
        """Return the rows of an answer, those of a snapshot with the moment at which it was taken."""
        if not self.resource.snapshot:
            return answer.data
        moment = format_moment(answer.date or self.workspace.clock())
        return [{"observedOn": moment[:10], "observedAt": moment, **row} for row in answer.data]

    def skip(self, reason: str, request: ListRequest | None = None) -> None:
        """Leave something out, and log once what and why."""
        where = f" ({request.label})" if request and request.label else ""
        if self.metrics.leave_out(f"{reason}{where}") and self.is_first("skip", reason):
            self.logger.warning("Skipped in '%s'%s: %s", self.name, where, reason)

    def is_first(self, kind: str, about: str) -> bool:
        """Return True if nothing was logged yet of this kind about this."""
        first = (kind, about) not in self._warned
        self._warned.add((kind, about))
        return first
