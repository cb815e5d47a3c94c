"""A list of ids that lost half of itself, or everything, is listed again before it counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.expectations import last_state, records_of
from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import Row, config_for, read
from sandbox import Fault, Sandbox

StartSandbox = Callable[..., Sandbox]
SELECT = ("inventory", "inventory_runs")


def run(sandbox: Sandbox, state: Row | None = None, **how: Any) -> list[Row]:
    config = config_for(
        sandbox.url, **{"page_size": 4, "inventory_resources": ["accounts", "notes"], **how}
    )
    sandbox.world.clock.advance(3600)
    return read(config, select=SELECT, state=state)


def listed(messages: list[Row], resource: str = "accounts") -> tuple[int, bool, int | None]:
    (row,) = (r for r in records_of(messages, "inventory_runs") if r["resource"] == resource)
    ids = {r["id"] for r in records_of(messages, "inventory") if r["resource"] == resource}
    assert row["count"] == len(ids)
    return row["count"], row["suspect"], row["countBefore"]


def cut(sandbox: Sandbox, rows: int, after: int = 0, times: int | None = None) -> None:
    path = "accounts?sortBy=createdAt"
    sandbox.faults.append(Fault("cut_list", path, rows=rows, after=after, times=times))


def test_each_run_says_what_the_one_before_had(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    first = run(sandbox)
    assert listed(first) == (20, False, None)
    sandbox.world.delete("accounts", sandbox.world.ids("accounts")[3])
    second = run(sandbox, last_state(first))
    assert listed(second) == (19, False, 20)
    assert listed(run(sandbox, last_state(second))) == (19, False, 19)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("rows", "after"), [(0, 0), (4, 0), (3, 1), (1, 2)])
def test_a_list_that_stays_short_is_suspect(
    start_sandbox: StartSandbox,
    caplog: pytest.LogCaptureFixture,
    rows: int,
    after: int,
    concurrency: int,
) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox, concurrency=concurrency))
    cut(sandbox, rows, after)
    short = run(sandbox, state, concurrency=concurrency)
    count = listed(short)[0]
    assert count < 10
    assert listed(short) == (count, True, 20)
    assert listed(short, "notes")[1] is False
    assert f"The list of ids of 'accounts' has {count} where the last one had 20" in caplog.text
    assert f"{count} ids of accounts where the last list had 20: suspect" in caplog.text
    sandbox.faults.clear()
    again = run(sandbox, last_state(short), concurrency=concurrency)
    assert listed(again)[:2] == (20, False)


@pytest.mark.parametrize("rows", [0, 2])
def test_one_that_is_whole_when_listed_again_is_not(start_sandbox: StartSandbox, rows: int) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    cut(sandbox, rows, times=1)
    assert listed(run(sandbox, state)) == (20, False, 20)


def test_one_that_lost_less_than_half_is_not_listed_again(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    cut(sandbox, 2, after=2)
    sandbox.requests.clear()
    assert listed(run(sandbox, state)) == (10, False, 20)
    assert (
        sum("sortBy=createdAt" in e.query and "/accounts" in e.path for e in sandbox.requests) == 3
    )


def test_customers_that_have_gone_are_believed_by_the_next_run(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    for key in sandbox.world.ids("accounts")[:15]:
        sandbox.world.delete("accounts", key)
    first = run(sandbox, state)
    assert listed(first) == (5, True, 20)
    assert listed(run(sandbox, last_state(first))) == (5, False, 5)


def test_nothing_where_there_was_something_is_never_believed(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    cut(sandbox, 0)
    for _ in range(3):
        messages = run(sandbox, state)
        assert listed(messages) == (0, True, 20)
        state = last_state(messages)


def test_a_list_that_never_held_anything_is_not_suspect(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=4, sizes={"notes": 0})
    first = run(sandbox)
    assert listed(first, "notes") == (0, False, None)
    assert listed(run(sandbox, last_state(first)), "notes") == (0, False, 0)


def test_a_run_that_is_killed_compares_with_the_last_whole_one(start_sandbox: StartSandbox) -> None:
    """Wherever it is killed, the run after it still knows that the list was longer."""
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    cut(sandbox, 2)
    whole = 0
    for at in range(1, 200, 7):
        pipe = Pipe(Attempt(ends_by="kill", at=at))
        config = config_for(
            sandbox.url, page_size=4, inventory_resources=["accounts", "notes"], concurrency=1
        )
        try:
            read(config, select=SELECT, state=state, collector=pipe.collector)
            whole += 1
            break
        except Killed:
            kept = [m["value"] for m in pipe.messages if m["type"] == "STATE"] or [state]
        assert listed(run(sandbox, kept[-1])) == (2, True, 20)
    assert whole


def test_it_is_no_skip_and_fails_no_run(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    cut(sandbox, 1)
    assert listed(run(sandbox, state, fail_on_skipped=True)) == (1, True, 20)


def test_counts_of_another_workspace_are_not_compared_with(start_sandbox: StartSandbox) -> None:
    state = last_state(run(start_sandbox(accounts=30, seed=2)))
    assert listed(run(start_sandbox(accounts=8), state)) == (8, False, None)


def test_a_resource_that_was_not_listed_last_time_keeps_its_count(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=20)
    state = last_state(run(sandbox))
    state = last_state(run(sandbox, state, inventory_resources=["notes"]))
    cut(sandbox, 1)
    assert listed(run(sandbox, state)) == (1, True, 20)
