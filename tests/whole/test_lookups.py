"""The setting `lookups`: exactly the records that are named, and no bookmark moved."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness.expectations import expected, last_state, loaded, records_of
from harness.support import config_for, run_command, run_in_process, run_tap
from sandbox import STREAMS, Sandbox, World, serve
from tap_vitally.sync.lookups import INSTANCES, LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harness.support import Key, Row

StartSandbox = Callable[..., Sandbox]

ROWS = {
    "accounts": "accounts",
    "organizations": "organizations",
    "users": "users",
    "conversations": "conversations",
    "notes": "notes",
    "tasks": "tasks",
    "projects": "projects",
    "nps_responses": "nps_responses",
    "meetings": "meetings",
    "custom_objects": "custom_objects",
    "meeting_transcripts": "meeting_transcripts",
}
"""Keys that take the id of a row and give that row."""

BY_EXTERNAL_ID = ("accounts", "organizations", "users", "meetings")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One for all tests here: a look-up changes nothing."""
    with serve(World(seed=1, accounts=14)) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(sandbox: Sandbox) -> None:
    sandbox.requests.clear()


def look_up(sandbox: Sandbox, lookups: Row) -> dict[str, dict[Key, Row]]:
    """The tables, as far as there is anything in them, after a run with everything selected."""
    messages = run_in_process(config_for(sandbox.url, lookups=lookups), select=STREAMS)
    return {stream: rows for stream, rows in loaded(messages).tables.items() if rows}


def rows_of(sandbox: Sandbox, stream: str, **having: Any) -> list[Row]:
    rows = expected(sandbox.world, stream).values()
    return [row for row in rows if all(row[name] == value for name, value in having.items())]


