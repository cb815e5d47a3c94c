"""Every stream delivers the workspace: at first, and after changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from harness.expectations import Tables, all_expected, last_state, loaded, records_of, resource_of
from harness.support import Result, Row, catalog, config_for, run_in_process, run_tap
from sandbox import STREAMS, Clock, Entry, World, serve
from tests.whole.lists import MODELS, NESTED, SORTED, WHOLE
from tests.whole.workspaces import START, bookmark, frozen, instant

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
            sandbox.url,
            survey_ids=world.ids("surveys"),
            inventory_resources=["users", "notes"],
            full_walk_days=0,
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
    for resource in sorted({*NESTED} - {"users", "meetings", "conversations"}):
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
    def bookmarks(messages: list[Row]) -> Row:
        entries: Row = last_state(messages)["bookmarks"]
        # A run may say anew when all parents were read, and remember one more account.
        return {
            n: {k: v for k, v in e.items() if k not in {"walk", "workspace"}}
            for n, e in entries.items()
        }

    assert bookmarks(story.third) == bookmarks(story.second)


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
    wanted = Counter(
        {resource: len(queries) * parents(resource, size) for resource, queries in SORTED.items()}
    )
    wanted.update(resource for resource in WHOLE)
    wanted.update(
        {
            "admins": 1,
            # The probe, and one list of parents for all streams below.
            "accounts": 1 + 1,
            "organizations": 1,
            # The list that messages look at, and the conversations that changed.
            "conversations": 1 + recent["conversations"],
            "customFields": len(MODELS) + size["custom_objects"],
            # Both for the responses and for the questions in them.
            "surveys/responses": 2 * SURVEYS,
            "surveyQuestions": size["survey_questions"],
            "accounts/healthScores": size["accounts"],
        }
    )
    del wanted["meetingTranscripts"], wanted["customObjects"]
    assert asked == wanted


def parents(resource: str, size: dict[str, int]) -> int:
    """How many parents have a list of their own; a list of the whole workspace is one."""
    parent, _, below = resource.partition("/")
    return size[{"customObjects": "custom_objects"}.get(parent, parent)] if below else 1


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
        top = {resource: queries for resource, queries in SORTED.items() if "/" not in resource}
        del top["meetingTranscripts"]
        lists = sum(map(len, top.values())) + len(WHOLE) + len(("admins",))
        fields = len(MODELS) + objects
        instances = objects * len(SORTED["customObjects/instances"])
        assert len(sandbox.requests) <= 1 + lists + fields + instances


def test_numbers_keep_every_digit(story: Story) -> None:
    assert '"events_total":12345678901234567890' in story.first.stdout
    assert '"usage_mrr":0.10' in story.first.stdout


def test_order_does_not_depend_on_concurrency(story: Story) -> None:
    def timeless(run: Result) -> str:
        return re.sub(r',"time_extracted":"[^"]*"', "", run.stdout)

    assert timeless(story.first) == timeless(story.serial)
    assert "time_extracted" in story.first.stdout
    assert without_times(story.second) == without_times(story.second_serial)
