"""Options for use at a terminal: print sample records, or compare the warehouse with Vitally."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.sync.prefetch import run_sequentially
from tap_vitally.sync.resource import Record
from tap_vitally.tap import TapVitally
from tap_vitally.verify import differences, key_of, read_held
from vitally_api import SettingsError, VitallyError, encoded, safe_name

DEFAULT_SAMPLE, MOST_SAMPLED = 5, 1000


def command() -> click.Command:
    """Return the tap's command with the further options ``--sample``, ``--verify`` and so on."""
    command: click.Command = TapVitally.cli  # which sets up the log, too
    for option in command.params:
        # Click reads the eager ones first: otherwise `--test` would not see those that stand behind it.
        option.is_eager |= option.name in {"catalog", "state"}
    command.params += [
        _option(
            "--sample",
            _print_sample,
            metavar="STREAM[=N]",
            help="Print up to N (5) records of a stream as JSON lines, and write no STATE.",
        ),
        _option(
            "--verify",
            _print_verification,
            is_flag=True,
            help="Compare the counts or ids on standard input with Vitally now; exit code 1 if they differ.",
        ),
    ]
    return command


def _option(name: str, answer: Callable[[TapVitally, Any], None], **more: Any) -> click.Option:
    def callback(context: click.Context, _: click.Parameter, asked: Any) -> None:
        if asked:
            tap = TapVitally.from_options(context.params.get("config"))
            try:
                answer(tap, asked)
            finally:
                tap.run.stop()
            context.exit()

    return click.Option([name], callback=callback, expose_value=False, **more)


def _records(tap: TapVitally, stream: VitallyStream) -> Iterator[Record]:
    """Read a stream from its start, one request after the other; a failure is raised."""
    stream.reader.prepare({}, tap.run.workspace.signpost)
    for batch in run_sequentially(stream.reader.phases()):
        if batch.failure:
            raise batch.failure
        yield from batch.records


def _print_sample(tap: TapVitally, text: str) -> None:
    """Print records as JSON lines, as stream maps leave them."""
    name, _, number = text.partition("=")
    stream = next((each for each in tap.all_streams if each.name == name), None)
    if stream is None:
        raise SettingsError([f"--sample: {safe_name(name)} is no stream: see --discover"])
    if number and not (number.isascii() and number.isdigit() and 0 < int(number) <= MOST_SAMPLED):
        raise SettingsError([f"--sample: the number is between 1 and {MOST_SAMPLED:,}: users=20"])
    tap.run.begin()
    for record in islice(_records(tap, stream), int(number or DEFAULT_SAMPLE)):
        for stream_map in stream.stream_maps:
            if (mapped := stream_map.transform(record)) is not None:
                sys.stdout.buffer.write(encoded(mapped) + b"\n")
    sys.stdout.buffer.flush()


def _print_verification(tap: TapVitally, _: bool) -> None:  # noqa: FBT001 - the option's value
    """Compare the warehouse's rows on standard input with Vitally; print counts without any input.

    Raise a `VitallyError` if they differ.
    """
    streams = {stream.name: stream for stream in tap.all_streams}
    keys = {name: tuple(stream.primary_keys) for name, stream in streams.items()}
    held = {} if sys.stdin.isatty() else read_held(sys.stdin, keys)
    if unknown := sorted(set(held) - set(keys)):
        raise SettingsError([f"--verify: {safe_name(unknown[0])} is no stream: see --discover"])
    tap.run.begin()
    asked = list(held) or [name for name, stream in streams.items() if stream.selected]
    different = 0
    for name in asked:
        present = {key_of(record, keys[name]) for record in _records(tap, streams[name])}
        lines = differences(name, held[name], present) if held else [f"{name}: {len(present):,}"]
        different += bool(held and lines)
        for line in lines:
            click.echo(line)
    at = (tap.run.workspace.signpost or datetime.now(UTC)).strftime("%H:%M UTC")
    if different:
        raise VitallyError(
            f"{different:,} of {len(asked):,} tables differ from Vitally as of {at}."
        )
    if held:
        equal = "1 table equals" if len(asked) == 1 else f"{len(asked):,} tables equal"
        click.echo(f"{equal} Vitally as of {at}.")
