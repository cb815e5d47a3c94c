"""An API that does not know a parameter answers every list with the same rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from harness.expectations import expected, last_state, loaded, records_of
from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import Row, Warehouse, config_for, read
from sandbox import Fault, Sandbox

StartSandbox = Callable[..., Sandbox]
NPS = "nps_responses"
TARGETS = ("accounts", "organization")


def run(sandbox: Sandbox, state: Row | None = None, select: Any = (NPS,), **how: Any) -> list[Row]:
    config = config_for(sandbox.url, **{"page_size": 3, **how})
    return read(config, select=select, state=state)


def ignoring(sandbox: Sandbox, path: str = "npsResponses", param: str = "target") -> Sandbox:
    sandbox.faults.append(Fault("param_ignored", path, param=param))
    return sandbox


def targets(*runs: list[Row]) -> set[str]:
    return {row["target"] for row in loaded(*runs).tables[NPS].values()}


def displayed(sandbox: Sandbox) -> set[str]:
    """The responses that the API gives where it does not know the parameter."""
    rows = sandbox.world.expected_rows(NPS).values()
    return {row["id"] for row in rows if row["target"] == "accounts"}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_each_response_stays_in_the_first_list_and_it_is_told_once(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture, concurrency: int
) -> None:
    sandbox = ignoring(start_sandbox(accounts=20))
    first = run(sandbox, concurrency=concurrency)
    assert targets(first) == {"accounts"}
    ids = [row["id"] for row in records_of(first, NPS)]
    assert sorted(ids) == sorted(displayed(sandbox)), "and comes once"
    assert caplog.text.count("records of target=accounts came again in target=organization") == 1
    sandbox.world.clock.advance(60)
    for key in ids[::4]:
        sandbox.world.update("npsResponses", key, feedback="changed")
    later = run(sandbox, last_state(first), concurrency=concurrency)
    assert {row["target"] for row in records_of(later, NPS)} == {"accounts"}
    changed = {
        key for key, row in loaded(later).tables[NPS].items() if row["feedback"] == "changed"
    }
    assert changed == {(key,) for key in ids[::4]}


@pytest.mark.parametrize("lines", range(3, 40, 4))
def test_nor_does_a_killed_run_change_what_it_is_about(
    start_sandbox: StartSandbox, lines: int
) -> None:
    sandbox = ignoring(start_sandbox(accounts=20))
    warehouse = Warehouse()
    for _ in range(3):
        pipe = Pipe(Attempt(ends_by="kill", at=lines))
        config = config_for(sandbox.url, page_size=2, concurrency=1)
        with suppress(Killed):
            read(config, select=(NPS,), state=warehouse.state, collector=pipe.collector)
        warehouse.load(pipe.messages)
    warehouse.load(run(sandbox, warehouse.state))
    table = warehouse.tables[NPS]
    assert {row["target"] for row in table.values()} == {"accounts"}
    assert {key for (key,) in table} == displayed(sandbox)


@pytest.mark.parametrize("seed", range(3))
def test_nor_does_a_world_that_changes_meanwhile(start_sandbox: StartSandbox, seed: int) -> None:
    sandbox, random = ignoring(start_sandbox(accounts=15, seed=seed)), Random(seed)
    world = sandbox.world

    def change(_: Any) -> None:
        world.clock.advance(1)
        key = random.choice(sorted(displayed(sandbox)))
        world.update("npsResponses", key, feedback=f"{random.random()}")

    sandbox.before_request = change
    runs = [run(sandbox)]
    runs.append(run(sandbox, last_state(runs[-1])))
    sandbox.before_request = None
    world.clock.advance(2)
    runs.append(run(sandbox, last_state(runs[-1])))
    assert targets(*runs) == {"accounts"}


def test_where_the_parameter_is_known_both_lists_are_there_and_nothing_is_told(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=20)
    messages = run(sandbox)
    assert loaded(messages).tables[NPS] == expected(sandbox.world, NPS)
    assert targets(messages) == set(TARGETS)
    assert "came again" not in caplog.text


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("refused", ["organization", "accounts"])
def test_a_target_that_is_refused_is_asked_for_in_its_other_spelling(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture, refused: str, status: int
) -> None:
    sandbox = start_sandbox(accounts=20)
    sandbox.faults += [
        Fault("status", f"npsResponses?target={refused}", status=status),
        Fault(
            "param_spelled",
            "npsResponses?target=organizations",
            param="target",
            spelling={"organizations": "organization"},
        ),
    ]
    runs = [run(sandbox)]
    assert loaded(*runs).tables[NPS] == expected(sandbox.world, NPS)
    sandbox.world.clock.advance(60)
    for key in sandbox.world.ids("npsResponses")[::3]:
        sandbox.world.update("npsResponses", key, feedback="changed")
    runs.append(run(sandbox, last_state(runs[0])))
    assert loaded(*runs).tables[NPS] == expected(sandbox.world, NPS)
    assert "Skipped" not in caplog.text
    tried = [e for e in sandbox.requests if e.status == status]
    assert len(tried) == 2, "once in each run"


def test_one_that_is_refused_in_every_spelling_is_skipped_and_told(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=20)
    sandbox.faults.append(Fault("status", "npsResponses?target=organi*", status=400))
    assert targets(run(sandbox)) == {"accounts"}
    assert "(target=organization)" in caplog.text


@pytest.mark.parametrize(
    ("stream", "path"), [("notes", "notes"), ("account_notes", "accounts/*/notes")]
)
def test_archived_that_is_ignored_gives_each_row_as_it_is(
    start_sandbox: StartSandbox, stream: str, path: str
) -> None:
    sandbox = ignoring(start_sandbox(accounts=12), path, "archived")
    messages = run(sandbox, select=(stream,))
    assert loaded(messages).tables[stream] == expected(sandbox.world, stream)


@pytest.mark.parametrize(
    ("stream", "resource", "param"),
    [
        ("notes", "notes", "archived"),
        (NPS, "npsResponses", "target"),
        ("accounts", "accounts", "status"),
    ],
)
def test_an_inventory_counts_equal_lists_once(
    start_sandbox: StartSandbox, stream: str, resource: str, param: str
) -> None:
    sandbox = ignoring(start_sandbox(accounts=12), resource, param)
    messages = run(sandbox, select=("inventory", "inventory_runs"), inventory_resources=[stream])
    (row,) = records_of(messages, "inventory_runs")
    assert row["count"] == len({record["id"] for record in records_of(messages, "inventory")})
