"""The tap: its settings, its streams, and how a run begins and ends."""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.tap_base import CliTestOptionValue

from tap_vitally.errors import TapFailure
from tap_vitally.lookups import CRITERIA, INSTANCES, LOOKUPS, problems_with, streams_of
from tap_vitally.replication import format_instant
from tap_vitally.report import table
from tap_vitally.run import Run
from tap_vitally.settings import API_KEY_MISSING, Settings, SettingsError
from tap_vitally.streams import INVENTORIED, STREAMS
from tap_vitally.streams.custom import (
    CustomObjectInstancesStream,
    CustomObjectsStream,
    custom_object_streams,
)
from tap_vitally.writer import MessageWriter, check_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    import click

    from tap_vitally.client import VitallyStream

TERMINATION_SECONDS = 4.0
GC_THRESHOLD = 100_000
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BLOCK = 1 << 16
"""Bytes from which on a block of memory goes back to the system as soon as it is free."""
READS_CONFIG, MAPPER = "from_cli_args", ("mapper.py", "simpleeval.py")
"""Where the SDK reads the config file, and where it works out what stream maps say."""
READERS: Mapping[str, Callable[[str], object]] = {"integer": int, "object": json.loads}
TEN_YEARS = 315_360_000


class TapVitally(Tap):
    """Reads a Vitally workspace through its REST API."""

    name = "tap-vitally"
    message_writer_class = MessageWriter

    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "api_key",
            th.StringType(nullable=False),
            required=True,
            secret=True,
            title="API key",
            description=(
                "REST API key, from Settings > Integrations > Vitally REST API. The ready-made "
                "Basic header shown there is understood too."
            ),
        ),
        th.Property(
            "data_center",
            th.StringType(allowed_values=["us", "eu"]),
            default="us",
            title="Data center",
            description="Where the workspace is hosted.",
        ),
        th.Property(
            "subdomain",
            th.StringType,
            title="Subdomain",
            description=(
                "First part of the address you log in at, https://<subdomain>.vitally.io. "
                "Required for the us data center, not used for eu."
            ),
        ),
        th.Property(
            "api_url",
            th.StringType,
            title="API address",
            description=(
                "Address of the API without /resources, in place of the one that follows from "
                "data_center and subdomain; for a proxy or the sandbox. https, or http to this "
                "machine."
            ),
        ),
        th.Property(
            "start_date",
            th.DateTimeType,
            title="Start date",
            description="Only records updated at or after this moment are read.",
        ),
        th.Property(
            "account_status",
            th.StringType(allowed_values=["active", "churned", "activeOrChurned"]),
            default="activeOrChurned",
            title="Account status",
            description="Which accounts are read.",
        ),
        th.Property(
            "include_archived",
            th.BooleanType,
            default=True,
            title="Include archived",
            description="Also read archived (soft-deleted) records; their archivedAt is set.",
        ),
        th.Property(
            "survey_ids",
            th.ArrayType(th.StringType),
            title="Survey ids",
            description=(
                "Custom surveys to read, by the id in the survey's browser address: the API has "
                "no list of surveys."
            ),
        ),
        th.Property(
            "page_size",
            th.IntegerType(minimum=1, maximum=100),
            default=100,
            title="Page size",
            description="Records per request.",
        ),
        th.Property(
            "lookback_seconds",
            th.IntegerType(minimum=0, maximum=TEN_YEARS),
            default=300,
            title="Lookback",
            description=(
                "How far behind the bookmark each run starts reading, in seconds; it never "
                "changes the bookmark."
            ),
        ),
        th.Property(
            "concurrency",
            th.IntegerType(minimum=1, maximum=32),
            default=8,
            title="Concurrency",
            description="Requests under way at once; 1 reads strictly one after the other.",
        ),
        th.Property(
            "max_requests_per_minute",
            th.IntegerType(minimum=1),
            title="Requests per minute",
            description=(
                "Upper limit for this tap, to leave room for other tools that use the same "
                "workspace; unset, what the API allows is used."
            ),
        ),
        th.Property(
            "request_timeout",
            # An integer as well, or else the SDK takes it for text where it is in the environment.
            th.CustomType({"type": ["number", "integer"], "exclusiveMinimum": 0}),
            default=60,
            title="Request timeout",
            description="Seconds without a byte after which a request is tried again.",
        ),
        th.Property(
            "fail_on_skipped",
            th.BooleanType,
            default=False,
            title="Fail on skipped",
            description="Fail at the end of a run that had to skip a resource or a record.",
        ),
        th.Property(
            "embedded_objects",
            th.StringType(allowed_values=["full", "reference"]),
            default="full",
            title="Embedded objects",
            description=(
                "reference cuts accounts, organizations and users that are embedded in other "
                "records down to id, externalId and name."
            ),
        ),
        th.Property(
            "custom_object_streams",
            th.BooleanType,
            default=False,
            title="Custom object streams",
            description=(
                "One stream per custom object in place of custom_object_instances; discovery then "
                "needs the key."
            ),
        ),
        th.Property(
            "lookups",
            th.ObjectType(
                *(
                    th.Property(
                        name,
                        th.ArrayType(th.StringType),
                        description=f"{lookup.takes} of records for the stream {lookup.stream}.",
                    )
                    for name, lookup in LOOKUPS.items()
                ),
                th.Property(
                    INSTANCES,
                    th.ArrayType(th.ObjectType(additional_properties=th.StringType)),
                    description=f"Objects of customObjectId and one of {', '.join(CRITERIA)}.",
                ),
            ),
            title="Look-ups",
            description=(
                "Read exactly these records, by stream or search, and move no bookmark; "
                "see the README."
            ),
        ),
        th.Property(
            "inventory_resources",
            th.ArrayType(th.StringType(allowed_values=list(INVENTORIED))),
            title="Inventory resources",
            description="Streams whose existing ids the stream inventory lists.",
        ),
        th.Property(
            "user_agent",
            th.StringType,
            title="User agent",
            description="How the tap introduces itself; tap-vitally and its version by default.",
        ),
    ).to_dict()

    def __init__(self, *args: Any, validate_config: bool = True, **kwargs: Any) -> None:
        """Build the tap and check its settings; nothing is sent yet.

        Args:
            *args: As for any SDK tap.
            validate_config: False for discovery, which needs no settings.
            **kwargs: As for any SDK tap.
        """
        self._discovering = not validate_config
        # At DEBUG it would log every address, and those of look-ups name people.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        given = kwargs.get("config")
        pasted = given.get("api_key") if isinstance(given, dict) else None
        secrets = [str(pasted or ""), os.environ.get("TAP_VITALLY_API_KEY", "")]
        with _settings_problems_named(secrets, type(self)):
            super().__init__(*args, validate_config=validate_config, **kwargs)
            if validate_config:
                _ = self.settings
                if problems := problems_with(self.settings.lookups):
                    raise SettingsError(problems)

    @cached_property
    def settings(self) -> Settings:
        """The settings, checked."""
        return Settings.from_config(self.config)

    @cached_property
    def run(self) -> Run:
        """What the streams share while they are read."""
        user_agent = self.settings.user_agent or f"{self.name}/{self.plugin_version}"

        def streams() -> Mapping[str, VitallyStream]:
            return cast("Mapping[str, VitallyStream]", self.streams)

        return Run(self.settings, user_agent, streams, check_reader)

    def flush(self) -> None:
        """Write the messages that are held back."""
        if isinstance(self.message_writer, MessageWriter):
            self.message_writer.flush()

    def discover_streams(self) -> Sequence[VitallyStream]:
        """Build the streams.

        Returns:
            One of each in the registry; with custom_object_streams, one per custom object.
        """
        streams: list[VitallyStream] = [stream(tap=self) for stream in STREAMS]
        looked_up = streams_of(self.config.get("lookups") or {})
        if looked_up:
            for stream in streams:
                stream.selected_by_default = stream.name in looked_up
        elif self.config.get("custom_object_streams"):
            own = self._custom_object_streams()
            if own is not None:
                generic = CustomObjectInstancesStream
                return [*(stream for stream in streams if not isinstance(stream, generic)), *own]
        return streams

    def _custom_object_streams(self) -> list[VitallyStream] | None:
        """Find the custom objects; None where that fails during discovery."""
        try:
            return custom_object_streams(self, CustomObjectsStream(tap=self).listed({}))
        except (TapFailure, SettingsError) as failure:
            if not self._discovering:
                raise
            self.logger.error(  # noqa: TRY400 - no traceback for the operator
                "The custom objects could not be found, so the catalog has only the streams "
                "that every workspace has: %s",
                failure,
            )
            return None

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Tell from the command line whether the connection works, and what it gives.

        Args:
            ctx: The command's context.
            param: The option.
            value: What is to be tested.
        """
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        config = ctx.params.get("config")
        tap = cls(
            config=config.config if config else {},
            parse_env_config=bool(config and config.parse_env),
        )
        tap.check()
        ctx.exit()

    def check(self) -> None:
        """Print whether the connection works and which streams the workspace gives.

        Raises:
            TapFailure: If the connection does not work.
        """
        moment = self.run.probe()
        _say(f"The connection to {self.settings.base_url} works, and the key is accepted.")
        _say(f"Server's clock: {format_instant(moment) if moment else 'not told'}\n")
        width = max(len(name) for name in self.streams)
        for name, stream in self.streams.items():
            _say(f"{name.ljust(width)}  {cast('VitallyStream', stream).check()}")

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
        """Run the tap from the command line.

        Args:
            about: Print what the tap is, and end.
            about_format: The format of that.
            config: The configuration.
            state: The state file.
            catalog: The catalog file.
        """
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        # Click would end in silence when the target has gone.
        with _failures_in_one_line(cls.logger):
            if sys.stdout is None:
                msg = "Nobody can read what the tap writes: its standard output is closed."
                raise TapFailure(msg)
            tap = cls(
                config=config.config if config else {},
                state=_state(state),
                catalog=_catalog(catalog),
                parse_env_config=bool(config and config.parse_env),
            )
            _settle_memory()
            with _ended_properly(tap):
                tap.sync_all()
            tap.fail_if_skipped()

    def log_account(self) -> None:
        """Tell what the run did: a table for people, its values for machines."""
        tallies = self.run.tallies()
        self.logger.info(
            "The account of this run:\n%s",
            table(tallies),
            extra={"account": {name: tally.as_record() for name, tally in tallies.items()}},
        )

    def fail_if_skipped(self) -> None:
        """Fail a run that skipped something and may not.

        Raises:
            TapFailure: If something was skipped and fail_on_skipped is set.
        """
        skipped = sum(tally.skipped for tally in self.run.tallies().values())
        if skipped and self.settings.fail_on_skipped:
            msg = (
                f"{skipped:,} skipped, which fail_on_skipped does not allow: see the account above."
            )
            raise TapFailure(msg)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End on SIGTERM or SIGINT, between two lines of output, with the last valid STATE.

        Raises:
            SystemExit: With the code the shell knows a signal by.
        """
        code = 128 + signum
        # A target that has stopped reading must not keep the tap from ending.
        last_resort = threading.Timer(TERMINATION_SECONDS, os._exit, (code,))
        last_resort.daemon = True
        last_resort.start()
        writer = self.message_writer
        if isinstance(writer, MessageWriter) and writer.busy:
            writer.exit_code = code
            return
        raise SystemExit(code)


