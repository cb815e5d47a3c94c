"""What is found in an answer of one record, in every shape in which it may come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tap_vitally.sync.resource import Record
from vitally_api import ENVELOPES, Unreadable, single
from vitally_api.values import identity_of

TURN = {"speaker", "sentences"}
"""What a turn of a transcript has; it may lack any."""
TURNS_AT = ("transcript", *ENVELOPES)
"""Where the turns of a transcript may stand."""


def transcript_in(body: Any) -> list[Record]:
    """Return the transcript in an answer, which may hold none.

    The answer is a transcript, its turns alone, either of them in an envelope, or nothing. A
    transcript without a text, or with one under a name that is not known, is one all the same.
    """
    found = single(body)
    names = {name for row in found if isinstance(row, dict) for name in row}
    if "transcript" not in names and names & TURN:
        return [{"transcript": found}]
    return found


def with_turns(transcript: Record) -> Record:
    """Return a transcript with its turns as ``transcript``, where they stand in an envelope."""
    place = next((name for name in TURNS_AT if isinstance(transcript.get(name), list | dict)), "")
    turns = held = transcript.get(place)
    while isinstance(turns, dict):
        found = (inner for name in TURNS_AT if isinstance(inner := turns.get(name), list | dict))
        turns = next(found, None)
    if not isinstance(turns, list) or (place == "transcript" and turns is held):
        return transcript
    beside = held if isinstance(held, dict) and place != "transcript" else {}
    more = {n: v for n, v in beside.items() if n not in TURNS_AT and transcript.get(n) is None}
    return {**transcript, **more, place: None, "transcript": turns}


def completed(known: Record, row: Any) -> Any:
    """Put a detail over what is known, but no null over something, and no empty id."""
    if not isinstance(row, dict):
        return row
    found = {name: value for name, value in row.items() if value is not None}
    if identity_of(known.get("id")) and not identity_of(found.get("id")):
        found.pop("id", None)
    return {**known, **found}


def conversation_in(body: Any) -> Any:
    """Return the conversation in an answer, which may be in an envelope; else the answer as it is."""
    if not isinstance(body, dict) or body.keys() & {"id", "messages"}:
        return body
    found = single(body)
    return found[0] if len(found) == 1 else body


def breakdown_in(body: Any) -> list[Record]:
    """Keep a health breakdown as it came, since no source shows its shape; none without scores.

    A list becomes an object of ``results``, because a column holds objects.
    """
    if isinstance(body, dict) and body.get("error"):
        msg = "an error in place of data"
        raise Unreadable(msg)
    nothing: tuple[Any, ...] = (None, [], {})
    if body in nothing or (isinstance(body, dict) and all(v in nothing for v in body.values())):
        return []
    return [{"breakdown": {"results": body} if isinstance(body, list) else body}]


def questions_in(answers: Any) -> list[str | None]:
    """Return the ids of the questions that answers are to; None for an answer without one."""
    if isinstance(answers, dict):
        answers = [answers] if "questionId" in answers else list(answers.values())
    found = answers if isinstance(answers, list) else []
    return [_question_of(answer) for answer in found if isinstance(answer, dict)]


def _question_of(answer: Mapping[str, Any]) -> str | None:
    named = (answer.get("questionId"), answer.get("question"))
    ids = (identity_of(each.get("id") if isinstance(each, dict) else each) for each in named)
    return next(filter(None, ids), None)
