"""What `--test` tells: whether the connection works, and which streams the workspace gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tap_vitally.reading.reader import Price
from tap_vitally.reading.run import Run
from tap_vitally.replication.instants import format_instant
from tap_vitally.stream import VitallyStream
from vitally_api import Refused


def told_by_test(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Tell line by line what the workspace gives, and what the next run will cost.

    `VitallyError` is raised if the connection does not work.
    """
    yield from told_by_check(run, streams)
    yield from told_by_price(run, streams)


def told_by_check(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Try the connection and then each stream, and tell line by line what is found.

    `VitallyError` is raised if the connection does not work.
    """
    workspace = run.workspace
    workspace.begin()
    clock = workspace.signpost
    yield f"The connection to {run.api.endpoint.base_url} works, and the key is accepted."
    yield f"Server's clock: {format_instant(clock) if clock else 'not told'}"
    yield ""
    workspace.readers = {stream.name: stream.engine for stream in streams}
    width = max(len(stream.name) for stream in streams)
    for stream in streams:
        yield f"{stream.name.ljust(width)}  {_found(stream)}"


def _found(stream: VitallyStream) -> str:
    """Try a stream, unless it costs a request for each parent and nobody has asked for it."""
    reader = stream.engine
    if reader.walks_parents and not stream.selected_by_default:
        return f"not tried: read for each of the {reader.resource.parents}"
    return reader.check()


def told_by_price(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Tell line by line what each selected stream will cost in the next run, by its STATE.

    It takes a listing of the parents of those below others: a request for each hundred.
    """
    limit = run.budget.limit
    told = f" at {limit:,} a minute" if limit else ""
    yield ""
    yield f"Requests of the next run{told}:"
    selected = [stream for stream in streams if stream.selected]
    for stream in selected:
        stream.engine.prepare(stream.entry, run.workspace.signpost)
    width = max((len(stream.name) for stream in selected), default=0)
    least = 0
    for stream in selected:
        try:
            price = stream.engine.price()
        except Refused as refusal:
            yield f"{stream.name.ljust(width)}  nothing: {refusal}"
            continue
        least += price.least
        yield f"{stream.name.ljust(width)}  {_requests(price)}: {price.what}"
    minutes = f", {math.ceil(least / limit):,} min" if limit else ""
    yield f"In all at least {least:,} requests{minutes}."


def _requests(price: Price) -> str:
    if price.most is None:
        return f"{price.least:,} or more"
    if price.least == price.most:
        return f"{price.least:,}"
    return f"{price.least:,} to {price.most:,}"
