"""Connect the SDK's target to our engine: its parsing of messages is used, its writing is not.

The SDK's target ends the run at a row that is not valid, parses dates, removes ``_sdc_`` columns,
drains streams concurrently and loses STATE when a row fails. This module replaces all of that.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from singer_sdk import Target
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.io_base import SingerReader
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.sinks import Sink
from typing_extensions import override

from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import Origin
from target_vitally.pipeline.streams import Streams
from vitally_api.values import InvalidValue, number_of

DECIMAL = "singer.decimal"
"""The format of numbers that a tap writes as text, so that they are not rounded to doubles."""


def _as_number(value: Any) -> Any:
    """Convert text to a number; leave other text as it is, to be rejected by a number's property."""
    try:
        return number_of(value) if isinstance(value, str) and value else value
    except InvalidValue:
        return value


class Reader(SingerReader):
    """Passes on messages that `Intake` has parsed already."""

    @override
    def deserialize_json(self, line: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", line)


class VitallySink(Sink):
    """The SDK's sink for a stream; it passes rows on and keeps none."""

    MAX_SIZE_DEFAULT = 1 << 62

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        """Map the stream by its SCHEMA; one that cannot be written ends the run."""
        super().__init__(target, stream_name, schema, key_properties)
        assert isinstance(target, SeamTarget)  # noqa: S101 - the SDK's type is wider
        self._streams = target.streams
        self._origin = Origin(stream_name, self.original_schema, tuple(key_properties or ()))
        properties = self.original_schema.get("properties", {})
        self._decimals = [name for name in properties if DECIMAL in str(properties[name])]
        self._streams.declare(stream_name, properties, self._origin.key_properties)

    @override
    def get_validator(self) -> None:
        """Use no validator: the SDK's would end the run at the first bad row."""

    @property
    @override
    def include_sdc_metadata_properties(self) -> bool:
        return True

    @override
    def _add_sdc_metadata_to_schema(self) -> None:
        """Do nothing: the schema stays as it is."""

    @override
    def process_record(self, record: Record, context: Any) -> None:
        self._streams.take(self.stream_name, self.with_numbers(record), None, self._origin)

    @override
    def process_batch(self, context: Any) -> None:
        """Pass on the rows of a BATCH file, to which the SDK has applied stream maps."""
        for record in context.get("records", ()):
            self.process_record(record, context)

    def with_numbers(self, record: Record) -> Record:
        """Convert the columns that have numbers as text, by their SCHEMA."""
        if not self._decimals:
            return record
        return record | {n: _as_number(record[n]) for n in self._decimals if n in record}


class SeamTarget(Target):
    """The SDK's target without its own writing of rows and STATE."""

    default_sink_class = VitallySink
    message_reader_class = Reader
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
        PluginCapabilities.BATCH,
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Build the SDK's target."""
        self._origins: dict[str, Origin] = {}
        super().__init__(*args, **kwargs)

    @property
    @abstractmethod
    def streams(self) -> Streams:
        """The `Streams` that all rows are passed to."""

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Pass a row on after stream maps, otherwise as it came."""
        stream, raw = message_dict["stream"], message_dict["record"]
        for stream_map in self.mapper.stream_maps[stream]:
            alias = stream_map.stream_alias
            same = isinstance(stream_map, SameRecordTransform)
            record = stream_map.transform(raw if same else copy.copy(raw))
            if record is None:
                continue
            origin = self._origins.get(alias)
            if origin is None or origin.schema is not stream_map.raw_schema:
                self._assert_sink_exists(alias)
                keys = tuple(stream_map.raw_key_properties or ())
                origin = self._origins[alias] = Origin(stream, stream_map.raw_schema, keys)
            sink = self.get_sink(alias)
            if isinstance(sink, VitallySink):
                record = sink.with_numbers(record)
            self.streams.take(alias, record, None if record is raw else raw, origin)

    @override
    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        self.streams.receiver.state(message_dict["value"])

    @override
    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Delete nothing: Vitally may have records that the source does not have."""

    @override
    def _handle_max_record_age(self) -> None:
        """Do nothing: the engine decides when to write."""

    @override
    def process_endofpipe(self) -> None:
        self.streams.finish()

    @override
    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add only the SDK's settings of stream maps: its others have no effect here."""
        super(Target, cls).append_builtin_config(config_jsonschema)
