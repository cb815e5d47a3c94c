"""``--test`` says of an input what a plan and a run would, in the same words, and writes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.forked import forked
from harness.target import Row, messages, schema, write
from harness.workspace import Workspace
from tests.target.test_command import COMMAND, SECRET, config, run

ARR = "vitally.custom.arr"
STAGE = "vitally.custom.stage"
ACCOUNT: Row = {"externalId": "a", "name": "A"}


def looked_at(
    here: Workspace, folder: Path, said: list[Row], **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Test an input that is piped in, and one that is given by name."""
    file = config(folder, here, **settings)
    piped = run(said, "--config", file, "--test")
    (folder / "input.jsonl").write_text("\n".join(map(json.dumps, said)) + "\n")
    named = run("", "--config", file, "--test", "--input", str(folder / "input.jsonl"))
    assert (piped.returncode, piped.stdout) == (named.returncode, named.stdout)
    assert here.writes() == []
    return piped


def fields(here: Workspace) -> None:
    here.put("customFields", path=ARR, label="ARR", type="number")
    options = [{"value": "won", "label": "Won"}, {"value": "lost", "label": "Lost"}]
    here.put("customFields", path=STAGE, label="Stage", type="singleselect", options=options)


PUSHED = {
    "customers": {"resource": "accounts", "properties": {"externalId": "no", "name": "company"}}
}


@pytest.mark.parametrize(
    ("rows", "streams", "reported"),
    [
        ({"accounts": [{**ACCOUNT, "mrr": 1}]}, {}, "mrr (set the trait that feeds MRR"),
        ({"accounts": [{**ACCOUNT, "nname": 1}]}, {}, "nname (is it name?)"),
        ({"users": [{"externalId": "u", "emaile": "u@example.com"}]}, {}, "emaile (is it email?)"),
        ({"tasks": [{"externalId": "t", "dueDayte": 1}]}, {}, "dueDayte (is it dueDate?)"),
        (
            {"accounts": [ACCOUNT]},
            {"accounts": {"properties": {"nname": "name"}}},
            "nname (is it name?) cannot be written to accounts",
        ),
        (
            {"accounts": [ACCOUNT]},
            {"accounts": {"properties": {"healthScore": "name"}}},
            "healthScore (Vitally works it out, or keeps it for its app) cannot be written",
        ),
        ({"aaccounts": [ACCOUNT]}, {}, "aaccounts is named like no resource"),
        (
            {"customers": [{"no": "1", "company": "A", "is_deleted": False}]},
            PUSHED,
            "is_deleted looks like a mark of deleted rows",
        ),
        ({"customers": [{"number": "1"}]}, PUSHED, "names columns that it does not have"),
    ],
    ids=str,
)
def test_a_stream_that_ends_a_run_is_told_in_its_words(
    here: Workspace, tmp_path: Path, rows: dict[str, list[Row]], streams: Row, reported: str
) -> None:
    found = looked_at(here, tmp_path, messages(**rows), streams=streams)
    assert found.returncode == 1
    assert reported in found.stdout
    for plan in (False, True):
        assert reported in write(here, messages(**rows), streams=streams, dry_run=plan).failure


@pytest.mark.parametrize(
    ("stream", "row", "reported"),
    [
        (
            "accounts",
            {"traits": {STAGE: "lots"}},
            f"{STAGE}: it is not one of its choices: it takes won, lost",
        ),
        ("accounts", {"traits": {ARR: "many"}}, ARR),
        ("accounts", {"traits": "{"}, "traits: "),
        ("accounts", {"_deleted": "perhaps"}, "_deleted: it says neither"),
        ("users", {"joinDate": "soon", "accountExternalId": "a"}, "joinDate: "),
        ("users", {"accountIds": []}, "an empty list is never sent"),
        ("nps_responses", {"score": "ten", "userExternalId": "u"}, "score: "),
    ],
    ids=str,
)
def test_a_row_that_would_be_rejected_is_told_in_its_words(
    here: Workspace, tmp_path: Path, stream: str, row: Row, reported: str
) -> None:
    fields(here)
    rows = [{**ACCOUNT, **row} if stream == "accounts" else {"externalId": "x", **row}]
    found = looked_at(here, tmp_path, messages(**{stream: rows}))
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if reported in line)
    for plan in (False, True):
        ran = write(here, messages(**{stream: rows}), dry_run=plan)
        assert ran.words == ["rejected"]
        assert line == f"{stream}: rejected: {ran.reasons} (1): row 1"


