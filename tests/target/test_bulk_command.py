"""The real command with the Analytics API: signals, keys that stand nowhere, one line for what fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.forked import forked
from harness.target import messages
from sandbox import Entry, Fault, Sandbox, World, Writing, serve
from tests.target.bulk import BATCH, rows_of

COMMAND = forked([sys.executable, "-m", "target_vitally"])
REST, ANALYTICS = "rest-key-made-up", "analytics-key-made-up"


@pytest.fixture
def sandbox() -> Any:
    with serve(World.empty(), key=REST, analytics_key=ANALYTICS) as made:
        yield made


def config(folder: Path, sandbox: Sandbox, **settings: Any) -> str:
    path = folder / "config.json"
    known = {"api_key": REST, "api_url": sandbox.url, "first_push": True, "channel": "bulk"}
    keys = {"analytics_api_key": ANALYTICS, "analytics_url": sandbox.url}
    files = {name: str(folder / f"{name}.jsonl") for name in ("results_file", "rejects_file")}
    path.write_text(json.dumps({**known, **keys, **files, **settings}))
    return str(path)


def run(file: str, said: list[Any]) -> subprocess.CompletedProcess[str]:
    text = "".join(f"{json.dumps(message)}\n" for message in said)
    command = [*COMMAND, "--config", file]
    found = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in found.stderr
    return found


def assert_no_key(folder: Path, *texts: str) -> None:
    files = [path.read_text() for path in folder.iterdir() if path.name != "config.json"]
    for text in (*texts, *files):
        assert REST not in text
        assert ANALYTICS not in text


def test_rows_and_events_are_pushed(sandbox: Sandbox, tmp_path: Path) -> None:
    event = {
        "event": "Opened",
        "timestamp": "2026-11-30T12:00:00Z",
        "accountExternalId": "accounts-1",
    }
    account = {"externalId": "accounts-1", "name": "A"}
    found = run(config(tmp_path, sandbox), messages(events=[event], accounts=[account]))
    assert (found.returncode, found.stdout) == (0, '{"end":true}\n'), found.stderr
    assert sandbox.writer.analytics.events[0]["known"]
    assert_no_key(tmp_path, found.stdout, found.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_a_signal_ends_the_wait_and_leaves_what_was_sent_uncertain(
    sandbox: Sandbox, tmp_path: Path, number: int
) -> None:
    sandbox.writer.switches = Writing(analytics_delay=3600.0)
    started: list[subprocess.Popen[str]] = []

    def end(entry: Entry) -> None:
        sent = any(each.path == BATCH for each in sandbox.requests)
        if sent and entry.method == "GET":  # the first look at what was sent
            started[0].send_signal(number)

    sandbox.before_request = end
    rows = rows_of("organizations", 120)
    text = "".join(f"{json.dumps(each)}\n" for each in messages(organizations=rows))
    pipe = subprocess.PIPE
    command = [*COMMAND, "--config", config(tmp_path, sandbox)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        started.append(process)
        printed, log = process.communicate(text, timeout=60)
    assert process.returncode == 128 + number, log
    assert printed == ""
    assert "Traceback" not in log
    lines = (tmp_path / "results_file.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["uncertain"] * 120
    assert len((tmp_path / "rejects_file.jsonl").read_text().splitlines()) == 121
    sandbox.before_request = None
    sandbox.world.clock.advance(4000)
    found = run(config(tmp_path, sandbox), messages(organizations=rows))
    assert (found.returncode, found.stdout) == (0, '{"end":true}\n'), found.stderr
    assert len(sandbox.world.tables["organizations"].rows) == 120


LEAKS = [
    Fault("status", BATCH, status=400, body=json.dumps({"error": f"no {ANALYTICS}"})),
    Fault("status", "*", status=401, body=json.dumps({"error": f"no {REST}"})),
]


@pytest.mark.parametrize(
    "fault", LEAKS, ids=lambda fault: f"{fault.kind} {fault.status} {fault.path}"
)
def test_no_key_is_in_any_output(sandbox: Sandbox, tmp_path: Path, fault: Fault) -> None:
    sandbox.faults.append(fault)
    found = run(config(tmp_path, sandbox), messages(organizations=rows_of("organizations", 3)))
    assert found.returncode == 1
    assert found.stdout == ""
    assert_no_key(tmp_path, found.stdout, found.stderr)


def test_what_is_missing_is_said_at_the_start(sandbox: Sandbox, tmp_path: Path) -> None:
    missing: Any = {"analytics_api_key": None, "streams": {"clicks": {"resource": "events"}}}
    file = config(tmp_path, sandbox, **missing)
    found = run(file, messages(clicks=[{"event": "x"}]))
    assert found.returncode == 1
    assert "analytics_api_key is missing" in found.stderr.splitlines()[-1]
    assert not sandbox.requests
