"""What `--test` tells: whether the connection works, and which streams the workspace gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tap_vitally.reading.run import Run
from tap_vitally.replication.instants import format_instant
from tap_vitally.stream import VitallyStream


def told_by_check(run: Run, streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Try the connection and then each stream, and tell line by line what is found.

    `VitallyError` is raised if the connection does not work.
    """
    workspace = run.workspace
    clock = workspace.probe()
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
