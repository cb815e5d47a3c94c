"""The one seam to the SDK: its messages in, our engine behind, nothing of its draining.

The SDK's target validates with an exception, parses dates, takes `_sdc_` columns away, drains streams
side by side and loses STATE when a row fails. All of that is replaced here, and here alone.
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
"""The format of numbers that a tap writes as text, so that no reader makes doubles of them."""


def _as_number(value: Any) -> Any:
    """Read a number that came as text; other text stays, and is rejected where a number belongs."""
    try:
        return number_of(value) if isinstance(value, str) and value else value
    except InvalidValue:
        return value


class Reader(SingerReader):
    """Passes on messages that have been read."""

    @override
    def deserialize_json(self, line: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", line)


class VitallySink(Sink):
    """A stream as the SDK knows it; it passes rows on and holds nothing."""

    MAX_SIZE_DEFAULT = 1 << 62

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        """Take in what the stream's SCHEMA says; a stream that cannot be written ends the run."""
        super().__init__(target, stream_name, schema, key_properties)
        assert isinstance(target, SeamTarget)  # noqa: S101 - the SDK's type is wider
        self._streams = target.streams
        self._origin = Origin(stream_name, self.original_schema, tuple(key_properties or ()))
        properties = self.original_schema.get("properties", {})
        self._decimals = [name for name in properties if DECIMAL in str(properties[name])]
        self._streams.declare(stream_name, properties, self._origin.key_properties)

    @override
    def get_validator(self) -> None:
        """Leave validation to the resource: the SDK's ends the run at the first bad row."""

    @property
    @override
    def include_sdc_metadata_properties(self) -> bool:
        return True

    @override
    def _add_sdc_metadata_to_schema(self) -> None:
        """Leave the schema as it is."""

    @override
    def process_record(self, record: Record, context: Any) -> None:
        self._streams.take(self.stream_name, self.with_numbers(record), None, self._origin)

    @override
    def process_batch(self, context: Any) -> None:
        """Take rows that came in a file, to which the SDK has applied stream maps."""
        for record in context.get("records", ()):
            self.process_record(record, context)

    def with_numbers(self, record: Record) -> Record:
        """Read the columns whose numbers the SCHEMA says to be text."""
        if not self._decimals:
            return record
        return record | {n: _as_number(record[n]) for n in self._decimals if n in record}


class SeamTarget(Target):
    """The SDK's target, with what it does between two messages taken out."""

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
        """The receiver of the rows of all streams."""

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Hand a row on as it came, after stream maps."""
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
        """Delete nothing: what a full table does not have may be wanted in Vitally all the same."""

    @override
    def _handle_max_record_age(self) -> None:
        """Leave it to the engine when to write."""

    @override
    def process_endofpipe(self) -> None:
        self.streams.finish()

    @override
    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the settings of stream maps alone: the SDK's others would do nothing here."""
        super(Target, cls).append_builtin_config(config_jsonschema)
