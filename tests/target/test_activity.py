"""Every other resource: created, updated, left alone and deleted, each reference in each way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.target import Row, messages, write
from harness.workspace import Workspace

MEETING = {"externalId": "m1", "title": "QBR", "participants": [{"email": "u@example.com"}]}
SPEECH = [
    {"speaker": {"externalId": "s"}, "sentences": [{"text": "Hi", "startTime": 0, "endTime": 5}]}
]
CASES: dict[str, tuple[str, Row, Row]] = {
    # stream: table, the row, what a second row says otherwise
    "tasks": (
        "tasks",
        {
            "externalId": "t1",
            "name": "Call",
            "account_external_id": "a1",
            "assigned_to_email": "ada@example.com",
            "completed_by_email": "ada@example.com",
            "completed_at": "2026-01-01T12:00:00+02:00",
            "category_name": "Usual",
            "due_date": "2026-01-31",
            "tags": ["x"],
            "description": "<p>Hi</p>",
            "traits": {"vitally.custom.next": "call"},
        },
        {"name": "Call again"},
    ),
    "notes": (
        "notes",
        {
            "externalId": "n1",
            "note": "<p>Good</p>",
            "noteDate": "2026-01-01",
            "organizationExternalId": "o1",
            "authorEmail": "ada@example.com",
            "categoryName": "Usual",
            "tags": ["x"],
        },
        {"subject": "Kick-off"},
    ),
    "nps_responses": (
        "npsResponses",
        {"externalId": "r1", "userExternalId": "u1", "score": 9, "respondedAt": "2026-01-01"},
        {"score": 3},
    ),
    "conversations": (
        "conversations",
        {
            "externalId": "c1",
            "subject": "Trouble",
            "messages": [
                {
                    "externalId": "x1",
                    "message": "<p>Hello</p>",
                    "timestamp": "2026-01-02T09:00:00Z",
                    "from": {"type": "user", "externalId": "u1"},
                    "to": [{"email": "ada@example.com"}],
                }
            ],
        },
        {"subject": "No trouble"},
    ),
    "messages": (
        "messages",
        {
            "externalId": "x2",
            "conversationExternalId": "c0",
            "message": "<p>Hello</p>",
            "timestamp": "2026-01-02T09:00:00Z",
            "from": {"type": "user", "email": "u@example.com"},
            "to": [{"type": "admin", "email": "ada@example.com"}],
        },
        {"message": "<p>Hello again</p>"},
    ),
    "custom_objects": (
        "customObjects",
        {
            "name": "pulse",
            "label": "Pulse",
            "writeMode": "writable",
            "customFields": [{"label": "Mood", "type": "string"}],
        },
        {"label": "The pulse"},
    ),
    "custom_object_instances": (
        "instances",
        {
            "externalId": "i1",
            "name": "Renewal",
            "customObjectName": "deal",
            "accountExternalId": "a1",
            "ownerEmail": "ada@example.com",
            "traits": {"vitally.custom.stage": "won"},
        },
        {"traits": {"vitally.custom.stage": "lost"}},
    ),
    "meetings": ("meetings", MEETING, {"summary": "All good"}),
}
PERMANENT = {"npsResponses", "conversations", "messages", "customObjects"}


@pytest.fixture
def full(here: Workspace) -> Workspace:
    """A workspace with somebody and something of everything that rows refer to."""
    organization = here.put("organizations", externalId="o1", name="O")
    account = here.put("accounts", externalId="a1", name="A", organizationId=organization["id"])
    here.put("users", externalId="u1", email="u@example.com", accountIds=[account["id"]])
    here.put("conversations", externalId="c0", subject="Old")
    here.put("customObjects", name="deal", label="Deal", writeMode="writable", customFields=[])
    return here


@pytest.mark.parametrize("stream", CASES)
def test_a_record_lives_from_its_row_to_its_delete(full: Workspace, stream: str) -> None:
    table, row, change = CASES[stream]
    before = len(full.rows(table))
    first = write(full, messages(**{stream: [row]}))
    assert first.words == ["created"], first
    assert len(full.rows(table)) == before + 1
    made = full.rows(table)[-1]["id"]
    full.log.clear()
    assert write(full, messages(**{stream: [row]})).words == ["unchanged"]
    assert full.writes() == []
    assert write(full, messages(**{stream: [{**row, **change}]})).words == ["updated"]
    assert write(full, messages(**{stream: [{**row, **change}]})).words == ["unchanged"]
    gone = {**row, **change, "_deleted": True}
    deleted = write(
        full, messages(**{stream: [gone]}), deletes="delete", delete_custom_objects=True
    )
    assert deleted.words == ["deleted"], deleted
    left = [r for r in full.rows(table) if r["id"] == made]
    assert left == [] if table in PERMANENT else left[0]["archivedAt"]
    again = write(full, messages(**{stream: [gone]}), deletes="delete", delete_custom_objects=True)
    assert again.words == ["unchanged"]


@pytest.mark.parametrize("stream", CASES)
def test_a_plan_writes_nothing_and_is_then_carried_out(full: Workspace, stream: str) -> None:
    _, row, change = CASES[stream]
    plan = write(full, messages(**{stream: [row]}), dry_run=True)
    assert (plan.words, plan.states, full.writes()) == (["created"], [], [])
    assert write(full, messages(**{stream: [row]})).words == ["created"]
    full.log.clear()
    plan = write(full, messages(**{stream: [{**row, **change}]}), dry_run=True)
    assert (plan.words, full.writes()) == (["updated"], [])
    assert any(name.startswith(next(iter(change))) for name in plan.results[0]["changes"])


@pytest.mark.parametrize("stream", [name for name in CASES if name != "custom_objects"])
@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ("update", "lost"),
        ("conflict", "lost"),
        ("duplicate", "lost"),
        ("update", "cut"),
        ("update", "502"),
    ],
)
def test_nothing_is_written_twice_when_answers_are_lost(
    full: Workspace, stream: str, known: Any, fault: str
) -> None:
    full.switches.on_known = known
    table, row, change = CASES[stream]
    before = len(full.rows(table))
    broken = {"POST": 1, "PUT": 1}

    def once(method: str, _path: str, _count: int) -> str:
        if broken.get(method, 0):
            broken[method] -= 1
            return fault
        return ""

    full.fault = once
    assert write(full, messages(**{stream: [row]})).words == ["created"]
    assert write(full, messages(**{stream: [{**row, **change}]})).words == ["updated"]
    assert len(full.rows(table)) == before + 1
    assert write(full, messages(**{stream: [{**row, **change}]})).words == ["unchanged"]


@pytest.mark.parametrize("stream", ["tasks", "notes", "custom_object_instances"])
def test_what_is_archived_is_not_revived(full: Workspace, stream: str) -> None:
    table, row, change = CASES[stream]
    write(full, messages(**{stream: [row]}))
    full.rows(table)[0]["archivedAt"] = "2026-01-01T00:00:00.000Z"
    found = write(full, messages(**{stream: [{**row, **change}]}))
    assert found.words == ["rejected"]
    assert "archived" in found.reasons


PROJECT = {
    "accountExternalId": "a1",
    "templateName": "Usual",
    "name": "Start",
    "projectCategoryName": "Usual",
}


@pytest.mark.parametrize("customer", [False, True])
def test_a_project_is_made_from_a_template(full: Workspace, *, customer: bool) -> None:
    full.switches.wants_customer = customer
    row = {**PROJECT, "targetStartDate": "2026-03-01"}
    assert write(full, messages(projects=[row])).words == ["created"]
    made = full.rows("projects")[0]
    assert made["accountId"] == full.rows("accounts")[0]["id"]
    by_id = [{"id": made["id"], "name": "Go", "targetStartDate": "2026-03-01T00:00:00Z"}]
    assert write(full, messages(projects=by_id)).words == ["updated"]
    assert full.rows("projects")[0]["name"] == "Go"
    gone = [{"id": made["id"], "_deleted": True}]
    assert write(full, messages(projects=gone), deletes="delete").words == ["deleted"]


@pytest.mark.parametrize("fault", ["lost", "cut"])
def test_a_project_without_a_key_is_never_sent_twice(full: Workspace, fault: str) -> None:
    full.fault = lambda method, _path, _count: fault if method == "POST" else ""
    found = write(full, messages(projects=[PROJECT]))
    assert found.words == ["uncertain"]
    assert found.states == [{"end": True}]
    assert "1 are uncertain" in found.failure
    assert len(full.writes()) == 1


def test_a_project_with_a_trait_for_a_key_is_found_again(full: Workspace) -> None:
    streams = {
        "starts": {
            "resource": "projects",
            "match": "trait:vitally.custom.key",
            "traits": {"vitally.custom.key": "deal"},
        }
    }
    rows = [{**PROJECT, "deal": "d1"}]
    full.fault = lambda method, _path, count: "lost" if method == "POST" and count < 9 else ""
    assert write(full, messages(starts=rows), streams=streams).words == ["created"]
    full.fault = lambda *_: ""
    assert write(full, messages(starts=rows), streams=streams).words == ["unchanged"]
    assert len(full.rows("projects")) == 1


def test_participants_come_and_go_one_by_one(full: Workspace) -> None:
    write(full, messages(meetings=[MEETING]))
    people = [{"email": "ada@example.com", "type": "organizer"}, {"email": "new@example.com"}]
    rows = [{**MEETING, "participants": people}]
    exact: dict[str, Any] = {"streams": {"meetings": {"links": "exact"}}, "deletes": "delete"}
    assert write(full, messages(meetings=rows), **exact).words == ["updated"]
    present = full.rows("meetings")[0]["participants"]
    assert [p.get("email") for p in present] == [None, "new@example.com"]
    assert present[0]["vitallyUserId"] == full.rows("admins")[0]["id"]
    assert write(full, messages(meetings=rows), **exact).words == ["unchanged"]


def test_a_transcript_replaces_the_one_before(full: Workspace) -> None:
    write(full, messages(meetings=[MEETING]))
    rows = [{"meetingExternalId": "m1", "transcript": SPEECH}]
    assert write(full, messages(meeting_transcripts=rows)).words == ["created"]
    assert write(full, messages(meeting_transcripts=rows)).words == ["unchanged"]
    rows[0]["transcript"] = SPEECH * 2
    assert write(full, messages(meeting_transcripts=rows)).words == ["updated"]
    assert len(next(iter(full.tables["transcripts"].values()))["transcript"]) == 2


def test_tags_that_a_row_does_not_name_are_kept(full: Workspace) -> None:
    _, row, _ = CASES["tasks"]
    write(full, messages(tasks=[row]))
    change = [{"externalId": "t1", "name": "Other"}]
    assert write(full, messages(tasks=change)).words == ["updated"]
    assert full.rows("tasks")[0]["tags"] == ["x"]
    assert write(full, messages(tasks=[{"externalId": "t1", "tags": []}])).words == ["updated"]
    assert full.rows("tasks")[0]["tags"] == []


def test_a_message_of_a_conversation_that_is_not_there_is_rejected(full: Workspace) -> None:
    row = {**CASES["messages"][1], "conversationExternalId": "nowhere"}
    assert write(full, messages(messages=[row])).words == ["rejected"]


def test_a_custom_object_keeps_the_fields_that_a_row_does_not_name(full: Workspace) -> None:
    _, row, _ = CASES["custom_objects"]
    write(full, messages(custom_objects=[row]))
    more = {**row, "customFields": [{"label": "Owner", "type": "string"}]}
    assert write(full, messages(custom_objects=[more])).words == ["updated"]
    labels = [field["label"] for field in full.rows("customObjects")[-1]["customFields"]]
    assert labels == ["Mood", "Owner"]
    assert write(full, messages(custom_objects=[more])).words == ["unchanged"]
    assert write(full, messages(custom_objects=[more]), only_changed=False).words == ["updated"]
    labels = [field["label"] for field in full.rows("customObjects")[-1]["customFields"]]
    assert labels == ["Mood", "Owner"]


def test_an_empty_list_of_fields_says_nothing(full: Workspace) -> None:
    _, row, _ = CASES["custom_objects"]
    write(full, messages(custom_objects=[{**row, "customFields": []}]))
    write(full, messages(custom_objects=[row]))
    assert write(full, messages(custom_objects=[{**row, "customFields": []}])).words == [
        "unchanged"
    ]
    write(full, messages(custom_objects=[{**row, "customFields": []}]), only_changed=False)
    labels = [field["label"] for field in full.rows("customObjects")[-1]["customFields"]]
    assert labels == ["Mood"]


def test_fields_of_one_label_are_one(full: Workspace) -> None:
    _, row, _ = CASES["custom_objects"]
    fields = [{"label": "Mood", "type": "string"}, {"label": "Mood", "type": "number"}]
    write(full, messages(custom_objects=[{**row, "customFields": fields}]))
    made = full.rows("customObjects")[-1]["customFields"]
    assert [(field["label"], field["type"]) for field in made] == [("Mood", "number")]


def test_a_field_that_is_no_object_rejects_its_row(full: Workspace) -> None:
    _, row, _ = CASES["custom_objects"]
    found = write(full, messages(custom_objects=[{**row, "customFields": ["Mood"]}]))
    assert found.words == ["rejected"]
    assert "customFields: it takes fields as objects" in found.reasons


def test_a_row_may_be_sent_for_the_stream_to_say_which_object(full: Workspace) -> None:
    streams = {"deals": {"resource": "custom_object_instances", "custom_object": "deal"}}
    rows = [{"external_id": "i9", "name": "Nine", "account_external_id": "a1"}]
    assert write(full, messages(deals=rows), streams=streams).words == ["created"]


def test_errors_that_come_with_200_are_errors(
    open_workspace: Callable[..., Workspace],
) -> None:
    here = open_workspace(error_as_200=True)
    rows = [{"externalId": "1", "name": "poison"}, {"externalId": "2", "name": "good"}]
    assert write(here, messages(accounts=rows)).words == ["rejected", "created"]
