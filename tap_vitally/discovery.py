"""Build the streams of a workspace, with its custom objects and custom fields."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from singer_sdk import Tap

from tap_vitally.sdk_stream import TapServices, VitallyStream
from tap_vitally.state.parent_scan import Parent
from tap_vitally.streams import STREAMS
from tap_vitally.streams.custom import (
    CustomFieldsStream,
    CustomObjectFieldsStream,
    CustomObjectInstancesStream,
    CustomObjectsStream,
    CustomObjectStream,
)
from tap_vitally.streams.traits import columns_of
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.list_client import ListClient
from vitally_api import Refused, Unreadable
from vitally_api.statuses import NOT_OFFERED
from vitally_api.values import identity_of

Columns = Mapping[str, Mapping[str, Any]]
RESERVED = {CustomObjectFieldsStream.name, CustomObjectInstancesStream.name}
WITHOUT_TRAITS = "team"
"""The model whose records are in no stream with traits."""


def streams_of_workspace(tap: Tap, *, objects: bool, traits: bool) -> list[VitallyStream]:
    """Build the streams with the custom ``objects`` and ``traits``; raise `VitallyError` if that fails."""
    cast("TapServices", tap).run.workspace.first_answer()
    rows = _listing(tap, CustomObjectsStream).rows() if objects else []
    names = {i: str(row.get("name") or "") for row in rows if (i := identity_of(row.get("id")))}
    columns = _columns(tap, names) if traits else {}
    generic = CustomObjectInstancesStream if objects else None
    standard = [
        stream(tap, columns=columns.get((stream.of or stream).name))
        for stream in STREAMS
        if stream is not generic
    ]
    named: dict[str, VitallyStream] = {}
    for identity, machine_name in sorted(names.items()):
        name = _name_of(identity, machine_name, {*named, *RESERVED})
        named[name] = CustomObjectStream(tap, name, columns.get(identity), customObjectId=identity)
    return [*standard, *named.values()]


def _name_of(identity: str, machine_name: str, taken: Container[str]) -> str:
    """Return ``custom_object_<machine name>`` in snake_case, with part of the id if it is ``taken``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", machine_name)
    name = "custom_object_" + re.sub(r"\W+", "_", words, flags=re.ASCII).strip("_").lower()
    return f"{name.rstrip('_')}_{identity[:8]}" if name.endswith("_") or name in taken else name


def _columns(tap: Tap, objects: Iterable[str]) -> Columns:
    """Request the fields of all models and custom objects; return the columns by model or object id."""
    standard = _listing(tap, CustomFieldsStream)
    below = _listing(tap, CustomObjectFieldsStream)
    asked = [
        *((context.inject["model"], standard, context) for context in standard.contexts()),
        *((each, below, context) for each in objects for context in below.contexts(Parent(each))),
    ]
    asked = [one for one in asked if one[0] != WITHOUT_TRAITS]

    def fields_of(one: tuple[str, ListClient, ListRequest]) -> tuple[str, dict[str, Any]]:
        name, list_client, context = one
        return name, columns_of(_fields(tap, list_client, context))

    with ThreadPoolExecutor(cast("TapServices", tap).run.settings.concurrency) as workers:
        return dict(workers.map(fields_of, asked))


def _fields(tap: Tap, list_client: ListClient, context: ListRequest) -> list[Any]:
    """Request the fields of one model; log a warning and return none if the workspace refuses."""
    try:
        return list_client.ask(context).data
    except (Refused, Unreadable) as failure:
        if isinstance(failure, Refused) and failure.status not in NOT_OFFERED:
            raise
        what = ", ".join(context.inject.values())
        tap.logger.warning("No trait columns for %s: %s", what, failure)
        return []


def _listing(tap: Tap, stream: type[VitallyStream]) -> ListClient:
    return stream(tap).reader.stream.list_client
