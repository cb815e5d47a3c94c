"""One run of the tap: it begins, its streams are read in their order, it stops."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from tap_vitally.sync import lookups
from tap_vitally.sync.batches import RecordBatch
from tap_vitally.sync.prefetch import Prefetcher, run_sequentially
from tap_vitally.sync.settings import Settings
from tap_vitally.sync.stream_reader import StreamReader
from tap_vitally.sync.stream_run import StreamRun
from tap_vitally.sync.summary import StreamMetrics
from tap_vitally.sync.workspace import Workspace
from vitally_api import Budget, Endpoint, Policy, Vitally
from vitally_api.values import format_moment

logger = logging.getLogger("tap-vitally")


class Run:
    """Reads the selected streams of one workspace.

    ``current`` is the name of the stream that is being written.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a run is made of
        self,
        settings: Settings,
        endpoint: Endpoint,
        policy: Policy,
        ceiling: int | None,
        readers: Callable[[], Mapping[str, StreamReader]],
        entries: Callable[[], Iterable[tuple[StreamReader, Mapping[str, Any]]]],
        waiting: Callable[[], None] = lambda: None,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare a run; nothing is sent yet.

        ``readers`` finds those of all streams by name, ``entries`` those that are selected, in
        their order, each with its entry in STATE. ``begun`` is called once, when it is decided how
        each is read. ``waiting`` is called now and then while nothing comes, and may raise to end
        the run.
        """
        self.settings = settings
        self.budget = Budget(ceiling)
        self.api = Vitally(endpoint, self.budget, policy, settings.concurrency)
        self.workspace = Workspace(settings, self.api)
        self.current = ""
        self._readers = readers
        self._entries = entries
        self._waiting = waiting
        self._on_begun = begun
        self._begun = False
        self._ahead: Prefetcher[RecordBatch] | None = None

    def pages(
        self, reader: StreamReader, *, ahead: bool = True
    ) -> Generator[RecordBatch, None, None]:
        """Read a stream's pages in order; the selected streams are asked for in their order.

        Not ``ahead`` reads only what is asked for, one request after the other.
        """
        self._begin(ahead=ahead)
        self.current = reader.stream.name
        return self._ahead.items(self.current) if self._ahead else run_sequentially(reader.phases())

    def _begin(self, *, ahead: bool) -> None:
        if self._begun:
            return
        self._begun = True
        workspace = self.workspace
        workspace.readers = {name: each.stream for name, each in self._readers().items()}
        workspace.begin()
        if workspace.signpost is None:
            logger.warning(
                "The server does not tell its clock (no Date header), so bookmarks stay where "
                "they are. Check the proxy between here and %s.",
                self.api.endpoint.base_url,
            )
        selected = []
        for reader, entry in self._entries():
            reader.prepare(entry, workspace.signpost)
            selected.append(reader)
        workspace.selected.extend(reader.stream for reader in selected)
        if not self.settings.lookups:
            logger.info(
                "%s",
                start_message(self.api.endpoint.base_url, [reader.stream for reader in selected]),
            )
        start = self.settings.start_date
        if start and start > workspace.started_at:
            logger.warning(
                "start_date is %s, which has not come yet: nothing is read that has a moment of "
                "change.",
                format_moment(start),
            )
        for name in lookups.streams_of(self.settings.lookups) - {r.stream.name for r in selected}:
            logger.warning("lookups names records of '%s', which is not selected.", name)
        self._on_begun()
        if self.settings.concurrency > 1 and ahead:
            plan = {reader.stream.name: reader.phases() for reader in selected}
            waits = {reader.stream.name: reader.contexts.waits_for for reader in selected}
            self._ahead = Prefetcher(plan, self.settings.concurrency, self._waiting, waits=waits)

    def metrics_by_stream(self) -> dict[str, StreamMetrics]:
        """Collect the counts by stream, of all that were selected or asked for."""
        selected = {reader.stream.name for reader, _ in self._entries()}
        counts = {name: reader.stream.metrics for name, reader in self._readers().items()}
        return {name: each for name, each in counts.items() if name in selected or each.requests}

    def stop(self) -> None:
        """Send nothing more, and let the workers end."""
        self.budget.stop()
        if self._ahead:
            self._ahead.stop()


def start_message(address: str, streams: Iterable[StreamRun]) -> str:
    """Return what a run is about to read, in lines of at most 100 columns: where, what, since when."""
    whole: list[StreamRun] = []
    later: list[StreamRun] = []
    for stream in streams:
        (later if stream.plan.start else whole).append(stream)
    lines = [f"Reading {address}:"]
    if whole:
        lines += _wrapped("in full: " + ", ".join(stream.name for stream in whole))
    if later:
        earliest = format_moment(min(r.plan.start for r in later if r.plan.start))
        names = ", ".join(stream.name for stream in later)
        lines += _wrapped(f"changed since {earliest[:16].replace('T', ' ')} or later: {names}")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, 100, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )
