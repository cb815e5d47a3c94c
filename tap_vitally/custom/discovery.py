"""The declared streams of a tap: checked, and given columns by what the API sends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from singer_sdk import Tap

from tap_vitally.custom.declaration import CustomStream, known_streams, read_custom_streams
from tap_vitally.custom.streams import sampled_columns, stream_classes
from tap_vitally.sdk_stream import TapServices, VitallyStream
from tap_vitally.streams import STREAMS
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Resource
from vitally_api import SettingsError, VitallyError


def declared_streams(tap: Tap) -> list[VitallyStream]:
    """Build the streams of the setting custom_streams.

    The columns of those without a schema are inferred, unless the catalog has them: then nothing is
    asked for. A `SettingsError` holds a line for every mistake in the setting.
    """
    declared, problems = read_custom_streams(
        tap.config.get("custom_streams"), known_streams(STREAMS)
    )
    if problems:
        raise SettingsError(problems)
    known = {stream.name: stream for stream in STREAMS}
    in_catalog = set(tap.input_catalog or ())

    def columns_of(
        stream: CustomStream, resource: Resource, parent: type[VitallyStream] | None
    ) -> Mapping[str, Any]:
        if stream.name in in_catalog:
            return {}
        return _inferred(tap, stream, resource, parent.resource if parent else None)

    return [cls(tap) for cls in stream_classes(declared, known, columns_of).values()]


def _inferred(
    tap: Tap, stream: CustomStream, resource: Resource, parent: Resource | None
) -> Mapping[str, Any]:
    """Infer columns; none, and a line that says why, where nothing was to be seen."""
    try:
        client = _client(tap, resource)
        now = datetime.now(UTC)
        start = cast("TapServices", tap).run.settings.start_date
        client.moments = lambda _: {"now": now, "start_date": start}
        columns = sampled_columns(stream, client, _client(tap, parent) if parent else None)
        why = "it has no record yet"
    except (VitallyError, SettingsError) as failure:
        columns, why = {}, str(failure)
    if not columns:
        tap.logger.warning(
            "'%s' has no columns but its key, and what comes stands in additionalProperties: %s",
            stream.name,
            why,
        )
    for key, name in [
        *(("primary_keys", key) for key in stream.primary_keys),
        ("replication_key", stream.replication_key),
    ]:
        if columns and name and name not in {*columns, *stream.injected.values()}:
            tap.logger.warning("No record of '%s' has %s, which %s names.", stream.name, name, key)
    return columns


def _client(tap: Tap, resource: Resource) -> ListClient:
    run = cast("TapServices", tap).run
    return ListClient(resource, run.api, run.settings, skip=lambda _what, _list: None)
