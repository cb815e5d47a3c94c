"""Accounts that have no health score: each is asked for it, and none of them is a skip."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from harness.expectations import records_of
from harness.support import Row, config_for, run_in_process
from sandbox import Fault, Sandbox

StartSandbox = Callable[..., Sandbox]

SELECT = ["account_health_scores", "vitally_sync_runs"]


def read(sandbox: Sandbox, **settings: Any) -> tuple[list[Row], Row]:
    """The scores, and what the run says of them."""
    messages = run_in_process(config_for(sandbox.url, **settings), select=SELECT)
    (reported,) = records_of(messages, "vitally_sync_runs")
    return records_of(messages, "account_health_scores"), reported


def give(sandbox: Sandbox, *, but: int) -> list[str]:
    """Give every account a score but so many of those read first; the result is who has one."""
    world = sandbox.world
    newest = sorted(world.ids("accounts"), key=lambda a: world.row("accounts", a)["createdAt"])[
        ::-1
    ]
    having = newest[but:]
    world.rows.health_scores = (  # type: ignore[method-assign]
        lambda account: {"overall": 5} if account in having else None
    )
    return having


@pytest.mark.parametrize("but", [1, 15])
def test_those_without_one_are_counted_apart(
    but: int, start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=20)
    having = give(sandbox, but=but)
    rows, reported = read(sandbox)
    assert {row["accountId"] for row in rows} == set(having)
    assert (reported["haveNone"], reported["skipped"]) == (but, 0)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(("accounts", "skipped"), [(9, 0), (20, 1)])
def test_when_nobody_has_one_it_is_told_once(
    accounts: int, skipped: int, start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=accounts)
    give(sandbox, but=accounts)
    rows, reported = read(sandbox)
    assert not rows
    assert (reported["haveNone"], reported["skipped"]) == (accounts, skipped)
    assert [f"all of {accounts} accounts" in reason for reason in reported["skippedReasons"]] == [
        True
    ] * skipped


def test_what_the_plan_lacks_is_a_skip_after_few_requests(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    sandbox.faults.append(Fault("status", "accounts/*/healthScores", status=403))
    rows, reported = read(sandbox, concurrency=1)
    assert not rows
    assert (reported["haveNone"], reported["skipped"]) == (0, 10)
    assert len([entry for entry in sandbox.requests if "healthScores" in entry.path]) < 20
