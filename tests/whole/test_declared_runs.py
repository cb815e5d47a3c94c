"""Runs of declared streams that are killed, and go on: nothing is lost, and little comes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.declared import DECLARED, declarations, declared_rows
from harness.forked import forked
from harness.fuzzer import Fuzzer
from harness.run_attempts import Attempt, PlannedFault
from harness.support import ROOT, Row, Warehouse, catalog_of, config_for, run_in_process
from sandbox import Entry, Sandbox, World, serve
from tap_vitally.state.stream_state import Resume
from tap_vitally.sync import contexts

LISTS = ("events_of_kinds", "events_in_no_order", "plans_named", "event_tasks")
"""Streams whose lists no moment of a parent tells apart."""


@contextmanager
def fuzzer(stream: str, **how: Any) -> Iterator[Fuzzer]:
    opened = Fuzzer(streams=(stream,), inventory=(), **how)
    try:
        yield opened
    finally:
        opened.close()


def entry(opened: Fuzzer, stream: str) -> Row:
    found: Row = (opened.warehouse.state or {}).get("bookmarks", {}).get(stream, {})
    return found


def killed(at: int, **more: Any) -> Attempt:
    return Attempt(ends_by="kill", after="requests", at=at, **more)


@pytest.mark.parametrize("stream", DECLARED)
def test_killed_at_any_request_nothing_is_lost(stream: str) -> None:
    with fuzzer(stream) as opened:
        for at in range(3, 26, 9):
            opened.warehouse = Warehouse()
            opened.run(killed(at, changes=((at - 1, at), (at, at + 1))))
            opened.live(1.0, (at,))
            assert opened.run(Attempt())
        opened.finish()


@pytest.mark.parametrize("stream", LISTS)
def test_lists_that_were_done_bring_nothing_twice(stream: str) -> None:
    with fuzzer(stream, sizes={"tasks": 16} if stream == "event_tasks" else {}) as opened:
        opened.run(Attempt())
        whole = dict(opened.warehouse.counts)[stream]
        asked = len(opened.sandbox.requests)
        resumed = 0
        for at in range(asked // 4, asked, asked // 4):
            opened.warehouse = Warehouse()
            opened.run(killed(at))
            done = entry(opened, stream).get("resume", {}).get("done")
            before = opened.warehouse.counts.get(stream, 0)
            opened.run(Attempt())
            assert not entry(opened, stream)["resume"].get("done")
            resumed += bool(done)
            # STATE is written for every few pages: what came after it comes again.
            repeated = opened.warehouse.counts[stream] - whole
            assert repeated <= min(before, 6) if done else repeated == before
        assert resumed >= 2


def test_a_change_in_a_list_that_was_done_comes_with_the_run_that_goes_on() -> None:
    with fuzzer("events_of_kinds") as opened:
        opened.run(killed(30))
        assert entry(opened, "events_of_kinds")["resume"]["done"]
        opened.clock.advance(60)
        for task in opened.world.ids("tasks"):
            opened.world.update("tasks", task, name="another")
        opened.clock.advance(60)
        assert opened.run(Attempt())  # which raises a Loss if one is missing


def test_a_list_that_failed_is_read_whole_by_the_run_that_goes_on() -> None:
    with fuzzer("plans_named") as opened:
        account = opened.world.ids("accounts")[-1]
        place = list(opened.world.ids("accounts")).index(account)
        gone = PlannedFault("status", "accounts/{account}/*", None, status=500, account=place)
        opened.run(killed(24, planned_faults=(gone,)))
        opened.run(Attempt())
        opened.finish()


def test_other_values_begin_again() -> None:
    """What was done for one declaration says nothing of another."""
    with fuzzer("events_of_kinds") as opened:
        opened.run(killed(30))
        assert entry(opened, "events_of_kinds")["resume"]["done"]
        declared = opened.config["custom_streams"][0]
        declared["values"] = {"of": [*reversed(declared["values"]["of"])]}
        opened.declared = [declared]
        before = opened.warehouse.counts["events_of_kinds"]
        opened.run(Attempt())
        found = len(declared_rows(opened.world, "events_of_kinds"))
        assert opened.warehouse.counts["events_of_kinds"] - before == found


def test_what_is_beyond_the_lists_that_are_remembered_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contexts, "MOST_REMEMBERED", 3)
    with fuzzer("plans_named") as opened:
        opened.run(killed(15))
        assert len(entry(opened, "plans_named")["resume"]["done"].split()) == 3
        opened.finish()


def test_no_value_can_be_read_in_state() -> None:
    resume = Resume.from_state({"signpost": "2026-01-01T00:00:00Z", "done": "aa bb"})
    assert resume
    assert resume.to_state()["done"] == "aa bb"
    with fuzzer("events_of_kinds") as opened:
        opened.run(killed(30))
        text = json.dumps(opened.warehouse.state)
        assert not any(kind in text for kind in ("task", "review", "call"))


def test_a_parent_that_could_not_be_read_is_asked_for_all_that_it_has() -> None:
    """A bookmark in the query cut off what had changed while the parent could not be read."""
    declared = {
        "name": "plans_since",
        **DECLARED["plans_changed"].entry,
        "params": {"since": "{bookmark}"},
    }
    with fuzzer("plans") as opened:
        accounts = opened.world.ids("accounts")
        opened.streams = ("plans_since",)
        opened.config["custom_streams"] = opened.declared = [declared]
        asked = []
        for step in range(3):
            opened.sandbox.requests.clear()
            if step == 1:
                opened.sandbox.refuse(f"accounts/{accounts[0]}/*", 500)
            run_once(opened)
            path = f"/resources/accounts/{accounts[0]}/subscriptions"
            asked.append(next(e.query for e in opened.sandbox.requests if e.path == path))
        assert asked[0] == asked[2] == ""
        assert asked[1].startswith("since=")


def run_once(opened: Fuzzer) -> None:
    """Run in peace, whatever the streams are called; faults are used up by it."""
    messages = run_in_process(
        opened.config,
        state=opened.warehouse.state,
        entries=catalog_of(opened.streams, opened.declared),
    )
    opened.sandbox.faults.clear()
    opened.warehouse.load(messages)


# As processes


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
@pytest.mark.parametrize("stream", ["plans_named", "events"])
def test_a_process_that_is_ended_at_random_moments_goes_on(
    stream: str, number: signal.Signals, tmp_path: Path
) -> None:
    random = Random(f"{stream}{number}")
    with serve(World(seed=4, accounts=8, sizes={"tasks": 30})) as sandbox:
        warehouse = Warehouse()
        for _ in range(2):
            ended_after(sandbox, stream, warehouse, tmp_path, random.randrange(2, 40), number)
            sandbox.world.random_change(random, deletes=False)
        done = ended_after(sandbox, stream, warehouse, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in str(done.stderr)
        assert warehouse.differences(stream, declared_rows(sandbox.world, stream)) == {}


def ended_after(  # noqa: PLR0913, PLR0917 - one run, in one place
    sandbox: Sandbox,
    stream: str,
    warehouse: Warehouse,
    folder: Path,
    at: int = 0,
    number: signal.Signals = signal.SIGKILL,
) -> subprocess.CompletedProcess[str]:
    """Run the tap as a process, end it by a signal at a request, and load what it wrote."""
    declared = declarations([stream])
    for name, what in (
        ("config", config_for(sandbox.url, custom_streams=declared, concurrency=2)),
        ("catalog", catalog_of((stream,), declared)),
        ("state", warehouse.state or {}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(what))
    words = [sys.executable, "-m", "tap_vitally"]
    for name in ("config", "catalog", "state"):
        words += [f"--{name}", str(folder / f"{name}.json")]
    sandbox.requests.clear()
    with subprocess.Popen(
        forked(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:

        def end(sent: Entry) -> None:
            if sent.number == at:
                os.kill(process.pid, number)

        sandbox.before_request = end
        stdout, stderr = process.communicate()
    sandbox.before_request = None
    lines = [line for line in stdout.split("\n") if line.endswith("}")]
    warehouse.load(json.loads(line) for line in lines)
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)
