"""What a stream will cost in the next run, found out with a few requests."""

from __future__ import annotations

from dataclasses import dataclass

from tap_vitally.state.passes import Pass
from tap_vitally.sync.list_client import ListClient
from vitally_api.values import format_moment

MOST_COUNTED = 10
"""Pages of a list that are read to say what it will cost: a thousand records, which is most lists."""


@dataclass(frozen=True)
class RequestEstimate:
    """``least`` requests, ``most`` if that is known, and ``what`` they bring, for a person."""

    least: int
    most: int | None
    what: str


def count_pages(client: ListClient, plan: Pass, *, every: bool = False) -> tuple[int, int, bool]:
    """Return how many pages and records a pass over the lists takes, and if that is all of them.

    At most `MOST_COUNTED` pages of each list are read.
    """
    pages = records = 0
    whole = True
    for request in client.contexts(every=every):
        for number, page in enumerate(client.scan(request, plan.sort_by, plan.start), 1):
            pages += 1
            records += len(page.rows)
            if number == MOST_COUNTED and not page.ends:
                whole = False
                break
    return pages, records, whole


def estimate_lists(
    client: ListClient, plan: Pass, called: str = "records", *, least: int = 0, most: int = 0
) -> RequestEstimate:
    """Estimate a pass over lists, with ``least`` to ``most`` further requests for each record."""
    pages, records, whole = count_pages(client, plan)
    upper = pages + most * records if whole else None
    return RequestEstimate(pages + least * records, upper, counted(records, whole, called, plan))


def counted(records: int, whole: bool, called: str, plan: Pass) -> str:  # noqa: FBT001
    """Return how many records a pass was found to read, for a person."""
    since = f" changed since {format_moment(plan.start)}" if plan.start else ""
    return f"{'' if whole else 'more than '}{records:,} {called}{since}"
