"""Surveys, which the operator names, and the questions that their responses refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.children import ChildReader, DetailReader
from tap_vitally.sync.coerce import identity_of
from tap_vitally.sync.stream_reader import RequestEstimate

NO_SURVEYS = "survey_ids is not set"


class SurveyReader(ChildReader):
    """Reads the surveys that the operator names: the API has no list of them."""

    @property
    @override
    def without_parents(self) -> str:
        return NO_SURVEYS

    @override
    def parents(self) -> Iterable[Parent]:
        return [Parent(survey) for survey in self.workspace.settings.survey_ids]


class QuestionReader(DetailReader):
    """Reads the questions that the responses to the surveys refer to."""

    @override
    def estimate(self) -> RequestEstimate:
        if not self.workspace.settings.survey_ids:
            return RequestEstimate(0, 0, NO_SURVEYS)
        questions = sum(1 for _ in self.contexts())
        return RequestEstimate(questions, questions, f"{questions:,} questions that were answered")

    @property
    @override
    def without_parents(self) -> str:
        return super().without_parents if self.workspace.settings.survey_ids else NO_SURVEYS

    @override
    def lists_to_check(self) -> Iterator[list[ListRequest]]:
        for context in self.contexts():
            yield [context]

    @override
    def contexts(self) -> Iterator[ListRequest]:
        """Find one context per question and survey."""
        assert self.resource.of  # noqa: S101 - the declaration names the responses
        responses = self.workspace.list_client(self.resource.of.name)
        for survey in self.workspace.settings.survey_ids:
            asked: dict[str, None] = {}
            for response in responses.rows_of({"surveyId": survey}):
                for question in questions_in(response.get("questionResponses")):
                    if question is None:
                        self.skip("an answer without the id of its question")
                    else:
                        asked[question] = None
            for question in asked:
                path = self.resource.path.format(questionId=quote(question, safe=""))
                yield ListRequest(path, inject={"surveyId": survey}, parent=Parent(question))


def questions_in(answers: Any) -> list[str | None]:
    """Find the ids of the questions that answers are to, in whatever shape the answers come.

    An answer that tells no id is a None.
    """
    if isinstance(answers, dict):
        answers = [answers] if "questionId" in answers else list(answers.values())
    found = answers if isinstance(answers, list) else []
    return [_question_of(answer) for answer in found if isinstance(answer, dict)]


def _question_of(answer: Mapping[str, Any]) -> str | None:
    reported = (answer.get("questionId"), answer.get("question"))
    ids = (identity_of(each.get("id") if isinstance(each, dict) else each) for each in reported)
    return next(filter(None, ids), None)
