"""A run that breaks is taken back, and so is one of which Vitally takes back only a part."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from harness.forked import forked
from harness.support import waits_pass_in_no_time
from harness.target import Row, messages
from sandbox import Entry, Fault, Sandbox, World, serve
from tests.target.undoing import (
    FORGIVING,
    PROJECTS,
    data,
    difference,
    everything,
    feed,
    filled,
    push,
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(World.empty(seed=2), writing=FORGIVING) as made:
        yield filled(made)


@pytest.mark.parametrize("count", [7, 26])
def test_a_run_that_is_killed_in_the_middle_is_taken_back(
    sandbox: Sandbox, tmp_path: Path, count: int
) -> None:
    """The command is killed when so many writes have come, and none of them is answered."""
    undo, config = tmp_path / "undo.jsonl", tmp_path / "config.json"
    before = data(sandbox)
    settings = {"api_key": "sandbox", "api_url": sandbox.url, "streams": PROJECTS}
    usual = {"nulls": "clear", "deletes": "delete", "delete_custom_objects": True}
    config.write_text(json.dumps({**settings, **usual, "undo_file": str(undo), "concurrency": 2}))
    running: list[subprocess.Popen[bytes]] = []
    written = 0

    def kill(entry: Entry) -> None:
        nonlocal written
        written += entry.method != "GET"
        if written == count:
            running[0].kill()

    sandbox.before_request = kill
    command = forked([sys.executable, "-m", "target_vitally", "--config", str(config)])
    running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL))
    running[0].communicate("\n".join(map(json.dumps, everything())).encode())
    assert running[0].returncode == -signal.SIGKILL
    sandbox.before_request = None
    feed(sandbox, undo)
    left = {each.split("/")[1] for each in difference(before, data(sandbox))}
    assert left <= {"meetingTranscripts", "projects"}


@pytest.mark.parametrize(
    ("when", "method"),
    [("done", "POST"), ("late", "POST"), ("late", "PUT"), ("done", "DELETE"), ("never", "DELETE")],
)
def test_answers_that_are_lost_make_no_difference(tmp_path: Path, when: str, method: str) -> None:
    undo = tmp_path / "undo.jsonl"
    switches = FORGIVING.but({"on_known": "duplicate"})
    with (
        serve(World.empty(seed=2), writing=switches) as sandbox,
        waits_pass_in_no_time(sandbox.world.clock.advance),
    ):
        filled(sandbox)
        before = data(sandbox)
        how: dict[str, Any] = {} if when == "never" else {when: True}
        for run in ("push", "undo"):
            sandbox.faults.append(Fault("status", method=method, status=504, times=2, **how))
            if run == "push":
                push(sandbox, everything(), undo_file=str(undo))
            else:
                feed(sandbox, undo)
            sandbox.world.clock.advance(60)
            sandbox.writer.catch_up()
            sandbox.faults.clear()
        left = {each.split("/")[1] for each in difference(before, data(sandbox))}
        assert left <= {"meetingTranscripts", "projects"}


ARCHIVED = ("egone", "igone", "ngone", "tgone")


@pytest.mark.parametrize(
    ("switches", "more"),
    [
        ({"on_archived": "update"}, ARCHIVED),
        ({"on_archived": "400"}, ARCHIVED),
        ({"on_archived": "409"}, ARCHIVED),
        ({"links": "add"}, ("u",)),
        ({"users_deleted": "later"}, ("unew",)),
        ({"delete_custom_objects": False}, ("dealnew",)),
        ({"absent_tags": "keep", "archived_instances": "hidden", "typed_traits": True}, ()),
        ({"extra": "refuse", "errors_as_200": True, "deleted_status": 200}, ()),
    ],
    ids=str,
)
def test_what_vitally_does_not_do_is_told(
    tmp_path: Path,
    switches: dict[str, Any],
    more: tuple[str, ...],
) -> None:
    undo = tmp_path / "undo.jsonl"
    with serve(World.empty(seed=2), writing=FORGIVING.but(switches)) as sandbox:
        filled(sandbox)
        before = data(sandbox)
        push(sandbox, everything(), undo_file=str(undo))
        found = feed(sandbox, undo)
        left = {each.split(":")[0].split("/")[3] for each in difference(before, data(sandbox))}
        transcripts = {each for each in left if len(each) == len(str(uuid4()))}
        assert left - transcripts == {"pgone", *more}
        reported = found.words.count("rejected") - 2
        later = "unew" in more  # it says that it deletes a user, and may do so in a day
        assert reported + later == len(more)


def test_links_that_vitally_only_adds_are_tried_once(tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    keys = ["l1", "l2", "l3"]
    linked: list[Row] = [{"externalId": key, "accountExternalIds": ["a", "a2"]} for key in keys]
    linked[0]["name"] = "New"
    with serve(World.empty(seed=2), writing=FORGIVING.but({"links": "add"})) as sandbox:
        filled(sandbox)
        push(
            sandbox, messages(users=[{"externalId": key, "accountExternalId": "a"} for key in keys])
        )
        push(sandbox, messages(users=linked), undo_file=str(undo))
        for updates in (2, 1):  # one to see that links stay, and one for a name
            asked = len(sandbox.requests)
            found = feed(sandbox, undo, concurrency=1)
            assert found.words == ["rejected"] * 3
            assert found.reasons.count("updates only add links here: take accountIds away") == 3
            sent = [entry.method for entry in sandbox.requests[asked:]]
            assert sent.count("PUT") == updates
        names = {
            row["externalId"]: row["name"] for row in sandbox.world.tables["users"].rows.values()
        }
        assert names["l1"] != "New"


def test_what_went_in_bulk_is_taken_back(tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    rows: dict[str, list[Row]] = {
        "accounts": [
            {"externalId": "a", "name": "A2", "traits": {"plan": None, "new": 1}},
            {"externalId": "b", "name": "B", "traits": {"x": 1}},
        ],
        "users": [
            {"externalId": "u", "name": "New", "accountExternalIds": ["a2"]},
            {"externalId": "v", "email": "v@example.com", "accountExternalId": "a"},
        ],
        "user_accounts": [
            {"userExternalId": "u2", "accountExternalId": "a"},
            {"userExternalId": "u2", "accountExternalId": "a2", "_deleted": True},
        ],
    }
    with (
        serve(World.empty(seed=2), writing=FORGIVING) as sandbox,
        waits_pass_in_no_time(sandbox.world.clock.advance),
    ):
        filled(sandbox)
        before = data(sandbox)
        analytics = {
            "analytics_api_key": sandbox.analytics_key,
            "analytics_url": sandbox.url,
        }
        pushed = push(sandbox, messages(**rows), undo_file=str(undo), channel="bulk", **analytics)
        assert "rejected" not in pushed.words
        found = feed(sandbox, undo, **analytics)
        assert found.failure == ""
        assert difference(before, data(sandbox)) == []


def test_a_link_of_somebody_who_has_gone_may_be_taken_back_again(tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    link = {"userExternalId": "v", "accountExternalId": "a2"}
    user = {"externalId": "v", "accountExternalIds": ["a", "a2"]}
    with (
        serve(World.empty(seed=2), writing=FORGIVING) as sandbox,
        waits_pass_in_no_time(sandbox.world.clock.advance),
    ):
        filled(sandbox)
        analytics = {
            "analytics_api_key": sandbox.analytics_key,
            "analytics_url": sandbox.url,
        }
        said = messages(users=[user], user_accounts=[{**link, "_deleted": True}])
        pushed = push(sandbox, said, undo_file=str(undo), **analytics)
        assert pushed.words == ["created", "deleted"]
        assert feed(sandbox, undo, **analytics).failure == ""
        again = feed(sandbox, undo, **analytics)
        assert (again.words, again.failure) == (["unchanged", "ignored"], "")
