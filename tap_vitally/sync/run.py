"""One run of the tap: begin, read the streams in order, stop."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from tap_vitally.sync import lookups
from tap_vitally.sync.batches import Page
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

    ``readers`` finds those of all streams by name, ``entries`` those that are selected, in their
    order, each with its entry in STATE. ``begun`` is called once, when it is decided how each is
    read. ``waiting`` is called now and then while nothing comes, and may raise to end the run.
    ``current`` is the name of the stream that is being written.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a run is made of
        self,
        settings: Settings,
        endpoint: Endpoint,
        policy: Policy,
        readers: Callable[[], Mapping[str, StreamReader]],
        entries: Callable[[], Iterable[tuple[StreamReader, Mapping[str, Any]]]],
        waiting: Callable[[], None],
        begun: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.budget = Budget(settings.max_requests_per_minute)
        self.api = Vitally(endpoint, self.budget, policy, settings.concurrency)
        self.workspace = Workspace(settings, self.api)
        self.current = ""
        self._readers, self._entries = readers, entries
        self._waiting, self._on_begun = waiting, begun
        self._begun = False
        self._ahead: Prefetcher | None = None

    def pages(self, reader: StreamReader, *, ahead: bool = True) -> Generator[Page, None, None]:
        """Yield a stream's pages in order; call it for the selected streams in their order.

        Without ``ahead``, nothing is fetched before it is needed, and requests are sent one by one.
        """
        if not self._begun:
            self._begun = True
            self._begin(ahead=ahead and self.settings.concurrency > 1)
        self.current = reader.stream.name
        return self._ahead.items(self.current) if self._ahead else run_sequentially(reader.phases())

    def begin(self) -> None:
        """Send the first request, which checks the key and returns the server's clock."""
        readers = self._readers()
        self.workspace.readers = {name: each.stream for name, each in readers.items()}
        self.workspace.begin()

    def _begin(self, *, ahead: bool) -> None:
        self.begin()
        workspace = self.workspace
        selected = []
        for reader, entry in self._entries():
            reader.prepare(entry, workspace.signpost)
            selected.append(reader)
        workspace.selected.extend(reader.stream for reader in selected)
        self._tell_beginning([reader.stream for reader in selected])
        self._on_begun()
        if ahead:
            plan = {reader.stream.name: reader.phases() for reader in selected}
            waits = {reader.stream.name: reader.contexts.waits_for for reader in selected}
            self._ahead = Prefetcher(plan, self.settings.concurrency, self._waiting, waits)

    def _tell_beginning(self, streams: list[StreamRun]) -> None:
        address, start = self.api.endpoint.base_url, self.settings.start_date
        if self.workspace.signpost is None:
            logger.warning(
                "The server does not tell its clock (no Date header), so bookmarks stay where "
                "they are. Check the proxy between here and %s.",
                address,
            )
        if not self.settings.lookups:
            logger.info("%s", start_message(address, streams))
        if start and start > self.workspace.started_at:
            logger.warning(
                "start_date is %s, which has not come yet: nothing is read that has a moment of "
                "change.",
                format_moment(start),
            )
        named = lookups.streams_of(self.settings.lookups)
        for name in sorted(named - {each.name for each in streams}):
            logger.warning("lookups names records of '%s', which is not selected.", name)

    def metrics_by_stream(self) -> dict[str, StreamMetrics]:
        """The counts of all streams that were selected or requested, by name."""
        selected = {reader.stream.name for reader, _ in self._entries()}
        counts = {name: reader.stream.metrics for name, reader in self._readers().items()}
        return {name: each for name, each in counts.items() if name in selected or each.requests}

    def stop(self) -> None:
        """Send no more requests, and end the worker threads."""
        self.budget.stop()
        if self._ahead:
            self._ahead.stop()


def start_message(address: str, streams: Iterable[StreamRun]) -> str:
    """Return the first log message: address, streams and their starts, in lines of 100 columns."""
    whole: list[str] = []
    later: list[StreamRun] = []
    for stream in streams:
        if stream.plan.start:
            later.append(stream)
        else:
            whole.append(stream.name)
    texts = ["in full: " + ", ".join(whole)] if whole else []
    if later:
        earliest = format_moment(min(each.plan.start for each in later if each.plan.start))
        since = earliest[:16].replace("T", " ")
        names = ", ".join(each.name for each in later)
        texts.append(f"changed since {since} or later: {names}")
    wrapped = [
        textwrap.fill(
            each, 100, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )
        for each in texts
    ]
    return "\n".join([f"Reading {address}:", *wrapped])
