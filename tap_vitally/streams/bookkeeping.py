"""Records about the reading itself: which ids exist, and what each run did."""

from __future__ import annotations

from collections import Counter
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_vitally.client import VitallyStream
from tap_vitally.contexts import Context, Page, Record
from tap_vitally.errors import Refused
from tap_vitally.fragments import STRINGS, key, record_schema
from tap_vitally.replication import Resume, format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

MOMENT = th.DateTimeType


class BookkeepingStream(VitallyStream):
    """Records that the tap makes itself."""

    path = ""
    replication_key = None
    selected_by_default = False

    def check(self) -> str:
        """Say where the records come from.

        Returns:
            A few words for a person.
        """
        return "ok: made by the tap"

    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        """Read nothing, unless a subclass does.

        Returns:
            No chain.
        """
        return iter(())


class InventoryStream(BookkeepingStream):
    """The ids that exist, of the resources named by the setting inventory_resources.

    The API leaves no trace of a record that was deleted for good. This lists every id, and
    `inventory_runs` tells which lists came to their end, so that a missing id means deleted.
    """

    name = "inventory"
    primary_keys: ClassVar[tuple[str, ...]] = ("resource", "id")
    schema: ClassVar[dict[str, Any]] = record_schema(
        key("resource", "Stream whose record it is, such as accounts."),
        key("id", "Id of a record that existed."),
        th.Property(
            "seenAt",
            MOMENT,
            description="Start of the run that saw it last, by the server's clock.",
        ),
    )

    def chains(self) -> Iterator[Callable[[], Iterator[Page]]]:
        """Find what is to be listed.

        Yields:
            One chain per resource.
        """
        if self.run.signpost is None:
            # Dated by another clock, what exists could look older than what was listed before.
            self.skip("all of it: the server does not tell its clock")
            return
        for resource in self.run.settings.inventory_resources:
            yield partial(self._list, resource)

    def _resume_after(self, page: Page) -> Resume | None:  # noqa: ARG002
        """Start again after an interruption: half a list proves nothing."""
        return None

    def _list(self, resource: str) -> Iterator[Page]:
        context = Context("", label=resource)
        seen = format_instant(self.run.started_at)
        try:
            for ids in self.run.stream(resource).ids():
                records = [{"resource": resource, "id": i, "seenAt": seen} for i in ids]
                yield Page(context, records, weight=200 * len(ids))
            yield Page(context, ends=True)
        except Refused as refusal:
            yield Page(context, failure=refusal)

    def _take(self, page: Page) -> None:
        """Count what has been written; only the end of a list proves that it was whole."""
        super()._take(page)
        resource = page.context.label
        self._counts[resource] += len(page.records)
        if page.ends and self.run.signpost:
            self.run.inventoried.append(
                {
                    "resource": resource,
                    "startedAt": format_instant(self.run.signpost),
                    "finishedAt": format_instant(self.run.clock()),
                    "count": self._counts[resource],
                }
            )

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter()


class InventoryRunsStream(BookkeepingStream):
    """The lists in `inventory` that were read to their end: only they prove that an id is gone."""

    name = "inventory_runs"
    primary_keys: ClassVar[tuple[str, ...]] = ("resource", "startedAt")
    schema: ClassVar[dict[str, Any]] = record_schema(
        key("resource", "Stream whose ids were listed."),
        th.Property(
            "startedAt",
            MOMENT,
            required=True,
            description="Start of the run, by the server's clock; equals inventory.seenAt.",
        ),
        th.Property(
            "finishedAt",
            MOMENT,
            description="When the list came to its end, by the server's clock.",
        ),
        th.Property("count", th.IntegerType, description="How many ids there were."),
    )

    def get_records(self, context: Any) -> Generator[Record, None, None]:
        """Tell which lists were read to their end in this run.

        Args:
            context: Not used.

        Yields:
            One record per resource.
        """
        yield from super().get_records(context)
        for record in self.run.inventoried:
            self.tally.add(records=1)
            yield record


class SyncRunsStream(BookkeepingStream):
    """What each run did for each stream: the account of the run, as rows.

    A table that has stopped moving shows here, as does everything that was left out.
    """

    name = "vitally_sync_runs"
    primary_keys: ClassVar[tuple[str, ...]] = ("startedAt", "stream")
    schema: ClassVar[dict[str, Any]] = record_schema(
        th.Property(
            "startedAt",
            MOMENT,
            required=True,
            description="Start of the run, by the server's clock.",
        ),
        key("stream", "The stream."),
        th.Property("records", th.IntegerType, description="Records written."),
        th.Property("pages", th.IntegerType, description="Pages read."),
        th.Property("requests", th.IntegerType, description="Requests sent, repeated ones too."),
        th.Property("retries", th.IntegerType, description="Requests repeated."),
        th.Property(
            "waitedSeconds",
            th.NumberType,
            description="Seconds waited for the rate limit and between tries, over all threads.",
        ),
        th.Property(
            "stoppedEarly",
            th.IntegerType,
            description="Lists left where the rest was older than the bookmark.",
        ),
        th.Property(
            "outOfOrder",
            th.IntegerType,
            description="Lists that were not in the order of updatedAt, and read to the end.",
        ),
        th.Property("skipped", th.IntegerType, description="How much was left out."),
        th.Property("skippedReasons", STRINGS, description="What was left out, and why."),
        th.Property("bookmarkBefore", MOMENT, description="Bookmark at the start; null if none."),
        th.Property("bookmarkAfter", MOMENT, description="Bookmark at the end; null if none."),
    )

    def get_records(self, context: Any) -> Generator[Record, None, None]:
        """Tell what was done for each stream before this one, which is the last by its name.

        Args:
            context: Not used.

        Yields:
            One record per stream.
        """
        yield from super().get_records(context)
        started = format_instant(self.run.started_at)
        for stream in self.run.selected():
            if stream is not self:
                self.tally.add(records=1)
                yield {"startedAt": started, "stream": stream.name, **stream.tally.as_record()}


BOOKKEEPING: tuple[type[VitallyStream], ...] = (
    InventoryStream,
    InventoryRunsStream,
    SyncRunsStream,
)
