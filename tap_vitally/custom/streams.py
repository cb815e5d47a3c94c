"""Stream classes made of declarations: each is an ordinary stream, read by the reader of all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice, product
from typing import Any
from urllib.parse import quote

from tap_vitally.custom.answers import cursor_in, records_in
from tap_vitally.custom.declaration import CustomStream
from tap_vitally.custom.inference import MOST_RECORDS, inferred
from tap_vitally.custom.templates import Placeholder, moments_of
from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.state.parent_scan import Parent
from tap_vitally.streams import fields as f
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.contexts import PerParent
from tap_vitally.sync.declared import Address, Declared, Moments
from tap_vitally.sync.declared_lists import DeclaredLists
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Resource
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import safe_name
from vitally_api.values import EARLIEST

MOST_SAMPLED_PARENTS = 5
NO_SAMPLE: Mapping[str, Any] = {"type": ["string", "integer"]}
"""The types of a key without a sample."""


ColumnsOf = Callable[[CustomStream, Resource, "type[VitallyStream] | None"], Mapping[str, Any]]


def stream_classes(
    declared: Sequence[CustomStream],
    known: Mapping[str, type[VitallyStream]],
    columns_of: ColumnsOf,
) -> dict[str, type[VitallyStream]]:
    """Return a class for each declaration, those that others are below first.

    ``columns_of`` finds the columns of one without a schema, given how it is asked for and its parent.
    """
    classes: dict[str, type[VitallyStream]] = {}
    for stream in sorted(declared, key=lambda each: bool(each.parent)):
        parent = {**known, **classes}.get(stream.parent)
        resource = Resource(
            stream.name,
            schema={},
            path=_text_of(stream),
            sortable=False,
            paginated=False,
            optional=True,
            parse=partial(records_in, path=stream.records_path, metadata=stream.metadata),
            declared=_declared(stream),
        )
        if stream.schema is None:
            columns = columns_of(stream, resource, parent)
        else:
            columns = stream.schema["properties"]
        classes[stream.name] = _class(stream, resource, parent, columns)
    return classes


def _class(
    stream: CustomStream,
    resource: Resource,
    parent: type[VitallyStream] | None,
    columns: Mapping[str, Any],
) -> type[VitallyStream]:
    injected = list(dict.fromkeys(stream.injected.values()))
    keys = (*injected, *stream.primary_keys) if stream.primary_keys else ()
    said: dict[str, Any] = {
        "__doc__": f"Declared in custom_streams.\n\nAPI: GET {resource.path}\n",
        "__module__": __name__,
        "name": stream.name,
        "primary_keys": tuple(dict.fromkeys(keys)),
        "replication_key": stream.replication_key,
        "schema": _schema(stream, injected, keys, columns),
        "parent": parent,
        "parents": stream.parent or "values",
        **{name: getattr(resource, name) for name in _AS_ASKED_FOR},
    }
    if parent or stream.values:
        in_order = parent is not None and parent.resource.sortable and not stream.values
        said["contexts"] = partial(
            PerParent if in_order else DeclaredLists,
            find=None if parent else partial(_combinations, stream),
            lists=_lists_of,
        )
    return type(f"{stream.name}_stream", (VitallyStream,), said)


_AS_ASKED_FOR = ("path", "sortable", "paginated", "optional", "parse", "declared")


def _combinations(stream: CustomStream, _: StreamRun | None = None) -> Iterator[Parent]:
    """Find each combination of values, in place of parents.

    Its id is its number, since a value may name a person; none of them ever appears anew.
    """
    for number, combination in enumerate(product(*stream.values.values()), 1):
        record = dict(zip(stream.values, combination, strict=True))
        yield Parent(str(number), EARLIEST, record=record)


def _lists_of(stream: StreamRun, parent: Parent) -> list[ListRequest]:
    """Return the lists of a parent; one without the values that its address takes is counted."""
    requests = list(stream.list_client.contexts(parent))
    if not requests:
        called = f"{stream.resource.parents} {safe_name(parent.id)}"
        stream.skip(f"{called}: it lacks a value that the address takes")
    return requests


def _text_of(stream: CustomStream) -> str:
    """Return the path as it was declared, with single braces where they were doubled."""
    return "".join(
        part
        if isinstance(part, str)
        else f"{{{f'{part.stream}.' if part.stream else ''}{part.name}}}"
        for part in stream.path.parts
    )


def _schema(
    stream: CustomStream,
    injected: Iterable[str],
    keys: Sequence[str],
    columns: Mapping[str, Any],
) -> dict[str, Any]:
    properties = {
        name: f.key(name, "Value that the list was asked for with.").schema for name in injected
    }
    for name, how in columns.items():
        properties.setdefault(name, dict(how))
    for key in keys:
        properties.setdefault(key, NO_SAMPLE)
    if stream.replication_key:
        properties.setdefault(
            stream.replication_key, f.moment("", "When the record changed.").schema
        )
    properties[f.ADDITIONAL.name] = f.ADDITIONAL.schema
    return {
        "type": "object",
        "properties": properties,
        "required": list(dict.fromkeys(keys)),
        "additionalProperties": True,
    }


def _declared(stream: CustomStream) -> Declared:
    cursor = stream.cursor if stream.records_path != "$" else None
    said = [_text_of(stream), sorted(map(repr, stream.params.items())), stream.records_path]
    text = json.dumps([*said, sorted(map(repr, stream.values.items()))])
    return Declared(
        addresses=partial(addresses, stream),
        called=f"/resources{_text_of(stream)}",
        find_cursor=partial(cursor_in, path=cursor.response, param=cursor.param)
        if cursor
        else lambda _: None,
        cursor_param=cursor.param if cursor else "",
        headers=stream.headers,
        in_order=stream.order == "newest_first",
        version=f"declared={sha256(text.encode()).hexdigest()[:8]}",
        parent_columns=stream.parent_columns,
    )


def addresses(stream: CustomStream, parent: Parent | None, moments: Moments) -> Iterator[Address]:
    """Find the addresses of a parent, or of the workspace: one for each combination of values.

    A parent one of whose values is missing has none, and neither has one whose value cannot be part of
    an address. A parameter that lacks a value is left out.
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


def sampled_columns(
    stream: CustomStream, client: ListClient, parents: ListClient | None
) -> dict[str, dict[str, Any]]:
    """Return the columns inferred from the first records, of the first parents; empty without any.

    `VitallyError` is raised if the API cannot be asked.
    """
    found: list[dict[str, Any]] = []
    below: Iterable[Parent | None] = [None]
    if parents is not None:
        parents.kept = stream.parent_columns
        below = islice(parents.parents(), MOST_SAMPLED_PARENTS)
    elif stream.values:
        below = islice(_combinations(stream), MOST_SAMPLED_PARENTS)
    for parent in below:
        for request in islice(client.contexts(parent), MOST_SAMPLED_PARENTS):
            for page in islice(client.scan(request, None), MOST_RECORDS):
                found += page.rows
                if len(found) >= MOST_RECORDS:
                    return inferred(found, stream.primary_keys)
    return inferred(found, stream.primary_keys)