@pytest.mark.parametrize(
    ("stream", "row", "reported"),
    [
        ("events", {"timestamp": "2026-11-30", "userExternalId": "u"}, "it takes event"),
        ("events", {"event": "E", "userExternalId": "u"}, "it takes timestamp"),
        ("events", {"event": "E", "timestamp": "2026-11-30"}, "it takes userExternalId or"),
        ("events", {"event": "E", "_deleted": True}, "an event cannot be deleted"),
        (
            "events",
            {"event": "E", "timestamp": "2026-11-30", "userExternalId": "u", "properties": "x"},
            "properties: it takes an object",
        ),
        ("user_accounts", {"userExternalId": "u"}, "it takes accountId or accountExternalId"),
        ("user_accounts", {"userExternalId": None, "accountExternalId": "a"}, "it takes userId or"),
        ("meeting_transcripts", {"transcript": []}, "it takes meetingId or meetingExternalId"),
        ("messages", {"externalId": "m", "message": "M"}, "it takes conversationId or"),
        ("custom_object_instances", {"externalId": "i", "_deleted": True}, "it takes customObject"),
    ],
    ids=str,
)
def test_what_an_address_or_an_event_lacks_is_told_in_the_words_of_a_run(
    here: Workspace, tmp_path: Path, stream: str, row: Row, reported: str
) -> None:
    said = messages(**{stream: [row]})
    keys = {"analytics_api_key": "sandbox-analytics", "analytics_url": here.url}
    settings: Row = {**keys, "deletes": "delete"}
    found = looked_at(here, tmp_path, said, **settings)
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if reported in line)
    for plan in (False, True):
        ran = write(here, said, dry_run=plan, **settings)
        assert line == f"{stream}: rejected: {ran.reasons} (1): row 1"


def test_a_key_that_one_stream_lacks_keeps_no_other_from_being_looked_at(
    here: Workspace, tmp_path: Path
) -> None:
    event = {"event": "E", "timestamp": "2026-11-30", "userExternalId": "u"}
    found = looked_at(here, tmp_path, messages(events=[event], accounts=[ACCOUNT]))
    assert found.returncode == 1
    assert "events: analytics_api_key is missing" in found.stdout
    assert "accounts: can be written" in found.stdout


def test_what_is_said_of_a_column_of_events_can_be_done(here: Workspace, tmp_path: Path) -> None:
    event = {"event": "E", "timestamp": "2026-11-30", "userExternalId": "u", "zip": 1}
    keys = {"analytics_api_key": "sandbox-analytics", "analytics_url": here.url}
    found = looked_at(here, tmp_path, messages(events=[event]), **keys)
    assert "(properties or event_properties), or set unknown there to ignore or properties" in (
        found.stdout
    )
    entries: list[Row] = [{"unknown": "properties"}, {"event_properties": {"postcode": "zip"}}]
    for entry in entries:
        said = messages(events=[event])
        assert looked_at(here, tmp_path, said, streams={"events": entry}, **keys).returncode == 0


def test_a_misspelt_trait_is_told_in_the_words_of_a_run(
    here: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fields(here)
    rows = messages(accounts=[{**ACCOUNT, "traits": {"vitally.custom.ar": 1}}])
    found = looked_at(here, tmp_path, rows)
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if "vitally.custom.ar " in line)
    assert f"(is it {ARR}?)" in line
    for plan in (True, False):
        caplog.clear()
        write(here, rows, dry_run=plan)
        assert f"{line}." in caplog.messages


@pytest.mark.parametrize(
    ("stream", "row", "entry"),
    [
        ("accounts", {"name": "A"}, {}),
        ("users", {"email": "u@example.com", "accountExternalId": "a"}, {}),
        ("users", {"externalId": "u"}, {"match": "email"}),
        ("tasks", {"name": "T", "accountExternalId": "a"}, {}),
        ("projects", {"name": "P"}, {"match": f"trait:{ARR}"}),
    ],
    ids=str,
)
def test_a_stream_without_its_key_is_told_in_the_words_of_a_run(  # noqa: PLR0913, PLR0917
    here: Workspace,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    stream: str,
    row: Row,
    entry: Row,
) -> None:
    streams = {stream: entry}
    found = looked_at(here, tmp_path, messages(**{stream: [row]}), streams=streams)
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if "is the key" in line)
    write(here, messages(**{stream: [row]}), streams=streams)
    assert f"{line}." in caplog.messages


