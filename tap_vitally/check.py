"""The report of `--test`: the connection, the available streams, and the requests that a run takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.contexts import PerParent
from tap_vitally.sync.list_client import RequestEstimate
from tap_vitally.sync.run import Run
from tap_vitally.sync.stream_reader import StreamReader
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import Refused, Unreadable
from vitally_api.values import format_moment

MOST_TRIED = 10
"""Parents tried: the first custom object of a workspace may well be the empty one."""
EMPTY = "ok, but empty"
"""What is said where lists are given and hold nothing."""


def test_report(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Yield the lines of the report; raise a `VitallyError` if the connection does not work."""
    run.begin()
    clock = run.workspace.signpost
    yield f"The connection to {run.api.endpoint.base_url} works, and the key is accepted."
    yield f"Server's clock: {format_moment(clock) if clock else 'not told'}"
    yield ""
    width = max(len(stream.name) for stream in streams)
    for stream in streams:
        yield f"{stream.name.ljust(width)}  {_found(stream)}"
    yield from _estimates(run, streams)


def _found(stream: VitallyStream) -> str:
    """Return what a stream has, after a few requests; skip expensive ones that are not selected."""
    reader = stream.reader
    if reader.contexts.by_parent and not stream.selected_by_default:
        return f"not tried: read for each of the {stream.resource.parents}"
    try:
        return _tried(reader)
    except (Refused, Unreadable) as failure:
        return f"NOT GIVEN, as its {stream.resource.parents} are not: {failure}"


def _tried(reader: StreamReader) -> str:
    """Request one record of each list; below parents, of one parent after the other until one has some."""
    contexts = reader.contexts
    samples: Iterable[Iterable[ListRequest]]
    if isinstance(contexts, PerParent):
        samples = map(contexts.lists_of, contexts.parents())
    else:
        samples = filter(None, [contexts.lists()])
    found: list[str] = []
    for lists in islice(samples, MOST_TRIED):
        found.append(_asked(reader.stream, lists))
        if found[-1].startswith("ok") and found[-1] != EMPTY:
            return found[-1]
    if refused := next((each for each in found if each != EMPTY), ""):
        return refused
    if not isinstance(contexts, PerParent):
        return EMPTY if found else "ok: made by the tap"
    if not found:
        return f"not tried: {contexts.without_parents}"
    return f"{EMPTY} in {len(found):,} of the {contexts.called}"


def _asked(stream: StreamRun, lists: Iterable[ListRequest]) -> str:
    """Request one record of each list; a list without pages is requested as a whole."""
    resource = stream.resource
    one = {"limit": "1"} if resource.paginated else {}
    found = 0
    for request in lists:
        asked = replace(request, params={**request.params, **one})
        try:
            found += len(next(stream.list_client.scan(asked, None)).records)
        except (Refused, Unreadable) as failure:
            where = f" ({request.label})" if request.label else ""
            return f"NOT GIVEN{where}: {failure}"
    good = f"ok, {found:,} records in one request" if resource.declared else "ok"
    return good if found else EMPTY


def _estimates(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Yield the estimated requests of each selected stream; this reads the lists of their parents."""
    limit = run.budget.limit
    reported = f" at {limit:,} a minute" if limit else ""
    selected = [stream for stream in streams if stream.selected]
    # Meltano hands to `invoke` the STATE with which the last run began, or none: the heading says which.
    which = "the next" if any(stream.entry for stream in selected) else "a first"
    yield ""
    yield f"Requests of {which} run{reported}:"
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
