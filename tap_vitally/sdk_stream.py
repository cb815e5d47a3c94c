"""Connect streams to the SDK: the base class of all declarations in `tap_vitally.streams`.

It yields records, keeps STATE, and has all uses of the SDK's private members. The reader of a stream
decides what is read, and how.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from singer_sdk import Stream, Tap
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.metrics import DEFAULT_LOG_INTERVAL, Counter
from singer_sdk.singerlib.catalog import Catalog, Metadata
from singer_sdk.singerlib.schema import Schema
from typing_extensions import override

from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.coerce import COLUMN
from tap_vitally.sync.contexts import Checkpoint, PerParent, TopLevel
from tap_vitally.sync.effective_schema import effective_keys, effective_schema, masked, to_fill
from tap_vitally.sync.linked_ids import COPIES
from tap_vitally.sync.nested import NestedLists
from tap_vitally.sync.resource import Record, Resource
from tap_vitally.sync.run import Run
from tap_vitally.sync.sources import Source, read_list
from tap_vitally.sync.stream_reader import MakeContexts, StreamReader
from tap_vitally.sync.stream_run import StreamRun
from vitally_api import Refused, safe_name
from vitally_api.resources import LISTS

if TYPE_CHECKING:
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context as SdkContext

LEFT = {"signpost": None}
"""A place that is left. A runner may merge it into the one that was written before, and that must go;
Meltano can merge only objects into objects."""
NO_LIST = ListRequest("")
"""Where the records are from that the tap makes itself."""
COLUMN_DEPTH = 2
"""Parts of the breadcrumb of a column; a property within it has more."""


class TapServices(Protocol):
    """The part of the tap that a stream uses."""

    run: Run
    show_progress: Callable[[], None]
    writer: Any
    """The `MessageWriter` of the tap, which stands above this module."""


class VitallyStream(Stream):
    """A stream of the workspace. Subclasses only set the attributes of `Resource`.

    ``contexts`` finds its lists, by default from ``parent`` and ``of``; ``source`` reads the records of one
    list.
    """

    name: str = ""
    schema: dict[str, Any]
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    replication_key: str | None = "updatedAt"
    parent: ClassVar[type[VitallyStream] | None] = None
    of: ClassVar[type[VitallyStream] | None] = None
    contexts: ClassVar[MakeContexts | None] = None
    source: ClassVar[Source] = read_list
    resource: ClassVar[Resource]

    # Records are decoded from JSON and fitted to the schema when they are read.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    # STATE is written by pages, in `_remember`.
    STATE_MSG_FREQUENCY = 1 << 62

    def __init_subclass__(cls) -> None:
        """Turn the class attributes into a `Resource`; raise `TypeError` for a misspelt one."""
        super().__init_subclass__()
        unknown = {name for name in vars(cls) if not name.startswith("_")} - DECLARED
        if unknown:
            raise TypeError(
                f"{cls.__name__} declares {', '.join(sorted(unknown))}, which no stream has"
            )
        names = {each.name for each in fields(Resource) if hasattr(cls, each.name)}
        declared: dict[str, Any] = {name: getattr(cls, name) for name in names}
        if api := LISTS.get(cls.name):
            declared |= {"path": api.path, "variants": api.variants, "sortable": api.sortable}
        if cls.parent:
            declared["parent"] = cls.parent.resource
            declared.setdefault("parents", cls.parent.name)
        declared["of"] = cls.of.resource if cls.of else None
        cls.resource = Resource(**declared)

    def __init__(
        self,
        tap: Tap,
        name: str | None = None,
        columns: Mapping[str, Any] | None = None,
        **fixed: str,
    ) -> None:
        """Build a stream with further ``columns``; ``fixed`` is injected into every record."""
        self.fixed = fixed
        self._checkpoint: Checkpoint | None = None
        self.schema_in_use: dict[str, Any] = {}
        own = type(self).schema
        properties = {**own["properties"], **(columns or {})}
        self.schema = _slim({**own, "properties": properties}, tap.config)
        super().__init__(tap=tap, name=name)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply a catalog: key, schema and replication method; log what it may not change."""
        super().apply_catalog(catalog)
        entry = catalog.get_stream(self.name)
        if entry is None:
            return
        own = type(self)
        given = effective_schema(entry.schema.to_dict(), own.schema, own.primary_keys)
        self.schema_in_use = _slim(given, self.config)
        self._input_schema = self.schema_in_use
        root = entry.metadata.root
        if {self.replication_key, root.replication_key} - {own.replication_key, None}:
            self.logger.warning(
                "The catalog names another replication key for '%s': its own, %s, is used.",
                self.name,
                own.replication_key or "none",
            )
        self.replication_key = own.replication_key
        named = (entry.key_properties, root.table_key_properties)
        keys, reported = effective_keys(named, own.primary_keys, self.schema_in_use["properties"])
        if reported:
            self.logger.warning("The catalog names a key for '%s' that %s.", self.name, reported)
        self.primary_keys = tuple(keys)  # type: ignore[misc]
        for key in keys:
            entry.metadata["properties", key].inclusion = Metadata.InclusionType.AUTOMATIC
        # The catalog is what the stream maps and the SCHEMA are made of.
        entry.schema = Schema.from_dict(self.schema_in_use)
        entry.key_properties = list(keys)
        self.forced_replication_method = _method(self)

    @property
    def services(self) -> TapServices:
        """The tap of this stream."""
        return cast("TapServices", self._tap)

    @cached_property
    def reader(self) -> StreamReader:
        """The reader of this stream in this run."""
        return _reader_of(self)

    @property
    def entry(self) -> Mapping[str, Any]:
        """The stream's entry in STATE, empty if there is none."""
        entry: Mapping[str, Any] = self.tap_state.get("bookmarks", {}).get(self._state_name, {})
        return entry

    @property
    def _state_name(self) -> str:
        """The stream's name in STATE; for a custom object with its id, since its name may change."""
        identity = self.fixed.get("customObjectId")
        return f"custom_object_{identity}" if identity else self.name

    @cached_property
    def _writes_pages(self) -> bool:
        """True if records are written in pages, without the SDK's loop, which takes most of the time.

        The loop is needed for stream maps, flattening, BATCH, nested selection and a limit of records.
        """
        first, *more = self.stream_maps
        mapped = more or type(first) is not SameRecordTransform or first.flattening_enabled
        by_column = all(on or len(where) <= COLUMN_DEPTH for where, on in self.mask.items())
        limit = self.ABORT_AT_RECORD_COUNT
        return by_column and limit is None and not (mapped or self._in_batches)

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = DEFAULT_LOG_INTERVAL
    ) -> Counter:
        """Return the SDK's counter of records, to which whole pages are added."""
        self._counter = super().get_record_counter(endpoint=endpoint, log_interval=log_interval)
        return self._counter

    @override
    def get_records(self, context: SdkContext | None) -> Generator[Record, None, None]:
        """Yield the stream's records to the SDK, and keep its place for STATE."""
        reader, run = self.reader, self.services.run
        stream = reader.stream
        deselected = [w[1] for w, on in self.mask.items() if len(w) == COLUMN_DEPTH and not on]
        # A run that takes only the first records of each stream must not fetch all of them.
        try:
            with closing(run.pages(reader, ahead=self.ABORT_AT_RECORD_COUNT is None)) as pages:
                for page in map(reader.repeats.left_out, pages):
                    if self._writes_pages:
                        records = list(page.records) if deselected else page.records
                        for name in deselected:
                            for record in records:
                                record.pop(name, None)
                        self.services.writer.write_records(self.name, records)
                        self._counter.increment(len(page.records))
                    else:
                        yield from page.records
                    self._remember(reader.taken(page))
                    self.services.show_progress()
        except Refused as refusal:
            reader.give_up(refusal)
        else:
            stream.metrics.ended = True
        stream.mapper.tell_narrow_columns()
        self.services.writer.flush()
        for record in stream.mapper.records(reader.contexts.records_at_the_end(), NO_LIST):
            stream.metrics.add(records=1)
            yield record
        if not self._in_batches:
            self._commit()

    @override
    def get_batches(
        self, batch_config: BatchConfig, context: SdkContext | None = None
    ) -> Generator[tuple[Any, list[str]], None, None]:
        """Write records into BATCH files; keep the place for STATE once the messages are written."""
        yield from super().get_batches(batch_config, context)
        self._commit()

    @cached_property
    def _in_batches(self) -> bool:
        """True if records go into BATCH files."""
        return self.get_batch_config(self.config) is not None

    def mark_beginning(self) -> None:
        """Put into STATE that a pass from the beginning has started, before its first page.

        A full refresh may be killed before it reaches this stream, and its old bookmark would hide that
        earlier records are still missing. An entry that is not used is emptied.
        """
        if self.reader.discarded:
            self.tap_state["bookmarks"][self._state_name] = {}
        if changes := self.reader.beginning():
            self._set_state(changes)

    def _remember(self, place: Checkpoint | None) -> None:
        if place and not self._in_batches:
            self._checkpoint = place
            if self.reader.is_due():
                self.settle()
                self._tap.state_writer.write_state(self.tap_state)

    def settle(self) -> None:
        """Put the place into STATE; not for each page, which took a tenth of the time of a short page."""
        if self._checkpoint:
            self._set_state(self._checkpoint())
            self._checkpoint = None

    def _commit(self) -> None:
        """Put the result of a complete run into STATE, which the SDK writes at the end of the stream."""
        self.settle()
        if self.reader.stream.complete and not self.services.run.settings.lookups:
            self._set_state(self.reader.finish())

    def _set_state(self, changes: Mapping[str, Any]) -> None:
        """Replace the stream's entry in one step: a signal may come at any moment."""
        new = {**self.entry, **changes}
        if "resume" in self.entry and not new["resume"]:
            new["resume"] = LEFT
        # A list that was there before is emptied and not left out, for a runner that merges.
        emptied = {name for name, value in new.items() if value == []} & self.entry.keys()
        entry = {name: value for name, value in new.items() if value or name in emptied}
        self.tap_state.setdefault("bookmarks", {})[self._state_name] = entry
        self.state_manager.is_flushed = False

    @property
    @override
    def state_manager(self) -> Any:
        """The SDK's manager of the entry, under the stream's name in STATE."""
        manager = super().state_manager
        manager.stream_name = self._state_name
        return manager

    @override
    def get_replication_key_signpost(self, context: SdkContext | None = None) -> None:
        """Return None: the reader has a signpost by the server's clock, the SDK's is by this machine's."""

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: SdkContext | None = None
    ) -> None:
        """Do nothing: `_commit` sets the bookmark; the SDK would move it with every record."""

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Drop the SDK's line on an unhandled error, since the error itself is logged."""
        if message.startswith("An unhandled error occurred"):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)


