"""Writes whose answers were lost, and which are carried out later, or never."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.support import waits_pass_in_no_time
from harness.target import Outcome, Row, messages, write
from sandbox import Entry, Fault, Sandbox, World, Writing, serve

ADMIN = "ada@example.com"
ROWS: dict[str, Row] = {
    "organizations": {"externalId": "{}", "name": "O"},
    "accounts": {"externalId": "{}", "name": "A"},
    "users": {"externalId": "{}", "accountExternalId": "a"},
    "tasks": {"externalId": "{}", "name": "T", "accountExternalId": "a"},
    "notes": {
        "externalId": "{}",
        "note": "<p>N</p>",
        "noteDate": "2026-01-01",
        "accountExternalId": "a",
    },
    "projects": {
        "traits": {"vitally.custom.nextStep": "{}"},
        "templateName": "Usual",
        "accountExternalId": "a",
    },
    "nps_responses": {
        "externalId": "{}",
        "userExternalId": "u",
        "score": 9,
        "respondedAt": "2026-01-01T00:00:00Z",
    },
    "conversations": {"externalId": "{}", "subject": "S", "messages": []},
    "messages": {
        "externalId": "{}",
        "conversationExternalId": "c",
        "message": "<p>M</p>",
        "from": {"type": "user", "externalId": "u"},
        "to": [{"type": "admin", "email": ADMIN}],
    },
    "custom_objects": {"name": "{}", "label": "L", "writeMode": "writable"},
    "custom_object_instances": {
        "externalId": "{}",
        "name": "I",
        "customObjectName": "deal",
        "accountExternalId": "a",
    },
    "meetings": {
        "externalId": "{}",
        "title": "M",
        "participants": [{"email": "u@example.com", "type": "attendee"}],
    },
}
TABLES = {
    "nps_responses": "npsResponses",
    "custom_objects": "customObjects",
    "custom_object_instances": "instances",
}
KNOWN_TO_UPDATE: dict[str, Any] = {"organizations": "update", "npsResponses": "update"}


def rows_of(stream: str, number: int) -> list[Row]:
    def numbered(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: numbered(each, name) for key, each in value.items()}
        return name if value == "{}" else value

    return [numbered(ROWS[stream], f"{stream}-{each}") for each in range(number)]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A workspace with something of what rows refer to, which goes by the clock of the waits."""
    switches = Writing(on_known="duplicate", on_known_of=KNOWN_TO_UPDATE)
    with (
        serve(World.empty(), writing=switches) as made,
        waits_pass_in_no_time(made.world.clock.advance),
    ):
        world = made.world
        world.create("admins", email=ADMIN)
        world.create("projectTemplates", name="Usual")
        account = world.create("accounts", externalId="a")["id"]
        world.create("users", externalId="u", email="u@example.com", accountIds=[account])
        world.create("conversations", externalId="c")
        world.create("customObjects", name="deal")
        yield made


def push(sandbox: Sandbox, stream: str, rows: list[Row], **settings: Any) -> Outcome:
    name = "keyed" if stream == "projects" else stream
    streams = {
        "keyed": {"resource": "projects", "match": "trait:vitally.custom.nextStep"},
    }
    settings = {"streams": streams, **settings}
    return write(sandbox, messages(**{name: rows}), **settings)


def posts(sandbox: Sandbox) -> list[float]:
    """Return the moments of the POSTs to come, by the clock of the waits."""
    found: list[float] = []

    def note(entry: Entry) -> None:
        if entry.method == "POST":
            found.append(sandbox.world.clock.offset)

    sandbox.before_request = note
    return found


def count(sandbox: Sandbox, stream: str) -> int:
    sandbox.world.clock.advance(60)
    sandbox.writer.catch_up()
    return len(sandbox.world.tables[TABLES.get(stream, stream)].rows)


@pytest.mark.parametrize("kind", ["status", "reset_before", "html_200"])
@pytest.mark.parametrize("stream", ROWS)
def test_a_create_that_outlives_its_answer_is_made_once(
    sandbox: Sandbox, stream: str, kind: Any
) -> None:
    before = count(sandbox, stream)
    rows = rows_of(stream, 5)
    sandbox.faults.append(Fault(kind, method="POST", status=504, times=5, late=True))
    found = push(sandbox, stream, rows)
    assert found.words == ["created"] * 5, found
    assert count(sandbox, stream) == before + 5
    assert push(sandbox, stream, rows).words == ["unchanged"] * 5
    assert count(sandbox, stream) == before + 5


@pytest.mark.parametrize(("timeout", "least"), [(1, 10.0), (60, 65.0)])
@pytest.mark.parametrize("stream", sorted(ROWS.keys() - {"organizations", "nps_responses"}))
def test_what_never_came_is_sent_again_after_the_wait(
    sandbox: Sandbox, stream: str, timeout: int, least: float
) -> None:
    moments = posts(sandbox)
    sandbox.faults.append(Fault("status", method="POST", status=504, times=3))
    rows = rows_of(stream, 3)
    assert push(sandbox, stream, rows, request_timeout=timeout).words == ["created"] * 3
    assert len(moments) == 6
    assert moments[3] - moments[2] >= least
    assert moments[-1] - moments[0] < 2 * least  # all of them waited together