def without(names: tuple[str, ...], rows: Iterable[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def test_every_key_is_tested() -> None:
    tested = {*ROWS, "messages", "account_health_scores", INSTANCES}
    tested |= {"user_emails", "user_external_ids", "admin_emails"}
    assert tested == {*LOOKUPS, INSTANCES}


@pytest.mark.parametrize("name", ROWS)
def test_rows_by_id(name: str, sandbox: Sandbox) -> None:
    rows = rows_of(sandbox, ROWS[name])[1:3]
    found = look_up(sandbox, {name: [row["id"] for row in rows]})
    # Which list an NPS response is in, its own address does not say; where a conversation came
    # from and whose it is, only its own address says.
    linked = ("accounts", "users", "admins", "messages", "accountIds", "userIds", "adminIds")
    apart = ("target", "externalUrl", *(linked if name == "conversations" else ()))
    assert list(found) == [ROWS[name]]
    assert without(apart, found[ROWS[name]].values()) == without(apart, rows)
    # The first asks whether the key is right.
    assert len(sandbox.requests) == 1 + len(rows)


def test_a_conversation_that_is_looked_up_keeps_whose_it_is(sandbox: Sandbox) -> None:
    for row in rows_of(sandbox, "conversations"):
        (found,) = look_up(sandbox, {"conversations": [row["id"]]})["conversations"].values()
        assert found["messages"]
        for name, ids in (("accounts", "accountIds"), ("users", "userIds"), ("admins", "adminIds")):
            assert found[ids] == [copy["id"] for copy in found[name]]
        if found["accountIds"]:
            break
    else:
        pytest.fail("no conversation has an account")


@pytest.mark.parametrize("name", BY_EXTERNAL_ID)
def test_rows_by_external_id(name: str, sandbox: Sandbox) -> None:
    row = next(row for row in rows_of(sandbox, name) if row["externalId"])
    assert look_up(sandbox, {name: [row["externalId"]]}) == {name: {(row["id"],): row}}


def test_messages(sandbox: Sandbox) -> None:
    (_, message), *_ = expected(sandbox.world, "messages").items()
    found = look_up(sandbox, {"messages": [message["id"]]})
    (row,) = found["messages"].values()
    # What a message says of its conversation only comes with that.
    assert all(message[name] == value for name, value in row.items() if value is not None)
    assert row["message"] == message["message"]


def test_health_scores(sandbox: Sandbox) -> None:
    table = expected(sandbox.world, "account_health_scores")
    (account, _), row = next(iter(table.items()))
    found = look_up(sandbox, {"account_health_scores": [account]})
    (score,) = found["account_health_scores"].values()
    assert score["accountId"] == account
    assert score["breakdown"] == row["breakdown"]


def test_transcript_of_a_meeting(sandbox: Sandbox) -> None:
    row = rows_of(sandbox, "meeting_transcripts")[0]
    found = look_up(sandbox, {"meeting_transcripts": [row["meetingId"]]})
    assert found == {"meeting_transcripts": {(row["id"],): row}}


def test_users_by_email_and_by_external_id(sandbox: Sandbox) -> None:
    one, other = [row for row in rows_of(sandbox, "users") if row["email"] and row["externalId"]][
        :2
    ]
    found = look_up(
        sandbox, {"user_emails": [one["email"]], "user_external_ids": [other["externalId"]]}
    )
    assert found == {"users": {(one["id"],): one, (other["id"],): other}}


@pytest.mark.parametrize("shape", ["object", "results"])
def test_admins_by_email_in_either_shape(shape: Any) -> None:
    with serve(World(accounts=2), admin_search=shape) as sandbox:
        row = rows_of(sandbox, "admins")[0]
        found = look_up(sandbox, {"admin_emails": [row["email"], "nobody@example.com"]})
        assert found == {"admins": {(row["id"],): row}}


@pytest.mark.parametrize(
    "criterion",
    ["id", "externalId", "customerId", "organizationId", "customFieldId", "customFieldValue"],
)
def test_instances_by_one_criterion(criterion: str, sandbox: Sandbox) -> None:
    wanted = next(
        row
        for row in rows_of(sandbox, INSTANCES)
        if row["externalId"] and row["customerId"] and row["organizationId"]
    )
    values = {"customFieldId": "state", "customFieldValue": wanted["traits"]["state"]}
    search = {
        "customObjectId": wanted["customObjectId"],
        criterion: values.get(criterion) or wanted[criterion],
    }
    found = look_up(sandbox, {INSTANCES: [search]})[INSTANCES]
    assert found[wanted["id"],] == wanted
    siblings = rows_of(sandbox, INSTANCES, customObjectId=wanted["customObjectId"])
    if criterion in {"id", "externalId"}:
        assert len(found) == 1
    assert len(found) < len(siblings) or criterion == "customFieldId"


def test_several_kinds_at_once_read_nothing_else(sandbox: Sandbox) -> None:
    note, account = rows_of(sandbox, "notes")[0], rows_of(sandbox, "accounts")[0]
    found = look_up(sandbox, {"notes": [note["id"]], "accounts": [account["id"]]})
    assert found == {"accounts": {(account["id"],): account}, "notes": {(note["id"],): note}}
    probe, *others = (entry.path for entry in sandbox.requests)
    assert probe == "/resources/accounts"
    assert sorted(others) == [
        f"/resources/accounts/{account['id']}",
        f"/resources/notes/{note['id']}",
    ]


def test_what_is_not_found_is_reported_without_its_value(sandbox: Sandbox, tmp_path: Path) -> None:
    email = "Nobody.Atall@example.com"
    row = rows_of(sandbox, "users")[0]
    lookups = {
        "user_emails": [email],
        "admin_emails": [email],
        "users": ["no-such-user", row["id"]],
        "custom_object_instances": [
            {"customObjectId": sandbox.world.ids("customObjects")[0], "externalId": "none"}
        ],
    }
    config = config_for(sandbox.url, lookups=lookups)
    run = run_tap(tmp_path, config, default_selection=True)
    assert run.returncode == 0, run.stderr
    assert run.records("users") == [row]
    account = run.stderr.partition("The summary of this run:")[2]
    for label in ("user_emails[0]", "admin_emails[0]", "users[0]", "custom_object_instances[0]"):
        assert f"lookups.{label} was not found" in account
    assert "users[1]" not in run.stderr
    assert email.lower() not in run.stderr.lower()
    assert email.lower().replace("@", "%40") not in run.stderr.lower()


def test_state_costs_a_look_up_no_request(sandbox: Sandbox) -> None:
    """Not even STATE of this host that remembers other accounts than the first answer brings."""
    state = last_state(run_in_process(config_for(sandbox.url), select=["users"]))
    state["bookmarks"]["users"]["workspace"] = {"accounts": ["not-there-1", "not-there-2"]}
    user = sandbox.world.ids("users")[0]
    sandbox.requests.clear()
    config = config_for(sandbox.url, lookups={"users": [user]})
    run_in_process(config, select=["users"], state=state)
    assert [entry.path for entry in sandbox.requests] == [
        "/resources/accounts",
        f"/resources/users/{user}",
    ]


def test_state_is_handed_through_unchanged(sandbox: Sandbox) -> None:
    config = config_for(sandbox.url)
    state = last_state(run_in_process(config, select=["notes", "account_notes"]))
    note = rows_of(sandbox, "notes")[0]
    messages = run_in_process(
        config | {"lookups": {"notes": [note["id"]]}}, select=["notes", "users"], state=state
    )
    assert records_of(messages, "notes") == [note]
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    assert states
    for written in states:
        kept = {name: entry for name, entry in written["bookmarks"].items() if entry}
        assert kept == state["bookmarks"]


def test_discovery_selects_the_streams_that_are_looked_up(sandbox: Sandbox, tmp_path: Path) -> None:
    lookups = {"user_emails": ["a@example.com"], "messages": ["1"], "meeting_transcripts": ["1"]}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_for(sandbox.url, lookups=lookups)))
    run = run_command([sys.executable, "-m", "tap_vitally", "--config", str(path), "--discover"])
    assert run.returncode == 0, run.stderr
    selected = {
        entry["stream"]
        for entry in json.loads(run.stdout)["streams"]
        for item in entry["metadata"]
        if not item["breadcrumb"] and item["metadata"]["selected-by-default"]
    }
    assert selected == {"users", "messages", "meeting_transcripts"}
    assert not sandbox.requests


