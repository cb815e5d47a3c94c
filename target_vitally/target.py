"""The target as the SDK runs it: settings, command line, and the run from input to summary."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from types import FrameType
from typing import IO, Any, ClassVar, cast

import click
from singer_sdk import Target
from typing_extensions import override

from singer_command.failures import filter_log
from singer_command.files import end_on_hangup, write_whole
from singer_command.settings import settings_problems_named
from target_vitally.command import failures_in_one_line
from target_vitally.intake import Intake, waiting_input
from target_vitally.mapping.entries import problems_with, resource_named
from target_vitally.pipeline.engine import Engine
from target_vitally.pipeline.plan_file import FORMATS, is_plan_file
from target_vitally.pipeline.preflight import Preflight, check_files
from target_vitally.pipeline.settings import SCHEMA, Settings
from target_vitally.pipeline.streams import Streams, needs_analytics
from target_vitally.report import failure_of, log_summary, write_plan
from target_vitally.resources import IGNORED, NAMED, RESOURCES, WRITERS
from target_vitally.sdk_sink import SeamTarget
from vitally_api import (
    Analytics,
    AnalyticsEndpoint,
    Budget,
    Endpoint,
    Policy,
    SettingsError,
    Vitally,
    VitallyError,
    encoded,
)

REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
LAST_RESORT = 8.0
"""Seconds after a signal in which what is under way may come to its end."""
LAST_WORDS = 1.0
"""Seconds after them in which the summary and STATE may still go out."""

GARBAGE_THRESHOLD = 100_000
"""Objects that are made before the garbage collector looks for cycles; Python's own is 700."""