def _settle_memory() -> None:
    """Adapt to what a run does with memory: many threads, large bodies, records without cycles."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    # By itself glibc learns to keep blocks of the size of a page, in a heap for each thread.
    with suppress(AttributeError, OSError, TypeError):
        glibc = ctypes.CDLL(None)
        glibc.mallopt(M_ARENA_MAX, 1)
        glibc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


@contextmanager
def _ended_properly(tap: TapVitally) -> Iterator[None]:
    """Stop the workers whatever happens; on a signal, write STATE first."""
    try:
        yield
    except SystemExit as ending:
        tap.logger.warning("Ended by a signal: the next run goes on from the last STATE.")
        if isinstance(tap.message_writer, MessageWriter):
            tap.message_writer.exit_code = None
        tap.state_writer.write_state(tap.state)
        raise ending from None
    finally:
        tap.run.stop()
        tap.log_account()


def run_command() -> None:
    """Run the tap from the command line; end every failure in one line and with exit code 1."""
    with _failures_in_one_line(TapVitally.logger):
        TapVitally.cli()


@contextmanager
def _failures_in_one_line(logger: logging.Logger) -> Iterator[None]:
    try:
        yield
    except ConfigValidationError as error:
        problems = list(error.errors)
    except (StreamMapConfigError, MapExpressionError) as error:
        problems = [f"stream_maps cannot be used: {error}. Map only selected streams."]
    except TapFailure as failure:
        problems = [str(failure)]
    except BrokenPipeError:
        problems = ["The target stopped reading before the end; its own log says why."]
        # Python flushes stdout once more at exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else error.strerror or error
        problems = [f"A file could not be read or written: {what}"]
    except Exception as error:  # noqa: BLE001 - its message may hold a customer's data
        problems = [_unforeseen(error)]
        logger.debug("Where it happened:\n%s", "".join(traceback.format_tb(error.__traceback__)))
    else:
        return
    for problem in problems:
        logger.error("%s", problem)
    sys.exit(1)


def _unforeseen(error: Exception) -> str:
    """Say where something went wrong that nobody thought of."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name == READS_CONFIG for frame in frames):
        return "The config file is not a JSON object: check the path given with --config."
    if any(frame.filename.endswith(MAPPER) for frame in frames):
        return f"An expression in stream_maps fails on a record, with {kind}: check what it does."
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
    return (
        f"Something went wrong that should not: {kind} in {place}. Please report it, with what "
        "TAP_VITALLY_LOGLEVEL=DEBUG says."
    )


