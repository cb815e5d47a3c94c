"""Every stream delivers the workspace: at first, after changes, and under every setting."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from harness.expectations import (
    all_expected,
    expected,
    last_state,
    loaded,
    records_of,
    resource_of,
)
from harness.support import catalog, config_for, run_in_process, run_tap
from sandbox import STREAMS, Clock, Entry, Fault, Sandbox, World, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.expectations import Tables
    from harness.support import Result, Row

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SURVEYS = 2
LOOKBACK = timedelta(seconds=300)
REPLICATION_KEYS = {
    entry["stream"]: entry["replication_key"]
    for entry in catalog()["streams"]
    if entry.get("replication_key")
}


@dataclass(frozen=True)
class Story:
    """Four runs of one workspace: two at first, one after changes, one when nothing has changed."""

    world: World
    before: Tables
    after: Tables
    first: Result
    serial: Result
    second: list[Row]
    second_serial: list[Row]
    third: list[Row]
    third_requests: list[Entry]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    world = World(seed=1, accounts=14, clock=Clock(START))
    with serve(world) as sandbox:
        config = config_for(
            sandbox.url, survey_ids=world.ids("surveys"), inventory_resources=["users", "notes"]
        )
        before = all_expected(world)
        paged = config | {"page_size": 10}
        # The last two tell how long a run took, which is never the same.
        select = [*STREAMS, "inventory"]
        first = run_tap(folder, paged, select=select)
        serial = run_tap(folder, paged | {"concurrency": 1}, select=select)
        world.clock.advance(3600)
        world.live_a_day()
        world.clock.advance(60)
        live_a_minute(world)
        after = all_expected(world)
        second = run_in_process(config, select=STREAMS, state=first.state)
        second_serial = run_in_process(
            config | {"concurrency": 1}, select=STREAMS, state=first.state
        )
        world.clock.advance(7200)
        sandbox.requests.clear()
        third = run_in_process(config, select=STREAMS, state=last_state(second))
        requests = list(sandbox.requests)
    return Story(world, before, after, first, serial, second, second_serial, third, requests)


def live_a_minute(world: World) -> None:
    """Make one change of each kind, and one new row of each kind in its place."""
    for resource in ("notes", "tasks", "projects", "meetings", "instances"):
        rows = [world.row(resource, key) for key in world.ids(resource)]
        live = next(row["id"] for row in rows if not row["archivedAt"])
        gone = next(row["id"] for row in rows if row["archivedAt"])
        world.archive(resource, live)
        world.unarchive(resource, gone)
    world.churn(world.ids("accounts")[0])
    world.deactivate(world.ids("users")[0])
    world.complete(world.ids("tasks")[1])
    world.add_message(world.ids("conversations")[0])
    organization = world.create("organizations")["id"]
    account = world.create("accounts", organizationId=organization)["id"]
    user = world.create("users", accountIds=[account], organizationIds=[organization])["id"]
    for resource in ("notes", "tasks", "projects", "npsResponses"):
        world.create(resource, accountId=account)
        world.create(resource, organizationId=organization)
    for resource in ("meetings", "conversations"):
        world.create(resource, userIds=[user])
    meeting = world.create("meetings", userIds=[user])["id"]
    world.create("meetingTranscripts", meetingId=meeting)
    custom_object = world.create("customObjects")["id"]
    world.create("instances", customObjectId=custom_object, customerIds=[account])
    world.create("customFields", customObjectId=custom_object)
    world.create("customFields", model="users")
    survey = world.ids("surveys")[0]
    world.create("surveyQuestions", surveyId=survey, title="Why?", type="string", isRequired=True)
    world.create("surveyResponses", surveyId=survey)


def without_times(messages: Iterable[Row]) -> list[Row]:
    """All that does not depend on when the tap wrote it."""
    return [
        {name: value for name, value in message.items() if name != "time_extracted"}
        for message in messages
    ]


each_stream = pytest.mark.parametrize("stream", STREAMS)
each_incremental_stream = pytest.mark.parametrize("stream", sorted(REPLICATION_KEYS))


# A workspace through four runs


@each_stream
def test_first_run_delivers_every_row(stream: str, story: Story) -> None:
    assert story.first.returncode == 0, story.first.stderr
    assert story.before[stream], "the world should have something to show"
    assert loaded(story.first.messages).tables[stream] == story.before[stream]


@each_stream
def test_changes_arrive_with_the_second_run(stream: str, story: Story) -> None:
    assert story.after[stream] != story.before[stream], "something should have changed"
    warehouse = loaded(story.first.messages, story.second)
    assert warehouse.tables[stream] == story.after[stream]


@each_incremental_stream
def test_later_runs_bring_only_what_is_inside_the_lookback(stream: str, story: Story) -> None:
    for messages, state in (
        (story.second, story.first.state),
        (story.third, last_state(story.second)),
    ):
        start = bookmark(state, stream) - LOOKBACK
        changes = [row.get(REPLICATION_KEYS[stream]) for row in records_of(messages, stream)]
        assert changes, "the row that the bookmark is taken from comes again"
        assert all(at is None or instant(at) >= start for at in changes)


@each_stream
def test_run_without_changes_changes_nothing(stream: str, story: Story) -> None:
    settled = loaded(story.first.messages, story.second).tables[stream]
    # What is a snapshot carries the moment at which it was taken.
    moments = {"observedAt": None} if stream == "account_health_scores" else {}
    assert {key: row | moments for key, row in settled.items()} == {
        key: row | moments
        for key, row in loaded(story.first.messages, story.second, story.third)
        .tables[stream]
        .items()
    }


def test_run_without_changes_keeps_the_bookmarks(story: Story) -> None:
    assert last_state(story.third) == last_state(story.second)


def test_run_without_changes_asks_once_for_each_list(story: Story) -> None:
    state = last_state(story.second)
    size = {stream: len(story.after[stream]) for stream in STREAMS}
    recent = {
        stream: sum(
            instant(row["updatedAt"]) >= bookmark(state, stream) - LOOKBACK
            for row in story.after[stream].values()
        )
        for stream in ("conversations", "meeting_transcripts")
    }
    asked = Counter(resource_of(entry) for entry in story.third_requests)
    # A transcript is asked for only where its list leaves out the text.
    assert 1 <= asked.pop("meetingTranscripts") <= 1 + recent["meeting_transcripts"]
    # Their list is short; whether it is read once or once more for the streams below is no matter.
    assert asked.pop("customObjects") in {1, 2}
    assert asked == {
        # One probe, the list itself, and one list of parents for all streams below.
        "accounts": 1 + 1 + 1,
        "organizations": 1 + 1,
        "users": 1,
        "admins": 1,
        # The list itself, the list that messages look at, and the conversations that changed.
        "conversations": 1 + 1 + recent["conversations"],
        **dict.fromkeys(("notes", "tasks", "projects", "meetings", "npsResponses"), 2),
        "noteCategories": 1,
        "taskCategories": 1,
        "projectCategories": 1,
        "projectTemplates": 1,
        "customFields": 8 + size["custom_objects"],
        "customObjects/instances": 2 * size["custom_objects"],
        # Both for the responses and for the questions in them.
        "surveys/responses": 2 * SURVEYS,
        "surveyQuestions": size["survey_questions"],
        "accounts/healthScores": size["accounts"],
        **lists_below("accounts", size["accounts"]),
        **lists_below("organizations", size["organizations"]),
        "organizations/accounts": size["organizations"],
    }


def lists_below(parents: str, count: int) -> dict[str, int]:
    """One request per parent, or two where archived rows have a list of their own."""
    single = ("users", "conversations", "projects", "npsResponses", "meetings")
    return {
        **{f"{parents}/{resource}": count for resource in single},
        **{f"{parents}/{resource}": 2 * count for resource in ("notes", "tasks")},
    }


def test_default_selection_without_changes_costs_one_request_per_list_and_a_probe() -> None:
    with frozen(accounts=4) as sandbox:
        select = [
            entry["stream"]
            for entry in catalog()["streams"]
            for item in entry["metadata"]
            if item["metadata"].get("selected-by-default")
        ]
        config = config_for(sandbox.url)
        state = last_state(run_in_process(config, select=select))
        sandbox.requests.clear()
        run_in_process(config, select=select, state=state)
        objects = len(sandbox.world.ids("customObjects"))
        singles = 5 + 4 + 1  # the customers and their people, four kinds of labels, custom objects
        variants = 4 * 2 + 2 + 8 + objects * (1 + 2)
        assert len(sandbox.requests) <= singles + variants + 1


def test_numbers_keep_every_digit(story: Story) -> None:
    assert '"events_total":12345678901234567890' in story.first.stdout
    assert '"usage_mrr":0.10' in story.first.stdout


def test_order_does_not_depend_on_concurrency(story: Story) -> None:
    def timeless(run: Result) -> str:
        return re.sub(r',"time_extracted":"[^"]*"', "", run.stdout)

    assert timeless(story.first) == timeless(story.serial)
    assert "time_extracted" in story.first.stdout
    assert without_times(story.second) == without_times(story.second_serial)


# Settings


def test_start_date_leaves_out_what_changed_before() -> None:
    select = ["users", "meetings", "account_notes"]
    with frozen(accounts=12) as sandbox:
        tables = {stream: expected(sandbox.world, stream) for stream in select}
        moments = sorted(row["updatedAt"] for row in tables["users"].values())
        start = moments[len(moments) // 2]
        config = config_for(sandbox.url, start_date=start, page_size=5)
        warehouse = loaded(run_in_process(config, select=select))
        for stream, table in tables.items():
            wanted = {
                key: row for key, row in table.items() if (row["updatedAt"] or start) >= start
            }
            assert 0 < len(wanted) < len(table)
            assert warehouse.tables[stream] == wanted
        assert any(row["updatedAt"] is None for row in warehouse.tables["meetings"].values())


def test_start_date_after_the_bookmark_wins() -> None:
    with frozen() as sandbox:
        config = config_for(sandbox.url)
        state = last_state(run_in_process(config, select=["users"]))
        sandbox.world.clock.advance(3600)
        early, late = sandbox.world.ids("users")[:2]
        sandbox.world.update("users", early, name="Early")
        sandbox.world.clock.advance(3600)
        start = sandbox.world.clock.now()
        sandbox.world.update("users", late, name="Late")
        config |= {"start_date": start.isoformat()}
        messages = run_in_process(config, select=["users"], state=state)
        assert [row["id"] for row in records_of(messages, "users")] == [late]


@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_page_size(page_size: int) -> None:
    with frozen(accounts=6) as sandbox:
        users = expected(sandbox.world, "users")
        config = config_for(sandbox.url, page_size=page_size)
        messages = run_in_process(config, select=["users"])
        assert loaded(messages).tables["users"] == users
        asked = pages_asked(sandbox, "users")
        assert len(asked) == -(-len(users) // page_size)
        assert all(f"limit={page_size}&" in entry.query for entry in asked)


CHURNED = {"active": (False,), "churned": (True,), "activeOrChurned": (False, True)}


@pytest.mark.parametrize("status", CHURNED)
@pytest.mark.parametrize("stream", ["accounts", "account_notes"])
def test_account_status(stream: str, status: str) -> None:
    with frozen(accounts=12) as sandbox:
        churned = {
            key: bool(row["churnedAt"]) for (key,), row in sandbox.world.truth("accounts").items()
        }
        table = expected(sandbox.world, stream)
        wanted = {key: row for key, row in table.items() if churned[key[0]] in CHURNED[status]}
        config = config_for(sandbox.url, account_status=status)
        assert wanted
        assert loaded(run_in_process(config, select=[stream])).tables[stream] == wanted


@pytest.mark.parametrize(
    "stream",
    [
        "notes",
        "tasks",
        "projects",
        "meetings",
        "custom_object_instances",
        "account_notes",
        "organization_tasks",
    ],
)
def test_include_archived_can_be_switched_on_later(stream: str) -> None:
    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        live = {key: row for key, row in table.items() if not row["archivedAt"]}
        assert len(live) < len(table)
        assert switched(sandbox, stream, {"include_archived": False}, {}) == (live, table)


@pytest.mark.parametrize("stream", ["accounts", "account_notes", "account_users"])
def test_account_status_can_be_widened_later(stream: str) -> None:
    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        active = expected_of_active(sandbox.world, stream)
        assert len(active) < len(table)
        assert switched(sandbox, stream, {"account_status": "active"}, {}) == (active, table)


def test_account_that_is_won_back_brings_its_old_notes() -> None:
    with frozen(accounts=12) as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url, account_status="active")
        first = run_in_process(config, select=["account_notes"])
        lost = next(
            row["accountId"]
            for row in expected(world, "notes").values()
            if row["accountId"] and world.row("accounts", row["accountId"])["churnedAt"]
        )
        world.clock.advance(7200)
        world.update("accounts", lost, churnedAt=None)
        second = run_in_process(config, select=["account_notes"], state=last_state(first))
        assert loaded(first, second).tables["account_notes"] == expected_of_active(
            world, "account_notes"
        )


def expected_of_active(world: World, stream: str) -> dict[tuple[str, ...], Row]:
    """The rows of active accounts only, whose id comes first in the key."""
    return {
        key: row
        for key, row in expected(world, stream).items()
        if not world.row("accounts", key[0])["churnedAt"]
    }


def switched(sandbox: Sandbox, stream: str, before: Row, after: Row) -> tuple[Any, Any]:
    """What is there after a run with one setting, and after a later run with another."""
    config = config_for(sandbox.url, page_size=5)
    first = run_in_process(config | before, select=[stream])
    sandbox.world.clock.advance(7200)
    second = run_in_process(config | after, select=[stream], state=last_state(first))
    return loaded(first).tables[stream], loaded(first, second).tables[stream]


EMBEDDED = {
    "users": ("accounts", "organizations"),
    "notes": ("account", "organization"),
    "nps_responses": ("user",),
    "meetings": ("accounts", "organizations"),
    "custom_object_instances": ("customer", "customers", "organization"),
    "account_tasks": ("account", "organization"),
}


@pytest.mark.parametrize("stream", EMBEDDED)
def test_embedded_objects_can_be_cut_down_to_references(stream: str) -> None:
    def reference(value: Any) -> Any:
        if isinstance(value, list):
            return [reference(item) for item in value]
        names = ("id", "externalId", "name")
        return value and {name: value[name] for name in names if name in value}

    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        config = config_for(sandbox.url, embedded_objects="reference")
        found = loaded(run_in_process(config, select=[stream])).tables[stream]
        assert found != table
        assert found == {
            key: {
                name: reference(value) if name in EMBEDDED[stream] else value
                for name, value in row.items()
            }
            for key, row in table.items()
        }


# Pages


def test_rows_changed_in_the_same_moment_are_read_across_pages() -> None:
    with frozen(accounts=6) as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url, page_size=3, lookback_seconds=0)
        runs = [run_in_process(config, select=["users"])]
        world.clock.advance(3600)
        ids = world.ids("users")
        for changed in (ids[:7], ids[5:9]):
            # No time passes between the two rounds: the bookmark is this very moment.
            for user in changed:
                world.update("users", user, name=f"{world.row('users', user)['name']} again")
            runs.append(run_in_process(config, select=["users"], state=last_state(runs[-1])))
            assert loaded(*runs).tables["users"] == expected(world, "users")
        assert bookmark(last_state(runs[-1]), "users") == world.clock.now()


def test_lists_out_of_order_are_read_to_their_end(caplog: pytest.LogCaptureFixture) -> None:
    with frozen(accounts=6) as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url, page_size=3)
        first = run_in_process(config, select=["users"])
        world.clock.advance(3600)
        for user in world.ids("users")[:4]:
            world.clock.advance(1)
            world.update("users", user, name="New")
        sandbox.faults.append(Fault("out_of_order", path="users"))
        sandbox.requests.clear()
        second = run_in_process(config, select=["users"], state=last_state(first))
        assert loaded(first, second).tables["users"] == expected(world, "users")
        pages = [entry for entry in sandbox.requests if entry.path == "/resources/users"]
        assert len(pages) >= len(world.ids("users")) / 3
    assert [record.getMessage() for record in caplog.records].count(
        "/users is not in the order of updatedAt: it is read to its end, so that no change is "
        "missed."
    ) == 1


def test_an_empty_page_is_not_the_end() -> None:
    with frozen(accounts=6) as sandbox:
        sandbox.faults.append(Fault("empty_page_with_next", path="users", after=1, times=2))
        messages = run_in_process(config_for(sandbox.url, page_size=5), select=["users"])
        assert not sandbox.faults.pick("/resources/users", {}), "both should have struck"
        assert loaded(messages).tables["users"] == expected(sandbox.world, "users")


@pytest.mark.parametrize("at_end", ["early", "omitted", "present"])
def test_the_end_of_a_list_is_told_in_several_ways(at_end: Any) -> None:
    with frozen(accounts=6, at_end=at_end) as sandbox:
        messages = run_in_process(config_for(sandbox.url, page_size=5), select=["users"])
        users = expected(sandbox.world, "users")
        assert loaded(messages).tables["users"] == users
        assert len(pages_asked(sandbox, "users")) == -(-len(users) // 5)


def test_without_the_server_s_clock_the_bookmark_stays(caplog: pytest.LogCaptureFixture) -> None:
    with frozen() as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url)
        runs = [run_in_process(config, select=["users"])]
        before = bookmark(last_state(runs[0]), "users")
        for name in ("first", "second"):
            world.clock.advance(3600)
            world.update("users", world.ids("users")[0], name=name)
            sandbox.faults[:] = [Fault("no_date")]
            caplog.clear()
            runs.append(run_in_process(config, select=["users"], state=last_state(runs[-1])))
            assert loaded(*runs).tables["users"] == expected(world, "users")
            assert bookmark(last_state(runs[-1]), "users") == before
            assert caplog.text.count("The server does not tell its clock") == 1
        sandbox.faults.clear()
        runs.append(run_in_process(config, select=["users"], state=last_state(runs[-1])))
        assert bookmark(last_state(runs[-1]), "users") > before


def pages_asked(sandbox: Sandbox, resource: str) -> list[Entry]:
    """The requests of a first pass, without the second look at the front of a long list."""
    return [
        entry
        for entry in sandbox.requests
        if entry.path == f"/resources/{resource}" and "sortBy=createdAt" in entry.query
    ]


def bookmark(state: Row | None, stream: str) -> datetime:
    assert state
    return instant(state["bookmarks"][stream]["replication_key_value"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def frozen(accounts: int = 4, **how: Any) -> Iterator[Sandbox]:
    """A sandbox whose clock moves only when it is told to."""
    with serve(World(accounts=accounts, clock=Clock(START)), **how) as sandbox:
        yield sandbox