def _reader_of(stream: VitallyStream) -> StreamReader:
    """Return a new reader for a stream."""
    declared, known = type(stream), stream.replication_key is not None
    shared = StreamRun(
        replace(stream.resource, primary_keys=tuple(stream.primary_keys)),
        stream.services.run.workspace,
        stream.name,
        to_fill(stream.schema_in_use or stream.schema, stream.mask),
        stream.logger,
        known and stream.replication_method == "INCREMENTAL",
        stream.fixed,
        masked(stream.name, stream.config.get("stream_maps") or {}, stream.mask),
    )
    below = NestedLists if declared.of else PerParent
    contexts = declared.contexts or (below if declared.parent else TopLevel)
    return StreamReader(shared, contexts, declared.source)


DECLARED = {
    *VitallyStream.__annotations__,
    *(each.name for each in fields(Resource)),
    "selected_by_default",
}


def _slim(schema: dict[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without the embedded copies that ``embedded_objects`` excludes.

    For flattening it has no ``additionalProperties``, whose default is the same: SDK 0.54.9 looks the
    values of a column of that name up there, and fails.
    """
    if config.get("flattening_enabled"):
        schema = {name: how for name, how in schema.items() if name != COLUMN}
    if config.get("embedded_objects") != "none":
        return schema
    kept = {name: how for name, how in schema["properties"].items() if name not in COPIES}
    return {**schema, "properties": kept}


def _method(stream: VitallyStream) -> str | None:
    """Return FULL_TABLE if the catalog asks for it; else None, as no other method can be chosen."""
    asked = stream.forced_replication_method
    method = str(asked or "").upper().replace("-", "_")
    if method not in {"", "FULL_TABLE", "INCREMENTAL"}:
        stream.logger.warning(
            "The catalog asks for the replication method %s for '%s', which is not offered: it is "
            "read as without a catalog.",
            safe_name(str(asked)),
            stream.name,
        )
    return "FULL_TABLE" if method == "FULL_TABLE" else None
