"""What is found in an answer of one record, in every shape in which it may come."""

from __future__ import annotations

from typing import Any

import pytest

from tap_vitally.streams.conversations import MessagesStream
from tap_vitally.streams.meetings import MeetingTranscriptsStream
from tap_vitally.sync.surveys import questions_in
from tap_vitally.sync.transcripts import transcript_in
from vitally_api import Unreadable, single

RECORD = {"id": "t1", "meetingId": "m1", "createdAt": "2026-03-04T05:06:07.000Z"}
TURNS = [{"sentences": []}, {"speaker": "them"}]


@pytest.mark.parametrize("identity", [None, "", "  ", {}, [], True, 1.5])
def test_a_transcript_without_an_id_of_its_own_has_its_meetings(identity: Any) -> None:
    shape = MeetingTranscriptsStream.resource.shape
    assert shape
    assert shape({"id": identity, "meetingId": "m1"})["id"] == "m1"
    assert shape({"id": 0, "meetingId": "m1"})["id"] == 0


@pytest.mark.parametrize("body", [TURNS, {"data": TURNS}, [None, *TURNS]])
def test_turns_alone_are_one_transcript(body: Any) -> None:
    (found,) = transcript_in(body)
    assert [turn for turn in found["transcript"] if turn] == TURNS


@pytest.mark.parametrize("body", [[{"id": "a"}, None, 5], {"results": [{"id": "a"}, None, 5]}])
def test_what_stands_beside_a_record_hides_it_not(body: Any) -> None:
    assert single(body) == [{"id": "a"}, None, 5]


@pytest.mark.parametrize("body", [[None], 5, "text", {"error": "no"}, {"data": [5]}])
def test_what_holds_no_record_is_no_answer(body: Any) -> None:
    with pytest.raises(Unreadable):
        single(body)


@pytest.mark.parametrize("identity", [0, "c1", "", None])
def test_messages_are_found_whatever_the_id_of_their_conversation(identity: Any) -> None:
    parse = MessagesStream.resource.parse
    assert parse
    (message,) = parse({"id": identity, "messages": [{"id": "m1"}], "accounts": {"id": "a1"}})
    assert message["conversationAccountIds"] == ["a1"]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"error": "no"}, {"id": ""}, {"messages": {"id": 1}}]
)
def test_what_is_no_conversation_is_no_answer(body: Any) -> None:
    parse = MessagesStream.resource.parse
    assert parse
    with pytest.raises(Unreadable):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        {**RECORD, "transcript": TURNS},
        {"data": {**RECORD, "transcript": TURNS}},
        {"data": [{**RECORD, "transcript": TURNS}]},
        {"data": {"data": {**RECORD, "transcript": TURNS}}},
        {"result": {**RECORD, "transcript": TURNS}},
        {"meetingTranscript": {**RECORD, "transcript": TURNS}},
        {"transcript": {**RECORD, "transcript": TURNS}},
        {**RECORD, "data": TURNS},
        {**RECORD, "data": {"transcript": TURNS}},
        {**RECORD, "results": {"data": TURNS}},
        {**RECORD, "transcript": {"data": TURNS}},
        {**RECORD, "transcript": {"results": TURNS}},
        {"id": "t1", "data": {**RECORD, "transcript": TURNS}},
        {"meetingId": "m1", "data": {**RECORD, "transcript": TURNS}},
    ],
    ids=str,
)
def test_a_transcript_is_found_in_any_envelope(body: Any) -> None:
    shape = MeetingTranscriptsStream.resource.shape
    assert shape
    (row,) = transcript_in(body)
    found = {name: value for name, value in shape(row).items() if value is not None}
    assert found == {**RECORD, "transcript": TURNS}


@pytest.mark.parametrize("wrap", ["data", "results", "result", "record", "item", "conversation"])
def test_a_conversation_is_found_in_any_envelope(wrap: str) -> None:
    parse = MessagesStream.resource.parse
    assert parse
    conversation = {"id": "c1", "messages": [{"id": "m1"}], "accounts": ["a1"]}
    assert parse({wrap: conversation}) == parse(conversation)


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([{"questionId": "q1"}, {"questionId": 2}], ["q1", "2"]),
        ([{"questionId": {"id": "q1"}}, {"question": {"id": "q2"}}], ["q1", "q2"]),
        ([{"questionId": {"name": "q1"}}, {"data": 5}, None], [None, None]),
        ({"questionId": "q1"}, ["q1"]),
        ({"a": {"questionId": "q1"}, "b": {"questionId": []}}, ["q1", None]),
        (None, []),
    ],
    ids=str,
)
def test_an_answer_that_does_not_tell_its_question_is_counted(answers: Any, found: Any) -> None:
    assert questions_in(answers) == found


def test_a_property_that_is_called_as_an_envelope_hides_no_record() -> None:
    record = {"id": "a1", "items": [{"id": "x"}], "data": {"a": 1}, "results": [5]}
    assert single(record) == [record]
