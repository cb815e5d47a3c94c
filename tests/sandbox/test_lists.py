"""Requests and lists are those of the API that the sandbox stands for (API notes)."""

from __future__ import annotations

import base64

import pytest
import requests

from sandbox.expected_rows import NESTED, WHOLE_TABLES
from tests.sandbox.client import Client, as_sent, contexts, error_message, json_text, running

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


def test_some_methods_do_not_exist(still: Client) -> None:
    for method in ("PATCH", "HEAD"):
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
    expected_rows = as_sent(small.sandbox, list(world.expected_rows(stream).values()))
    assert expected_rows
    assert sorted(rows, key=json_text) == sorted(expected_rows, key=json_text)


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
    messages = [
        row for row in world.expected_rows("messages").values() if row["conversationId"] == key
    ]
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