def test_streams_that_are_looked_up_but_not_selected_are_named_in_one_order(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    unselected = ["accounts", "conversations", "meetings", "notes", "projects", "tasks"]
    lookups = {name: ["1"] for name in ("users", *reversed(unselected))}
    run_in_process(config_for(sandbox.url, lookups=lookups), select=["users"])
    found = [line for line in caplog.messages if "which is not selected" in line]
    assert found == [
        f"lookups names records of '{name}', which is not selected." for name in unselected
    ]


def test_odd_characters_stay_inside_the_path(sandbox: Sandbox) -> None:
    look_up(sandbox, {"users": ["../users?x=", "a/b c#d%2e"], "user_emails": ["a+b&c@example.com"]})
    assert {entry.path for entry in sandbox.requests[1:]} == {
        "/resources/users/..%2Fusers%3Fx%3D",
        "/resources/users/a%2Fb%20c%23d%252e",
        "/resources/users/search",
    }
    (query,) = [entry.query for entry in sandbox.requests if entry.path.endswith("search")]
    assert query == "email=a%2Bb%26c%40example.com"


@pytest.mark.parametrize(
    ("lookups", "problem"),
    [
        ({"planets": ["1"]}, "lookups has no key 'planets'"),
        ({INSTANCES: [{"id": "1"}]}, "needs customObjectId and exactly one of"),
        ({INSTANCES: [{"customObjectId": "1", "id": "1", "externalId": "1"}]}, "exactly one of"),
        ({INSTANCES: [{"customObjectId": "1"}]}, "exactly one of"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_read(
    lookups: Row, problem: str, sandbox: Sandbox
) -> None:
    with pytest.raises(Exception, match="lookups") as refusal:
        look_up(sandbox, lookups)
    assert problem in str(refusal.value)
    assert not sandbox.requests
