"""What a run tells about itself: to people, to machines, and to the warehouse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.expectations import records_of
from harness.forked import forked
from harness.support import (
    ROOT,
    Result,
    Row,
    command,
    config_for,
    read,
    run_tap,
    waits_pass_in_no_time,
)
from sandbox import Fault, Sandbox, World, serve
from tap_vitally.report import progress_line
from tap_vitally.streams import STREAMS
from tap_vitally.sync.summary import StreamMetrics

SELECT = ["account_users", "accounts", "notes", "vitally_sync_runs"]
STRUCTURED = """
version: 1
disable_existing_loggers: false
formatters:
  structured:
    (): singer_sdk.logging.StructuredFormatter
handlers:
  stderr:
    class: logging.StreamHandler
    formatter: structured
    stream: ext://sys.stderr
root:
  level: INFO
  handlers: [stderr]
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(World(seed=6, accounts=5)) as sandbox:
        yield sandbox


def structured(folder: Path, sandbox: Sandbox, **how: Any) -> tuple[Result, Row]:
    """Run the tap with a log for machines; return what it says under ``summary``."""
    log_config = folder / "logging.yaml"
    log_config.write_text(STRUCTURED)
    env = {"SINGER_SDK_LOG_CONFIG": str(log_config)}
    config = config_for(sandbox.url, page_size=3)
    result = run_tap(folder, config, select=SELECT, env=env, **how)
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    summaries: list[Row] = [summary for line in lines if (summary := find(line, "summary"))]
    assert len(summaries) == 1
    return result, summaries[0]


