"""One run of the tap: what its streams share while they are read."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tap_vitally import lookups
from tap_vitally.api import VitallyApi
from tap_vitally.errors import Refused, TapFailure, Unreadable
from tap_vitally.rate_limit import RateBudget
from tap_vitally.readahead import Chain, ReadAhead, in_turn
from tap_vitally.report import Progress, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from tap_vitally.client import VitallyStream
    from tap_vitally.contexts import Page, Parent
    from tap_vitally.settings import Settings

T = TypeVar("T")

logger = logging.getLogger("tap-vitally")


class Run:
    """The connection, the budget, the server's clock and the parents of one run.

    Attributes:
        settings: The operator's settings.
        api: The connection.
        signpost: The server's clock before the first record was asked for.
        started_at: The same; this machine's clock if the server tells none.
        inventoried: The lists of ids that came to their end, as records of `inventory_runs`.
    """

    def __init__(
        self,
        settings: Settings,
        user_agent: str,
        streams: Callable[[], Mapping[str, VitallyStream]],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare a run; nothing is sent yet.

        Args:
            settings: The operator's settings.
            user_agent: How to introduce ourselves.
            streams: Finds all streams by name; those selected are read, in their order.
            alive: Called now and then while waiting; may raise to end the run.
        """
        self.settings = settings
        self.budget = RateBudget(settings.max_requests_per_minute)
        self.api = VitallyApi(settings, self.budget, user_agent)
        self.signpost: datetime | None = None
        self.started_at = datetime.now(UTC)
        self.inventoried: list[dict[str, Any]] = []
        self.tally = Tally()
        self._progress = Progress(logger.info, self.budget.left)
        self._current = ""
        self._streams = streams
        self._alive = alive
        self._begun = False
        self._ahead: ReadAhead[Page] | None = None
        self._parents: dict[str, SharedList[Parent]] = {}

    def pages(self, stream: VitallyStream) -> Generator[Page, None, None]:
        """Read a stream.

        Args:
            stream: One of the run's streams; they are read in their order.

        Returns:
            Its pages, in order.
        """
        self._begin()
        return self._ahead.items(stream.name) if self._ahead else in_turn(self._chains(stream))

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        self.signpost = self.probe()
        self.started_at = self.signpost or datetime.now(UTC)
        self._began = time.monotonic()
        if self.signpost is None:
            logger.warning(
                "The server does not tell its clock (no Date header), so bookmarks stay where "
                "they are. Check the proxy between here and %s.",
                self.settings.base_url,
            )
        streams = self.selected()
        for stream in streams:
            stream.prepare(self.signpost)
        for name in lookups.streams_of(self.settings.lookups) - {s.name for s in streams}:
            logger.warning("lookups names records of '%s', which is not selected.", name)
        # A run that takes only the first records of each stream must not fetch all of them.
        limited = any(stream.ABORT_AT_RECORD_COUNT is not None for stream in streams)
        if self.settings.concurrency > 1 and not limited:
            self._ahead = ReadAhead(
                {stream.name: self._chains(stream) for stream in streams},
                self.settings.concurrency,
                self._waiting,
            )

    def _waiting(self) -> None:
        """Do what has to be done now and then while nothing comes."""
        self._alive()
        self._progress.update(self._current, self.tallies)

    def _chains(self, stream: VitallyStream) -> Iterable[Chain[Page]]:
        if self.settings.lookups:
            return lookups.chains(stream, self.settings.lookups)
        return stream.chains()

    def selected(self) -> list[VitallyStream]:
        """Find the streams that are read.

        Returns:
            They, in their order.
        """
        return [stream for stream in self._streams().values() if stream.selected]

    def clock(self) -> datetime:
        """Tell the time by the server's clock.

        Returns:
            The moment, as precisely as the server tells it.
        """
        return self.started_at + timedelta(seconds=time.monotonic() - self._began)

    def show_progress(self, current: VitallyStream) -> None:
        """Say how far the run has come, if it is time to.

        Args:
            current: The stream being written.
        """
        self._current = current.name
        self._progress.update(self._current, self.tallies)

    def tallies(self) -> dict[str, Tally]:
        """Collect the counts.

        Returns:
            They, by stream, of all that were selected or asked for.
        """
        return {
            name: stream.tally
            for name, stream in self._streams().items()
            if stream.selected or stream.tally.requests
        }

    def probe(self) -> datetime | None:
        """Send the cheapest request there is, to prove the key and to read the server's clock.

        It comes before all others: whatever changes after it carries a later ``updatedAt``.

        Returns:
            The server's clock.

        Raises:
            TapFailure: If the key does not give access.
        """
        query = {"limit": "1", "status": "activeOrChurned"}
        try:
            return self.api.get("/accounts", query, _a_page, self.tally).date
        except Refused as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise TapFailure(str(refusal)) from None
            msg = (
                f"There is no Vitally REST API at {self.settings.base_url}: {refusal} Check "
                "data_center, subdomain and api_url."
            )
            raise TapFailure(msg) from None

    def parents(self, name: str) -> Iterable[Parent]:
        """List the parents of child streams, once per run.

        Args:
            name: The stream whose records are parents.

        Returns:
            All of them, newest first; found as they are needed.
        """
        if name not in self._parents:
            stream = self.stream(name)
            self._parents[name] = SharedList(stream.everything())
        return self._parents[name]

    def stream(self, name: str) -> VitallyStream:
        """Find a stream, selected or not.

        Args:
            name: Its name.

        Returns:
            The stream.
        """
        return self._streams()[name]

    def stop(self) -> None:
        """Send nothing more, and let the workers end."""
        self._progress.clear()
        self.budget.stop()
        if self._ahead:
            self._ahead.stop()
            self._ahead.join()


def _a_page(body: Any) -> None:
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        msg = "it is no list of accounts"
        raise Unreadable(msg)


class SharedList(Generic[T]):
    """A list that is found out as it is walked, and walked more than once."""

    def __init__(self, source: Iterator[T]) -> None:
        """Take over an iterator.

        Args:
            source: Where the items come from.
        """
        self._source = source
        self._found: list[T] = []
        self._error: Exception | None = None
        self._finding = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        """Walk the list from its start.

        Yields:
            Its items. An error of the source is raised at the same place on every walk.
        """
        position = 0
        while position < len(self._found) or self._find_more(position):
            yield self._found[position]
            position += 1

    def _find_more(self, position: int) -> bool:
        """Find the item at a position, unless another thread does meanwhile."""
        with self._finding:
            if self._error:
                raise self._error
            if position == len(self._found):
                try:
                    self._found.append(next(self._source))
                except StopIteration:
                    return False
                except Exception as error:
                    self._error = error
                    raise
            return True
