"""The sandbox behaves like the API that it stands for (API notes), and misbehaves on demand."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import pytest
import requests

from sandbox import STREAMS, Clock, Fault, Rate, Sandbox, World, serve
from sandbox.faults import ODDITIES, Kind
from sandbox.rate import Limiter
from sandbox.truth import NESTED, WHOLE_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
NOW = "2026-03-04T05:06:07.890Z"
ROOT = Path(__file__).parents[2]


class Client(requests.Session):
    """Asks a sandbox with the right key, unless told otherwise."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.auth = (sandbox.key, "")
        self.sandbox = sandbox
        self.trust_env = False

    def ask(self, path: str, **params: Any) -> requests.Response:
        return self.get(f"{self.sandbox.url}/resources/{path}", params=params, timeout=20)

    def json(self, path: str, **params: Any) -> Any:
        response = self.ask(path, **params)
        assert response.status_code == 200, response.text
        return response.json(parse_float=Decimal)

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self.json(path, **params)
            yield page
            if not page["next"]:
                return
            params["from"] = page["next"]

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        return [
            row
            for page in self.pages(path, **params)
            for row in page["data" if "data" in page else "results"]
        ]


@contextlib.contextmanager
def running(world: World | None = None, **options: Any) -> Iterator[Client]:
    world = world or World(accounts=4, clock=Clock(START))
    with serve(world, **options) as sandbox, Client(sandbox) as client:
        yield client


@pytest.fixture(scope="module")
def still() -> Iterator[Client]:
    """A world in which nothing happens, for the tests that only look."""
    with running(World(clock=Clock(START), sizes={"users": 450})) as client:
        yield client


@pytest.fixture(scope="module")
def small() -> Iterator[Client]:
    """Like ``still``, but with so few rows that all of them can be read in small pages."""
    with running(World(accounts=10, clock=Clock(START))) as client:
        yield client


@pytest.fixture
def lively() -> Iterator[Client]:
    """A small world of the test's own."""
    with running() as client:
        yield client


def as_sent(sandbox: Sandbox, payload: Any) -> Any:
    return json.loads(sandbox.encode(payload), parse_float=Decimal)


def error_message(response: requests.Response) -> str:
    message: str = response.json()["error"]["message"]
    return message


# Requests


def test_a_request_needs_the_key(still: Client) -> None:
    url = f"{still.sandbox.url}/resources/users"
    missing = requests.get(url, timeout=20)
    assert (missing.status_code, missing.json()) == (
        401,
        {"error": "Authorization header not present."},
    )
    for wrong in (("other", ""), ("sandbox", "password")):
        answer = requests.get(url, auth=wrong, timeout=20)
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid API key."})


def test_only_get_is_allowed(still: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        answer = still.request(method, f"{still.sandbox.url}/resources/users", timeout=20)
        assert answer.status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "surveys",
        "customObjects/nothing/instances",
        "accounts/nothing",
        "accounts/nothing/notes",
        "accounts/..%2Fusers%3Fx%3D",
        "noteCategories/nothing",
        "",
    ],
)
def test_what_does_not_exist_is_not_found(still: Client, path: str) -> None:
    answer = still.ask(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})


def test_path_segments_are_decoded_once(lively: Client) -> None:
    row = lively.sandbox.world.create("accounts", externalId="../users?x=/1%2F2")
    assert lively.json("accounts/..%2Fusers%3Fx%3D%2F1%252F2")["id"] == row["id"]
    assert lively.ask("accounts/..%2Fusers%3Fx%3D%2F1%2F2").status_code == 404


# Lists


def contexts(world: World, stream: str) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Say where a stream's rows are to be found: path, parameters, and what to add to each row."""
    if stream in NESTED:
        parents, resource, added = NESTED[stream]
        for parent in world.ids(parents):
            yield f"{parents}/{parent}/{resource}", {}, {added: parent}
    elif stream == "nps_responses":
        for target in ("accounts", "organization"):
            yield "npsResponses", {"target": target}, {"target": target}
    elif stream == "custom_object_instances":
        for parent in world.ids("customObjects"):
            yield f"customObjects/{parent}/instances", {}, {}
    elif stream == "survey_responses":
        for parent in world.ids("surveys"):
            yield f"surveys/{parent}/responses", {}, {}
    elif stream == "accounts":
        yield "accounts", {"status": "activeOrChurned"}, {}
    else:
        yield WHOLE_TABLES[stream], {}, {}


@pytest.mark.parametrize("sort", ["updatedAt", "createdAt"])
@pytest.mark.parametrize("stream", sorted({*WHOLE_TABLES, *NESTED, "nps_responses"}))
def test_paging_through_a_list_reaches_the_truth(small: Client, stream: str, sort: str) -> None:
    world = small.sandbox.world
    rows = [
        row | added
        for path, params, added in contexts(world, stream)
        for row in small.rows(path, sortBy=sort, limit=3, **params)
    ]
    if stream == "meeting_transcripts":
        rows = [small.json(f"meetingTranscripts/{row['id']}") for row in rows]
    truth = as_sent(small.sandbox, list(world.truth(stream).values()))
    assert truth
    assert sorted(rows, key=json_text) == sorted(truth, key=json_text)


def json_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


