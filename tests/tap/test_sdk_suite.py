"""The checks that others wrote for all taps, and those that they leave out."""

from __future__ import annotations

import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from jsonschema import FormatChecker
from jsonschema.validators import validator_for
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from singer_sdk.testing.suites import SingerTestSuite
from singer_sdk.testing.templates import StreamTestTemplate, TapTestTemplate

from harness.programs import program
from harness.support import catalog, config_for, run_tap
from sandbox import World, serve
from tap_vitally.streams import STREAMS
from tap_vitally.tap import TapVitally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.support import Result, Row

SELDOM = {"progress_markers", "replication_key_signpost", "starting_replication_value"}
"""What STATE may hold while a run goes on, but not after it."""

CONFIG = config_for("http://127.0.0.1:9")
"""Nothing listens there: tests are collected without a server, which `_served` puts in."""


def keys_within(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from keys_within(part)
    elif isinstance(value, list):
        for part in value:
            yield from keys_within(part)


@pytest.fixture(scope="module", autouse=True)
def _served() -> Iterator[None]:
    """The suite reads its configuration when it builds a tap, so the address may come late."""
    world = World(seed=1, accounts=14)
    with serve(world) as sandbox:
        CONFIG.update(
            api_url=sandbox.url,
            survey_ids=world.ids("surveys"),
            inventory_resources=["accounts", "notes"],
        )
        yield


class UniqueKeysTest(StreamTestTemplate):
    """The suite's own check compares generators, which are all different."""

    name = "keys_are_unique"

    def test(self) -> None:
        names = self.stream.primary_keys
        keys = [tuple(record[name] for name in names) for record in self.stream_records]
        assert names
        assert keys
        assert len(set(keys)) == len(keys)
        assert not any(value is None for key in keys for value in key)


formats = FormatChecker()


@formats.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    """Return True if a value is a moment with its zone by RFC 3339, or no text."""
    return not isinstance(value, str) or (
        value[10:11] == "T" and datetime.fromisoformat(value).tzinfo is not None
    )


class ValidRecordsTest(StreamTestTemplate):
    """The suite's own check has no idea of `date-time`: the package for it is not installed."""

    name = "records_are_valid"

    def test(self) -> None:
        (schema,) = [
            message["schema"]
            for message in self.runner.schema_messages
            if message["stream"] == self.stream.name
        ]
        validator = validator_for(schema)(schema, format_checker=formats)
        assert self.stream_records
        for record in self.stream_records:
            validator.validate(record)


class CleanStateTest(TapTestTemplate):
    """The suite's own check looks at the top level only."""

    name = "final_state_is_clean"

    def test(self) -> None:
        state = self.runner.state_messages[-1]["value"]
        assert state["bookmarks"]
        assert not SELDOM & set(keys_within(state))
        assert not any(e.get("resume", {}).get("signpost") for e in state["bookmarks"].values())


class OneSchemaTest(TapTestTemplate):
    """A target empties its buffers at every SCHEMA."""

    name = "one_schema_per_stream"

    def test(self) -> None:
        streams = [message["stream"] for message in self.runner.schema_messages]
        assert streams == list(self.tap.streams)


SdkTests = get_tap_test_class(
    TapVitally,
    config=CONFIG,
    # Without a limit, for the checks of whole runs.
    suite_config=SuiteConfig(max_records_limit=None),
    custom_suites=[
        SingerTestSuite("tap", [CleanStateTest, OneSchemaTest]),
        SingerTestSuite("tap_stream", [UniqueKeysTest, ValidRecordsTest]),
    ],
    catalog=catalog(),  # everything, whatever is selected by default
    parse_env_config=False,
)


# Some properties are documented, and yet in no row that anybody has seen.
@pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records")
@pytest.mark.filterwarnings("ignore:No records were available to test")
class TestSdk(SdkTests):  # type: ignore[misc, valid-type]
    """The suite, with what is missing in it."""

    params: ClassVar[dict[str, Any]] = SdkTests.params

    def test_every_stream_is_in_the_suite(self) -> None:
        checked = [param.id for param in self.params["test_tap_stream_keys_are_unique"]]
        assert sorted(checked) == sorted(stream.name for stream in STREAMS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Result]:
    """A first run of everything, and one after it."""
    folder = tmp_path_factory.mktemp("check")
    first = run_tap(folder, CONFIG)
    return first, run_tap(folder, CONFIG, state=first.state)


@pytest.mark.parametrize("number", [0, 1])
def test_the_specification_s_own_check_accepts_a_run(
    runs: tuple[Result, Result], number: int, tmp_path: Path
) -> None:
    run = runs[number]
    assert run.returncode == 0, run.stderr
    checked = subprocess.run(
        [program("singer-check-tap", "singer-tools")],
        input=run.stdout,
        capture_output=True,
        text=True,
        cwd=tmp_path,  # it leaves a folder behind
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "The output is valid." in checked.stdout
    assert f"{len(STREAMS):7} schema messages" in checked.stdout


def test_a_whole_run_leaves_a_clean_state(runs: tuple[Result, Result]) -> None:
    for run in runs:
        state: Row = run.state or {}
        incremental = {stream.name for stream in STREAMS if stream.replication_key}
        assert state["bookmarks"].keys() >= incremental
        assert not SELDOM & set(keys_within(state))
