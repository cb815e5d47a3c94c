"""What a person asks at a terminal: a few records of a stream, or if the warehouse equals Vitally."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.sync.batches import RecordBatch
from tap_vitally.sync.prefetch import run_sequentially
from tap_vitally.tap import TapVitally
from tap_vitally.verify import Held, difference, key_of, read_held
from vitally_api import SettingsError, VitallyError, encoded, safe_name

DEFAULT_SAMPLE, MOST_SAMPLED = 5, 1000


def command() -> click.Command:
    """Return the tap's command with the options that a person asks by."""
    command: click.Command = TapVitally.cli  # which sets up the log, too
    command.params += [
        click.Option(
            ["--sample"],
            metavar="STREAM[=N]",
            help="Print up to N (5) records of a stream as JSON lines, and write no STATE.",
            callback=_sample,
            expose_value=False,
        ),
        click.Option(
            ["--verify"],
            is_flag=True,
            help="Compare the counts or ids on standard input with Vitally now; exit code 1 if they differ.",
            callback=_verify,
            expose_value=False,
        ),
    ]
    return command


def _sample(context: click.Context, _: click.Parameter, text: str | None) -> None:
    if text:
        _answer(context, text)


def _verify(context: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001
    if asked:
        _answer(context)


def _answer(context: click.Context, sample: str = "") -> None:
    """Build the tap of the command line, print what was asked for, and end."""
    config = context.params.get("config")
    tap = TapVitally(
        config=config.config if config else {},
        parse_env_config=bool(config and config.parse_env),
    )
    found = ((name, each) for name, each in tap.streams.items())
    streams = {name: each for name, each in found if isinstance(each, VitallyStream)}
    try:
        if sample:
            _print_sample(tap, streams, sample)
        else:
            _print_verification(tap, streams)
    finally:
        tap.run.stop()
    context.exit()


def _begin(tap: TapVitally, streams: Mapping[str, VitallyStream]) -> None:
    workspace = tap.run.workspace
    workspace.readers = {name: stream.reader.stream for name, stream in streams.items()}
    workspace.begin()


def _batches(tap: TapVitally, stream: VitallyStream) -> Iterator[RecordBatch]:
    """Read a stream from its start, one request after the other; a failure is raised."""
    stream.reader.prepare({}, tap.run.workspace.signpost)
    for batch in run_sequentially(stream.reader.page_tasks()):
        if batch.failure:
            raise batch.failure
        yield batch


def _print_sample(tap: TapVitally, streams: Mapping[str, VitallyStream], text: str) -> None:
    """Print records as JSON lines, as stream maps leave them."""
    name, _, number = text.partition("=")
    if name not in streams:
        raise SettingsError([f"--sample: {safe_name(name)} is no stream: see --discover"])
    if number and not (number.isascii() and number.isdigit() and 0 < int(number) <= MOST_SAMPLED):
        raise SettingsError([f"--sample: the number is between 1 and {MOST_SAMPLED:,}: users=20"])
    _begin(tap, streams)
    stream = streams[name]
    records = (record for batch in _batches(tap, stream) for record in batch.records)
    for record in islice(records, int(number or DEFAULT_SAMPLE)):
        for stream_map in stream.stream_maps:
            if (mapped := stream_map.transform(record)) is not None:
                sys.stdout.buffer.write(encoded(mapped) + b"\n")
    sys.stdout.buffer.flush()


def _print_verification(tap: TapVitally, streams: Mapping[str, VitallyStream]) -> None:
    """Print for each stream how the warehouse differs; raise a `VitallyError` if it does.

    Without anything on standard input, print how many records Vitally has of those selected.
    """
    keys = {name: tuple(stream.primary_keys) for name, stream in streams.items()}
    held = {} if sys.stdin.isatty() else read_held(sys.stdin, keys)
    if unknown := sorted(set(held) - set(streams)):
        raise SettingsError([f"--verify: {safe_name(unknown[0])} is no stream: see --discover"])
    _begin(tap, streams)
    asked = list(held) or [name for name, stream in streams.items() if stream.selected]
    different = 0
    for name in asked:
        present = _keys(tap, streams[name])
        if not held:
            _say(f"{name}: {len(present):,}")
        elif found := difference(name, held.get(name, Held()), present):
            different += 1
            _say("\n".join(found.lines()))
    at = (tap.run.workspace.signpost or datetime.now(UTC)).strftime("%H:%M UTC")
    if different:
        raise VitallyError(
            f"{different:,} of {len(asked):,} tables differ from Vitally as of {at}."
        )
    if held:
        _say(
            f"{'1 table equals' if len(asked) == 1 else f'{len(asked):,} tables equal'} Vitally as of {at}."
        )


def _keys(tap: TapVitally, stream: VitallyStream) -> set[str]:
    keys: Any = stream.primary_keys
    batches = _batches(tap, stream)
    return {key_of(record, keys) for batch in batches for record in batch.records}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
