"""Answers to custom surveys, and the questions asked in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from singer_sdk import typing as th

from tap_vitally.children import ChildStream, DetailStream
from tap_vitally.contexts import Context, Parent, Record
from tap_vitally.fragments import (
    ACCOUNT_ID,
    CREATED_AT,
    ID,
    OBJECTS,
    ORGANIZATION_ID,
    UPDATED_AT,
    record_schema,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SURVEY_ID = th.Property(
    "surveyId",
    th.StringType,
    description="Survey, as named by the setting survey_ids; the API has no list of surveys.",
)


class SurveyResponsesStream(ChildStream):
    """Responses to the custom surveys named by the setting survey_ids; empty without it.

    API: GET /surveys/:id/responses
    """

    name = "survey_responses"
    parent_name = "surveys"
    parent_key = "surveyId"
    path = "/surveys/{surveyId}/responses"
    records_jsonpath = "$.data[*]"
    replication_key = None
    sortable = False
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        SURVEY_ID,
        CREATED_AT,
        UPDATED_AT,
        th.Property("respondedAt", th.DateTimeType, description="When the survey was answered."),
        th.Property(
            "userId",
            th.StringType,
            description="User who answered (users.id), whether sent as userId or as userID.",
        ),
        ACCOUNT_ID,
        ORGANIZATION_ID,
        th.Property(
            "title",
            th.StringType,
            description="Documented for responses, though it seems to describe a question.",
        ),
        th.Property(
            "body",
            th.StringType,
            description="Documented for responses, though it seems to describe the survey.",
        ),
        th.Property(
            "questionResponses",
            OBJECTS,
            description=(
                "Answers, each with questionId (survey_questions.id) and data; data.type says"
                " whether data.value is a string, a number, a date or an array."
            ),
        ),
    )

    def parents(self) -> Iterable[Parent]:
        """Find the surveys.

        Returns:
            Those the operator names: the API has no list of them.
        """
        return [Parent(survey) for survey in self.run.settings.survey_ids]

    def shape(self, row: Record) -> Record:
        """Fold the two spellings of the user's id into one.

        Args:
            row: A response.

        Returns:
            The record.
        """
        user = row.pop("userID", None)
        if row.get("userId") is None:
            row["userId"] = user
        return super().shape(row)


class SurveyQuestionsStream(DetailStream):
    """Questions that the responses in survey_responses refer to; empty without survey_ids.

    A question nobody has answered is missing: the API names questions only in responses.

    API: GET /surveyQuestions/:id
    """

    name = "survey_questions"
    parent_name = "questions"
    path = "/surveyQuestions/{questionId}"
    replication_key = None
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        SURVEY_ID,
        th.Property("title", th.StringType, description="The question."),
        th.Property("body", th.StringType, description="Text that explains the question."),
        th.Property("type", th.StringType, description="Kind of answer asked for."),
        th.Property(
            "isRequired",
            th.BooleanType,
            description="Whether the question must be answered.",
        ),
    )

    def contexts(self) -> Iterator[Context]:
        """Find the questions that the responses refer to.

        Yields:
            One context per question and survey.
        """
        responses = self.run.stream(SurveyResponsesStream.name)
        for survey in self.run.settings.survey_ids:
            asked: dict[str, None] = {}
            for response in responses.listed({"surveyId": survey}):
                for answer in response.get("questionResponses") or []:
                    if question := answer.get("questionId"):
                        asked[question] = None
            for question in asked:
                path = self.path.format(questionId=quote(question, safe=""))
                yield Context(path, inject={"surveyId": survey}, parent=Parent(question))

    def rows(self, body: Any) -> list[Record]:
        """Find the question in an answer of any shape.

        Args:
            body: The answer.

        Returns:
            The question.
        """
        return self.found(body)