@pytest.mark.parametrize("sort", ["updatedAt", "createdAt"])
def test_lists_come_newest_first_and_nulls_before_all(still: Client, sort: str) -> None:
    for path in ("users", "projects", "meetings"):
        rows = still.rows(path, sortBy=sort, limit=7)
        keys = [(row[sort] or "~", row["id"]) for row in rows]
        assert keys == sorted(keys, reverse=True)
        assert len(set(keys)) == len(keys)


def test_some_projects_and_meetings_have_no_updated_at(still: Client) -> None:
    for path in ("projects", "meetings"):
        stamps = [row["updatedAt"] for row in still.rows(path)]
        assert stamps[0] is None
        assert stamps.count(None) < len(stamps) / 4


def test_more_rows_than_a_page_holds_share_a_moment(still: Client) -> None:
    for sort in ("updatedAt", "createdAt"):
        stamps = [row[sort] for row in still.rows("users", sortBy=sort)]
        common = max(stamps, key=stamps.count)
        assert stamps.count(common) > 100
        border = [i for i in range(100, len(stamps), 100) if stamps[i - 1] == stamps[i] == common]
        assert border


def test_a_cursor_needs_encoding_and_starts_with_its_sort_value(still: Client) -> None:
    cursor = still.json("users", limit=1)["next"]
    assert {"+", "/", "="} <= set(cursor)
    assert base64.b64decode(cursor).startswith(b'{"sortVal"')


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("users", {"sortBy": "createdAt"}),
        ("notes", {}),
        ("notes", {"archived": "true"}),
        ("users", {"from": "garbage"}),
        ("users", {"from": "Z2FyYmFnZQ=="}),
        ("users", {"from": base64.b64encode(b'"garbage"').decode()}),
    ],
)
def test_a_cursor_is_good_for_nothing_else(
    still: Client, path: str, params: dict[str, str]
) -> None:
    params = {"from": still.json("users", limit=1)["next"]} | params
    answer = still.ask(path, **params)
    assert answer.status_code == 400
    assert error_message(answer) == "validation failed"


def test_an_empty_cursor_is_the_first_page(still: Client) -> None:
    assert still.json("users", **{"from": ""}) == still.json("users")


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("users", {"limit": "101"}),
        ("users", {"limit": "0"}),
        ("users", {"limit": "-1"}),
        ("users", {"limit": "ten"}),
        ("users", {"limit": ""}),
        ("users", {"sortBy": "name"}),
        ("accounts", {"status": "lost"}),
        ("notes", {"archived": "maybe"}),
        ("npsResponses", {"target": "organizations"}),
        ("customFields", {}),
        ("customFields", {"model": "meetings"}),
        ("customFields", {"model": "customObjects"}),
        ("users/search", {}),
        ("users/search", {"email": "a@example.com", "externalId": "1"}),
        ("admins/search", {}),
    ],
)
def test_wrong_parameters_are_refused(still: Client, path: str, params: dict[str, str]) -> None:
    answer = still.ask(path, **params)
    assert answer.status_code == 400
    assert error_message(answer) == "validation failed"


def test_unknown_parameters_are_ignored(still: Client) -> None:
    assert still.json("users", updatedAt="x", archived="no") == still.json("users")


def test_accounts_are_active_unless_asked_otherwise(still: Client) -> None:
    def churned(**params: str) -> set[bool]:
        return {row["churnedAt"] is not None for row in still.rows("accounts", **params)}

    assert churned() == churned(status="active") == {False}
    assert churned(status="churned") == {True}
    assert churned(status="activeOrChurned") == {False, True}


def test_archived_rows_can_be_told_apart(still: Client) -> None:
    world = still.sandbox.world
    custom_object = world.ids("customObjects")[0]
    account = max(world.ids("accounts"), key=lambda key: len(world.tables["notes"].listed(key)))
    paths = ["notes", "tasks", "projects", "meetings", f"customObjects/{custom_object}/instances"]
    for path in [*paths, f"accounts/{account}/notes", f"accounts/{account}/tasks"]:
        archived, active = (still.rows(path, archived=flag) for flag in ("true", "false"))
        assert all(row["archivedAt"] for row in archived)
        assert not any(row["archivedAt"] for row in active)
        assert active
        assert len(archived) + len(active) == len(still.rows(path))
    nested = f"accounts/{account}/projects"
    assert still.rows(nested, archived="true") == still.rows(nested)


@pytest.mark.parametrize("at_end", ["present", "omitted", "early"])
def test_the_end_of_a_list_is_marked_in_one_of_three_ways(at_end: str) -> None:
    with running(at_end=at_end) as client:
        *before, last = client.pages("users", limit=7)
    if at_end == "omitted":
        assert "atEnd" not in last
    elif at_end == "present":
        assert [page["atEnd"] for page in before] == [False] * len(before)
        assert last["atEnd"] is True
    else:
        assert before[-1]["atEnd"] is True
        assert before[-1]["next"]
        assert last == {"results": [], "next": None, "atEnd": True}


def test_numbers_keep_all_their_digits(still: Client) -> None:
    text = still.ask("accounts").text
    assert '"usage_mrr":0.10,' in text
    assert '"events_total":12345678901234567890,' in text


