"""How much a run may write: over a cap nothing of that kind is written, and a wrong key creates nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.forked import forked
from harness.target import Row, messages, write
from harness.workspace import Workspace
from target_vitally.mapping.cap import Cap
from target_vitally.target import TargetVitally
from tests.target.test_activity import SPEECH
from vitally_api import SettingsError


def accounts(here: Workspace, number: int) -> list[Row]:
    """Put accounts into the workspace, and return a row for each that changes nothing."""
    rows = [{"externalId": f"a{n}", "name": f"A{n}"} for n in range(number)]
    for row in rows:
        here.put("accounts", **row)
    return rows


def new(number: int, prefix: str = "n") -> list[Row]:
    return [{"externalId": f"{prefix}{n}", "name": f"N{n}"} for n in range(number)]


# Caps as they are written


@pytest.mark.parametrize(
    ("written", "number", "percent"),
    [
        (100, 100, None),
        ("200", 200, None),
        ("10%", None, 10),
        (" 2.5 % ", None, Fraction(5, 2)),
        ("100, 10%", 100, 10),
        ("10%,100", 100, 10),
        (0, 0, None),
    ],
)
def test_a_cap_is_a_number_a_share_or_both(written: Any, number: Any, percent: Any) -> None:
    cap = Cap.read(written)
    assert (cap.number, cap.percent and Fraction(cap.percent)) == (number, percent)


@pytest.mark.parametrize(
    "written", ["", "many", "-1", -2, "1,000", "10%, 20%", "10", True, "1.5", "%", "100 10%", "1e3"]
)
@pytest.mark.parametrize("name", ["max_creates", "max_updates", "max_deletes"])
def test_what_is_no_cap_is_named(name: str, written: Any) -> None:
    config = {"api_key": "k", "data_center": "eu", name: written}
    if written in {"", "10"}:
        TargetVitally(config=config)
        return
    with pytest.raises((SettingsError, Exception), match=name):
        TargetVitally(config=config)


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 40), st.integers(0, 500))
def test_the_smaller_of_number_and_share_counts(
    count: int, there: int, percent: int, number: int
) -> None:
    cap = Cap.read(f"{number}, {percent}%")
    asked: list[int] = []

    def held(_: str, enough: int) -> int:
        asked.append(enough)
        return min(there, enough)

    share = max(there * percent // 100, min(percent, 1))
    assert (cap.excess({"users": count}, held) is not None) == (count > min(number, share))
    assert all(enough <= count * 100 / max(percent, 1) + 1 for enough in asked)


# Creates and updates


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("dry_run", [False, True])
def test_more_creates_than_allowed_create_nothing(
    here: Workspace, size: int, *, dry_run: bool
) -> None:
    there = accounts(here, 5)
    changed = [{**row, "name": "other"} for row in there[:2]]
    rows = [*new(6), *changed, *new(6, "m"), *there[2:]]
    found = write(
        here, messages(accounts=rows), max_creates=11, batch_size_rows=size, dry_run=dry_run
    )
    assert found.words == ["rejected"] * 6 + ["updated"] * 2 + ["rejected"] * 6 + ["unchanged"] * 3
    assert "more than max_creates (11) would be created, so that nothing was" in found.reasons
    assert "12 records would be created, and max_creates is 11" in found.failure
    assert len(here.rows("accounts")) == 5
    assert [method for method, _ in here.writes()] == ([] if dry_run else ["PUT", "PUT"])
    assert found.states == []
    assert len(found.rejects) == 1 + 12


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_as_many_creates_as_allowed_are_made(here: Workspace, size: int) -> None:
    rows = [*new(12), *new(3)]
    found = write(here, messages(accounts=rows), max_creates=12, batch_size_rows=size)
    assert (found.failure, found.words.count("rejected")) == ("", 0)
    assert len(here.rows("accounts")) == 12
    assert found.states == [{"end": True}]


@pytest.mark.parametrize("size", [100, 10_000])
def test_a_thousand_wrong_rows_write_nothing(here: Workspace, size: int) -> None:
    accounts(here, 20)
    found = write(here, messages(accounts=new(1000)), max_creates="100, 10%", batch_size_rows=size)
    assert set(found.words) == {"rejected"}
    assert here.writes() == []


@pytest.mark.parametrize("cap", ["max_creates", "max_updates", "max_deletes"])
def test_a_share_of_nothing_is_nothing(here: Workspace, cap: str) -> None:
    there = accounts(here, 3)
    said = [*new(1), {**there[0], "name": "other"}, {"externalId": "a1", "_deleted": True}]
    found = write(here, messages(accounts=said), deletes="delete", **{cap: "0%"})
    assert sorted(found.words).count("rejected") == 1
    assert f"and {cap} is 0%: nothing was" in found.failure


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize("dry_run", [False, True])
def test_more_updates_than_allowed_update_nothing(
    here: Workspace, size: int, *, dry_run: bool
) -> None:
    there = accounts(here, 30)
    changed = [{**row, "name": "other"} for row in there[:4]]
    found = write(
        here,
        messages(accounts=[*changed, *new(2), *there[4:], *changed]),
        max_updates="10%",
        batch_size_rows=size,
        dry_run=dry_run,
    )
    assert found.words == ["rejected"] * 4 + ["created"] * 2 + ["unchanged"] * 26 + ["rejected"] * 4
    assert "4 records would be updated, and max_updates is 10% (here 3 of 3" in found.failure
    assert {row["name"] for row in here.rows("accounts")}.isdisjoint({"other"})


def test_updates_within_the_share_are_made_in_their_order(here: Workspace) -> None:
    there = accounts(here, 30)
    changes = [{**row, "name": name} for name in ("first", "second") for row in there[:3]]
    found = write(here, messages(accounts=changes), max_updates="10%", batch_size_rows=1)
    assert found.words == ["updated"] * 6
    assert [row["name"] for row in here.rows("accounts")][:3] == ["second"] * 3


def test_children_of_what_is_counted_are_counted_too(here: Workspace) -> None:
    users = [
        {
            "externalId": f"u{n}",
            "name": "U",
            "accountExternalId": "n0",
            "email": f"u{n}@example.com",
        }
        for n in range(3)
    ]
    said = messages(users=users, accounts=new(1))
    found = write(here, said, max_creates=3)
    assert set(found.words) == {"rejected"}
    assert "4 records would be created" in found.failure
    assert here.writes() == []
    assert write(here, said, max_creates=4).words == ["created"] * 4
    assert len(here.rows("users")) == 3


def test_what_could_not_be_written_does_not_count(here: Workspace) -> None:
    users = [{"externalId": f"u{n}", "accountExternalId": "nowhere"} for n in range(9)]
    found = write(here, messages(users=users, accounts=new(1)), max_creates=1)
    assert found.words == ["rejected"] * 9 + ["created"]


@pytest.mark.parametrize("kind", ["transcript", "conversation", "instance", "project"])
def test_every_resource_is_capped(here: Workspace, kind: str) -> None:
    account = here.put("accounts", externalId="a", name="A")
    here.put("meetings", externalId="m", title="M", accountIds=[account["id"]])
    here.put("organizations", externalId="o", name="O")
    here.put("customObjects", name="deal", label="Deal")
    text = {"externalId": "x", "message": "Hi", "timestamp": "2026-01-02T00:00:00Z"}
    rows: dict[str, list[Row]] = {
        "transcript": [{"meetingExternalId": "m", "transcript": SPEECH}],
        "conversation": [{"externalId": "c", "subject": "S", "messages": [text]}],
        "instance": [
            {
                "externalId": "i",
                "customObjectName": "deal",
                "organizationExternalId": "o",
                "name": "I",
            }
        ],
        "project": [{"templateName": "Usual", "accountExternalId": "a", "name": "P"}],
    }
    streams = {
        "transcript": "meeting_transcripts",
        "conversation": "conversations",
        "instance": "custom_object_instances",
        "project": "projects",
    }
    entry = {kind: {"resource": streams[kind], **({"mode": "create"} if kind == "project" else {})}}
    before = len(here.writes())
    found = write(here, messages(**{kind: rows[kind]}), streams=entry, max_creates=0)
    assert found.words == ["rejected"], found.reasons
    assert "max_creates (0)" in found.reasons
    assert len(here.writes()) == before
    done = write(here, messages(**{kind: rows[kind]}), streams=entry, max_creates=1)
    assert done.words == ["created"], done.reasons


@pytest.mark.parametrize("kind", ["creates", "updates", "deletes", "first push", "unlinks"])
def test_state_stays_before_what_a_cap_refuses(here: Workspace, kind: str) -> None:
    rows = accounts(here, 2)
    ids = [row["id"] for row in here.rows("accounts")]
    here.put("users", externalId="u", email="u@example.com", accountIds=ids)
    user = {"externalId": "u", "accountExternalIds": ["a0"]}
    said: dict[str, tuple[Row, Row]] = {
        "creates": ({"accounts": new(2)}, {"max_creates": 1}),
        "updates": ({"accounts": [{**row, "name": "N"} for row in rows]}, {"max_updates": 1}),
        "deletes": ({"accounts": gone(rows)}, {"max_deletes": 1}),
        "first push": ({"accounts": new(2)}, {"first_push": False}),
        "unlinks": (
            {"users": [user]},
            {"max_deletes": 0, "streams": {"users": {"links": "exact"}}},
        ),
    }
    streams, settings = said[kind]
    more: Row = {"deletes": "delete", "on_reject": "continue", "max_rejects": 10}
    found = write(here, messages(**streams), **{**more, **settings})
    assert set(found.words) == {"rejected"}
    assert found.states == []
    assert found.failure
    assert here.writes() == []


def test_rejected_by_a_cap_is_no_reason_to_stop_at_the_first(here: Workspace) -> None:
    found = write(here, messages(accounts=new(3)), max_creates=2, on_reject="stop")
    assert found.words == ["rejected"] * 3


# Deletes


def gone(rows: list[Row]) -> list[Row]:
    return [{"externalId": row["externalId"], "_deleted": True} for row in rows]


@pytest.mark.parametrize(
    ("there", "deleted", "fine"), [(30, 3, True), (30, 4, False), (5, 1, True)]
)
def test_a_tenth_of_the_records_may_be_deleted(
    here: Workspace, there: int, deleted: int, *, fine: bool
) -> None:
    rows = accounts(here, there)
    config = {"deletes": "delete", "max_deletes": None}
    found = write(here, messages(accounts=gone(rows[:deleted])), **config)
    assert set(found.words) == ({"deleted"} if fine else {"rejected"})
    assert len(here.rows("accounts")) == (there - deleted if fine else there)
    if not fine:
        assert (
            "4 records would be deleted, and max_deletes is 100, 10% (here 3 of 30)"
            in found.failure
        )


def test_a_share_reads_no_more_pages_than_it_takes(here: Workspace) -> None:
    rows = accounts(here, 450)
    before = len(here.log)
    found = write(here, messages(accounts=gone(rows[:2])), deletes="delete", max_deletes="2%")
    assert found.words == ["deleted"] * 2
    assert here.log[before:].count(("GET", "accounts")) == 1


# The first push of a stream


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_stream_that_creates_more_than_it_finds_is_refused(
    here: Workspace, size: int, *, dry_run: bool
) -> None:
    there = accounts(here, 3)
    said = messages(accounts=[*there, *new(4)])
    settings: Row = {"batch_size_rows": size, "dry_run": dry_run}
    found = write(here, said, first_push=False, **settings)
    assert found.words == ["unchanged"] * 3 + ["rejected"] * 4
    assert (
        "accounts: 4 records would be created, and only 3 of its rows found theirs" in found.failure
    )
    assert "set first_push: true" in found.failure
    assert here.writes() == []
    assert found.states == []
    assert write(here, said, first_push=True, **settings).words[3:] == ["created"] * 4


def test_a_stream_that_finds_as_many_as_it_creates_goes_on(here: Workspace) -> None:
    there = accounts(here, 3)
    found = write(here, messages(accounts=[*new(3), *there]), first_push=False)
    assert found.words == ["created"] * 3 + ["unchanged"] * 3


def test_a_first_push_may_be_allowed_for_one_stream(here: Workspace) -> None:
    here.put("accounts", externalId="a", name="A")
    streams = {
        "one": {"resource": "accounts", "first_push": True},
        "two": {"resource": "organizations"},
    }
    said = messages(one=new(2), two=new(2))
    found = write(here, said, streams=streams, first_push=False)
    assert found.words == ["created"] * 2 + ["rejected"] * 2
    assert "two: 2 records" in found.failure
    refused = {"one": {"resource": "accounts", "first_push": False}}
    found = write(here, messages(one=new(2, "z")), streams=refused, first_push=True)
    assert found.words == ["rejected"] * 2


def test_a_few_new_records_beside_many_are_no_first_push(here: Workspace) -> None:
    accounts(here, 300)
    assert write(here, messages(accounts=new(3)), first_push=False).words == ["created"] * 3
    found = write(here, messages(accounts=new(4, "m")), first_push=False)
    assert found.words == ["rejected"] * 4


# The command


def test_the_command_says_what_was_refused(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"api_key": "sandbox", "api_url": here.url}))
    monkeypatch.setenv("TARGET_VITALLY_MAX_CREATES", "100, 10%")
    text = "".join(f"{json.dumps(message)}\n" for message in messages(accounts=new(50)))
    command = [sys.executable, "-m", "target_vitally", "--config", str(config), "--config", "ENV"]
    done = subprocess.run(
        forked(command), input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, here.writes()) == (1, "", [])
    last = done.stderr.strip().splitlines()[-1]
    assert "50 records would be created, and max_creates is 100, 10% (here 1 of 0)" in last
    assert "accounts: 50 records would be created, and only 0 of its rows found theirs" in last
    assert "Traceback" not in done.stderr
