"""Rows in bulk: a hundred a request, each with an outcome, seen before STATE goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.target import Row, messages, schema
from sandbox import Fault, Sandbox, Writing
from tests.target.bulk import (
    BATCH,
    CHANGES,
    NUMBER,
    STREAMS,
    push,
    put,
    rows_of,
    table,
    workspace,
    writes,
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with workspace() as made:
        yield made


@pytest.mark.parametrize("stream", STREAMS)
def test_rows_are_created_updated_and_left_alone(sandbox: Sandbox, stream: str) -> None:
    rows = rows_of(stream)
    came = put(sandbox, stream, rows)
    assert came.words == ["created"] * NUMBER, came.reasons
    assert came.states == [{"end": True}]
    assert writes(sandbox) == {BATCH: 2}
    assert len(table(sandbox, stream)) == NUMBER
    assert {line["id"] for line in came.results} == {
        r["id"] for r in table(sandbox, stream).values()
    }
    sandbox.requests.clear()
    assert put(sandbox, stream, rows).words == ["unchanged"] * NUMBER
    assert not writes(sandbox)
    changed = rows_of(stream, **CHANGES[stream])
    assert put(sandbox, stream, changed).words == ["updated"] * NUMBER
    assert writes(sandbox) == {BATCH: 2}
    sandbox.requests.clear()
    assert put(sandbox, stream, changed, channel="rest").words == ["unchanged"] * NUMBER
    assert not writes(sandbox)


SWITCHES: list[Row] = [
    {"analytics_delay": 20.0},
    {"analytics_delay": 20.0, "analytics_stamp": "accepted"},
    {"analytics_delay": 20.0, "analytics_order": "shuffled"},
    {"analytics_nulls": "keep"},
    {"analytics_repeated": "apply"},
    {"analytics_unknown_parents": "ignore"},
    {"typed_traits": True},
    {"doubles": False},
    {"links": "add"},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("stream", STREAMS)
def test_every_switch_ends_every_row(stream: str, switches: Row) -> None:
    with workspace(**switches) as sandbox:
        for rows, outcome in (
            (rows_of(stream, 30), "created"),
            (rows_of(stream, 30, **CHANGES[stream]), "updated"),
        ):
            came = put(sandbox, stream, rows)
            assert came.words == [outcome] * 30, came.reasons
            assert came.states == [{"end": True}]
        assert put(sandbox, stream, rows, channel="rest").words == ["unchanged"] * 30
        assert writes(sandbox) == {BATCH: 2}


@pytest.mark.parametrize("stream", STREAMS)
def test_what_is_never_applied_is_uncertain_and_comes_with_the_next_run(stream: str) -> None:
    with workspace(analytics_drops=0.3) as sandbox:
        rows = rows_of(stream)
        came = put(sandbox, stream, rows)
        words = Counter(came.words)
        assert set(words) == {"created", "uncertain"}
        assert words["created"] == len(table(sandbox, stream))
        assert came.states == []
        assert len(came.rejects) == words["uncertain"] + 1
        assert "not seen within 300 s" in came.reasons
        sandbox.writer.switches = Writing()
        again = put(sandbox, stream, rows)
        assert Counter(again.words) == {
            "created": words["uncertain"],
            "unchanged": words["created"],
        }


def test_uncertain_rows_yield_to_continue() -> None:
    with workspace(analytics_drops=1.0) as sandbox:
        came = put(sandbox, "accounts", rows_of("accounts", 3), on_reject="continue")
        assert came.words == ["uncertain"] * 3
        assert came.states == [{"end": True}]
        assert came.failure


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("kind", ["reset_before", "truncated_chunked", "html_200"])
@pytest.mark.parametrize("done", [True, False])
def test_lost_answers_write_nothing_twice(
    sandbox: Sandbox, stream: str, kind: Any, *, done: bool
) -> None:
    sandbox.faults.append(Fault(kind, BATCH, times=2, done=done))
    came = put(sandbox, stream, rows_of(stream))
    assert came.words == ["created"] * NUMBER
    assert len(table(sandbox, stream)) == NUMBER


@pytest.mark.parametrize("stream", STREAMS)
def test_one_bad_row_stops_no_other(sandbox: Sandbox, stream: str) -> None:
    sandbox.writer.switches = Writing(analytics_poison="poison")
    rows = rows_of(stream)
    rows[57] = {**rows[57], "name": "poison"}
    came = put(sandbox, stream, rows, concurrency=1)
    assert came.words == ["created"] * 57 + ["rejected"] + ["created"] * (NUMBER - 58)
    assert writes(sandbox)[BATCH] <= 2 + 14


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("channel", ["auto", "bulk"])
def test_a_blocked_type_goes_by_rest_or_is_rejected(
    sandbox: Sandbox, stream: str, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    kinds = {"organizations": "organization", "accounts": "account", "users": "user"}
    kind = kinds.get(stream, "customobjectinstance")
    sandbox.writer.switches = Writing(analytics_blocked=(kind,))
    came = put(sandbox, stream, rows_of(stream, 20), channel=channel, bulk_from=5)
    assert came.words == ["created" if channel == "auto" else "rejected"] * 20
    assert len(table(sandbox, stream)) == (20 if channel == "auto" else 0)
    assert caplog.text.count("so that rows go by REST") == (channel == "auto")


@pytest.mark.parametrize(("number", "bulk"), [(5, False), (6, True)])
def test_auto_takes_bulk_for_more_than_so_many(
    sandbox: Sandbox, number: int, *, bulk: bool
) -> None:
    came = put(sandbox, "accounts", rows_of("accounts", number), channel="auto", bulk_from=5)
    assert came.words == ["created"] * number
    assert (BATCH in writes(sandbox)) is bulk


def test_the_channel_may_be_said_for_one_stream(sandbox: Sandbox) -> None:
    said = messages(accounts=rows_of("accounts", 3), users=rows_of("users", 3))
    streams = {"users": {"channel": "bulk"}}
    assert push(sandbox, said, channel="rest", streams=streams).words == ["created"] * 6
    assert writes(sandbox) == {"/resources/accounts": 3, BATCH: 1}


BY_REST: list[tuple[str, Row, Row, str]] = [
    ("users", {"traits": {"role": None}}, {"nulls": "clear"}, "it empties something"),
    ("users", {"name": None}, {"nulls": "clear"}, "it empties something"),
    ("accounts", {"organizationExternalId": None}, {"nulls": "clear"}, "it empties something"),
    ("users", {"unsubscribedFromConversations": True}, {}, "carry no unsubscribed"),
    ("users", {"traits": {"email": "x"}}, {}, "called like a property"),
    ("accounts", {"traits": {"createdAt": "x"}}, {}, "called like a property"),
    (
        "accounts",
        {"traits": {"hspot.x": 1}},
        {"streams": {"accounts": {"traits": "all"}}},
        "protected",
    ),
    ("accounts", {"traits": {"t": "x" * 500_000}}, {}, "larger than a request"),
    ("custom_object_instances", {"accountExternalId": "b"}, {}, "changes what it is linked to"),
]


@pytest.mark.parametrize("case", BY_REST, ids=str)
def test_what_messages_cannot_say_goes_by_rest_whole(
    sandbox: Sandbox, case: tuple[str, Row, Row, str], caplog: pytest.LogCaptureFixture
) -> None:
    stream, change, settings, reason = case
    assert put(sandbox, stream, rows_of(stream, 1)).words == ["created"]
    sandbox.requests.clear()
    row = {**rows_of(stream, 1)[0], **change}
    came = put(sandbox, stream, [row], **settings)
    assert came.words == ["updated"], came.reasons
    assert BATCH not in writes(sandbox)
    assert reason in caplog.text
    assert put(sandbox, stream, [row], **settings, channel="rest").words == ["unchanged"]


def test_a_plan_says_how_many_go_which_way(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rows = rows_of("accounts", 7)
    rows[3]["traits"]["email"] = "x"
    came = put(sandbox, "accounts", rows, dry_run=True)
    assert came.words == ["created"] * 7
    assert not writes(sandbox)
    assert (
        "accounts: written in bulk (6); by REST, since a trait is called like a property (1)"
        in caplog.text
    )


def test_parents_are_seen_before_their_children_are_sent() -> None:
    with workspace(analytics_delay=60.0) as sandbox:
        said = messages(
            users=rows_of("users", 30, accountExternalId="accounts-3"),
            accounts=rows_of("accounts", 30, organizationExternalId="organizations-2"),
            organizations=rows_of("organizations", 30),
        )
        came = push(sandbox, said)
        assert came.words == ["created"] * 90, came.reasons
        assert {row["name"] for row in table(sandbox, "accounts").values()} == {
            f"A accounts-{n}" for n in range(30)
        }
        assert writes(sandbox) == {BATCH: 3}


@pytest.mark.parametrize("seconds", [0, 300])
def test_a_child_whose_parent_is_not_seen_is_rejected(seconds: int) -> None:
    with workspace(analytics_drops=1.0) as sandbox:
        said = messages(
            accounts=rows_of("accounts", 2),
            users=[*rows_of("users", 2, accountExternalId="accounts-1"), *rows_of("users", 1)],
        )
        came = push(sandbox, said, verify_seconds=seconds, on_reject="continue")
        parents = "accepted" if seconds == 0 else "uncertain"
        assert came.words == [parents] * 2 + ["rejected"] * 2 + [parents]
        assert "its account was not seen" in came.reasons
        assert not table(sandbox, "users")


@pytest.mark.parametrize("channel", ["bulk", "rest"])
def test_an_account_that_is_not_there_is_never_made_up(sandbox: Sandbox, channel: str) -> None:
    came = put(sandbox, "users", rows_of("users", 3, accountExternalId="typo"), channel=channel)
    assert came.words == ["rejected"] * 3
    assert len(sandbox.world.tables["accounts"].rows) == 2


def test_nothing_is_looked_for_if_that_is_not_wanted(sandbox: Sandbox) -> None:
    came = put(sandbox, "accounts", rows_of("accounts"), verify_seconds=0)
    assert came.words == ["accepted"] * NUMBER
    assert came.states == [{"end": True}]
    assert [e.method for e in sandbox.requests].count("POST") == 2


def test_what_is_not_looked_for_is_in_the_plan_file_too(sandbox: Sandbox, tmp_path: Path) -> None:
    plan = tmp_path / "plan.jsonl"
    rows = [{"externalId": "a", "name": "Changed"}, {"externalId": "n", "name": "New"}]
    link = {"userExternalId": "u", "accountExternalId": "a"}
    sandbox.world.write("users", externalId="u", accountIds=[])
    put(sandbox, "user_accounts", [link])
    said = messages(accounts=rows, user_accounts=[{**link, "_deleted": True}])
    came = push(sandbox, said, verify_seconds=0, plan_file=str(plan), deletes="delete")
    assert came.words == ["accepted"] * 3, came.reasons
    made = [json.loads(line) for line in plan.read_text().splitlines()]
    assert [(line["action"], line["key"]) for line in made] == [
        ("delete", '["u", "a"]'),
        ("create", "n"),
        ("update", "a"),
    ]
    assert made[2]["values"] == {"name": {"old": "A", "new": "Changed"}}


def test_accepted_parents_are_seen_once_children_come() -> None:
    with workspace(analytics_delay=30.0) as sandbox:
        said = messages(
            accounts=rows_of("accounts", 30),
            users=rows_of("users", 30, accountExternalId="accounts-3"),
        )
        came = push(sandbox, said, verify_seconds=0)
        assert came.words == ["accepted"] * 60, came.reasons
        sandbox.world.clock.advance(60)
        assert len(table(sandbox, "users")) == 30
        assert len(sandbox.world.tables["accounts"].rows) == 32


def test_what_vitally_drops_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with workspace(unknown_traits="drop") as sandbox:
        rows = rows_of("accounts", 20, traits={"n": 1, "vitally.custom.nope": "x"})
        assert put(sandbox, "accounts", rows).words == ["created"] * 20
        assert caplog.text.count("the record shows something else") == 1
        only = rows_of("accounts", 20, traits={"n": 1, "vitally.custom.nope": "y"})
        assert put(sandbox, "accounts", only).words == ["updated"] * 20


def test_a_value_may_go_back_to_what_it_was(sandbox: Sandbox) -> None:
    for name in ("one", "two", "one"):
        rows = rows_of("accounts", 3, name=name)
        assert set(put(sandbox, "accounts", rows).words) <= {"created", "updated"}
        assert {row["name"] for row in table(sandbox, "accounts").values()} == {name}


def test_a_value_may_go_back_within_one_run(sandbox: Sandbox) -> None:
    rows = [rows_of("accounts", 1, name=name)[0] for name in ("one", "two", "one")]
    came = put(sandbox, "accounts", rows, batch_size_rows=1)
    assert came.words == ["created", "updated", "updated"]
    assert table(sandbox, "accounts")["accounts-0"]["name"] == "one"


def test_users_in_several_accounts_are_several_messages(sandbox: Sandbox) -> None:
    rows = [{"externalId": f"users-{n}", "accountExternalIds": ["a", "b"]} for n in range(60)]
    assert put(sandbox, "users", rows).words == ["created"] * 60
    assert writes(sandbox) == {BATCH: 2}
    assert all(len(row["accounts"]) == 2 for row in table(sandbox, "users").values())


def test_an_update_of_a_user_names_an_account_that_is_there(sandbox: Sandbox) -> None:
    assert put(sandbox, "users", rows_of("users", 9)).words == ["created"] * 9
    rows = [{"externalId": f"users-{n}", "name": "New"} for n in range(9)]
    assert put(sandbox, "users", rows).words == ["updated"] * 9
    assert writes(sandbox) == {BATCH: 2}
    assert all(len(row["accounts"]) == 1 for row in table(sandbox, "users").values())


def test_rows_of_an_uncertain_record_are_not_sent_again() -> None:
    with workspace(analytics_drops=1.0) as sandbox:
        rows = [rows_of("accounts", 1, name=name)[0] for name in ("one", "two")]
        came = put(sandbox, "accounts", rows, batch_size_rows=1)
        assert came.words == ["uncertain"] * 2
        assert "an earlier change of its record" in came.reasons
        assert writes(sandbox) == {BATCH: 1}


def test_a_host_that_fails_for_good_leaves_uncertain_what_it_may_have_accepted(
    sandbox: Sandbox,
) -> None:
    sandbox.faults.append(Fault("status", BATCH, status=503, after=1, done=True))
    came = put(sandbox, "accounts", rows_of("accounts", 150), concurrency=1)
    assert Counter(came.words) == {"uncertain": 150}
    assert "503" in came.failure
    assert came.states == []
    sandbox.faults.clear()
    again = put(sandbox, "accounts", rows_of("accounts", 150))
    assert again.words == ["unchanged"] * 150


def test_old_and_new_rows_of_one_record_go_by_rest_in_their_order(sandbox: Sandbox) -> None:
    said = [
        schema("accounts", rows_of("accounts", 1)),
        *(
            {"type": "RECORD", "stream": "accounts", "record": row}
            for row in rows_of("accounts", 4)
        ),
        {
            "type": "RECORD",
            "stream": "accounts",
            "record": {"externalId": "accounts-1", "name": "Last"},
        },
    ]
    assert push(sandbox, said).words == ["created"] * 5
    assert table(sandbox, "accounts")["accounts-1"]["name"] == "Last"