def find(value: Any, name: str) -> Any:
    """Find a field, wherever the SDK puts what a log line carries."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        return next((found for part in value.values() if (found := find(part, name))), None)
    return None


def table_in(log: str) -> dict[str, dict[str, str]]:
    """Read the table of the account: its rows by stream, their cells by column."""
    lines = log.partition("The summary of this run:\n")[2].splitlines()
    names, *rows = ([cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines)
    assert names[0] == "stream"
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names)}


def test_the_summary_counts_what_happened(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.append(Fault("status", path="notes", status=500, times=1))
    result, account = structured(tmp_path, sandbox)
    assert result.returncode == 0
    written = Counter(m["stream"] for m in result.messages if m["type"] == "RECORD")
    asked = sandbox.requests.by_path()
    assert account.keys() == set(SELECT)
    for name in ("account_users", "accounts", "notes"):
        assert account[name]["records"] == written[name] > 0
        assert account[name]["bookmarkBefore"] is None
        state = result.state
        assert state
        bookmark = state["bookmarks"][name]["replication_key_value"]
        assert account[name]["bookmarkAfter"] == bookmark
    assert account["notes"]["requests"] == asked["/resources/notes"]
    assert account["notes"]["retries"] == 1
    assert account["notes"]["waitedSeconds"] >= 0
    assert account["accounts"]["retries"] == 0
    # One request proves the key, and the list of parents is read for the children.
    assert sum(each["requests"] for each in account.values()) == len(sandbox.requests) - 1
    assert account["notes"]["skippedReasons"] == []


def test_the_second_summary_tells_what_was_left_unread(sandbox: Sandbox, tmp_path: Path) -> None:
    first, before = structured(tmp_path, sandbox)
    sandbox.world.update("notes", sandbox.world.ids("notes")[0], subject="changed")
    _, after = structured(tmp_path, sandbox, state=first.state)
    assert before["notes"]["stoppedEarly"] == 0
    assert after["notes"]["stoppedEarly"] >= 1
    assert after["notes"]["bookmarkBefore"] == before["notes"]["bookmarkAfter"]
    assert after["notes"]["bookmarkAfter"] > after["notes"]["bookmarkBefore"]
    assert after["notes"]["records"] < before["notes"]["records"]


def test_the_metrics_come_for_an_operator_who_asks_and_not_under_meltano(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    log_config = tmp_path / "logging.yaml"
    log_config.write_text(STRUCTURED)
    asked = {"SINGER_SDK_LOG_CONFIG": str(log_config)}
    config = config_for(sandbox.url)
    mine = run_tap(tmp_path, config, select=["admins"], env=asked).stderr
    meltanos = run_tap(
        tmp_path, config, select=["admins"], env={**asked, "MELTANO_PROJECT_ROOT": str(tmp_path)}
    ).stderr
    assert "record_count" in mine
    assert "record_count" not in meltanos
    assert "The summary of this run" in meltanos


def test_a_run_says_where_it_reads_what_and_since_when(sandbox: Sandbox, tmp_path: Path) -> None:
    config = config_for(sandbox.url)
    first = run_tap(tmp_path, config, default_selection=True)
    second = run_tap(tmp_path, config, default_selection=True, state=first.state)
    for log, since in ((first.stderr, False), (second.stderr, True)):
        reported = log.partition(f"Reading {sandbox.url}")[2].partition("| INFO")[0].splitlines()
        assert max(map(len, reported)) <= 100
        assert any(line.startswith("  in full: ") for line in reported)
        assert since == any(line.startswith("  changed since 20") for line in reported)
        names = {word.strip(",") for line in reported[1:] for word in line.split()}
        assert {s.name for s in STREAMS if s.selected_by_default} <= names


def test_people_get_a_table(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.refuse("notes?archived=true")
    result = run_tap(tmp_path, config_for(sandbox.url), select=SELECT)
    rows = table_in(result.stderr)
    assert rows.keys() == set(SELECT)
    reported = result.stderr.partition("The summary of this run:\n")[2].splitlines()
    assert max(map(len, reported)) <= 100
    assert len(result.stderr.splitlines()) <= 60
    written = Counter(m["stream"] for m in result.messages if m["type"] == "RECORD")
    assert {name: int(row["records"]) for name, row in rows.items()} == written
    assert rows["notes"]["read"] == "to the end"
    assert rows["notes"]["skipped"] == "1"
    assert "skipped in notes: " in result.stderr
    assert "(archived=true)" in result.stderr
    assert "summary of this run" not in result.stdout


def test_what_was_not_read_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.append(Fault("status", path="notes", status=401, after=2))
    result = run_tap(tmp_path, config_for(sandbox.url, page_size=2), select=SELECT)
    assert result.returncode == 1
    rows = {name: row["read"] for name, row in table_in(result.stderr).items()}
    assert rows == {
        "account_users": "not read",
        "accounts": "to the end",
        "notes": f"broken off after {len(result.records('notes'))}",
        "vitally_sync_runs": "not read",
    }
    assert result.records("notes")


@pytest.mark.parametrize("stream", ["notes", "custom_objects", "account_users"])
def test_what_is_refused_is_not_read(stream: str, sandbox: Sandbox, tmp_path: Path) -> None:
    for resource in ("notes", "customObjects", "accounts/*/users"):
        sandbox.refuse(resource)
    result = run_tap(tmp_path, config_for(sandbox.url), select=[stream])
    assert result.returncode == 0
    assert table_in(result.stderr)[stream]["read"] == "not read"


def test_a_broken_order_shows(sandbox: Sandbox, tmp_path: Path) -> None:
    first = run_tap(tmp_path, config_for(sandbox.url), select=["accounts"])
    sandbox.faults.append(Fault("out_of_order", path="accounts", after=1))
    result = run_tap(tmp_path, config_for(sandbox.url), select=["accounts"], state=first.state)
    row = table_in(result.stderr)["accounts"]
    assert row["read"] == "to the end, OUT OF ORDER"


def test_a_run_that_fails_gives_its_account_too(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.append(Fault("status", path="notes", status=401))
    result, account = structured(tmp_path, sandbox)
    assert result.returncode == 1
    assert account["accounts"]["records"] > 0
    assert account["notes"]["bookmarkAfter"] is None


def test_the_warehouse_gets_the_same_as_rows(sandbox: Sandbox) -> None:
    sandbox.refuse("notes?archived=true")
    sandbox.faults.append(Fault("status", path="accounts", status=502, after=1, times=2))
    config = config_for(sandbox.url, page_size=3)
    with waits_pass_in_no_time():
        first = read(config, select=SELECT)
        second = read(config, select=SELECT, state=states(first)[-1])
    rows = {row["stream"]: row for row in records_of(first, "vitally_sync_runs")}
    assert rows.keys() == {"account_users", "accounts", "notes"}
    for name in ("account_users", "accounts", "notes"):
        assert rows[name]["records"] == len(records_of(first, name))
        bookmark = states(first)[-1]["bookmarks"][name]["replication_key_value"]
        assert rows[name]["bookmarkAfter"] == bookmark
    assert rows["notes"]["skipped"] == 1
    assert "archived=true" in rows["notes"]["skippedReasons"][0]
    assert sum(row["retries"] for row in rows.values()) == 2
    again = {row["stream"]: row for row in records_of(second, "vitally_sync_runs")}
    assert again["accounts"]["bookmarkBefore"] == rows["accounts"]["bookmarkAfter"]
    names = [m["stream"] for m in first if m["type"] in {"SCHEMA", "RECORD"}]
    assert names[-1] == "vitally_sync_runs"


def states(messages: list[Row]) -> list[Row]:
    return [message["value"] for message in messages if message["type"] == "STATE"]


TALKATIVE = """
import tap_vitally.report as report
report.PROGRESS_SECONDS = 0.0
from tap_vitally.__main__ import main as run_command
run_command()
"""


def test_progress_is_told_in_the_log(sandbox: Sandbox, tmp_path: Path) -> None:
    files = command(tmp_path, config_for(sandbox.url, page_size=1), select=["notes"])[3:]
    done = subprocess.run(
        forked([sys.executable, "-c", TALKATIVE, *files]),
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    log = done.stderr.decode()
    reported = [line for line in log.splitlines() if " a minute" in line]
    assert reported
    assert "notes: " in reported[-1]
    assert "records" in reported[-1]
    assert any("no limit told" in line for line in reported)
    for line in done.stdout.splitlines():
        assert "type" in json.loads(line)


COUNTS = st.integers(0, 10**7)


@given(COUNTS, COUNTS, COUNTS, st.none() | st.integers(0, 1000))
def test_a_line_of_progress_is_about_the_stream_and_says_when_it_waits(
    records: int, pages: int, requests: int, left: int | None
) -> None:
    metrics = StreamMetrics(records=records, pages=pages, requests=requests)
    reported = ("notes", records, requests)
    line = progress_line("notes", metrics, rate=840.4, left=left, before=("users", 1, 1))
    assert line.startswith(f"notes: {records:,} records, {pages:,} pages, {requests:,} requests; ")
    assert "840 a minute" in line
    again = progress_line("notes", metrics, rate=840.4, left=left, before=reported)
    if left == 0:
        assert line.endswith("waits for the rate limit")
        assert again == line
    else:
        assert "waits" not in line
        assert again.endswith("waits for an answer")


def test_a_short_run_tells_no_progress(sandbox: Sandbox, tmp_path: Path) -> None:
    result = run_tap(tmp_path, config_for(sandbox.url), select=["notes"])
    assert " a minute" not in result.stderr


def test_a_line_on_the_way_says_how_many_parents_are_done() -> None:
    metrics = StreamMetrics(records=5, parents_known=1200)
    metrics.scanned["full scan"] = 609
    line = progress_line("account_notes", metrics, rate=840.4, left=None, before=None)
    assert line.startswith("account_notes: 609 of 1,200 parents, 5 records")
