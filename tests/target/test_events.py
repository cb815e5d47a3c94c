"""Events: sent a hundred at once, each with an outcome, none twice, nobody made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import ConfigValidationError

from harness.target import Outcome, Row, messages, write
from sandbox import Fault, Sandbox, World, Writing, serve
from target_vitally.bulk.sender import message_id

WHEN = "2026-11-30T12:00:00Z"
BATCH = "/analytics/v1/batch"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A workspace with one user and one account."""
    with serve(World.empty()) as made:
        account = made.world.create("accounts", externalId="a")["id"]
        made.world.create("users", externalId="u", email="u@example.com", accountIds=[account])
        yield made


def event(number: int = 0, **more: Any) -> Row:
    return {"event": "Opened", "timestamp": WHEN, "userExternalId": "u", "n": number, **more}


def push(sandbox: Sandbox, rows: list[Row], entry: Row | None = None, **settings: Any) -> Outcome:
    settings.setdefault("analytics_api_key", sandbox.analytics_key)
    settings.setdefault("analytics_url", sandbox.url)
    entry = {"resource": "events", "unknown": "properties"} if entry is None else entry
    return write(sandbox, messages(clicks=rows), streams={"clicks": entry}, **settings)


def requests_to(sandbox: Sandbox, path: str) -> int:
    return sum(entry.path.startswith(path) for entry in sandbox.requests)


def tracked(sandbox: Sandbox) -> list[Row]:
    return sandbox.writer.analytics.events


def test_rows_become_events(sandbox: Sandbox) -> None:
    came = push(sandbox, [event(n) for n in range(250)])
    assert came.words == ["accepted"] * 250
    assert came.states == [{"end": True}]
    assert requests_to(sandbox, BATCH) == sum(line["requests"] for line in came.results) == 3
    found = tracked(sandbox)[0]
    assert (found["event"], found["userId"]) == ("Opened", "u")
    assert found["timestamp"] == "2026-11-30T12:00:00.000Z"
    assert {each["properties"]["n"] for each in tracked(sandbox)} == set(range(250))
    assert not any("userExternalId" in each["properties"] for each in tracked(sandbox))


def test_a_rerun_sends_nothing_new(sandbox: Sandbox) -> None:
    for _ in range(2):
        assert push(sandbox, [event(n) for n in range(3)]).words == ["accepted"] * 3
    assert len(tracked(sandbox)) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "Closed"},
        {"timestamp": "2026-11-30T12:00:00.001Z"},
        {"timestamp": "2026-11-30T12:00:00.0001Z"},
        {"userExternalId": "v"},
        {"accountExternalId": "a"},
        {"n": 1},
        {"more": None, "m": [1]},
    ],
    ids=str,
)
def test_all_of_an_event_tells_it_from_another(sandbox: Sandbox, changed: Row) -> None:
    assert push(sandbox, [event(), event(**changed)]).words == ["accepted"] * 2
    assert len(tracked(sandbox)) == 2


def test_streams_of_equal_rows_are_two(sandbox: Sandbox) -> None:
    entry = {"resource": "events", "unknown": "properties"}
    said = messages(one=[event()], two=[event()])
    keys = {"analytics_api_key": sandbox.analytics_key, "analytics_url": sandbox.url}
    assert (
        write(sandbox, said, streams={"one": entry, "two": entry}, **keys).words == ["accepted"] * 2
    )
    assert len(tracked(sandbox)) == 2


def test_columns_are_mapped(sandbox: Sandbox) -> None:
    entry = {
        "resource": "events",
        "event": "Report exported",
        "properties": {"timestamp": "at", "accountExternalId": "customer"},
        "event_properties": {"format": "kind", "pages": "pages"},
        "unknown": "ignore",
    }
    rows: list[Row] = [{"at": WHEN, "customer": "a", "kind": "pdf", "pages": 3, "other": "no"}]
    assert push(sandbox, rows, entry).words == ["accepted"]
    (found,) = tracked(sandbox)
    assert (found["event"], found["accountId"]) == ("Report exported", "a")
    assert found["properties"] == {"format": "pdf", "pages": 3}


