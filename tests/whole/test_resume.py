"""An interrupted pass goes on where its records were last known to be delivered."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import Row, Warehouse, config_for, read, waits_pass_in_no_time, with_moments
from sandbox import Clock, Fault, Sandbox, World, serve
from tap_vitally.state.stream_state import Resume
from vitally_api.values import format_moment, parse_moment

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with waits_pass_in_no_time():
        yield


@dataclass
class Scene:
    """A workspace whose clock stands still, and a target that is told what it may keep."""

    sandbox: Sandbox
    stream: str
    settings: Row = field(default_factory=dict)
    warehouse: Warehouse = field(default_factory=Warehouse)
    messages: list[Row] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.sandbox.world

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def run(self, **ends_by: Any) -> list[str]:
        """Run the tap, to its end or to where it is killed; return what it asked for."""
        self.sandbox.requests.clear()
        pipe = Pipe(Attempt(**ends_by))
        config = config_for(self.sandbox.url, concurrency=1, **self.settings)
        if ends_by.get("after") == "requests":

            def doom(entry: Any) -> None:
                pipe.doomed |= entry.number >= ends_by["at"]

            self.sandbox.before_request = doom
        try:
            read(config, select=[self.stream], state=self.warehouse.state, collector=pipe.collector)
        except Killed:
            pass
        finally:
            self.sandbox.before_request = None
        self.messages = pipe.messages
        self.warehouse.load(pipe.messages)
        return [f"{entry.path}?{entry.query}" for entry in self.sandbox.requests[1:]]

    @property
    def entry(self) -> Row:
        """What STATE says about the stream."""
        entry: Row = (self.warehouse.state or {}).get("bookmarks", {}).get(self.stream, {})
        return entry

    def differences(self) -> dict[str, list[Any]]:
        expected_rows = self.world.expected_rows(self.stream)
        spelled = {key: with_moments(row) for key, row in expected_rows.items()}
        return self.warehouse.differences(self.stream, spelled)


Open = Callable[..., Scene]


@pytest.fixture
def scene() -> Iterator[Open]:
    """Open a scene: ``scene("accounts", page_size=1)``."""
    with_sizes = {"accounts": 30, "notes": 30, "users": 30, "conversations": 30, "organizations": 3}
    world = World(seed=3, accounts=6, clock=Clock(NOON), sizes=with_sizes)
    with serve(world) as sandbox:
        yield lambda stream, **settings: Scene(sandbox, stream, settings)


# Thirty pages of a list, and of two lists; thirty parents, and thirty details.
LONG_PASSES = {
    "accounts": {"page_size": 1},
    "notes": {"page_size": 1},
    "account_users": {},
    "messages": {},
}
START = "2020-01-01T00:00:00Z"


GRAIN = 6
"""Pages between two places in STATE, with the one that was under way."""


@pytest.mark.parametrize("start_date", [None, START], ids=["from the beginning", "from a date"])
@pytest.mark.parametrize("stream", LONG_PASSES)
def test_killed_at_any_page_a_pass_goes_on(
    scene: Open, stream: str, start_date: str | None
) -> None:
    settings = {"start_date": start_date, **LONG_PASSES[stream]}
    whole = scene(stream, **settings)
    asked = whole.run()
    assert len(asked) >= 30
    # Parents of one and the same moment are done together.
    ties = 0 if "page_size" in settings else most_at_one_moment(whole.world)
    for at in range(2, len(asked) + 2, 2 if stream == "accounts" and not start_date else 7):
        killed = scene(stream, **settings)
        before = killed.run(ends_by="kill", after="requests", at=at)
        resume = killed.entry.get("resume")
        after = killed.run()
        assert killed.differences() == {}
        # What changed meanwhile is asked for in the list of the whole workspace, once per variant.
        added = set(after) - set(asked)
        assert all("sortBy=updatedAt" in request and "from=" not in request for request in added)
        assert len(added) <= 2
        # The front of a list is looked at in every run.
        repeated = set(before[1:]) & set(after)
        assert len(repeated) <= GRAIN + ties
        assert resume or len(before) <= GRAIN + ties
        assert killed.entry["replication_key_value"] <= format_moment(NOON)
        if resume and resume.get("cursor"):
            assert quote(resume["cursor"], safe="") in after[0]


def most_at_one_moment(world: World) -> int:
    """Count the largest bulk import among the rows that are parents here."""
    rows = [
        world.row(name, key) for name in ("accounts", "conversations") for key in world.ids(name)
    ]
    return max(Counter(row["createdAt"] for row in rows).values())


def test_a_target_that_is_late_is_given_again_what_it_lacks(scene: Open) -> None:
    late = scene("accounts", page_size=1)
    late.run(ends_by="kill", after="lines", at=30)
    messages = late.messages
    places = [at for at, message in enumerate(messages) if message["type"] == "STATE"]
    assert len(places) >= 4
    for at in places:
        late.warehouse = Warehouse()
        late.warehouse.load(messages[: at + 1])
        late.run()
        assert late.differences() == {}


@pytest.mark.parametrize("stream", [*LONG_PASSES, "projects"])
def test_an_interrupted_pass_keeps_its_signpost(scene: Open, stream: str) -> None:
    began = scene(stream, **LONG_PASSES.get(stream, {"page_size": 1}))
    world = began.world
    began.run(ends_by="kill", after="requests", at=14)
    assert began.entry["resume"]["signpost"] == format_moment(NOON)
    began.clock.advance(3600)
    # What changes between the runs may be in the part that is not read again.
    for resource in ("accounts", "users", "notes", "projects"):
        for key in world.ids(resource)[-3:]:
            world.update(resource, key, traits={"changed": "meanwhile"})
    for key in world.ids("conversations")[-3:]:
        world.add_message(key)
    began.clock.advance(3600)
    began.run()
    assert not under_way(began.entry)
    bookmark = parse_moment(began.entry["replication_key_value"])
    assert bookmark
    assert bookmark <= NOON
    assert began.differences() == {}


def under_way(entry: Row) -> str | None:
    """Since when an interrupted pass has been going on, if there is one."""
    since: str | None = (entry.get("resume") or {}).get("signpost")
    return since


@pytest.mark.parametrize("stream", LONG_PASSES)
def test_an_interrupted_state_is_small_and_explained(scene: Open, stream: str) -> None:
    killed = scene(stream, **LONG_PASSES[stream])
    killed.run(ends_by="kill", after="requests", at=25)
    assert len(json.dumps(killed.entry)) < 1000
    explained = set(re.findall(r"``(\w+)``", Resume.__doc__ or ""))
    assert killed.entry["resume"].keys() <= explained
    assert all(isinstance(v, str | None) for v in killed.entry["resume"].values())


def test_a_cursor_that_is_refused_costs_a_warning_and_time(
    scene: Open, caplog: pytest.LogCaptureFixture
) -> None:
    killed = scene("notes", page_size=1)
    killed.run(ends_by="kill", after="requests", at=20)
    killed.sandbox.faults.append(Fault("cursor_refused", times=1))
    with caplog.at_level(logging.WARNING):
        asked = killed.run()
    assert "read again from its start" in caplog.text
    assert sum("from=" not in request for request in asked[:2]) == 1
    assert killed.differences() == {}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("status", [403, 404, 410, 422, 500])
def test_a_cursor_that_is_refused_in_any_way_is_dropped(
    scene: Open, status: int, concurrency: int
) -> None:
    """It was kept for ever: the stream was skipped, or every run failed."""
    stream_state = {"signpost": format_moment(NOON), "cursor": "OLD", "sort_by": "createdAt"}
    state = {"bookmarks": {"users": {"resume": stream_state}}}
    resumed = scene("users")
    resumed.sandbox.faults.append(Fault("status", "users?from=OLD", status=status))
    config = config_for(resumed.sandbox.url, concurrency=concurrency)
    messages = read(config, select=["users"], state=state)
    resumed.warehouse.load(messages)
    assert resumed.differences() == {}
    assert not under_way(resumed.entry)


def test_a_cursor_that_is_garbage_is_dropped(scene: Open) -> None:
    killed = scene("notes", page_size=1)
    killed.run(ends_by="kill", after="requests", at=20)
    killed.entry["resume"]["cursor"] = "garbage"
    killed.run()
    assert killed.differences() == {}
    assert not under_way(killed.entry)


BOOKMARK = "2026-01-01T00:00:00.000Z"
OLD_STATES: dict[str, Row] = {
    "empty": {},
    "without bookmarks": {"something": "else"},
    "no bookmark for the stream": {"bookmarks": {"users": {}}},
    "a bookmark alone": {"replication_key": "updatedAt", "replication_key_value": BOOKMARK},
    "what the SDK adds": {
        "replication_key": "updatedAt",
        "replication_key_value": BOOKMARK,
        "starting_replication_value": BOOKMARK,
        "replication_key_signpost": BOOKMARK,
        "progress_markers": {"Note": "...", "replication_key_value": BOOKMARK},
    },
    "another replication key": {"replication_key": "createdAt", "replication_key_value": BOOKMARK},
    "a bookmark that is no moment": {
        "replication_key": "updatedAt",
        "replication_key_value": "yesterday",
    },
    "a place with less in it": {"resume": {"signpost": BOOKMARK}},
    "a place with more in it": {"resume": {"signpost": BOOKMARK, "colour": "blue", "page": 3}},
    "a place of other types": {
        "resume": {"signpost": BOOKMARK, "cursor": 7, "context": None, "sort_by": ["createdAt"]}
    },
    "a place that is none": {"resume": "page 3", "contexts": "all", "skipped": 5},
}


@pytest.mark.parametrize("old", OLD_STATES)
@pytest.mark.parametrize("stream", ["notes", "account_users", "messages"])
def test_states_of_other_versions_load(scene: Open, stream: str, old: str) -> None:
    complete = scene(stream)
    complete.run()
    state = OLD_STATES[old]
    if state and not state.keys() & {"bookmarks", "something"}:
        if (key := state.get("replication_key")) == "updatedAt" and stream == "messages":
            key = "conversationUpdatedAt"
        state = {"bookmarks": {stream: {**state, **({"replication_key": key} if key else {})}}}
    # The target holds everything that the bookmark stands for.
    complete.warehouse.state = json.loads(json.dumps(state))
    for resource in ("notes", "users"):
        complete.world.update(resource, complete.world.ids(resource)[0], traits={"new": True})
    complete.world.add_message(complete.world.ids("conversations")[0])
    complete.run()
    assert complete.differences() == {}
    assert complete.entry["replication_key_value"] >= BOOKMARK
