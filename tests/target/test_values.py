"""Rows of other sources: values that nobody expects, and tables that each tap writes in its own way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.target import Row, messages, write
from harness.workspace import Workspace

STARTS = {
    "starts": {
        "resource": "projects",
        "match": "trait:vitally.custom.key",
        "traits": {"vitally.custom.key": "deal"},
    }
}


def project(deal: Any) -> Row:
    return {"deal": deal, "accountExternalId": "a1", "templateName": "Usual", "name": "Start"}


@pytest.fixture
def full(here: Workspace) -> Workspace:
    account = here.put("accounts", externalId="a1", name="A")
    here.put("users", externalId="u1", email="u@example.com", accountIds=[account["id"]])
    here.put("conversations", externalId="c0", subject="Old")
    return here


@pytest.mark.parametrize("odd", [[], {}, [1], {"a": 1}, True], ids=repr)
def test_what_is_no_key_is_one_rejected_row(full: Workspace, odd: Any) -> None:
    found = write(full, messages(starts=[project(odd), project("d1")]), streams=STARTS)
    assert found.words == ["rejected", "created"]
    assert "trait:vitally.custom.key: it takes text" in found.reasons


@pytest.mark.parametrize("name", ["type", "email", "externalId", "userId", "id", "responseStatus"])
@pytest.mark.parametrize("odd", [{"a": 1}, [1], True], ids=repr)
def test_a_person_who_is_none_is_one_rejected_row(full: Workspace, name: str, odd: Any) -> None:
    person = {"email": "u@example.com", name: odd}
    message = {"externalId": "x", "message": "Hi", "from": {"externalId": "u1"}, "to": [person]}
    good = {"externalId": "y", "message": "Hi", "from": {"externalId": "u1"}, "to": []}
    streams: dict[str, list[Row]] = {
        "meetings": [
            {"externalId": "m1", "title": "T", "participants": [person]},
            {"externalId": "m2", "title": "T", "participants": [{"email": "u@example.com"}]},
        ],
        "conversations": [
            {"externalId": "c1", "subject": "S", "messages": [message]},
            {"externalId": "c2", "subject": "S", "messages": [good]},
        ],
        "messages": [{**message, "conversationExternalId": "c0"}],
    }
    found = write(full, messages(**streams))
    assert found.words == ["rejected", "created", "rejected", "created", "rejected"]
    assert "of a person, it takes text" in found.reasons


@pytest.mark.parametrize("odd", [5, "x", {"externalId": ["x"]}, {"externalId": ""}], ids=repr)
def test_a_message_that_is_none_is_one_rejected_row(full: Workspace, odd: Any) -> None:
    rows = [{"externalId": "c1", "subject": "S", "messages": [odd]}]
    assert write(full, messages(conversations=rows)).words == ["rejected"]


@pytest.mark.parametrize("dots", [".", ".."])
@pytest.mark.parametrize(
    ("stream", "row"),
    [
        ("accounts", {"externalId": "?", "name": "A"}),
        ("accounts", {"id": "?", "name": "A"}),
        ("users", {"externalId": "u2", "accountExternalId": "?"}),
        ("messages", {"externalId": "x", "message": "Hi", "conversationId": "?"}),
        ("messages", {"externalId": "x", "message": "Hi", "conversationExternalId": "?"}),
        ("custom_object_instances", {"externalId": "?", "name": "I", "customObjectId": "o"}),
        ("custom_object_instances", {"externalId": "i", "name": "I", "customObjectId": "?"}),
        ("meeting_transcripts", {"meetingId": "?", "transcript": [{"text": "Hi"}]}),
        ("tasks", {"id": "?", "_deleted": True}),
        ("users", {"externalId": "?", "_deleted": True}),
    ],
)
def test_dots_never_become_an_address(full: Workspace, stream: str, row: Row, dots: str) -> None:
    said = {name: dots if value == "?" else value for name, value in row.items()}
    found = write(full, messages(**{stream: [said]}), deletes="delete")
    assert found.words == ["rejected"]
    assert "addresses" in found.reasons
    assert full.writes() == []


@pytest.mark.parametrize(
    "spellings",
    [
        ["4711.00", "4711", "4711.0", "4.711E+3"],
        ["1E+2", "100", "100.0"],
        ["9007199254740993", "9007199254740992", "9007199254740993.0"],
        ["0.1", "0.10000000000000000555"],
    ],
)
def test_a_number_finds_its_record_however_it_is_written(
    full: Workspace, spellings: list[str]
) -> None:
    """The workspace answers with doubles; the numbers stand in the input without quotes."""
    for number, spelled in enumerate(spellings):
        said = messages(starts=[project("NUMBER")])
        text = "\n".join(map(json.dumps, said)).replace('"NUMBER"', spelled)
        found = write(full, text, streams=STARTS)
        assert found.words == ["unchanged" if number else "created"], spelled
    assert len(full.rows("projects")) == 1


def test_all_digits_are_sent_and_what_comes_back_is_no_change(full: Workspace) -> None:
    row = {"externalId": "a1", "traits": {"ratio": "RATIO", "big": "BIG"}}
    text = "\n".join(map(json.dumps, messages(accounts=[row])))
    ratio, big = "41666.66666666666666666667", "9007199254740993"
    text = text.replace('"RATIO"', ratio).replace('"BIG"', big)
    assert write(full, text).words == ["updated"]
    sent = "".join(full.bodies)
    assert ratio in sent
    assert big in sent
    assert write(full, text).words == ["unchanged"]