def test_only_single_conversations_say_whose_they_are(still: Client) -> None:
    world = still.sandbox.world
    key = world.ids("conversations")[0]
    row = world.row("conversations", key)
    assert not {"messages", "accounts", "users", "admins"} & row.keys()
    single = still.json(f"conversations/{key}")
    assert row.items() <= single.items()
    messages = [row for row in world.truth("messages").values() if row["conversationId"] == key]
    assert {row["id"] for row in single["messages"]} == {row["id"] for row in messages}
    for message in messages:
        assert message["conversationUpdatedAt"] == row["updatedAt"]
        for kind in ("Account", "User", "Admin"):
            members = single[f"{kind.lower()}s"]
            assert message[f"conversation{kind}Ids"] == [member["id"] for member in members]


def test_embedded_accounts_lack_key_roles(still: Client) -> None:
    users = still.rows("users")
    embedded = [account for row in users for account in row["accounts"]]
    assert embedded
    assert not any("keyRoles" in account for account in embedded)
    assert all("segments" in account for account in embedded)
    roles = [role for row in still.rows("accounts") for role in row["keyRoles"]]
    assert any(role["vitallyUser"] is None for role in roles)
    assert any(role["vitallyUser"] for role in roles)


def test_addresses_are_in_reserved_domains(still: Client) -> None:
    domains = {
        (row["email"] or "@example.com").rpartition("@")[2]
        for path in ("users", "admins")
        for row in still.rows(path)
    }
    assert domains <= {"example.com", "example.org", "example.net"}


# Single rows and searches


@pytest.mark.parametrize(
    "resource",
    [
        "accounts",
        "customObjects",
        "meetingTranscripts",
        "meetings",
        "messages",
        "notes",
        "npsResponses",
        "organizations",
        "projectCategories",
        "projectTemplates",
        "projects",
        "tasks",
        "users",
    ],
)
def test_a_row_can_be_read_by_its_id(still: Client, resource: str) -> None:
    key = still.sandbox.world.ids(resource)[-1]
    row = still.sandbox.world.row(resource, key)
    assert still.json(f"{resource}/{key}") == as_sent(still.sandbox, row)


@pytest.mark.parametrize("resource", ["accounts", "meetings", "organizations", "users"])
def test_some_rows_go_by_their_external_id(lively: Client, resource: str) -> None:
    row = lively.sandbox.world.create(resource, externalId="crm/7 é")
    assert lively.json(f"{resource}/crm%2F7%20%C3%A9")["id"] == row["id"]


@pytest.mark.parametrize("resource", ["notes", "tasks"])
def test_notes_and_tasks_go_by_external_id_and_source(lively: Client, resource: str) -> None:
    row = lively.sandbox.world.create(resource, externalId="7", source="hubspot")
    assert lively.ask(f"{resource}/7").status_code == 404
    assert lively.ask(f"{resource}/7", source="zapier").status_code == 404
    assert lively.json(f"{resource}/7", source="HubSpot")["id"] == row["id"]
    assert lively.json(f"{resource}/{row['id']}", source="zapier")["id"] == row["id"]


def test_users_are_found_by_one_criterion(lively: Client) -> None:
    world = lively.sandbox.world
    row = world.create("users", email="a+b@example.net", externalId="u/1")
    criteria = {"email": "a+b@example.net", "externalId": "u/1", "emailSubdomain": "example.net"}
    for name, value in criteria.items():
        found = lively.json("users/search", **{name: value})
        assert list(found) == ["results"]
        assert row["id"] in {user["id"] for user in found["results"]}
    assert lively.json("users/search", email="nobody@example.com") == {"results": []}


def test_admins_are_found_by_email() -> None:
    world = World(accounts=1)
    row = world.row("admins", world.ids("admins")[0])
    with running(world) as client:
        assert client.json("admins/search", email=row["email"]) == row
        assert client.ask("admins/search", email="nobody@example.com").status_code == 404
    with running(world, admin_search="results") as client:
        assert client.json("admins/search", email=row["email"]) == {"results": [row]}


def test_instances_are_found_as_a_bare_array(still: Client) -> None:
    world = still.sandbox.world
    parent = world.ids("customObjects")[0]
    rows = [world.row("instances", key) for key in world.tables["instances"].listed(parent)]
    row = next(row for row in rows if row["customerId"])
    path = f"customObjects/{parent}/instances/search"
    for criterion, value in {
        "id": row["id"],
        "externalId": row["externalId"],
        "customerId": row["customerId"],
        "customFieldId": "state",
        "customFieldValue": row["traits"]["state"],
    }.items():
        assert row["id"] in {found["id"] for found in still.json(path, **{criterion: value})}
    assert still.json(path, id="nothing") == []
    assert still.ask(path, id="1", externalId="2").status_code == 400


def test_custom_fields_are_a_bare_array_by_label(still: Client) -> None:
    world = still.sandbox.world
    fields = still.json("customFields", model="accounts")
    assert [field["label"] for field in fields] == sorted(field["label"] for field in fields)
    assert not any({"id", "model"} & field.keys() for field in fields)
    truth = world.truth("custom_fields")
    assert {key for key in truth if key[0] == "accounts"} == {
        ("accounts", field["path"]) for field in fields
    }
    for parent in world.ids("customObjects"):
        fields = still.json("customFields", model="customObjects", customObjectId=parent)
        for field in fields:
            row = world.truth("custom_object_fields")[parent, field["path"]]
            assert row == field | {"customObjectId": parent}


