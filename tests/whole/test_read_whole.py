"""Accounts and organizations are read whole now and then: their values move without updatedAt."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from harness.expectations import expected, last_state, loaded, records_of
from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import Row, Warehouse, config_for, read
from sandbox import Sandbox
from tap_vitally.report import table
from tap_vitally.sync.summary import StreamMetrics

StartSandbox = Callable[..., Sandbox]
BOTH = ("accounts", "organizations")
HOUR = 3600


def run(sandbox: Sandbox, state: Row | None = None, select: Any = BOTH, **how: Any) -> list[Row]:
    config = config_for(sandbox.url, **{"page_size": 5, **how})
    return read(config, select=(*select, "vitally_sync_runs"), state=state)


def whole_read(messages: list[Row], stream: str) -> str | None:
    (row,) = (r for r in records_of(messages, "vitally_sync_runs") if r["stream"] == stream)
    found: str | None = row["wholeReadAt"]
    state = last_state(messages)["bookmarks"][stream].get("wholeReadAt")
    assert found == state, "the table says what STATE says"
    return found


def current(sandbox: Sandbox, *runs: list[Row], streams: Any = BOTH) -> bool:
    tables = loaded(*runs).tables
    return all(tables[name] == expected(sandbox.world, name) for name in streams)


def test_a_score_that_moved_comes_when_the_last_whole_read_is_a_day_old(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=23)
    first = run(sandbox)
    began = whole_read(first, "accounts")
    assert began
    sandbox.world.clock.advance(23 * HOUR)
    sandbox.world.move_scores()
    soon = run(sandbox, last_state(first))
    assert not current(sandbox, first, soon)
    assert whole_read(soon, "accounts") == began
    sandbox.world.clock.advance(HOUR)
    late = run(sandbox, last_state(soon))
    assert current(sandbox, first, soon, late)
    later = whole_read(late, "organizations")
    assert later
    assert later > began
    before, after = (last_state(each)["bookmarks"]["accounts"] for each in (first, late))
    assert after["replication_key_value"] >= before["replication_key_value"]
    sandbox.world.clock.advance(HOUR)
    sandbox.requests.clear()
    again = run(sandbox, last_state(late))
    assert len(sandbox.requests) == 3
    assert whole_read(again, "accounts") == later


def test_the_summary_says_when() -> None:
    metrics = StreamMetrics(whole_read_at="2026-11-29T09:30:12.000Z")
    assert "read whole: accounts last on 2026-11-29 09:30\n" in table({"accounts": metrics})


@pytest.mark.parametrize(
    ("hours", "passed", "whole"), [(0, 9000, False), (1, 1, True), (48, 47, False), (48, 48, True)]
)
def test_the_setting_says_how_often(
    start_sandbox: StartSandbox, hours: int, passed: int, *, whole: bool
) -> None:
    sandbox = start_sandbox(accounts=7)
    first = run(sandbox, full_read_hours=hours)
    sandbox.world.clock.advance(passed * HOUR)
    sandbox.world.move_scores()
    later = run(sandbox, last_state(first), full_read_hours=hours)
    assert current(sandbox, first, later) == whole
    if not hours:
        assert whole_read(later, "accounts") is None


def test_other_streams_are_not_read_whole(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    others = ("users", "notes", "tasks")
    first = run(sandbox, select=others)
    sandbox.world.clock.advance(90 * HOUR)
    later = run(sandbox, last_state(first), select=others)
    assert sum(len(records_of(later, name)) for name in others) < 20
    assert whole_read(later, "users") is None


def test_state_of_before_is_read_whole_once_from_its_bookmark_on(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=12)
    first = run(sandbox)
    state = last_state(first)
    for entry in state["bookmarks"].values():
        entry.pop("wholeReadAt", None)
    sandbox.world.move_scores()
    later = run(sandbox, state)
    assert current(sandbox, first, later)
    assert whole_read(later, "accounts")


def test_a_start_date_holds_for_whole_reads_too(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=30)
    moments = sorted(row["updatedAt"] for row in sandbox.world.expected_rows("accounts").values())
    since = moments[15]
    first = run(sandbox, start_date=since)
    sandbox.world.clock.advance(25 * HOUR)
    sandbox.world.move_scores()
    later = run(sandbox, last_state(first), start_date=since)
    wanted = {
        key: row
        for key, row in expected(sandbox.world, "accounts").items()
        if row["updatedAt"] >= since
    }
    assert loaded(later).tables["accounts"] == wanted
    assert whole_read(later, "accounts") != whole_read(first, "accounts")


@pytest.mark.parametrize("seed", range(6))
def test_one_that_is_killed_again_and_again_goes_on_and_loses_nothing(
    start_sandbox: StartSandbox, seed: int
) -> None:
    """Accounts change, come, go and are ignored, all while the list is read whole."""
    sandbox, random = start_sandbox(accounts=30, seed=seed), Random(seed)
    world, warehouse = sandbox.world, Warehouse()
    config = config_for(sandbox.url, page_size=2, concurrency=1)
    warehouse.load(read(config, select=BOTH))
    world.clock.advance(25 * HOUR)
    world.move_scores()

    def change(_: Any) -> None:
        world.clock.advance(1)
        key = random.choice(world.ids("accounts"))
        world.update("accounts", key, name=f"{random.random()}")
        if random.random() < 0.2:
            world.create("accounts")

    sandbox.before_request = change
    began: set[str] = set()
    for _ in range(4):
        pipe = Pipe(Attempt(ends_by="kill", at=random.randrange(4, 24)))
        with pytest.raises(Killed):
            read(config, select=BOTH, state=warehouse.state, collector=pipe.collector)
        warehouse.load(pipe.messages)
        resume = (warehouse.state or {})["bookmarks"]["accounts"].get("resume", {})
        began |= {resume["signpost"]} if resume.get("signpost") else set()
    warehouse.load(read(config, select=BOTH, state=warehouse.state))
    state = warehouse.state or {}
    assert len(began) <= 1, "it is one read of everything"
    assert began == set() or began == {state["bookmarks"]["accounts"]["wholeReadAt"]}
    sandbox.before_request = None
    world.clock.advance(2)
    warehouse.load(read(config, select=BOTH, state=state))
    assert all(warehouse.tables[name] == expected(world, name) for name in BOTH)


def test_an_ignored_account_that_comes_back_is_there_with_the_next_whole_read(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=9)
    world = sandbox.world
    key = world.ids("accounts")[4]
    world.ignore(key)
    first = run(sandbox)
    assert (key,) not in loaded(first).tables["accounts"]
    world.come_back(key)
    world.clock.advance(25 * HOUR)
    later = run(sandbox, last_state(first))
    assert current(sandbox, first, later)


def test_streams_below_read_no_more_for_it(start_sandbox: StartSandbox) -> None:
    """A row that is read again and has not changed points at nobody."""
    sandbox = start_sandbox(accounts=20)
    below = ("account_notes", "organization_accounts", "account_users")
    first = run(sandbox, select=(*BOTH, *below))
    sandbox.world.clock.advance(25 * HOUR)
    asked = []
    for hours in (0, 24):
        sandbox.requests.clear()
        run(sandbox, last_state(first), select=(*BOTH, *below), full_read_hours=hours)
        asked.append(sum(entry.path.count("/") == 4 for entry in sandbox.requests))
    sandbox.world.move_scores()
    sandbox.requests.clear()
    run(sandbox, last_state(first), select=(*BOTH, *below))
    asked.append(sum(entry.path.count("/") == 4 for entry in sandbox.requests))
    assert asked[0] == asked[1] == asked[2]