@contextmanager
def _settings_problems_named(secrets: list[str], tap: type[TapVitally]) -> Iterator[None]:
    """Make every problem with the settings one line that says what to do, without the key."""
    try:
        yield
    except SettingsError as error:
        problems = error.problems
    except ConfigValidationError as error:
        problems = [_reworded(problem) for problem in error.errors]
    except ValueError as error:
        # Only what is in the environment is text that has to be made something else.
        problems = _problems_in_environment(tap)
        if not problems:
            raise error from None
    else:
        return
    for key in (secret.removeprefix("Basic ").strip() for secret in secrets if secret):
        problems = [problem.replace(key, "***") for problem in problems]
    msg = "; ".join(problems)
    raise ConfigValidationError(msg, errors=problems) from None


def _problems_in_environment(tap: type[TapVitally]) -> list[str]:
    """Find the variables that the SDK cannot read: it only says that there is one."""
    problems = []
    for name, schema in tap.config_jsonschema["properties"].items():
        variable = f"{tap.name.upper().replace('-', '_')}_{name.upper()}"
        read = next((READERS[kind] for kind in READERS if kind in schema["type"]), str)
        try:
            read(os.environ.get(variable, "0"))
        except ValueError:
            problems.append(
                f"{variable} cannot be read: write whole numbers in digits, objects as JSON, or "
                "leave it unset"
            )
    return problems


def _reworded(problem: str) -> str:
    if "config['api_key']" in problem:
        return "api_key is not text: put it in quotes"
    if problem == "'api_key' is a required property":
        return API_KEY_MISSING
    return problem


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _json(file: IO[str] | None, what: str) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        content = json.load(file)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        msg = f"The {what} file is not a JSON object: check the path given with --{what}."
        raise TapFailure(msg)
    return content


def _state(file: IO[str] | None) -> dict[str, Any] | None:
    """Read STATE, and leave out what cannot be the place of a stream."""
    state = _json(file, "state")
    if not state or "bookmarks" not in state:
        return state
    bookmarks = state["bookmarks"]
    entries = bookmarks.items() if isinstance(bookmarks, dict) else ()
    return {"bookmarks": {name: entry for name, entry in entries if isinstance(entry, dict)}}


def _catalog(file: IO[str] | None) -> dict[str, Any] | None:
    catalog = _json(file, "catalog")
    if catalog is None:
        return None
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema"), dict)
        for entry in entries
    ):
        msg = "The catalog file holds no catalog: make one with --discover, and check --catalog."
        raise TapFailure(msg)
    return catalog