def test_a_stream_of_that_name_needs_no_entry(sandbox: Sandbox) -> None:
    row = {"event": "Opened", "timestamp": WHEN, "user_external_id": "u", "properties": {"n": 1}}
    keys = {"analytics_api_key": sandbox.analytics_key, "analytics_url": sandbox.url}
    assert write(sandbox, messages(events=[row]), **keys).words == ["accepted"]
    assert tracked(sandbox)[0]["properties"] == {"n": 1}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"timestamp": WHEN, "userExternalId": "u"}, "it takes event"),
        ({"event": "x", "userExternalId": "u"}, "it takes timestamp"),
        ({"event": "x", "timestamp": "", "userExternalId": "u"}, "timestamp"),
        ({"event": "x", "timestamp": "soon", "userExternalId": "u"}, "timestamp"),
        ({"event": "x", "timestamp": WHEN}, "it takes userExternalId or"),
        ({"event": "x", "timestamp": WHEN, "userExternalId": "u", "_deleted": True}, "deleted"),
        ({"event": "x", "timestamp": WHEN, "userExternalId": "u", "t": "x" * 500_000}, "larger"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_no_event_stops_no_other(sandbox: Sandbox, row: Row, reason: str) -> None:
    came = push(sandbox, [row, event()], deletes="delete")
    assert came.words == ["rejected", "accepted"]
    assert reason in came.reasons
    assert came.states == []
    assert len(came.rejects) == 2


@pytest.mark.parametrize(
    "bad", [{7}, {0, 99}, {0, 1, 2, 3, 250}, {57, 100, 199}, set(range(100))], ids=str
)
def test_bad_ones_are_found_by_halving(sandbox: Sandbox, bad: set[int]) -> None:
    sandbox.writer.switches = Writing(analytics_poison="poison")
    rows = [event(n, text="poison" if n in bad else "fine") for n in range(300)]
    came = push(sandbox, rows, concurrency=1)
    assert {n for n, word in enumerate(came.words) if word == "rejected"} == bad
    assert came.words.count("accepted") == 300 - len(bad)
    assert "must not be that" in came.reasons
    assert len(tracked(sandbox)) == 300 - len(bad)
    assert requests_to(sandbox, BATCH) <= 6 + 14 * len(bad)


def test_a_blocked_type_is_found_out_once(sandbox: Sandbox) -> None:
    sandbox.writer.switches = Writing(analytics_blocked=("track",))
    came = push(sandbox, [event(n) for n in range(1000)])
    assert came.words == ["rejected"] * 1000
    assert "blocked" in came.reasons
    assert requests_to(sandbox, BATCH) <= 14


def test_people_who_are_not_there_are_counted_and_not_made_up(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        event(),
        event(userExternalId="v"),
        event(1, userExternalId="v"),
        event(accountExternalId="b"),
    ]
    assert push(sandbox, rows).words == ["accepted"] * 4
    assert [each["known"] for each in tracked(sandbox)] == [True, False, False, False]
    assert len(sandbox.world.tables["users"].rows) == 1
    assert "3 events are about" in caplog.text
    assert "unknown to this workspace (3)" in caplog.text


@pytest.mark.parametrize(("users", "known"), [(350, True), (400, False)])
def test_four_pages_tell_who_is_not_there(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, users: int, *, known: bool
) -> None:
    for n in range(1, users):  # one is there
        sandbox.world.create("users", externalId=f"u{n}", accountIds=[])
    rows = [event(n, userExternalId=f"u{n}", accountExternalId=None) for n in range(users + 1)]
    assert push(sandbox, rows).words == ["accepted"] * (users + 1)
    assert len(sandbox.requests) <= 9
    assert ("2 events are about" in caplog.text) is known
    assert ("they are too many" in caplog.text) is not known


def test_looking_for_people_costs_little(sandbox: Sandbox) -> None:
    for n in range(700):
        sandbox.world.create("users", externalId=f"u{n}", accountIds=[])
    rows = [event(n, userExternalId=f"u{n % 650}") for n in range(2000)]
    assert push(sandbox, rows).words == ["accepted"] * 2000
    assert requests_to(sandbox, BATCH) == 20
    assert len(sandbox.requests) <= 24


def test_old_events_are_told_once(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    rows = [event(n, timestamp="2001-01-01T00:00:00Z") for n in range(2)]
    assert push(sandbox, rows).words == ["accepted"] * 2
    assert caplog.text.count("older than") == 1


def test_a_plan_sends_nothing(sandbox: Sandbox) -> None:
    came = push(sandbox, [event(), {"event": "x"}], dry_run=True)
    assert came.words == ["accepted", "rejected"]
    assert (requests_to(sandbox, BATCH), came.states) == (0, [])


@pytest.mark.parametrize(
    "kind", ["reset_before", "reset_mid_body", "truncated_chunked", "html_200"]
)
@pytest.mark.parametrize("done", [True, False])
def test_a_lost_answer_is_sent_again(sandbox: Sandbox, kind: Any, *, done: bool) -> None:
    sandbox.faults.append(Fault(kind, BATCH, times=2, done=done))
    assert push(sandbox, [event(n) for n in range(3)]).words == ["accepted"] * 3
    assert len(tracked(sandbox)) == 3


def test_a_host_that_never_answers_leaves_them_uncertain(sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("status", BATCH, status=503, after=1, done=True))
    came = push(sandbox, [event(n) for n in range(150)], concurrency=1)
    assert came.words == ["accepted"] * 100 + ["uncertain"] * 50
    assert "503" in came.failure
    assert came.states == []
    assert len(came.rejects) == 51  # with the SCHEMA: another run may send them again
    sandbox.faults.clear()
    assert push(sandbox, [event(n) for n in range(150)]).words == ["accepted"] * 150
    assert len(tracked(sandbox)) == 150


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_what_is_no_fault_of_a_message_ends_the_run(sandbox: Sandbox, status: int) -> None:
    sandbox.faults.append(Fault("status", BATCH, status=status))
    came = push(sandbox, [event(n) for n in range(3)])
    assert came.words == ["not reached"] * 3
    assert came.failure
    assert requests_to(sandbox, BATCH) == 1
    if status == 401:
        assert "analytics_api_key is the token of the Analytics API" in came.failure


def test_the_key_of_the_other_api_is_explained(sandbox: Sandbox) -> None:
    came = push(sandbox, [event()], analytics_api_key=sandbox.key)
    assert "not the REST API key" in came.failure
    assert sandbox.key not in came.failure.replace(sandbox.url, "")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"analytics_api_key": ""}, "analytics_api_key is missing"),
        ({"analytics_url": ""}, "analytics_url is missing: with api_url set"),
        ({"analytics_url": "http://example.com"}, "analytics_url uses plain http"),
        ({"analytics_api_key": "two words"}, "white space"),
        ({"analytics_url": "", "api_url": "", "data_center": "eu"}, "no host of the Analytics API"),
    ],
    ids=str,
)
def test_settings_that_are_missing(sandbox: Sandbox, settings: Row, reason: str) -> None:
    with pytest.raises(ConfigValidationError, match=reason) as refused:
        push(sandbox, [event()], **settings)
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"resource": "events", "traits": {"a": "b"}}, "events have no traits"),
        ({"resource": "events", "unknown": "traits"}, "events have no traits"),
        ({"resource": "events", "mode": "delete"}, "events are only created"),
        ({"resource": "events", "event": ""}, "no name of an event"),
        ({"resource": "events", "event_properties": ["a"]}, "not of type 'object'"),
        ({"resource": "accounts", "event": "x"}, "event is for events alone"),
        ({"resource": "accounts", "event_properties": {}}, "event_properties is for events alone"),
        ({"resource": "accounts", "unknown": "properties"}, "is for events alone"),
        ({"resource": "accounts", "channel": "fast"}, "not one of"),
    ],
    ids=str,
)
def test_entries_that_are_wrong(sandbox: Sandbox, entry: Row, reason: str) -> None:
    with pytest.raises(ConfigValidationError, match=reason):
        push(sandbox, [event()], entry)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(plain, plain)
def test_equal_content_has_one_digest_and_other_content_another(first: Any, then: Any) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(then, sort_keys=True)
    assert (message_id("s", first) == message_id("s", then)) is same


@given(st.dictionaries(st.text(max_size=3), plain, max_size=4), st.randoms())
def test_the_order_of_names_makes_no_other_event(content: Row, random: Any) -> None:
    names = list(content)
    random.shuffle(names)
    assert message_id(content) == message_id({name: content[name] for name in names})


def test_events_stay_which_the_undo_file_and_the_plan_say(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    undo = tmp_path / "undo.jsonl"
    for plan in (True, False):
        caplog.clear()
        push(sandbox, [event(n) for n in range(3)], undo_file=str(undo), dry_run=plan)
        assert caplog.text.count("an event that was sent stays") == 1
    found = write(sandbox, undo.read_text())
    assert found.words == ["rejected"]
    assert found.reasons == "an event that was sent stays"