def test_a_table_that_does_not_come_is_told(
    here: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    streams = {"accounts": {}, "public-aaccounts": {"resource": "accounts"}, "users": {}}
    said = messages(**{"public-accounts": [ACCOUNT]})
    found = looked_at(here, tmp_path, said, streams=streams)
    absent = [line for line in found.stdout.splitlines() if line.startswith("streams.")]
    assert absent == [
        "streams.accounts: no SCHEMA of it has come (is it public-accounts?)",
        "streams.public-aaccounts: no SCHEMA of it has come (is it public-accounts?)",
        "streams.users: no SCHEMA of it has come",
    ]
    assert found.returncode == 0
    for plan in (True, False):
        caplog.clear()
        write(here, said, streams=streams, dry_run=plan)
        assert {f"{line}." for line in absent} <= set(caplog.messages)


def test_what_could_be_written_is_and_nothing_is_touched(here: Workspace, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("results_file", "rejects_file", "undo_file")}
    for path in files.values():
        path.write_text("of yesterday")
    rows = [{**ACCOUNT, "externalId": str(n)} for n in range(1500)]
    said = messages(accounts=rows, admins=[{"id": "1"}])
    found = looked_at(here, tmp_path, said, **{name: str(path) for name, path in files.items()})
    assert found.returncode == 0
    assert found.stdout.splitlines()[1:] == ["accounts: can be written"]
    assert {path.read_text() for path in files.values()} == {"of yesterday"}


@pytest.mark.parametrize("name", ["results_file", "rejects_file", "undo_file"])
def test_a_file_that_cannot_be_written_is_told(here: Workspace, tmp_path: Path, name: str) -> None:
    file = config(tmp_path, here, **{name: str(tmp_path / "no" / "file.jsonl")})
    found = run("", "--config", file, "--test")
    assert found.returncode == 1
    assert f"{name}: it cannot be written" in found.stdout


def test_an_input_that_never_comes_does_not_keep_a_check(here: Workspace, tmp_path: Path) -> None:
    """A scheduler may leave standard input open."""
    reading, writing = os.pipe()
    command = forked([*COMMAND, "--config", config(tmp_path, here), "--test"])
    done = subprocess.run(command, stdin=reading, capture_output=True, timeout=60, check=False)
    os.close(reading)
    os.close(writing)
    assert done.returncode == 0
    assert b"accounts: can be written" in done.stdout


@pytest.mark.parametrize("option", [(), ("--input", os.devnull)], ids=str)
def test_without_an_input_settings_alone_are_looked_at(
    here: Workspace, tmp_path: Path, option: tuple[str, ...]
) -> None:
    streams = {
        "one": {"resource": "accounts", "properties": {"nname": "x", "name": "y"}},
        "two": {"resource": "tasks", "traits": {ARR: "arr"}},
        "three": {"resource": "custom_object_instances", "custom_object": "no"},
    }
    found = run("", "--config", config(tmp_path, here, streams=streams), "--test", *option)
    assert found.returncode == 1
    assert "one: streams.one.properties: nname (is it name?) cannot be written" in found.stdout
    assert f"two: the trait {ARR} does not exist" in found.stdout
    assert "three: there is no custom object no" in found.stdout
    assert "3 of these would not be taken" in found.stderr.splitlines()[-1]


def test_rows_name_no_customer(here: Workspace, tmp_path: Path) -> None:
    rows = [{**schema("x", []), "type": "nonsense"}]
    said = [
        *messages(users=[{"externalId": "who@example.com", "joinDate": "who@example.com"}]),
        *rows,
    ]
    found = looked_at(here, tmp_path, said)
    assert "who@example.com" not in found.stdout + found.stderr
    assert SECRET not in found.stdout
    assert "(no stream): rejected: it is no Singer message (1): line" in found.stdout
