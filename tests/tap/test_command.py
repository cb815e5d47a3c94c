"""What people put in by mistake ends the command with one line that helps, and exit code 1."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.forked import forked
from harness.support import (
    ROOT,
    Result,
    Row,
    Warehouse,
    command,
    config_for,
    read,
    run_command,
    run_tap,
)
from sandbox import Sandbox, World, serve
from tap_vitally.catalog import read_catalog
from tap_vitally.command import failures_in_one_line, read_state
from tap_vitally.tap import TapVitally
from vitally_api import VitallyError

TAP = [sys.executable, "-m", "tap_vitally"]


def complaint(result: Result) -> str:
    """The only line that is not mere information."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = re.findall(r"\| (?:ERROR|CRITICAL) +\| [\w.-]+ +\| (.*)", result.stderr)
    assert result.stderr.splitlines()[-1].endswith(line)
    return str(line)


CONFIG_FILES = {
    "empty": b"",
    "half": b"{",
    "comma": b'{"api_key": "sandbox",}',
    "null": b"null",
    "not UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("mode", [[], ["--test"], ["--discover"]], ids=str)
def test_a_config_file_that_is_none_ends_the_command(tmp_path: Path, mode: list[str]) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(CONFIG_FILES["half"])
    assert "--config" in complaint(run_command([*TAP, "--config", str(path), *mode]))


@pytest.mark.parametrize("name", CONFIG_FILES)
def test_a_config_file_that_is_none(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(CONFIG_FILES[name])
    with pytest.raises(SystemExit), failures_in_one_line():
        TapVitally.cli(["--config", str(path)])
    assert "--config" in caplog.messages[-1]


def test_discovery_without_settings_complains_of_nothing() -> None:
    found = run_command([*TAP, "--discover"])
    assert (found.returncode, found.stderr) == (0, "")


def test_a_config_file_that_is_missing(tmp_path: Path) -> None:
    path = str(tmp_path / "config.json")
    assert path in complaint(run_command([*TAP, "--config", path]))


@pytest.mark.parametrize("mode", ["--test", "--test=records", "--test=schema"])
def test_testing_without_settings_asks_for_them(mode: str) -> None:
    assert "api_key is missing" in complaint(run_command([*TAP, mode]))


@pytest.mark.parametrize("mode", ["--test", "--test=records"])
def test_testing_with_a_wrong_key_says_so(tmp_path: Path, mode: str) -> None:
    with serve(World(accounts=2)) as sandbox:
        arguments = command(tmp_path, config_for(sandbox.url, api_key="another"))[:5]
        assert "does not accept the API key" in complaint(run_command([*arguments, mode]))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PAGE_SIZE", "abc"), ("PAGE_SIZE", ""), ("LOOKUPS", "{bad"), ("REQUEST_TIMEOUT", "6.5")],
)
def test_a_variable_that_cannot_be_read(variable: str, value: str) -> None:
    name = f"TAP_VITALLY_{variable}"
    result = run_command([*TAP, "--config", "ENV"], env={name: value})
    assert complaint(result).startswith(f"{name} cannot be read")


@pytest.mark.parametrize("timeout", [30, 2.5, 60.0])
def test_the_timeout_may_have_a_point(sandbox: Sandbox, tmp_path: Path, timeout: float) -> None:
    config = config_for(sandbox.url, request_timeout=timeout)
    assert run_tap(tmp_path, config, select=["accounts"]).returncode == 0


def test_every_number_may_come_from_the_environment(sandbox: Sandbox) -> None:
    env = {
        "TAP_VITALLY_API_KEY": "sandbox",
        "TAP_VITALLY_API_URL": sandbox.url,
        "TAP_VITALLY_REQUEST_TIMEOUT": "30",
        "TAP_VITALLY_CONCURRENCY": "2",
    }
    assert run_command([*TAP, "--config", "ENV", "--test"], env=env).returncode == 0


STATES: Mapping[str, Any] = {
    "null": {"bookmarks": None},
    "null entry": {"bookmarks": {"accounts": None}},
    "list entry": {"bookmarks": {"accounts": []}},
    "text entry": {"bookmarks": {"accounts": "x"}},
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_says_nothing_is_none(name: str) -> None:
    assert read_state(io.StringIO(json.dumps(STATES[name]))) == {"bookmarks": {}}


def test_a_run_with_a_state_that_says_nothing_brings_all(sandbox: Sandbox, tmp_path: Path) -> None:
    state = STATES["text entry"]
    result = run_tap(tmp_path, config_for(sandbox.url), select=["accounts"], state=state)
    assert result.returncode == 0
    warehouse = Warehouse()
    warehouse.load(result.messages)
    assert warehouse.differences("accounts", sandbox.world.expected_rows("accounts")) == {}


CATALOGS = ['{"streams": null}', '{"streams": "x"}', '{"streams": [{"schema": {}}]}', "{}"]


@pytest.mark.parametrize("text", CATALOGS)
def test_a_catalog_that_is_none(text: str) -> None:
    with pytest.raises(VitallyError, match="--catalog"):
        read_catalog(io.StringIO(text))


def test_a_catalog_that_is_none_ends_the_command(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = command(tmp_path, config_for(sandbox.url))
    Path(arguments[-1]).write_text(CATALOGS[0])
    assert "--catalog" in complaint(run_command(arguments))


@pytest.mark.parametrize("expression", ["int(name)", "1 / 0", "name.nothing"])
def test_an_expression_that_fails_tells_no_value(
    sandbox: Sandbox, tmp_path: Path, expression: str
) -> None:
    config = config_for(sandbox.url, stream_maps={"accounts": {"name": expression}})
    result = run_tap(tmp_path, config, select=["accounts"])
    assert "stream_maps" in complaint(result)
    names = [row["name"] for row in sandbox.world.expected_rows("accounts").values()]
    assert [name for name in names if name in result.stderr] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_disk_that_is_full(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = command(tmp_path, config_for(sandbox.url), select=["accounts"])
    result = run_command(["sh", "-c", 'exec "$@" > /dev/full', "sh", *arguments])
    assert "No space left on device" in complaint(result)


def test_an_output_that_is_closed(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = command(tmp_path, config_for(sandbox.url), select=["accounts"])
    result = run_command(["sh", "-c", 'exec "$@" >&-', "sh", *arguments])
    assert "closed" in complaint(result)


def test_a_log_that_is_closed(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = command(tmp_path, config_for(sandbox.url), select=["accounts"])
    result = run_command(["sh", "-c", 'exec "$@" 2>&-', "sh", *arguments])
    assert result.returncode == 0
    assert result.records("accounts")


# Batches are the SDK's own, and STATE must not run ahead of them


@pytest.mark.parametrize("at", [5, 20, 31])
def test_an_interrupted_run_in_batches_loses_nothing(tmp_path: Path, at: int) -> None:
    batches: Row = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    with serve(World(accounts=60)) as sandbox:
        config = config_for(sandbox.url, page_size=2, concurrency=1, batch_config=batches)
        arguments = command(tmp_path, config, select=["accounts"])
        process = subprocess.Popen(forked(arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        sandbox.before_request = lambda entry: (
            process.send_signal(signal.SIGTERM) if entry.number == at else None
        )
        output, _ = process.communicate(timeout=60)
        sandbox.before_request = None
        assert process.returncode == 128 + signal.SIGTERM
        result = Result(process.returncode, output, "")
        assert {m["type"] for m in result.messages} == {"SCHEMA", "STATE"}
        warehouse = Warehouse()
        warehouse.load(read(config_for(sandbox.url), select=["accounts"], state=result.state))
        assert warehouse.differences("accounts", sandbox.world.expected_rows("accounts")) == {}


def test_a_run_in_batches_remembers_where_it_is_when_all_are_told(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    batches: Row = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    config = config_for(sandbox.url, batch_config=batches)
    result = run_tap(tmp_path, config, select=["accounts"])
    assert result.returncode == 0
    reported = [m for m in result.messages if m["type"] in {"BATCH", "STATE"}]
    known = ["replication_key_value" in str(m) for m in reported]
    assert known.index(True) > max(i for i, m in enumerate(reported) if m["type"] == "BATCH")


@pytest.mark.parametrize("option", ["--discover", "--test"])
def test_a_closed_output_is_told_whatever_is_asked(
    option: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    arguments = [*command(tmp_path, config_for(sandbox.url)), option]
    result = run_command(["sh", "-c", 'exec "$@" >&-', "sh", *arguments])
    assert "closed" in complaint(result)
