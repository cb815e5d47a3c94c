"""What `--test` prints: if the connection works, what the workspace gives, what a run will cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.sync.estimates import RequestEstimate
from tap_vitally.sync.run import Run
from vitally_api import Refused
from vitally_api.values import format_moment


def test_report(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Yield all lines; raise a `VitallyError` if the connection does not work."""
    workspace = run.workspace
    workspace.begin()
    clock = workspace.signpost
    yield f"The connection to {run.api.endpoint.base_url} works, and the key is accepted."
    yield f"Server's clock: {format_moment(clock) if clock else 'not told'}"
    yield ""
    workspace.readers = {stream.name: stream.reader.stream for stream in streams}
    width = max(len(stream.name) for stream in streams)
    for stream in streams:
        yield f"{stream.name.ljust(width)}  {_found(stream)}"
    yield from _estimates(run, streams)


def _found(stream: VitallyStream) -> str:
    """Try a stream, unless it costs a request for each parent and is not selected by default."""
    reader = stream.reader
    if reader.contexts.by_parent and not stream.selected_by_default:
        return f"not tried: read for each of the {stream.resource.parents}"
    return reader.check()


def _estimates(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Yield what each selected stream will cost; that lists their parents, a hundred a request."""
    limit = run.budget.limit
    reported = f" at {limit:,} a minute" if limit else ""
    yield ""
    yield f"Requests of the next run{reported}:"
    selected = [stream for stream in streams if stream.selected]
    for stream in selected:
        stream.reader.prepare(stream.entry, run.workspace.signpost)
    width = max((len(stream.name) for stream in selected), default=0)
    least = 0
    for stream in selected:
        try:
            estimate = stream.reader.contexts.estimate()
        except Refused as refusal:
            yield f"{stream.name.ljust(width)}  nothing: {refusal}"
            continue
        least += estimate.least
        yield f"{stream.name.ljust(width)}  {_requests(estimate)}: {estimate.what}"
    minutes = f", {math.ceil(least / limit):,} min" if limit else ""
    yield f"In all at least {least:,} requests{minutes}."


def _requests(estimate: RequestEstimate) -> str:
    if estimate.most is None:
        return f"{estimate.least:,} or more"
    if estimate.least == estimate.most:
        return f"{estimate.least:,}"
    return f"{estimate.least:,} to {estimate.most:,}"
