"""Map the streams of an input to resources, and pass each row on with its mapping."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from target_vitally.mapping.entries import resource_named
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import InputRow, Origin
from target_vitally.mapping.stream_mapping import (
    MappingError,
    StreamMapping,
    columns_of_row,
    is_copy,
    map_stream,
)
from target_vitally.mapping.undo import UNDO
from target_vitally.pipeline.engine import Engine
from target_vitally.pipeline.preflight import Preflight
from target_vitally.pipeline.settings import Settings
from vitally_api import SettingsError

NO_RESOURCE = (
    "{} is named like no resource of Vitally: say under streams which it is (one of {}), or leave it "
    "out of the tap's selection"
)
IGNORED = "%s: Vitally takes no rows of this kind; they are ignored."
logger = logging.getLogger("target-vitally")


@dataclass
class Streams:
    """Maps streams, and passes their rows to the engine, or to the check of ``--test``.

    ``ignored`` are streams of the tap that cannot be written. ``check_analytics`` raises a `SettingsError`
    if settings of the Analytics API are missing.
    """

    settings: Settings
    resources: Mapping[str, Resource]
    ignored: Collection[str]
    receiver: Engine | Preflight
    check_analytics: Callable[[], object]

    def __post_init__(self) -> None:
        # A stream that is not written has the name that the tap has for it.
        self._mappings: dict[str, StreamMapping | str] = {}
        # Streams whose SCHEMA names no columns, and what their rows mean by the columns that these have.
        self._open: set[str] = set()
        self._shapes: dict[tuple[str, frozenset[object]], StreamMapping] = {}

    @property
    def mapped(self) -> set[str]:
        """The streams that are written."""
        return {name for name, what in self._mappings.items() if not isinstance(what, str)}

    def declare(self, stream: str, properties: Mapping[str, Any], keys: Sequence[str]) -> None:
        """Map a stream by its SCHEMA, the first or a later one; ``keys`` are its key_properties."""
        try:
            self._declare(stream, properties, keys)
        except (MappingError, SettingsError) as error:
            self.receiver.refuse(stream, error)
            self._mappings[stream] = stream

    def _declare(self, stream: str, properties: Mapping[str, Any], keys: Sequence[str]) -> None:
        entry: Mapping[str, Any] = self.settings.streams.get(stream) or {}
        name = entry.get("resource") or resource_named(stream, self.resources, self.ignored)
        if name in self.ignored:
            logger.info(IGNORED, stream)
            self._mappings[stream] = name
            return
        if name not in self.resources:
            raise MappingError([NO_RESOURCE.format(stream, ", ".join(self.resources))])
        resource = self.resources[name]
        self._open.discard(stream)
        if UNDO in properties:
            mapping = map_stream(stream, (), {}, resource, "update")
            self._mappings[stream] = replace(mapping, undo=True)
            return
        if needs_analytics(resource, entry.get("channel") or self.settings.channel):
            self.check_analytics()
        copy = is_copy(entry, properties)
        columns = list(properties)
        if not columns:  # each row says which it has, and any of them may
            self._open.add(stream)
            self._shapes.clear()
            possible = dict.fromkeys(resource.columns)
            columns = list(columns_of_row(possible, entry, resource, copy=copy))
        mode = self.settings.mode
        mapping = map_stream(stream, columns, entry, resource, mode, keys=keys, copy=copy)
        self._mappings[stream] = self.receiver.declare(mapping)

    def _mapping_of_row(self, mapping: StreamMapping, record: Record) -> StreamMapping:
        """Return the mapping of a row by its own columns, since its SCHEMA has none."""
        resource, mode = mapping.resource, self.settings.mode
        entry: Mapping[str, Any] = self.settings.streams.get(mapping.stream) or {}
        copy = is_copy(entry, record)
        columns = columns_of_row(record, entry, resource, copy=copy)
        shape = (mapping.stream, frozenset((*columns, copy)))
        if shape not in self._shapes:
            made = map_stream(mapping.stream, columns, entry, resource, mode, copy=copy)
            self._shapes[shape] = replace(made, of_links=mapping.of_links, links=mapping.links)
        return self._shapes[shape]

    def take(self, stream: str, record: Record, raw: Record | None, origin: Origin) -> None:
        """Pass a row on; ``raw`` is the row before stream maps, None if they did not change it."""
        mapping = self._mappings[stream]
        if isinstance(mapping, str):
            self.receiver.ignore(mapping, stream, origin, record)
            return
        if stream in self._open:
            mapping = self._mapping_of_row(mapping, record)
        self.receiver.take(InputRow(0, mapping, origin, record, raw))

    def finish(self) -> None:
        """Tell the receiver that the input has ended."""
        self.receiver.finish(self._mappings)


def needs_analytics(resource: Resource, channel: str) -> bool:
    """Return True if rows of a resource may be sent to the Analytics API."""
    return resource.only_message or (channel != "rest" and bool(resource.message))
