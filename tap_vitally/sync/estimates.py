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


def estimate_lists(
    client: ListClient,
    plan: Pass,
    called: str = "records",
    *,
    more: tuple[int, int] = (0, 0),
    every: bool = False,
) -> RequestEstimate:
    """Estimate a pass over lists, with at least and at most so many ``more`` requests for each record.

    At most `MOST_COUNTED` pages of each list are read; ``every`` counts those left out, too.
    """
    pages = records = 0
    whole = True
    for request in client.contexts(every=every):
        for number, page in enumerate(client.scan(request, plan.sort_by, plan.start), 1):
            pages += 1
            records += len(page.records)
            if number == MOST_COUNTED and not page.ends:
                whole = False
                break
    since = f" changed since {format_moment(plan.start)}" if plan.start else ""
    what = f"{'' if whole else 'more than '}{records:,} {called}{since}"
    return RequestEstimate(
        pages + more[0] * records, pages + more[1] * records if whole else None, what
    )
