"""The tap as the SDK runs it: settings, streams, command line, and the run that streams share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from types import FrameType
from typing import IO, Any, ClassVar, Self, cast

import click
from singer_sdk import Stream, Tap
from singer_sdk.exceptions import StreamMapConfigError
from singer_sdk.helpers.capabilities import TapCapabilities
from singer_sdk.singerlib.catalog import Catalog
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from singer_command.failures import filter_log
from singer_command.files import end_on_hangup
from singer_command.settings import settings_problems_named, unknown_settings
from tap_vitally.catalog import read_catalog
from tap_vitally.check import test_report
from tap_vitally.command import check_output, failures_in_one_line, read_state
from tap_vitally.custom.declaration import header_values
from tap_vitally.custom.streams import declared_streams
from tap_vitally.discovery import streams_of_workspace
from tap_vitally.report import Progress, left_out, table
from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.settings import BATCHES, NO_ACTIVATE_VERSION, SCHEMA
from tap_vitally.shutdown import Shutdown
from tap_vitally.streams import STREAMS
from tap_vitally.streams.metadata_streams import SyncRunsStream
from tap_vitally.sync.lookups import problems_with, streams_of
from tap_vitally.sync.run import Run
from tap_vitally.sync.settings import Settings
from tap_vitally.unmatched_selections import nothing_selected, unmatched_selections, unset_in_maps
from tap_vitally.writer import MessageWriter, check_reader
from vitally_api import Endpoint, Policy, SettingsError, VitallyError, read_all
from vitally_api.settings import read_settings


class TapVitally(Tap):
    """Reads a Vitally workspace through its REST API."""

    name = "tap-vitally"
    message_writer_class = MessageWriter
    capabilities: ClassVar[list[Any]] = [
        each for each in Tap.capabilities if each is not TapCapabilities.ACTIVATE_VERSION
    ]
    config_jsonschema: ClassVar[dict[str, Any]] = SCHEMA
    policy: ClassVar[Policy] = Policy()

    def __init__(self, *args: Any, validate_config: bool = True, **kwargs: Any) -> None:
        """Build the tap and check its settings; discovery needs none."""
        self._discovering = not validate_config
        # At DEBUG it would log every address, and those of look-ups name people.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        with settings_problems_named(type(self), kwargs):
            super().__init__(*args, validate_config=validate_config, **kwargs)
            if validate_config:
                self._check_settings()
            check_output()
            end_on_hangup(self._handle_termination)
            for line in unknown_settings(self.config, self.config_jsonschema):
                self.logger.warning("%s", line)

    @classmethod
    def from_options(
        cls, config: Any, state: IO[str] | None = None, catalog: IO[str] | None = None
    ) -> Self:
        """Build the tap of a command line."""
        return cls(
            config=config.config if config else {},
            state=read_state(state),
            catalog=read_catalog(catalog),
            parse_env_config=bool(config and config.parse_env),
        )

    def _check_settings(self) -> None:
        try:
            read_all(lambda: self.endpoint, lambda: self.settings)
            problems = problems_with(self.settings.lookups)
        except SettingsError as error:
            problems = error.problems
        problems += unset_in_maps(self.config)
        if self.config.get("emit_activate_version_messages"):
            problems.append(NO_ACTIVATE_VERSION)
        if problems:
            raise SettingsError(problems)

    @cached_property
    def settings(self) -> Settings:
        """The settings of the run, checked."""
        return read_settings(Settings, self.config)

    @cached_property
    def endpoint(self) -> Endpoint:
        """The address of the API, and its key."""
        endpoint = Endpoint.from_config(self.config, f"{self.name}/{self.plugin_version}")
        return replace(endpoint, headers=header_values(self.config.get("custom_streams")))

    @cached_property
    def run(self) -> Run:
        """The run, which all streams share."""
        return Run(
            self.settings,
            self.endpoint,
            replace(self.policy, request_timeout=self.settings.request_timeout),
            lambda: {stream.name: stream.reader for stream in self.all_streams},
            lambda: [
                (stream.reader, stream.entry) for stream in self.all_streams if stream.selected
            ],
            self._wait,
            self._mark_beginning,
        )

    @cached_property
    def show_progress(self) -> Callable[[], None]:
        """The function that logs the progress of the run, if it is time to."""
        return Progress(self.logger.info, self.run).update

    @cached_property
    def shutdown(self) -> Shutdown:
        """The context that ends the run on signals and errors."""
        return Shutdown(self.run, self.writer, self.write_last_state, self.log_summary)

    @property
    def all_streams(self) -> list[VitallyStream]:
        """The streams in the order in which they are read, with their own type."""
        return [cast("VitallyStream", stream) for stream in self.streams.values()]

    def _mark_beginning(self) -> None:
        """Write STATE with the passes that begin, before the first record."""
        if not self.settings.lookups:
            for stream in self.all_streams:
                if stream.selected:
                    stream.mark_beginning()
            self.write_last_state()

    def _wait(self) -> None:
        check_reader()
        self.show_progress()

    @property
    def writer(self) -> MessageWriter:
        """The writer of Singer messages, in blocks."""
        return cast("MessageWriter", self.message_writer)

    @override
    def setup_mapper(self) -> None:
        """Set up the stream maps; one that does not fit a stream matters only if that is read."""
        super(Tap, self).setup_mapper()
        streams = self.streams  # which settle what the catalog says
        for name, entry in self.catalog.items():
            try:
                self.mapper.register_raw_streams_from_catalog(Catalog({name: entry}))
            except StreamMapConfigError:
                if name in streams and streams[name].selected:
                    raise

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """The streams by name; last those that need what others read."""
        return dict(sorted(super().streams.items(), key=lambda item: _rank(item[1])))

    @override
    def discover_streams(self) -> Sequence[VitallyStream]:
        """Build all declared streams, and those of custom objects and traits that the settings enable."""
        looked_up = streams_of(self.config.get("lookups") or {})
        objects = bool(self.config.get("custom_object_streams")) and not looked_up
        traits = bool(self.config.get("trait_columns"))
        streams: list[VitallyStream] = []
        if objects or traits:
            try:
                streams = streams_of_workspace(self, objects=objects, traits=traits)
            except (VitallyError, SettingsError) as failure:
                if not self._discovering:
                    raise
                self.logger.error(  # noqa: TRY400 - no traceback for the operator
                    "The workspace could not be asked for what it defines for itself, so the "
                    "catalog has only the streams and columns that every workspace has: %s",
                    failure,
                )
        streams = streams or [stream(tap=self) for stream in STREAMS]
        streams += declared_streams(self)
        for stream in streams if looked_up else ():
            stream.selected_by_default = stream.name in looked_up
        return streams

    def check_selection(self) -> None:
        """Log what is selected and does not exist; raise a `VitallyError` if no stream is left."""
        for line in self.unmatched_selections():
            self.logger.warning("%s", line)
        if not any(stream.selected for stream in self.all_streams):
            raise VitallyError(nothing_selected())

    def unmatched_selections(self) -> list[str]:
        """Return what select, catalog and stream maps name that does not exist, a line for each."""
        maps = self.config.get("stream_maps") or {}
        return unmatched_selections(self.input_catalog or {}, maps, self.all_streams)

    def write_last_state(self) -> None:
        """Write STATE for all records that were written."""
        for stream in self.all_streams:
            stream.settle()
        self.state_writer.write_state(self.state)

    def log_summary(self) -> None:
        """Log what the run did: a table for people, its values for machines."""
        metrics_by_stream = self.run.metrics_by_stream()
        values = {name: metrics.as_record() for name, metrics in metrics_by_stream.items()}
        self.logger.info(
            "The summary of this run:\n%s",
            table(metrics_by_stream, self.run.workspace.metrics),
            extra={"summary": values},
        )

    def fail_if_skipped(self) -> None:
        """Raise a `VitallyError` if something was skipped, and the settings make that a failure."""
        reported = left_out(self.run.metrics_by_stream().values())
        if reported and self.settings.fail_on_skipped:
            raise VitallyError(
                f"{reported}, which fail_on_skipped does not allow: see the summary above."
            )

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        self.shutdown.on_signal(signum)

    @override
    @classmethod
    def cb_discover(cls, ctx: Any, param: Any, value: bool) -> None:
        filter_log()
        super().cb_discover(ctx, param, value)

    @override
    @classmethod
    def cb_test(cls, ctx: Any, param: Any, value: str) -> None:
        """Print for `--test` if the connection works, and what the workspace gives."""
        filter_log()
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        tap = cls.from_options(*map(ctx.params.get, ("config", "state", "catalog")))
        for line in tap.unmatched_selections():
            cls.logger.warning("%s", line)
        for line in test_report(tap.run, tap.all_streams):
            click.echo(line)
        ctx.exit()

    @override
    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap from the command line."""
        filter_log()
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        # Click would end in silence when the target has gone.
        with failures_in_one_line():
            tap = cls.from_options(config, state, catalog)
            tap.check_selection()
            if tap.config.get("batch_config"):
                cls.logger.warning("%s", BATCHES)
            with tap.shutdown:
                tap.sync_all()
            tap.fail_if_skipped()


def _rank(stream: Stream) -> int:
    if stream.name == SyncRunsStream.name:
        return 2
    return int(cast("VitallyStream", stream).resource.of is not None)