def test_health_scores_come_in_every_shape(still: Client) -> None:
    world = still.sandbox.world
    shapes = set()
    for account in world.ids("accounts"):
        answer = still.ask(f"accounts/{account}/healthScores")
        truth = world.truth("account_health_scores").get((account,))
        if truth is None:
            assert answer.status_code == 404
            shapes.add("missing")
        else:
            assert answer.json() == truth["answer"]
            body = answer.json()
            shapes.add("array" if isinstance(body, list) else min(body))
    assert shapes == {"array", "components", "results", "data", "missing"}


def test_a_missing_transcript_is_answered_in_every_way(still: Client) -> None:
    world = still.sandbox.world
    recorded = {row["meetingId"] for row in world.truth("meeting_transcripts").values()}
    answers = set()
    for meeting in world.ids("meetings"):
        answer = still.ask(f"meetings/{meeting}/transcript")
        if meeting in recorded:
            assert answer.json()["meetingId"] == meeting
            assert answer.json()["transcript"]
        else:
            answers.add((answer.status_code, answer.text))
    not_found = (404, '{"error":"Not found"}')
    assert answers == {not_found, (204, ""), (200, ""), (200, "null"), (200, "{}")}


def test_some_listed_transcripts_lack_the_transcript(still: Client) -> None:
    rows = still.rows("meetingTranscripts")
    assert {"transcript" in row for row in rows} == {True, False}
    for row in rows:
        assert still.json(f"meetingTranscripts/{row['id']}")["transcript"]


def test_surveys_have_an_envelope_of_their_own(still: Client) -> None:
    world = still.sandbox.world
    survey = world.ids("surveys")[0]
    page = still.json(f"surveys/{survey}/responses", limit=2)
    assert list(page) == ["data", "next"]
    rows = still.rows(f"surveys/{survey}/responses")
    assert {"userID" in row for row in rows} == {"userId" in row for row in rows} == {True, False}
    assert still.json(f"surveyResponses/{rows[0]['id']}") == {"data": rows[0]}
    for question in (answer["questionId"] for row in rows for answer in row["questionResponses"]):
        truth = world.truth("survey_questions")[(question,)]
        assert still.json(f"surveyQuestions/{question}") == {"data": truth}


# The world


def everything(world: World) -> dict[str, Any]:
    return {stream: world.truth(stream) for stream in STREAMS}


def test_equal_seeds_make_equal_worlds() -> None:
    def world(seed: int, accounts: int) -> dict[str, Any]:
        made = World(seed, accounts, Clock(START))
        made.live_a_day(deletes=3)
        return everything(made)

    assert world(1, 7) == world(1, 7)
    assert world(1, 7)["users"] != world(2, 7)["users"]


def test_asking_for_more_of_one_resource_leaves_the_others_alone() -> None:
    one, other = (World(1, 3, Clock(START), {"notes": size}) for size in (6, 60))
    assert len(other.truth("notes")) == 60
    assert one.truth("users") == other.truth("users")
    assert one.truth("accounts") == other.truth("accounts")


def test_a_world_can_be_empty() -> None:
    world = World(accounts=0, sizes={"customObjects": 0, "surveys": 0, "admins": 0, "users": 2})
    assert len(world.truth("users")) == 2
    world.live_a_day()
    random = Random(1)
    for _ in range(50):
        world.random_change(random, deletes=True)


def test_a_size_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no such resource: nothing"):
        World(sizes={"nothing": 1})


def test_every_stream_has_rows_with_their_key() -> None:
    world = World(accounts=10)
    for stream in STREAMS:
        assert world.truth(stream), stream
    with pytest.raises(ValueError, match="no such stream"):
        world.truth("nothing")


def test_changes_are_stamped_with_the_clock(lively: Client) -> None:
    world = lively.sandbox.world
    account, user, task, note, conversation = (
        world.ids(name)[0] for name in ("accounts", "users", "tasks", "notes", "conversations")
    )
    assert world.create("notes", accountId=account)["createdAt"] == NOW
    assert world.update("users", user, name="New")["name"] == "New"
    assert world.archive("notes", note)["archivedAt"] == NOW
    assert world.unarchive("notes", note)["archivedAt"] is None
    assert world.churn(account)["churnedAt"] == NOW
    assert world.deactivate(user)["deactivatedAt"] == NOW
    assert world.complete(task)["completedAt"] == NOW
    message = world.add_message(conversation, message="<p>Hi</p>")
    assert message["message"] == "<p>Hi</p>"
    changed = (
        ("users", user),
        ("notes", note),
        ("accounts", account),
        ("tasks", task),
        ("conversations", conversation),
    )
    for resource, key in changed:
        assert lively.json(f"{resource}/{key}")["updatedAt"] == NOW
    assert message["id"] in {
        row["id"] for row in lively.json(f"conversations/{conversation}")["messages"]
    }
    assert account not in {row["id"] for row in lively.rows("accounts")}


def test_a_health_score_changes_without_a_trace(lively: Client) -> None:
    account = lively.sandbox.world.ids("accounts")[0]
    before = lively.json(f"accounts/{account}")
    lively.sandbox.world.set_health(account, 1.5)
    assert lively.json(f"accounts/{account}") == before | {"healthScore": Decimal("1.5")}