class TargetVitally(SeamTarget):
    """Writes rows into a Vitally workspace through its REST API.

    ``policy`` says how often and how long failed requests are repeated; tests replace it.
    """

    name = "target-vitally"
    package_name = "tap-vitally"
    config_jsonschema: ClassVar[dict[str, Any]] = SCHEMA
    policy: Policy = Policy(repeats=REPEATABLE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Build the target and check its settings; nothing is sent yet."""
        logging.getLogger("urllib3").setLevel(logging.INFO)
        with settings_problems_named(type(self), kwargs):
            super().__init__(*args, **kwargs)
            _check_settings(self)
        end_on_hangup(self._handle_termination)
        self._signalled = self._ended = False
        self._looking = False

    @cached_property
    def settings(self) -> Settings:
        """The settings of the run, checked."""
        return Settings.from_config(self.config)

    @cached_property
    def endpoint(self) -> Endpoint:
        """The address of the REST API, and its key."""
        return Endpoint.from_config(self.config, f"{self.name}/{self.plugin_version}")

    @cached_property
    def analytics_endpoint(self) -> AnalyticsEndpoint:
        """The address of the Analytics API, and its key; raise a `SettingsError` if they are not set."""
        return AnalyticsEndpoint.from_config(self.config, f"{self.name}/{self.plugin_version}")

    @cached_property
    def engine(self) -> Engine:
        """The engine that takes and writes rows."""
        settings = self.settings.only_looking() if self._looking else self.settings
        policy = replace(self.policy, request_timeout=settings.request_timeout)
        budget = Budget(settings.max_requests_per_minute)
        vitally = Vitally(self.endpoint, budget, policy, settings.concurrency)
        analytics = None
        with suppress(SettingsError):  # which is raised again by what needs it
            analytics = Analytics(self.analytics_endpoint, policy, settings.concurrency)
        return Engine(settings, vitally, budget, RESOURCES, WRITERS, NAMED, _emit, analytics)

    @cached_property
    def preflight(self) -> Preflight:
        """The check of ``--test``, which takes rows in place of the engine."""
        engine = self.engine
        return Preflight(engine.references, engine.fields, self.settings, RESOURCES, IGNORED)

    @cached_property
    @override
    def streams(self) -> Streams:
        receiver = self.preflight if self._looking else self.engine
        return Streams(self.settings, RESOURCES, IGNORED, receiver, lambda: self.analytics_endpoint)

    def _knows(self, stream: str) -> bool:
        return stream in self.mapper.stream_maps

    def write_all(self, file_input: IO[str] | None = None) -> None:
        """Write all rows of the input; log the summary and send the last STATE, also after a failure.

        Raise a `VitallyError` if too many rows failed.
        """
        given = sys.stdin if file_input is None else file_input
        intake = Intake(given, self._knows, self.engine.reject_line, self.engine.tick)
        with ExitStack() as last:
            last.callback(self._write_plan)
            last.callback(self._log_summary)
            last.callback(self.engine.end)
            try:
                self.listen(cast("IO[str]", intake))
            finally:
                self._ended = True
        self.engine.workers.check()
        if failure := failure_of(self.engine.outcomes):
            raise VitallyError(failure)

    def _log_summary(self) -> None:
        metrics = self.engine.client.metrics.values
        log_summary(self.logger, self.engine.outcomes, metrics, self.streams.mapped)

    def _write_plan(self) -> None:
        """Write ``plan_file``; only warn if the run ended early, as the plan would lack changes."""
        engine = self.engine
        if engine.finished:
            requests = int(engine.client.metrics.values["requests"])
            host = self.endpoint.base_url
            write_plan(engine.outcomes, host, requests, engine.budget.limit)
        elif self.settings.plan_file:
            self.logger.warning("plan_file is not written: the run did not come to its end.")

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End the run: send STATE for the rows that have outcomes, and exit with 128 + the signal."""
        if self._signalled:
            return  # another one within the same moments would cost the summary
        self._signalled = True
        timer = threading.Timer(LAST_RESORT, _give_up, (self._last_words, 128 + signum))
        timer.daemon = True
        timer.start()
        self.engine.interrupt(signum)
        if not self.engine.busy and not self._ended:
            self.engine.workers.check()

    def _last_words(self) -> None:
        self._log_summary()
        self.engine.emit()

    def check(self, file_input: IO[str] | None = None) -> None:
        """Print if a run would work: the key, resources, custom objects, traits, and the input if any.

        Raise a `VitallyError` if something would fail.
        """
        self._looking = True
        preflight = self.preflight
        try:
            preflight.probe()
            host = self.endpoint.base_url
            sys.stdout.write(f"The connection to {host} works, and the key is accepted.\n")
            given = file_input or waiting_input()
            if given is not None:
                intake = Intake(given, self._knows, preflight.reject_line, preflight.tick)
                self.listen(cast("IO[str]", intake))
            for line in preflight.lines():
                sys.stdout.write(f"{line}\n")
        finally:
            self.engine.end()
        if preflight.problems:
            raise VitallyError(f"{preflight.problems} of these would not be taken: see above.")

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Add ``--test`` to the SDK's options."""
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--test"],
                is_flag=True,
                help="Check the key, whether Vitally has what streams names, and an input; write nothing.",
            )
        )
        return command

    @override
    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        file_input: IO[str] | None = None,
        test: bool = False,
    ) -> None:
        """Run the target from the command line."""
        filter_log()
        super(Target, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        # Click would repeat what is wrong with the settings, and say nothing if STATE is not read.
        with failures_in_one_line():
            target = cls(
                config=config.config if config else {},
                parse_env_config=bool(config and config.parse_env),
            )
            if test:
                target.check(file_input)
                return
            check_files(target.settings, file_input)
            # Rows hold no cycles: to look for these in ten thousand of them was an eighth of the CPU.
            gc.set_threshold(GARBAGE_THRESHOLD)
            target.write_all(file_input)


def _check_settings(target: TargetVitally) -> None:
    """Raise a `SettingsError` with every problem of the settings."""
    config = target.config
    known = target.config_jsonschema["properties"]
    problems = [f"{name} is no setting of {target.name}" for name in config if name not in known]
    streams = config.get("streams") or {}
    problems += problems_with(streams, RESOURCES)
    read = ["endpoint", "settings"]
    if any(_needs_analytics(name, entry, config) for name, entry in streams.items()):
        read.append("analytics_endpoint")
    for name in read:
        try:
            getattr(target, name)
        except SettingsError as error:
            problems += error.problems
    if not is_plan_file(config.get("plan_file") or ""):
        problems.append(f"plan_file ends in none of {', '.join(FORMATS)}")
    if problems:
        raise SettingsError(problems)


def _needs_analytics(stream: str, entry: Any, config: Mapping[str, Any]) -> bool:
    entry = entry if isinstance(entry, dict) else {}
    name = entry.get("resource") or resource_named(stream, RESOURCES, IGNORED)
    channel = entry.get("channel") or config.get("channel") or "rest"
    resource = RESOURCES.get(str(name))
    return resource is not None and needs_analytics(resource, channel)


def _give_up(last_words: Callable[[], None], code: int) -> None:
    """Exit even if a thread is stuck, such as one that writes to an output that nobody reads."""
    last = threading.Thread(target=last_words, daemon=True)
    last.start()
    last.join(LAST_WORDS)
    os._exit(code)


def _emit(value: Any) -> None:
    """Write a STATE to stdout; the next run begins from it."""
    write_whole(encoded(value) + b"\n")
