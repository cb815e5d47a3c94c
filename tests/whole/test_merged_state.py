"""What runners make of STATE by merging, and STATE that is not of this workspace or of this time."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from harness.expectations import expected
from harness.support import Collector, Row, Warehouse, config_for, read
from sandbox import Sandbox
from tap_vitally.state.stream_state import reason_to_discard
from vitally_api.values import parse_moment

StartSandbox = Callable[..., Sandbox]

STREAMS = (
    "accounts",
    "users",
    "notes",
    "nps_responses",
    "account_notes",
    "account_users",
    "organization_tasks",
    "messages",
    "custom_object_instances",
    "meeting_transcripts",
)


class Killed(Exception):
    """The runner was killed."""


def cut_after(most: int) -> Collector:
    """Return a target whose runner is killed after some messages."""

    def stop() -> None:
        if len(collector.messages) >= most:
            raise Killed

    collector = Collector(stop)
    return collector


def merged(old: Any, new: Any) -> Any:
    """Merge as Meltano does: objects key by key, everything else replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        both = {name: merged(old[name], new[name]) for name in old.keys() & new.keys()}
        return {**old, **new, **both}
    return copy.deepcopy(new)


def interrupted(config: Row, stream: str, after: int, state: Row | None = None) -> list[Row]:
    """The messages of a run that is killed after some of them."""
    collector = cut_after(after)
    with suppress(Killed):
        read(config, select=[stream], state=state, collector=collector)
    return collector.messages


def states_of(messages: list[Row]) -> Iterator[Row]:
    return (message["value"] for message in messages if message["type"] == "STATE")


def last_state(messages: list[Row]) -> Row:
    found: Row = {}
    for state in states_of(messages):
        found = merged(found, state)
    return found


@pytest.mark.parametrize("after", [40, 90])
@pytest.mark.parametrize("stream", STREAMS)
def test_an_interrupted_full_refresh_is_finished_from_the_merge(
    start_sandbox: StartSandbox, stream: str, after: int
) -> None:
    sandbox = start_sandbox(accounts=30)
    config = config_for(sandbox.url, page_size=3)
    complete = last_state(read(config, select=[stream]))
    emptied = Warehouse()
    first = interrupted(config, stream, after)
    emptied.load(first)
    state = merged(complete, last_state(first))
    sandbox.world.live_a_day()
    emptied.load(read(config, select=[stream], state=state))
    assert emptied.tables[stream] == expected(sandbox.world, stream)


@pytest.mark.parametrize("changed", [{"include_archived": False}, {"account_status": "active"}])
def test_it_is_finished_also_when_the_settings_have_changed_meanwhile(
    start_sandbox: StartSandbox, changed: Row
) -> None:
    sandbox = start_sandbox(accounts=30)
    config = config_for(sandbox.url, page_size=3)
    complete = last_state(read(config, select=["account_notes"]))
    emptied = Warehouse()
    first = interrupted({**config, **changed}, "account_notes", 40)
    emptied.load(first)
    state = merged(complete, last_state(first))
    emptied.load(read(config, select=["account_notes"], state=state))
    assert emptied.tables["account_notes"] == expected(sandbox.world, "account_notes")


def test_a_place_that_was_left_does_not_come_back_by_a_merge(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=30)
    config = config_for(sandbox.url, page_size=3)
    first = interrupted(config, "users", 40)
    partial = last_state(first)
    assert partial["bookmarks"]["users"]["resume"]
    rest = read(config, select=["users"], state=partial)
    state = merged(partial, last_state(rest))
    assert state["bookmarks"]["users"]["resume"]["signpost"] is None
    again = read(config, select=["users"], state=state)
    assert sum(message["type"] == "RECORD" for message in again) < 20


def test_every_place_says_all_there_is_to_say_so_that_nothing_older_shows_through(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=30)
    config = config_for(sandbox.url, page_size=3)
    places = [
        stream_state
        for stream in ("notes", "account_notes")
        for state in states_of(read(config, select=[stream]))
        if (stream_state := state["bookmarks"].get(stream, {}).get("resume", {})).get("signpost")
    ]
    assert len(places) > 2
    assert all(one.keys() == other.keys() for one, other in itertools.pairwise(places))


# Another time


@pytest.mark.parametrize("stream", ["users", "account_notes", "messages"])
@pytest.mark.parametrize("lookback", [300, 0])
@pytest.mark.parametrize("ahead", [60, 301, 31_536_000])
def test_a_bookmark_ahead_of_the_servers_clock_keeps_nothing_back(
    start_sandbox: StartSandbox,
    caplog: pytest.LogCaptureFixture,
    stream: str,
    lookback: int,
    ahead: int,
) -> None:
    sandbox = start_sandbox(accounts=8)
    config = config_for(sandbox.url, lookback_seconds=lookback)
    sandbox.world.clock.advance(ahead)
    state = last_state(read(config, select=[stream]))
    entry = state["bookmarks"][stream]
    entry["replication_key_value"] = sandbox.world.clock.now().isoformat()
    sandbox.world.clock.advance(-ahead)
    sandbox.world.live_a_day()
    warehouse = Warehouse()
    messages = read(config, select=[stream], state=state)
    warehouse.load(messages)
    assert warehouse.tables[stream] == expected(sandbox.world, stream)
    assert f"STATE of '{stream}' is not used, because it is ahead" in caplog.text
    assert (
        last_state(messages)["bookmarks"][stream]["replication_key_value"]
        < entry["replication_key_value"]
    )


# Another workspace


@pytest.mark.parametrize("after", [0, 40])
@pytest.mark.parametrize("stream", ["accounts", "users", "account_notes"])
def test_state_of_another_workspace_is_not_taken_for_ones_own(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture, stream: str, after: int
) -> None:
    first = start_sandbox(accounts=12, seed=1)
    config = config_for(first.url, page_size=3)
    messages = interrupted(config, stream, after) if after else read(config, select=[stream])
    state = last_state(messages)
    assert first.url not in json.dumps(state)
    other = start_sandbox(accounts=12, seed=2)
    warehouse = Warehouse()
    warehouse.load(read(config_for(other.url, page_size=3), select=[stream], state=state))
    assert warehouse.tables[stream] == expected(other.world, stream)
    assert f"STATE of '{stream}' is not used, because it was written for another" in caplog.text


def test_state_without_a_workspace_is_taken(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=12)
    config = config_for(sandbox.url)
    state = last_state(read(config, select=["users"]))
    del state["bookmarks"]["users"]["host"]
    again = read(config, select=["users"], state=state)
    assert sum(message["type"] == "RECORD" for message in again) < 20


@pytest.mark.parametrize(
    ("spelt", "reason"),
    [
        (" 2999-01-01T00:00:00z", "it is ahead"),
        (32_503_680_000, "it is ahead"),
        ("32503680000000", "it is ahead"),
        ("9999-12-31T23:59:59-12:00", "its bookmark is no moment"),
        ({"a": 1}, "its bookmark is no moment"),
    ],
)
def test_a_bookmark_in_another_spelling_is_understood_or_told(spelt: Any, reason: str) -> None:
    entry = {"replication_key": "updatedAt", "replication_key_value": spelt}
    signpost = parse_moment("2026-01-01T00:00:00Z")
    assert reason_to_discard(entry, signpost, None).startswith(reason)
