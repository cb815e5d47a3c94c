"""Inputs that are damaged, fall silent or are cut, and outputs that nobody takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.forked import forked
from harness.support import config_for
from harness.target import hasty_target, messages
from harness.workspace import Workspace
from target_vitally import intake
from target_vitally.pipeline import engine

COMMAND = [sys.executable, "-m", "target_vitally"]
PERSON = "who@example.com"


def config(folder: Path, here: Workspace, **settings: Any) -> list[str]:
    path = folder / "config.json"
    path.write_text(json.dumps({**config_for(here.url), "first_push": True, **settings}))
    return forked([*COMMAND, "--config", str(path)])


def lines(said: list[Any]) -> list[bytes]:
    return [json.dumps(message).encode() for message in said]


RECORD = b'{"type": "RECORD", "stream": "accounts", "record": {"externalId": "x", "name": %s}}'
BAD = {
    "not JSON": b"who@example.com",
    "an integer of thousands of digits": RECORD % (b"1" * 5000),
    "not UTF-8": RECORD % b'"\xff"',
    "NaN is no number": RECORD % b"NaN",
    "Infinity is no number": RECORD % b"-Infinity",
    "nested too deeply": RECORD % (b"[" * 100_000 + b"]" * 100_000),
    "no Singer message": b'{"who": "who@example.com"}',
    "no Singer message ": b'{"type": ["RECORD"]}',
    "no Singer message  ": b'["who@example.com"]',
    "a RECORD without": b'{"type": "RECORD", "stream": "accounts"}',
    "a STATE without": b'{"type": "STATE"}',
    "before the SCHEMA": b'{"type": "RECORD", "stream": "users", "record": {"a": "who@example.com"}}',
    "its record is no object": (
        b'{"type": "RECORD", "stream": "accounts", "record": ["who@example.com"]}'
    ),
    "its schema or its key_properties": (
        b'{"type": "SCHEMA", "stream": "users", "schema": ["who@example.com"]}'
    ),
    "its schema or its key_properties ": (
        b'{"type": "SCHEMA", "stream": "accounts", "schema": {"properties": ["name"]}}'
    ),
    "its schema or its key_properties  ": (
        b'{"type": "SCHEMA", "stream": "accounts", "schema": {}, "key_properties": 5}'
    ),
    "its files are in no format": (
        b'{"type": "BATCH", "stream": "accounts", "encoding": {"format": "csv"}, "manifest": []}'
    ),
    "its files are in no format ": (
        b'{"type": "BATCH", "stream": "accounts", "encoding": "jsonl", "manifest": ["a.jsonl"]}'
    ),
}


@pytest.mark.parametrize("reported", BAD)
def test_a_line_that_is_no_message_is_one_rejected_row(
    here: Workspace, tmp_path: Path, reported: str
) -> None:
    results = tmp_path / "results.jsonl"
    rows = [{"externalId": str(n), "name": "A"} for n in range(3)]
    said = lines([*messages(accounts=rows), {"type": "STATE", "value": "too far"}])
    said.insert(3, BAD[reported])
    said.insert(3, b'{"type": "STATE", "value": "far"}')
    command = config(tmp_path, here, results_file=str(results))
    found = subprocess.run(
        command, input=b"\n".join(said) + b"\n", capture_output=True, timeout=60, check=False
    )
    log = found.stderr.decode()
    assert (found.returncode, found.stdout) == (1, b'"far"\n'), log
    assert len(here.rows("accounts")) == 3
    assert f"{reported.strip()}" in log
    assert "line 5" in log
    assert PERSON not in log
    assert "Something went wrong" not in log
    words = [json.loads(line)["outcome"] for line in results.read_text().splitlines()]
    assert sorted(words) == ["created", "created", "created", "rejected"]


@pytest.mark.parametrize("cut", [20, 60, 70])
def test_a_last_line_that_is_cut_is_told_and_all_before_it_is_written(
    here: Workspace, tmp_path: Path, cut: int
) -> None:
    rows = [{"externalId": str(n), "name": "A"} for n in range(50)]
    said = b"\n".join(lines(messages(accounts=rows))) + b"\n" + (RECORD % b'"B"')[:cut]
    found = subprocess.run(
        config(tmp_path, here), input=said, capture_output=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout) == (1, b'{"end":true}\n')
    assert len(here.rows("accounts")) == 50
    assert b"the input ends in the middle of it" in found.stderr


@pytest.mark.parametrize(
    ("said", "out"),
    [
        (b"", b""),
        (b"\n\n", b""),
        (b'{"type": "STATE", "value": {"n": "\xc3\xa4"}}', b'{"n":"\xc3\xa4"}\n'),
        (b'\xef\xbb\xbf{"type": "STATE", "value": 1}\r\n', b"1\n"),
    ],
)
def test_an_input_without_rows_is_no_failure(
    here: Workspace, tmp_path: Path, said: bytes, out: bytes
) -> None:
    found = subprocess.run(
        config(tmp_path, here), input=said, capture_output=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout) == (0, out), found.stderr


def test_rows_and_state_go_on_while_the_input_is_silent(
    here: Workspace, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "TICK", 0.01)
    monkeypatch.setattr(engine, "LONGEST_WAIT", 0.0)
    reading, writing = os.pipe()
    written = threading.Event()

    def watch(method: str, _path: str, _count: int) -> str:
        if method == "POST":
            written.set()
        return ""

    here.fault = watch
    said = b"\n".join(lines(messages(accounts=[{"externalId": "1", "name": "A"}]))) + b"\n"
    ended_after_writing = []

    def feed() -> None:
        os.write(writing, said)
        ended_after_writing.append(written.wait(30))
        os.close(writing)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(reading) as file:
        hasty_target(config_for(here.url, first_push=True)).write_all(file)
    feeder.join()
    assert ended_after_writing == [True]
    assert capfd.readouterr().out == '{"end":true}\n'


def long_state() -> list[Any]:
    return [{"type": "STATE", "value": {"place": "x" * 1_000_000}}]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_long_line_of_state_is_whole(here: Workspace, tmp_path: Path, unbuffered: str) -> None:
    said = b"\n".join(lines(long_state())) + b"\n"
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, *config(tmp_path, here)[1:]]  # which reads the variable at its start
    found = subprocess.run(
        command, input=said, capture_output=True, timeout=60, check=False, env=env
    )
    assert found.returncode == 0
    assert json.loads(found.stdout) == long_state()[0]["value"]


HASTY = """
from target_vitally import __main__, target
target.LAST_RESORT = 1.0
__main__.main()
"""


def test_a_signal_ends_the_target_though_nobody_reads_its_output(
    here: Workspace, tmp_path: Path
) -> None:
    said = b"\n".join(lines(long_state())) + b"\n"
    _, _, _, *options = config(tmp_path, here)
    with subprocess.Popen(
        forked([sys.executable, "-c", HASTY, *options]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(said)
        process.stdin.close()
        os.read(process.stdout.fileno(), 1)  # it writes, and the pipe is full
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        assert process.stderr
        log = process.stderr.read()
    assert b"The summary of this run" in log
    assert b"Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_in_quick_succession_do_not_lose_the_summary(
    here: Workspace, tmp_path: Path, number: signal.Signals
) -> None:
    process: list[subprocess.Popen[bytes]] = []

    def interrupt(method: str, _path: str, _count: int) -> str:
        if method == "POST":
            for _ in range(20):
                process[0].send_signal(number)
        return ""

    here.fault = interrupt
    rows = [{"externalId": str(n), "name": "A"} for n in range(30)]
    with subprocess.Popen(
        config(tmp_path, here, concurrency=1),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        process.append(started)
        said = b"\n".join(lines(messages(accounts=rows))) + b"\n"
        _, log = started.communicate(said, timeout=60)
    assert started.returncode == 128 + number
    assert b"The summary of this run" in log
    assert b"Traceback" not in log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to try")
@pytest.mark.parametrize("name", ["results_file", "rejects_file"])
def test_on_a_full_disk_what_was_written_is_in_the_log(
    here: Workspace, tmp_path: Path, name: str
) -> None:
    rows = [{"externalId": "k1", "name": "A"}, {"externalId": "k2", "name": "poison"}]
    said = b"\n".join(lines(messages(accounts=rows))) + b"\n"
    found = subprocess.run(
        config(tmp_path, here, **{name: "/dev/full"}, concurrency=1),
        input=said,
        capture_output=True,
        timeout=60,
        check=False,
    )
    log = found.stderr.decode()
    assert (found.returncode, found.stdout) == (1, b"")
    assert f"{name} cannot be written any more" in log.splitlines()[-1]
    assert "The summary of this run" in log
    assert "Traceback" not in log
    if name == "results_file":
        assert "row 1 (k1) was created" in log


def test_rows_that_are_not_written_are_named_without_their_values(
    here: Workspace, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    rows = [{"externalId": f"k{n}", "name": "poison", "no": n} for n in range(5)]
    said = messages(accounts=rows)
    said[0]["key_properties"] = ["no"]
    streams = {"accounts": {"resource": "accounts", "unknown": "ignore"}}
    found = subprocess.run(
        config(tmp_path, here, results_file=str(results), streams=streams),
        input=b"\n".join(lines(said)) + b"\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    log = found.stderr.decode()
    assert found.returncode == 1
    assert any(f"row {n + 1} (k{n})" in log for n in range(5))
    assert ", ..." in log
    assert sum(f"(k{n})" in log for n in range(5)) == 3
    reported = [json.loads(line) for line in results.read_text().splitlines()]
    assert sorted(line["key_columns"]["no"] for line in reported) == list(range(5))