def test_a_deleted_account_is_gone_everywhere(lively: Client) -> None:
    world = lively.sandbox.world
    account = world.row("users", world.ids("users")[0])["accounts"][0]["id"]
    children = {
        resource: world.tables[resource].listed(account)
        for resource in ("users", "notes", "tasks", "instances", "conversations")
    }
    world.delete("accounts", account)
    assert lively.ask(f"accounts/{account}").status_code == 404
    assert lively.ask(f"accounts/{account}/users").status_code == 404
    for resource, keys in children.items():
        for key in keys:
            row = world.row(resource, key)
            assert account not in world.tables[resource].links(key)
            assert row["updatedAt"] == NOW
    for stream in STREAMS:
        if stream.startswith("account_"):
            assert account not in {key[0] for key in world.truth(stream)}


def test_users_move_between_accounts(lively: Client) -> None:
    world = lively.sandbox.world
    user, (first, second) = world.ids("users")[0], world.ids("accounts")[:2]
    world.update("users", user, accountIds=[first])
    world.update("users", user, accountIds=[second])
    assert user not in {row["id"] for row in lively.rows(f"accounts/{first}/users")}
    assert user in {row["id"] for row in lively.rows(f"accounts/{second}/users")}
    with pytest.raises(ValueError, match="keep the links"):
        world.update("conversations", world.ids("conversations")[0], accountIds=[first])


def test_embedded_copies_age(lively: Client) -> None:
    world = lively.sandbox.world
    user = world.row("users", world.ids("users")[0])
    world.update("accounts", user["accounts"][0]["id"], name="New")
    assert world.row("users", user["id"]) == user
    fresh = world.update("users", user["id"], accountIds=[user["accounts"][0]["id"]])
    assert fresh["accounts"][0]["name"] == "New"


def test_a_day_brings_changes_of_all_kinds() -> None:
    world = World(accounts=20, clock=Clock(START))
    before = everything(world)
    world.clock.advance(60)
    happened = world.live_a_day()
    for what in (
        "users updated",
        "notes created",
        "tasks archived",
        "accounts churned",
        "users deactivated",
        "tasks completed",
        "messages created",
    ):
        assert happened[what] >= 1
    after = everything(world)
    assert not any("deleted" in what for what in happened)
    for stream in ("accounts", "users", "notes", "npsResponses", "meetings", "admins"):
        name = "nps_responses" if stream == "npsResponses" else stream
        assert before[name].keys() < after[name].keys()
        changed = [row for key, row in after[name].items() if before[name].get(key) != row]
        assert all(row.get("updatedAt", NOW) >= NOW for row in changed)
    assert sum("deleted" in what for what in world.live_a_day(deletes=2)) >= 1


def test_whatever_happens_the_lists_still_reach_the_truth(lively: Client) -> None:
    world, random = lively.sandbox.world, Random(7)
    for _ in range(150):
        world.random_change(random, deletes=True)
        world.clock.advance(random.choice((0, 0.5)))
    for stream in sorted({*WHOLE_TABLES, *NESTED} - {"meeting_transcripts"}):
        rows = [
            row | added
            for path, params, added in contexts(world, stream)
            for row in lively.rows(path, **params)
        ]
        truth = as_sent(lively.sandbox, list(world.truth(stream).values()))
        assert sorted(rows, key=json_text) == sorted(truth, key=json_text)


def test_a_row_that_changes_while_paging_moves_to_the_front(lively: Client) -> None:
    world = lively.sandbox.world
    first = lively.json("users", limit=5)
    last = lively.rows("users")[-1]["id"]
    world.update("users", last)
    rest = lively.rows("users", limit=5, **{"from": first["next"]})
    assert last not in {row["id"] for row in first["results"] + rest}
    assert lively.json("users", limit=1)["results"][0]["id"] == last


def test_the_clock_of_the_server_can_be_wrong() -> None:
    with running(World(accounts=1, clock=Clock(START, offset=-300))) as client:
        assert client.ask("users").headers["Date"] == "Wed, 04 Mar 2026 05:01:07 GMT"
        client.sandbox.world.clock.advance(3.2)
        assert client.ask("users").headers["Date"] == "Wed, 04 Mar 2026 05:01:11 GMT"


def test_by_default_the_clock_is_right() -> None:
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(minutes=1)


# The budget


