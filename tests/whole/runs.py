"""Runs into a warehouse, and how one that fails has to end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from harness.run_attempts import Pipe
from harness.support import Result, Row, Warehouse, command, config_for, read, run_command
from sandbox import Sandbox
from vitally_api import VitallyError

STREAM = "notes"
SELECT = ["account_users", STREAM]
OFTEN = 4
"""More often than the tap's pool has connections, and less often than its patience lasts."""


def config(url: str, **settings: Any) -> Row:
    return config_for(url, **{"page_size": 3, "concurrency": 2, "request_timeout": 5, **settings})


def run(sandbox: Sandbox, warehouse: Warehouse, **settings: Any) -> VitallyError | None:
    """Run the tap in this process, into a warehouse; return what it failed with."""
    pipe = Pipe()
    failure = None
    try:
        read(
            config(sandbox.url, **settings),
            select=SELECT,
            state=warehouse.state,
            collector=pipe.collector,
        )
    except VitallyError as caught:
        failure = caught
    warehouse.load(pipe.messages)
    return failure


def everything(sandbox: Sandbox, warehouse: Warehouse) -> bool:
    return all(
        not warehouse.differences(name, sandbox.world.expected_rows(name)) for name in SELECT
    )


def helps(line: str) -> bool:
    """Return True if a message says in one line what happened and what to do about it."""
    remedies = ("Check", "Run again", "run again", "run later", "support", "set max_", "name its")
    return "\n" not in line and any(remedy in line for remedy in remedies)


HURRIED = """
from harness.support import waits_pass_in_no_time
from tap_vitally.__main__ import main as run_command
with waits_pass_in_no_time():
    run_command()
"""


def hurried(folder: Path, url: str, **settings: Any) -> Result:
    """Run the tap as a process of its own, in which waiting takes no time."""
    files = command(folder, config(url, **settings), select=SELECT)[3:]
    return run_command([sys.executable, "-c", HURRIED, *files], timeout=60)


def failed_in_one_line(result: Result) -> str:
    """See that a process ended as it should; return what it said last."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    last = result.stderr.rstrip().splitlines()[-1]
    assert "| ERROR " in last
    assert helps(last)
    return last
