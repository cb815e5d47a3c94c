"""The command as people run it: exit codes, signals, one line for what goes wrong, no key in it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.forked import forked
from harness.target import messages, schema
from harness.workspace import Workspace
from target_vitally.command import failures_in_one_line
from target_vitally.pipeline import batches

SECRET = "sk_live_not_a_real_key"  # noqa: S105 - made up
COMMAND = [sys.executable, "-m", "target_vitally"]


def config(folder: Path, here: Workspace, **settings: Any) -> str:
    path = folder / "config.json"
    path.write_text(
        json.dumps({"api_key": SECRET, "api_url": here.url, "first_push": True, **settings})
    )
    return str(path)


def run(
    said: list[Any] | str, *options: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    text = said if isinstance(said, str) else "\n".join(map(json.dumps, said)) + "\n"
    found = subprocess.run(
        forked([*COMMAND, *options]),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    assert SECRET not in found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    return found


def test_rows_come_in_and_state_comes_out(here: Workspace, tmp_path: Path) -> None:
    rows = [{"externalId": "1", "name": "A", "traits": {"plan": "gold"}}]
    found = run(messages(accounts=rows), "--config", config(tmp_path, here))
    assert (found.returncode, found.stdout) == (0, '{"end":true}\n')
    assert here.rows("accounts")[0]["traits"] == {"plan": "gold"}


def test_an_empty_table_is_in_the_summary_by_its_own_name(here: Workspace, tmp_path: Path) -> None:
    file = config(tmp_path, here, streams={"Sales Customers": {"resource": "accounts"}})
    found = run([schema("Sales Customers", [{"externalId": "1", "name": "A"}])], "--config", file)
    assert re.search(r"^Sales Customers +0( +0)+$", found.stderr, re.MULTILINE)


def test_rejects_are_mended_and_fed_back(here: Workspace, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    rows = [{"externalId": "1", "name": "poison"}]
    file = config(tmp_path, here, rejects_file=str(rejects))
    found = run(messages(accounts=rows), "--config", file)
    assert (found.returncode, found.stdout) == (1, "")
    refused = run("", "--config", file, "--input", str(rejects))
    assert refused.returncode == 1
    assert "--input" in refused.stderr.splitlines()[-1]
    repaired = tmp_path / "mended.jsonl"
    repaired.write_text(rejects.read_text().replace("poison", "mended", 1))
    assert run("", "--config", file, "--input", str(repaired)).returncode == 0
    assert here.rows("accounts")[0]["name"] == "mended"


def test_a_wrong_key_is_one_line_and_what_was_done_is_acknowledged(
    here: Workspace, tmp_path: Path
) -> None:
    def revoked(method: str, path: str, _count: int) -> str:
        return "401" if method == "POST" and path == "users" else ""

    here.fault = revoked
    said = messages(
        accounts=[{"externalId": "a", "name": "A"}],
        users=[{"externalId": "u", "accountExternalId": "a", "email": "who@example.com"}],
    )
    said.insert(2, {"type": "STATE", "value": "accounts are done"})
    found = run(said, "--config", config(tmp_path, here))
    assert found.returncode == 1
    assert found.stdout == '"accounts are done"\n'
    assert "does not accept the API key" in found.stderr.splitlines()[-1]
    assert "who@example.com" not in found.stderr


def test_a_signal_ends_the_run_with_its_own_code(here: Workspace, tmp_path: Path) -> None:
    file = config(tmp_path, here, batch_size_rows=1)
    rows = [{"externalId": str(n), "name": "A"} for n in range(2)]
    said = [schema("accounts", rows)]
    said += [{"type": "RECORD", "stream": "accounts", "record": rows[0]}]
    said += [{"type": "STATE", "value": 1}]
    said += [{"type": "RECORD", "stream": "accounts", "record": rows[1]}]
    with subprocess.Popen(
        forked([*COMMAND, "--config", file]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for message in said:
            process.stdin.write(f"{json.dumps(message)}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGTERM)
        # To close its input would end it, too, and perhaps before the signal has come.
        assert process.wait(30) == 128 + signal.SIGTERM
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    assert len(here.rows("accounts")) == 2


def test_a_signal_does_not_lose_what_is_under_way(here: Workspace, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    file = config(tmp_path, here, results_file=str(results), concurrency=1)
    rows = [{"externalId": str(n), "name": "A"} for n in range(200)]
    process: list[subprocess.Popen[str]] = []

    def interrupt(method: str, _path: str, _count: int) -> str:
        if method == "POST" and len(here.rows("accounts")) == 5:
            process[0].send_signal(signal.SIGTERM)
        return ""

    here.fault = interrupt
    with subprocess.Popen(
        forked([*COMMAND, "--config", file]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        process.append(started)
        out, _ = started.communicate(
            "\n".join(map(json.dumps, messages(accounts=rows))), timeout=60
        )
    assert started.returncode == 128 + signal.SIGTERM
    assert out == ""
    words = [json.loads(line)["outcome"] for line in results.read_text().splitlines()]
    assert len(words) == len(rows)
    assert words.count("created") == len(here.rows("accounts"))
    assert set(words) == {"created", "not reached"}


def test_a_signal_while_lists_are_read_is_a_signal(here: Workspace, tmp_path: Path) -> None:
    for number in range(300):
        here.put("accounts", externalId=str(number), name="A")
    process: list[subprocess.Popen[str]] = []

    def interrupt(_method: str, path: str, _count: int) -> str:
        if path == "accounts":
            process[0].send_signal(signal.SIGTERM)
            return "503"
        return ""

    here.fault = interrupt
    rows = [{"externalId": str(n), "name": "B"} for n in range(100)]
    with subprocess.Popen(
        forked([*COMMAND, "--config", config(tmp_path, here)]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        process.append(started)
        out, reported = started.communicate(
            "\n".join(map(json.dumps, messages(accounts=rows))), timeout=60
        )
    assert started.returncode == 128 + signal.SIGTERM, reported
    assert (out, here.writes()) == ("", [])


@pytest.mark.parametrize(
    ("settings", "reported"),
    [
        ({"load_method": "overwrite"}, "load_method is overwrite"),
        ({"colour": "red"}, "colour is no setting"),
        ({"streams": {"a": {"resource": "accounts", "match": "email"}}}, "streams.a.match"),
        ({"streams": {"a": {"resource": "things"}}}, "streams.a.resource"),
        ({"mode": "merge"}, "merge"),
        ({"api_key": ""}, "api_key is missing"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    here: Workspace, tmp_path: Path, settings: dict[str, Any], reported: str
) -> None:
    found = run("", "--config", config(tmp_path, here, **settings))
    assert found.returncode == 1
    assert reported in found.stderr


@pytest.mark.parametrize(
    ("said", "reported"),
    [
        ([schema("accounts", [{"colour": 1}])], "colour of its columns"),
        ([schema("things", [{"id": 1}])], "things is named like no resource"),
    ],
)
def test_an_input_that_cannot_be_written_is_one_line(
    here: Workspace, tmp_path: Path, said: Any, reported: str
) -> None:
    found = run(said, "--config", config(tmp_path, here))
    assert found.returncode == 1
    assert reported in found.stderr.splitlines()[-1]


def test_a_preflight_says_what_would_not_be_taken(here: Workspace, tmp_path: Path) -> None:
    here.put("customFields", path="vitally.custom.arr", label="ARR")
    entry = {
        "resource": "accounts",
        "traits": {"vitally.custom.arr": "a", "vitally.custom.no": "b"},
    }
    file = config(tmp_path, here, streams={"customers": entry, "users": {}})
    found = run("", "--config", file, "--test")
    assert found.returncode == 1
    assert "customers: the trait vitally.custom.no does not exist" in found.stdout
    assert "users: can be written" in found.stdout
    assert here.writes() == []


def test_settings_come_from_the_environment(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_VITALLY_DRY_RUN", "true")
    file = config(tmp_path, here)
    rows = [{"externalId": "1", "name": "A"}]
    found = run(messages(accounts=rows), "--config", file, "--config", "ENV")
    assert (found.returncode, found.stdout, here.writes()) == (0, "", [])
    assert "The plan; nothing was written" in found.stderr


def test_settings_come_from_the_env_file_of_the_working_folder(
    here: Workspace, tmp_path: Path
) -> None:
    lines = [
        f"TARGET_VITALLY_API_KEY={SECRET}",
        f"TARGET_VITALLY_API_URL={here.url}",
        "TARGET_VITALLY_DRY_RUN=true",
        "TARGET_VITALLY_FIRST_PUSH=true",
        "TARGET_VITALLY_ON_REJEKT=stop",
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    rows = [{"externalId": "1", "name": "A"}]
    found = run(messages(accounts=rows), "--config", "ENV", folder=tmp_path)
    assert (found.returncode, found.stdout, here.writes()) == (0, "", [])
    assert "The plan; nothing was written" in found.stderr
    assert "did you mean TARGET_VITALLY_ON_REJECT?" in found.stderr


def test_a_word_that_is_neither_yes_nor_no_is_not_taken_for_no(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_VITALLY_DRY_RUN", "ja")
    rows = [{"externalId": "1", "name": "A"}]
    found = run(messages(accounts=rows), "--config", config(tmp_path, here), "--config", "ENV")
    assert (found.returncode, here.writes()) == (1, [])
    assert "TARGET_VITALLY_DRY_RUN is 'ja', which is neither yes nor no" in found.stderr


def test_a_reader_of_state_that_has_gone_is_named(here: Workspace, tmp_path: Path) -> None:
    text = "\n".join(map(json.dumps, messages(accounts=[{"externalId": "1", "name": "A"}])))
    command = forked([*COMMAND, "--config", config(tmp_path, here)])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as target:
        assert target.stdout
        target.stdout.close()
        target.stdout = None
        _, reported = target.communicate(text + "\n", timeout=60)
    assert target.returncode == 1
    assert "Who reads the output stopped before its end" in reported.splitlines()[-1]


def test_settings_that_are_missing_are_one_line(tmp_path: Path) -> None:
    found = run("", folder=tmp_path)
    assert found.returncode == 1
    (line,) = found.stderr.splitlines()
    assert "api_key is missing" in line


def test_a_fault_in_a_file_called_like_one_of_the_sdk_is_no_mistake_in_a_setting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = compile("raise KeyError", str(Path(batches.__file__)), "exec")
    with pytest.raises(SystemExit), failures_in_one_line():
        exec(code)  # noqa: S102 - one line, right here
    assert "KeyError in batches.py" in caplog.messages[-1]
    assert "batch_config" not in caplog.messages[-1]
