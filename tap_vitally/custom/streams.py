"""Make stream classes from the entries of ``custom_streams``; they are read as all other streams are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import islice, product
from typing import Any, cast
from urllib.parse import quote

from singer_sdk import Tap

from tap_vitally.custom.answers import cursor_in, records_in
from tap_vitally.custom.declaration import CustomStream, read_custom_streams
from tap_vitally.custom.inference import MOST_RECORDS, inferred
from tap_vitally.custom.templates import Placeholder, moments_of
from tap_vitally.sdk_stream import TapServices, VitallyStream
from tap_vitally.state.parent_scan import Parent
from tap_vitally.streams import STREAMS
from tap_vitally.streams import fields as f
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.contexts import PerParent
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Address, Declared, Moments
from tap_vitally.sync.stream_run import StreamRun
from tap_vitally.sync.summary import StreamMetrics
from vitally_api import SettingsError, VitallyError, safe_name
from vitally_api.values import EARLIEST

MOST_SAMPLED_PARENTS = 5
NO_SAMPLE: Mapping[str, Any] = {"type": ["string", "integer"]}
"""The types of a key without a sample."""


def declared_streams(tap: Tap) -> list[VitallyStream]:
    """Build the streams of the setting custom_streams, parents first.

    Without a schema, infer the columns from sample requests, unless the catalog has the stream. Raise a
    `SettingsError` with a line for each mistake in the setting.
    """
    classes = {stream.name: stream for stream in STREAMS}
    columns = {
        stream.name: None if stream.parent else frozenset(stream.schema["properties"])
        for stream in STREAMS
    }
    declared, problems = read_custom_streams(tap.config.get("custom_streams"), columns)
    if problems:
        raise SettingsError(problems)
    parents_first = sorted(declared, key=lambda each: bool(each.parent))
    for stream in parents_first:
        parent = classes.get(stream.parent)
        cls = stream_class(stream, parent, (stream.schema or {}).get("properties", {}))
        # Made twice: what is asked for is in the class, and what comes decides on its columns.
        if stream.schema is None and stream.name not in (tap.input_catalog or ()):
            cls = stream_class(stream, parent, _inferred(tap, stream, cls, parent))
        classes[stream.name] = cls
    return [classes[stream.name](tap) for stream in parents_first]


def stream_class(
    stream: CustomStream, parent: type[VitallyStream] | None, columns: Mapping[str, Any]
) -> type[VitallyStream]:
    """Return a stream class for a declared stream with these columns."""
    path, injected = _text_of(stream), list(dict.fromkeys(stream.injected.values()))
    keys = dict.fromkeys((*injected, *stream.primary_keys) if stream.primary_keys else ())
    asked_with = f.key("", "Value that the list was asked for with.").schema
    properties = {**dict.fromkeys(injected, asked_with), **columns}
    properties |= dict.fromkeys(injected, asked_with)
    for key in keys:
        properties.setdefault(key, NO_SAMPLE)
    if stream.replication_key:
        moment = f.moment("", "When the record changed.").schema
        properties.setdefault(stream.replication_key, moment)
    fields = [f.Field(name, how, name in keys) for name, how in properties.items()]
    said: dict[str, Any] = {
        "__doc__": f"Declared in custom_streams.\n\nAPI: GET {path}\n",
        "__module__": __name__,
        "name": stream.name,
        "path": path,
        "primary_keys": tuple(keys),
        "replication_key": stream.replication_key,
        "schema": f.record(*fields),
        "parent": parent,
        "parents": stream.parent or "values",
        "sortable": False,
        "paginated": False,
        "optional": True,
        "parse": partial(records_in, path=stream.records_path, metadata=stream.metadata),
        "declared": _declared(stream),
    }
    if parent or stream.values:
        in_order = parent is not None and parent.resource.sortable and not stream.values
        said["contexts"] = partial(
            PerParent,
            find=None if parent else partial(_combinations, stream),
            lists=_lists_of,
            one_by_one=not in_order,
        )
    return type(f"{stream.name}_stream", (VitallyStream,), said)


def _combinations(stream: CustomStream, _: StreamRun | None = None) -> Iterator[Parent]:
    """Yield a parent for each combination of ``values``, with a number as id, as values may be private."""
    for number, combination in enumerate(product(*stream.values.values()), 1):
        record = dict(zip(stream.values, combination, strict=True))
        yield Parent(str(number), EARLIEST, record=record)


def _lists_of(stream: StreamRun, parent: Parent) -> list[ListRequest]:
    """Return the lists of a parent; count it as skipped if it lacks a value for the address."""
    requests = list(stream.list_client.contexts(parent))
    if not requests:
        called = f"{stream.resource.parents} {safe_name(parent.id)}"
        stream.metrics.skip(f"{called}: it lacks a value that the address takes")
    return requests


def _text_of(stream: CustomStream) -> str:
    return str(stream.path.render({each: str(each) for each in stream.placeholders}))


def _declared(stream: CustomStream) -> Declared:
    cursor = stream.cursor if stream.records_path != "$" else None
    params = sorted((name, template.text) for name, template in stream.params.items())
    said = [stream.path.text, params, sorted(stream.values.items()), stream.records_path]
    return Declared(
        addresses=partial(addresses, stream),
        called=f"/resources{_text_of(stream)}",
        find_cursor=partial(cursor_in, path=cursor.response, param=cursor.param)
        if cursor
        else lambda _: None,
        cursor_param=cursor.param if cursor else "",
        headers=stream.headers,
        in_order=stream.order == "newest_first",
        version=f"declared={sha256(json.dumps(said).encode()).hexdigest()[:8]}",
        parent_columns=stream.parent_columns,
    )


def addresses(stream: CustomStream, parent: Parent | None, moments: Moments) -> Iterator[Address]:
    """Yield an address for each combination of values, below a parent or in the workspace.

    Yield none for a parent that lacks a value, or has one that cannot be part of an address. Leave out
    query parameters without a value.
    """
    known: dict[Placeholder, str | None] = {
        **moments_of(stream.placeholders, moments, stream.date_format),
        **{each: _value(parent, each) for each in stream.injected},
    }
    below = stream.values if stream.parent else {}
    named = [each for each in stream.placeholders if each.name in below and not each.stream]
    for combination in product(*(below[each.name] for each in named)):
        values = {**known, **dict(zip(named, combination, strict=True))}
        path = stream.path.render(values, lambda text: quote(text, safe=""))
        injected = {column: values[each] for each, column in stream.injected.items()}
        if path is None or None in injected.values() or {".", ".."} & set(path.split("/")):
            continue
        rendered = {name: template.render(values) for name, template in stream.params.items()}
        query = {name: text for name, text in rendered.items() if text is not None}
        yield Address(path, query, {name: text or "" for name, text in injected.items()})


def _value(parent: Parent | None, each: Placeholder) -> str | None:
    if parent is None:
        return None
    value = parent.id if each.stream and each.name == "id" else parent.record.get(each.name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)


def _inferred(
    tap: Tap, stream: CustomStream, cls: type[VitallyStream], parent: type[VitallyStream] | None
) -> dict[str, dict[str, Any]]:
    """Infer the columns from samples; if there are none, log why and return no columns."""
    columns, why = {}, "it has no record yet"
    try:
        found = list(islice(_samples(tap, stream, cls, parent), MOST_RECORDS))
        columns = inferred(found, stream.primary_keys)
    except (VitallyError, SettingsError) as failure:
        why = str(failure)
    if not columns:
        tap.logger.warning(
            "'%s' has no columns but its key, and what comes stands in additionalProperties: %s",
            stream.name,
            why,
        )
    named = [("primary_keys", key) for key in stream.primary_keys]
    for setting, name in [*named, ("replication_key", stream.replication_key)]:
        if columns and name and name not in {*columns, *stream.injected.values()}:
            tap.logger.warning(
                "No record of '%s' has %s, which %s names.", stream.name, name, setting
            )
    return columns


def _samples(
    tap: Tap, stream: CustomStream, cls: type[VitallyStream], parent: type[VitallyStream] | None
) -> Iterator[dict[str, Any]]:
    """Yield records of the first lists of the first parents; raise `VitallyError` if a request fails."""
    run = cast("TapServices", tap).run

    def client_of(stream: type[VitallyStream]) -> ListClient:
        return ListClient(stream.resource, run.api, run.settings, StreamMetrics(), {})

    client = client_of(cls)
    now, start = datetime.now(UTC), run.settings.start_date
    client.moments = lambda _: {"now": now, "start_date": start}
    parents: Iterable[Parent | None] = [None]
    if parent:
        above = client_of(parent)
        above.kept = stream.parent_columns
        parents = above.parents()
    elif stream.values:
        parents = _combinations(stream)
    for each in islice(parents, MOST_SAMPLED_PARENTS):
        for request in islice(client.contexts(each), MOST_SAMPLED_PARENTS):
            for page in islice(client.scan(request, None), MOST_RECORDS):
                yield from page.records
