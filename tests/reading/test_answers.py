"""What is found in an answer of one record, in every shape in which it may come."""

from __future__ import annotations

from typing import Any

import pytest

from tap_vitally.reading.transcripts import transcript_in
from tap_vitally.streams.conversations import MessagesStream
from tap_vitally.streams.meetings import MeetingTranscriptsStream
from vitally_api import Unreadable, single

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
