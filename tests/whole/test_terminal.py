"""What a person asks at a terminal: a sample of a stream, and if the warehouse equals Vitally."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.forked import forked
from harness.support import ROOT, command, config_for, run_command
from sandbox import Sandbox


def asked(
    folder: Path, sandbox: Sandbox, *words: str, given: str = "", **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run the tap with a question, and what stands on its standard input."""
    config = config_for(sandbox.url, **settings)
    return subprocess.run(
        forked([*command(folder, config, default_selection=True), *words]),
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


def loaded(folder: Path, sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the messages of an ordinary run."""
    done = run_command(command(folder, config_for(sandbox.url), default_selection=True))
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_sample_is_a_few_records_and_no_state(sandbox: Sandbox, tmp_path: Path) -> None:
    done = asked(tmp_path, sandbox, "--sample", "users=3")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 3
    assert {row["id"] for row in rows} <= set(sandbox.world.ids("users"))
    assert {entry.path for entry in sandbox.requests} == {"/resources/accounts", "/resources/users"}


def test_a_sample_has_five_records_and_is_masked(sandbox: Sandbox, tmp_path: Path) -> None:
    maps = {"users": {"email": None}}
    done = asked(tmp_path, sandbox, "--sample", "users", stream_maps=maps)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 5
    assert not any("email" in row for row in rows)


@pytest.mark.parametrize("what", ["people", "users=0", "users=x", "users=9999", "="])
def test_a_sample_of_nothing_is_one_line(what: str, sandbox: Sandbox, tmp_path: Path) -> None:
    done = asked(tmp_path, sandbox, "--sample", what)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = (line for line in done.stderr.splitlines() if "| ERROR" in line)
    assert "| --sample: " in line
    assert "Traceback" not in done.stderr


def test_tables_that_equal_vitally(sandbox: Sandbox, tmp_path: Path) -> None:
    messages = loaded(tmp_path, sandbox)
    records = [message for message in messages if message["type"] == "RECORD"]
    streams = {message["stream"] for message in records}
    given = "\n".join(json.dumps(message) for message in messages)
    done = asked(tmp_path, sandbox, "--verify", given=given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{len(streams)} tables equal Vitally as of ")
    assert "STATE" not in done.stdout


def test_what_is_missing_and_what_is_too_much_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    users = sandbox.world.ids("users")
    held = ["stream,id", *(f"users,{key}" for key in users[1:]), "users,gone-1"]
    done = asked(tmp_path, sandbox, "--verify", given="\n".join(held))
    assert done.returncode == 1
    missing, extra = done.stdout.splitlines()
    assert missing.startswith(f"users: 1 missing of {len(users)} ({users[0]}). To mend it: ")
    assert "users: 1 too many (gone-1)" in extra
    assert "1 of 1 tables differ" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("off", [-1, 0, 2])
def test_counts_are_compared(off: int, sandbox: Sandbox, tmp_path: Path) -> None:
    count = len(sandbox.world.ids("notes")) + off
    rows = [{"type": "RECORD", "stream": "counts", "record": {"stream": "notes", "count": count}}]
    for given in (f"Stream,Count\nnotes,{count}\n", "\n".join(map(json.dumps, rows))):
        done = asked(tmp_path, sandbox, "--verify", given=given)
        assert done.returncode == (off != 0), done.stderr
        assert ("missing" in done.stdout) == (off < 0)
        assert ("too many" in done.stdout) == (off > 0)


def test_without_anything_to_compare_with_vitally_is_counted(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    done = asked(tmp_path, sandbox, "--verify")
    assert done.returncode == 0
    counted = dict(line.split(": ") for line in done.stdout.splitlines())
    assert int(counted["users"].replace(",", "")) == len(sandbox.world.ids("users"))


@pytest.mark.parametrize(
    "given", ["a,b\n1,2\n", "stream,count\nusers,many\n", '{"type": "RECORD", "record": {}}', "{"]
)
def test_what_cannot_be_compared_is_one_line(given: str, sandbox: Sandbox, tmp_path: Path) -> None:
    done = asked(tmp_path, sandbox, "--verify", given=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert sandbox.requests == []


def test_a_stream_that_is_refused_is_not_taken_for_an_empty_one(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.refuse("notes")
    done = asked(tmp_path, sandbox, "--verify", given="stream,count\nnotes,0\n")
    assert done.returncode == 1
    assert "equal" not in done.stdout