@pytest.mark.parametrize("stream", ["organizations", "nps_responses"])
def test_what_is_known_to_be_an_upsert_is_sent_again_soon(sandbox: Sandbox, stream: str) -> None:
    moments = posts(sandbox)
    sandbox.faults.append(Fault("status", method="POST", status=504, times=1))
    assert push(sandbox, stream, rows_of(stream, 1)).words == ["created"]
    assert moments[1] - moments[0] < 10


def test_a_create_without_a_key_is_sent_once_and_uncertain(sandbox: Sandbox) -> None:
    moments = posts(sandbox)
    sandbox.faults.append(Fault("status", method="POST", status=504, late=True))
    row = {"templateName": "Usual", "accountExternalId": "a", "name": "P"}
    found = write(sandbox, messages(projects=[row]))
    assert found.words == ["uncertain"]
    assert len(moments) == 1
    assert found.states == [{"end": True}]
    assert count(sandbox, "projects") == 1


def test_a_late_change_does_not_undo_one_that_came_after_it(sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("status", method="PUT", status=504, times=1, late=True))
    rows = [{"externalId": "a", "name": name} for name in ("second", "third")]
    assert push(sandbox, "accounts", rows, batch_size_rows=1).words == ["updated"] * 2
    count(sandbox, "accounts")
    assert [row["name"] for row in sandbox.world.tables["accounts"].rows.values()] == ["third"]


def test_a_late_create_brings_nothing_back_that_was_deleted_after_it(sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("status", method="POST", status=504, times=1, late=True))
    rows: list[Row] = [{"externalId": "o", "name": "O"}, {"externalId": "o", "_deleted": True}]
    push(sandbox, "organizations", rows, batch_size_rows=1, deletes="delete")
    assert count(sandbox, "organizations") == 0


def test_somebody_who_comes_to_a_meeting_late_comes_once(sandbox: Sandbox) -> None:
    row = rows_of("meetings", 1)[0]
    push(sandbox, "meetings", [row])
    sandbox.faults.append(Fault("status", method="POST", status=504, times=1, late=True))
    more = {**row, "participants": [*row["participants"], {"email": ADMIN, "type": "organizer"}]}
    assert push(sandbox, "meetings", [more]).words == ["updated"]
    count(sandbox, "meetings")
    assert push(sandbox, "meetings", [more]).words == ["unchanged"]
    meeting = next(iter(sandbox.world.tables["meetings"].rows.values()))
    assert len(meeting["participants"]) == 2


def test_a_long_conversation_of_which_the_first_answer_is_lost_comes_whole(
    sandbox: Sandbox,
) -> None:
    said = [
        {
            "externalId": f"m-{number}",
            "message": "<p>Hi</p>",
            "timestamp": "2026-01-02T09:00:00Z",
            "from": {"type": "user", "externalId": "u"},
            "to": [{"type": "admin", "email": ADMIN}],
        }
        for number in range(150)
    ]
    sandbox.faults.append(Fault("status", method="POST", status=504, times=1, done=True))
    row = {"externalId": "long", "subject": "S", "messages": said}
    assert push(sandbox, "conversations", [row]).words == ["created"]
    assert len(sandbox.world.tables["messages"].rows) == 150


def test_a_delete_whose_first_answer_is_lost_was_one(sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("status", method="DELETE", status=504, times=1, done=True))
    rows: list[Row] = [{"externalId": "u", "_deleted": True}]
    assert push(sandbox, "users", rows, deletes="delete").words == ["deleted"]


BAD = {"POST": "new", "PUT": "a", "DELETE": "a"}


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("method", BAD)
def test_a_row_that_always_fails_is_uncertain_while_others_succeed(
    sandbox: Sandbox, method: str, concurrency: int, size: int
) -> None:
    world = sandbox.world
    path = "accounts" if method == "POST" else f"accounts/{world.ids('accounts')[0]}"
    sandbox.faults.append(Fault("status", path, method=method, status=500, times=None))
    row: Row = {"externalId": BAD[method], "name": "B", "_deleted": method == "DELETE"}
    others: list[Row] = [{"externalId": f"u{n}", "accountExternalId": "a"} for n in range(3)]
    said = [*messages(accounts=[row])[:-1], *messages(users=others)]
    found = write(sandbox, said, concurrency=concurrency, batch_size_rows=size, deletes="delete")
    assert found.words == ["uncertain", *["created"] * 3], found
    assert "1 are uncertain" in found.failure
    assert found.states == [{"end": True}]


@pytest.mark.parametrize("method", ["POST", "PUT", "*"])
def test_where_nothing_is_written_any_more_the_run_ends(sandbox: Sandbox, method: str) -> None:
    sandbox.faults.append(Fault("status", method=method, status=503, times=None))
    rows = [
        *({"externalId": f"n{number}", "name": "new"} for number in range(40)),
        {"externalId": "a", "name": "other"},
    ]
    found = push(sandbox, "accounts", rows if method != "PUT" else rows[-1:])
    assert "503" in found.failure
    assert "uncertain" not in found.words
    assert found.states == []
