"""Single rows and searches are those of the API (API notes)."""

from __future__ import annotations

import pytest

from sandbox import World
from tests.sandbox.client import Client, as_sent, running


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
    expected_rows = world.expected_rows("custom_fields")
    assert {key for key in expected_rows if key[0] == "accounts"} == {
        ("accounts", field["path"]) for field in fields
    }
    for parent in world.ids("customObjects"):
        fields = still.json("customFields", model="customObjects", customObjectId=parent)
        for field in fields:
            row = world.expected_rows("custom_object_fields")[parent, field["path"]]
            assert row == field | {"customObjectId": parent}


def test_health_scores_come_in_every_shape(still: Client) -> None:
    world = still.sandbox.world
    shapes = set()
    for account in world.ids("accounts"):
        answer = still.ask(f"accounts/{account}/healthScores")
        expected_rows = world.expected_rows("account_health_scores").get((account,))
        if expected_rows is None:
            assert answer.status_code == 404
            shapes.add("missing")
        else:
            assert answer.json() == expected_rows["answer"]
            body = answer.json()
            shapes.add("array" if isinstance(body, list) else min(body))
    assert shapes == {"array", "components", "results", "data", "missing"}


def test_a_missing_transcript_is_answered_in_every_way(still: Client) -> None:
    world = still.sandbox.world
    recorded = {row["meetingId"] for row in world.expected_rows("meeting_transcripts").values()}
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
        expected_rows = world.expected_rows("survey_questions")[(question,)]
        assert still.json(f"surveyQuestions/{question}") == {"data": expected_rows}