@pytest.mark.parametrize("model", ["sliding", "bucket"])
@pytest.mark.parametrize("retry_after", [False, True])
def test_too_many_requests_are_refused(model: Any, retry_after: bool) -> None:
    with running(rate=Rate(model, 3, 3600, retry_after)) as client:
        answers = [client.ask("admins") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3, 3;window=3600"}
    assert all(int(answer.headers["RateLimit-Reset"]) > 1000 for answer in answers)
    assert answers[-1].json() == {"error": "Too many requests"}
    assert ("Retry-After" in answers[-1].headers) is retry_after


def test_no_budget_no_headers(lively: Client) -> None:
    assert not any("ratelimit" in name.lower() for name in lively.ask("users").headers)


def test_the_window_slides() -> None:
    now = 0.0
    limiter = Limiter(Rate("sliding", 2, 10), lambda: now)
    resets = []
    for now in (0.0, 4.0, 9.5, 10.0, 13.9, 14.0):  # noqa: B007 - the limiter looks at it
        verdict = limiter.take()
        resets.append((verdict.allowed, verdict.headers["RateLimit-Reset"]))
    assert resets == [
        (True, "10"),
        (True, "6"),
        (False, "1"),
        (True, "4"),
        (False, "1"),
        (True, "6"),
    ]


def test_the_bucket_refills_bit_by_bit() -> None:
    now = 0.0
    limiter = Limiter(Rate("bucket", 2, 10), lambda: now)
    verdicts = []
    for now in (0.0, 0.0, 4.0, 5.0, 5.0, 100.0, 100.0, 100.0):  # noqa: B007 - the limiter looks
        verdict = limiter.take()
        verdicts.append((verdict.allowed, verdict.headers["RateLimit-Reset"]))
    assert verdicts == [
        (True, "5"),
        (True, "5"),
        (False, "1"),
        (True, "5"),
        (False, "5"),
        (True, "5"),
        (True, "5"),
        (False, "5"),
    ]


# Faults


def spoil(client: Client, kind: Any, path: str = "users", **params: Any) -> None:
    client.sandbox.faults.append(Fault(kind, path, **params))


def test_a_status_with_headers_and_body(lively: Client) -> None:
    spoil(lively, "status", status=503, times=1, headers={"Retry-After": "7"}, body="busy")
    answer = lively.ask("users")
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "busy", "7")
    spoil(lively, "status", status=502, times=1)
    assert lively.ask("users").json() == {"error": "Bad Gateway"}
    assert lively.ask("users").status_code == 200


