"""Read the surveys in the setting survey_ids, and the questions in their responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.contexts import PerParent
from tap_vitally.sync.stream_run import StreamRun
from vitally_api.values import identity_of


def _questions(stream: StreamRun) -> Iterator[Parent]:
    """Yield the questions of each survey, found in its responses, with ``surveyId`` in their record."""
    assert stream.resource.of  # noqa: S101 - the declaration names the responses
    responses = stream.workspace.list_client(stream.resource.of.name)
    for survey in stream.settings.survey_ids:
        asked: dict[str, None] = {}
        for response in responses.rows(Parent(survey)):
            for question in questions_in(response.get("questionResponses")):
                if question is None:
                    stream.metrics.skip("an answer without the id of its question")
                else:
                    asked[question] = None
        for question in asked:
            yield Parent(question, record={"surveyId": survey})


def _question(stream: StreamRun, parent: Parent) -> Iterator[ListRequest]:
    path = stream.resource.path.format(questionId=quote(parent.id, safe=""))
    yield ListRequest(path, inject=parent.record, parent=parent)


def questions_in(answers: Any) -> list[str | None]:
    """Return the question id of each answer; None for an answer without one."""
    if isinstance(answers, dict):
        answers = [answers] if "questionId" in answers else list(answers.values())
    found = answers if isinstance(answers, list) else []
    return [_question_of(answer) for answer in found if isinstance(answer, dict)]


def _question_of(answer: Mapping[str, Any]) -> str | None:
    named = (answer.get("questionId"), answer.get("question"))
    ids = (identity_of(each.get("id") if isinstance(each, dict) else each) for each in named)
    return next(filter(None, ids), None)


SURVEYS = partial(
    PerParent, find=lambda stream: map(Parent, stream.settings.survey_ids), setting="survey_ids"
)
"""The surveys are taken from the settings: the API has no list of them."""
QUESTIONS = partial(PerParent, find=_questions, lists=_question, setting="survey_ids")