@pytest.mark.parametrize("kind", ["reset_before", "reset_mid_body", "truncated_with_length"])
def test_connections_break(lively: Client, kind: str) -> None:
    spoil(lively, kind, times=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as it:
        lively.ask("users")
    reset = "reset" in str(it.value).lower()
    assert reset is (kind != "truncated_with_length")
    assert lively.ask("users").status_code == 200


def test_a_chunked_body_breaks_off(lively: Client) -> None:
    spoil(lively, "truncated_chunked", times=1)
    answer = lively.ask("users")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_html_instead_of_json(lively: Client) -> None:
    spoil(lively, "html_200", times=1)
    answer = lively.ask("users")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!doctype html>")


def test_json_that_claims_to_be_html(lively: Client) -> None:
    spoil(lively, "wrong_content_type", times=1)
    answer = lively.ask("users")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.content == lively.ask("users").content


def test_an_error_with_status_200(lively: Client) -> None:
    spoil(lively, "error_200", times=1)
    assert list(lively.json("users")) == ["error"]


def test_a_redirect(lively: Client) -> None:
    spoil(lively, "redirect", location="http://localhost:1/elsewhere")
    answer = lively.get(f"{lively.sandbox.url}/resources/users", allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://localhost:1/elsewhere")


def test_silence_and_then_an_answer(lively: Client) -> None:
    spoil(lively, "stall", times=1, seconds=0.3)
    with pytest.raises(requests.ReadTimeout):
        lively.get(f"{lively.sandbox.url}/resources/users", timeout=0.1)
    spoil(lively, "stall", times=1, seconds=0.01)
    assert lively.ask("users").status_code == 200


def test_a_body_that_drips(lively: Client) -> None:
    spoil(lively, "slow_drip", times=1, seconds=0.001, pieces=7)
    assert lively.json("users")["results"]


def test_gzip_that_is_none(lively: Client) -> None:
    spoil(lively, "broken_gzip", times=1)
    with pytest.raises(requests.exceptions.ContentDecodingError):
        lively.ask("users")


@pytest.mark.parametrize(
    ("kind", "params", "json_of_it"),
    [
        ("invalid_utf8", {}, b'"a\xffb"'),
        ("nul_chars", {}, rb'"a\u0000b"'),
        ("lone_surrogate", {}, rb'"a\ud83db"'),
        ("huge_number", {"digits": 400}, b"9" * 400),
        ("deep_json", {"depth": 300}, b"[" * 300 + b"]" * 300),
        ("big_page", {"megabytes": 1}, b'"' + b"x" * 1_000_000 + b'"'),
    ],
)
def test_odd_values(lively: Client, kind: str, params: dict[str, int], json_of_it: bytes) -> None:
    key = lively.sandbox.world.ids("users")[0]
    for path in ("users", f"users/{key}", "customFields?model=users", "admins"):
        spoil(lively, kind, path, times=1, **params)
        assert b'"odd":' + json_of_it in lively.ask(path).content
        assert json_of_it not in lively.ask(path).content


def test_a_page_out_of_order(lively: Client) -> None:
    rows = lively.json("users")["results"]
    spoil(lively, "out_of_order", times=1)
    assert lively.json("users")["results"] == rows[::-1]


def test_empty_pages_that_go_on(lively: Client) -> None:
    rows = lively.rows("users", limit=4)
    spoil(lively, "empty_page_with_next", times=2)
    spoil(lively, "empty_page_with_next", times=1, after=1)
    pages = list(lively.pages("users", limit=4))
    assert [len(page["results"]) for page in pages[:5]] == [0, 0, 4, 0, 4]
    assert [row for page in pages for row in page["results"]] == rows
    assert pages[0]["next"] != pages[1]["next"]


def test_a_cursor_that_goes_nowhere(lively: Client) -> None:
    spoil(lively, "repeat_cursor", times=1)
    cursor = lively.json("users", limit=4)["next"]
    assert lively.json("users", limit=4, **{"from": cursor})["next"] == cursor
    assert lively.json("users", limit=4, **{"from": cursor})["next"] != cursor


def test_a_cursor_that_is_not_accepted_any_more(lively: Client) -> None:
    spoil(lively, "cursor_refused", times=1)
    cursor = lively.json("users", limit=4)["next"]
    assert lively.ask("users", **{"limit": "4", "from": cursor}).status_code == 400
    assert lively.ask("users", **{"limit": "4", "from": cursor}).status_code == 200


def test_a_row_on_two_pages(lively: Client) -> None:
    spoil(lively, "duplicate_rows", times=1)
    first = lively.json("users", limit=4)
    second = lively.json("users", limit=4, **{"from": first["next"]})
    assert len(second["results"]) == 5
    assert second["results"][0] == first["results"][-1]


def test_no_date(lively: Client) -> None:
    spoil(lively, "no_date", times=1)
    assert "Date" not in lively.ask("users").headers
    assert "Date" in lively.ask("users").headers


def test_faults_strike_in_order_and_where_they_are_told(lively: Client) -> None:
    faults = lively.sandbox.faults
    faults.append(Fault("status", "accounts/*/notes", status=501))
    faults.append(Fault("status", "npsResponses?target=organization", status=502))
    faults.append(Fault("status", "/resources/users", status=503, times=1, after=1))
    faults.append(Fault("status", "users", status=504, times=1, after=1))
    account = lively.sandbox.world.ids("accounts")[0]
    assert lively.ask("accounts").status_code == 200
    assert lively.ask(f"accounts/{account}/notes").status_code == 501
    assert lively.ask("npsResponses").status_code == 200
    assert lively.ask("npsResponses", limit=1, target="organization").status_code == 502
    assert [lively.ask("users").status_code for _ in range(4)] == [200, 503, 504, 200]
    faults.clear()
    faults.append(Fault("status", probability=0.5))
    assert {lively.ask("users").status_code for _ in range(30)} == {200, 500}


def test_a_fault_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no such fault: nothing"):
        Fault("nothing")  # type: ignore[arg-type]


def test_every_kind_of_fault_leaves_the_server_standing(lively: Client) -> None:
    cursor = lively.json("users", limit=4)["next"]
    for kind in get_args(Kind):
        spoil(lively, kind, times=1, seconds=0.001, megabytes=0.1)
        with contextlib.suppress(requests.RequestException, ValueError):
            lively.get(
                f"{lively.sandbox.url}/resources/users",
                params={"limit": "4", "from": cursor},
                allow_redirects=False,
                timeout=20,
            )
        assert lively.ask("users").status_code == 200, kind


def test_refused_resources(lively: Client) -> None:
    world = lively.sandbox.world
    custom_object = world.ids("customObjects")[0]
    lively.sandbox.refuse("customObjects")
    lively.sandbox.refuse("npsResponses?target=organization", 400)
    assert lively.ask("customObjects").status_code == 403
    assert lively.ask(f"customObjects/{custom_object}/instances").status_code == 403
    assert lively.ask("npsResponses", target="organization").status_code == 400
    assert lively.ask("npsResponses").status_code == 200


def test_odd_answers(lively: Client) -> None:
    account = lively.sandbox.world.ids("accounts")[0]
    path = f"accounts/{account}/healthScores"
    bodies = {}
    for kind in ODDITIES:
        lively.sandbox.odd("accounts/*/healthScores", kind)  # type: ignore[arg-type]
        answer = lively.ask(path)
        bodies[kind] = answer.text
        assert answer.status_code == (int(kind) if kind.isdigit() else 200)
    assert bodies["null"] == "null"
    assert bodies["empty"] == ""
    assert json.loads(bodies["error_body"])["error"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(bodies["broken_json"])


# The process around it


def test_compression_is_for_those_who_accept_it(lively: Client) -> None:
    url = f"{lively.sandbox.url}/resources/users"
    plain = lively.get(url, headers={"Accept-Encoding": "identity"}, timeout=20)
    assert "Content-Encoding" not in plain.headers
    with lively.get(url, stream=True, timeout=20) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.raw.read()) == plain.content
    with running(gzip=False) as client:
        assert "Content-Encoding" not in client.ask("users").headers


def test_requests_are_logged(lively: Client) -> None:
    lively.ask("users", limit=1)
    lively.ask("nothing")
    first, second = lively.sandbox.requests
    assert (first.number, first.method, first.path, first.query, first.status) == (
        1,
        "GET",
        "/resources/users",
        "limit=1",
        200,
    )
    assert first.bytes > 0
    assert first.time <= second.time
    assert lively.sandbox.requests.by_status() == {200: 1, 404: 1}
    assert lively.sandbox.requests.by_path() == {"/resources/users": 1, "/resources/nothing": 1}
    lively.sandbox.requests.clear()
    assert lively.sandbox.requests == []


def test_something_can_happen_before_a_request_is_answered(lively: Client) -> None:
    world = lively.sandbox.world
    lively.sandbox.before_request = lambda entry: (
        world.create("users", name="Late") if entry.number == 2 else None
    )
    assert lively.json("users", limit=1)["results"][0]["name"] != "Late"
    assert lively.json("users", limit=1)["results"][0]["name"] == "Late"


def test_a_mistake_in_what_happens_before_a_request_shows(
    lively: Client, caplog: pytest.LogCaptureFixture
) -> None:
    lively.sandbox.before_request = lambda _: 1 / 0
    assert lively.ask("users").status_code == 500
    assert "division by zero" in caplog.text


def test_changes_and_requests_may_come_at_the_same_time(lively: Client) -> None:
    def live() -> None:
        random = Random(3)
        for _ in range(300):
            lively.sandbox.world.random_change(random, deletes=True)

    life = threading.Thread(target=live)
    life.start()
    while life.is_alive():
        assert lively.ask("users").status_code == 200
    life.join()


def test_latency_delays_every_answer() -> None:
    with running(latency=0.001) as client:
        assert client.ask("users").status_code == 200


def test_it_comes_back_on_the_same_port() -> None:
    world = World(accounts=1)
    with running(world) as client:
        url = client.sandbox.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=20)
    with running(world, port=int(url.rpartition(":")[2])) as client:
        assert client.sandbox.url == url
        assert client.ask("users").status_code == 200


def test_a_client_that_waits_does_not_keep_it_from_stopping() -> None:
    def ask_in_vain() -> None:
        with pytest.raises(requests.ConnectionError):
            client.ask("users")

    with running() as client:
        spoil(client, "stall", seconds=3600)
        for _ in range(2):
            with pytest.raises(requests.ReadTimeout):
                client.get(f"{client.sandbox.url}/resources/users", timeout=0.1)
        waiting = threading.Thread(target=ask_in_vain)
        came = threading.Event()
        client.sandbox.before_request = lambda _: came.set()
        waiting.start()
        came.wait()
    waiting.join()


def test_the_control_interface(lively: Client) -> None:
    control = f"{lively.sandbox.url}/control"
    world = lively.sandbox.world

    def call(method: str, path: str, body: Any = None) -> Any:
        return requests.request(method, f"{control}/{path}", json=body, timeout=20).json()

    assert call("GET", "health")["rows"]["users"] == 16
    lively.ask("users")
    log = call("GET", "requests")
    assert (log["count"], log["byStatus"], log["byPath"]) == (
        1,
        {"200": 1},
        {"/resources/users": 1},
    )
    assert log["requests"][0]["path"] == "/resources/users"
    call("DELETE", "requests")
    assert call("GET", "requests")["count"] == 0

    assert call("POST", "day")["users updated"] == 1
    assert "deleted" in str(call("POST", "day", {"deletes": 1}))
    truth = call("GET", "truth/custom_fields")
    assert truth["count"] == len(truth["rows"]) == len(world.truth("custom_fields"))
    assert call("GET", "truth/users?rows=false") == {"count": len(world.truth("users"))}
    assert "no such stream" in call("GET", "truth/nothing")["error"]

    user = world.ids("users")[0]
    row = call("POST", "change", {"op": "create", "resource": "users", "fields": {"name": "N"}})
    assert row["row"]["name"] == "N"
    update = {"op": "update", "resource": "users", "id": user, "fields": {"name": "M"}}
    assert call("POST", "change", update)["row"]["name"] == "M"
    assert call("POST", "change", {"op": "deactivate", "id": user})["row"]["deactivatedAt"]
    assert call("POST", "change", {"op": "delete", "resource": "users", "id": user}) == {
        "row": None
    }
    assert "error" in call("POST", "change", {"op": "explode"})
    assert "error" in call("POST", "change", {"op": "churn", "id": "nothing"})

    call("POST", "faults", [{"kind": "status", "path": "users", "status": 503}])
    assert lively.ask("users").status_code == 503
    call("POST", "refuse", {"path": "notes", "status": 404})
    assert lively.ask("notes").status_code == 404
    call("DELETE", "faults")
    assert lively.ask("users").status_code == lively.ask("notes").status_code == 200
    assert "no such fault" in call("POST", "faults", [{"kind": "nothing"}])["error"]

    assert call("POST", "clock", {"offset": 3600})["now"].startswith("2026-03-04T06:06:07")
    assert lively.ask("users").headers["Date"] == "Wed, 04 Mar 2026 06:06:07 GMT"


def test_the_command_line(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [
        *(sys.executable, "-m", "sandbox", "--accounts", "1", "--size", "users=7", "--limit", "2"),
        *("--rate-model", "bucket", "--key", "other", "--port-file", str(port_file)),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        url = f"http://127.0.0.1:{port_file.read_text()}"
        assert line == f"Vitally sandbox on {url} (key: other)\n"
        answer = requests.get(f"{url}/resources/users", auth=("other", ""), timeout=20)
        assert len(answer.json()["results"]) == 7
        assert answer.headers["RateLimit-Limit"] == "2, 2;window=60"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""


def test_the_command_line_refuses_an_unknown_size() -> None:
    command = [sys.executable, "-m", "sandbox", "--size", "nothing=7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such resource: nothing" in done.stderr
