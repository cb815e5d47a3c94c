"""Answers to custom surveys, and the questions asked in them."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.resource import Record
from tap_vitally.sync.sources import read_detail
from tap_vitally.sync.surveys import QUESTIONS, SURVEYS
from vitally_api import single

SURVEY_ID = f.text(
    "surveyId", "Survey, as named by the setting survey_ids; the API has no list of surveys."
)


def _with_one_user(row: Record) -> Record:
    """Merge the two properties for the user's id into one, unless they have different ids."""
    user = row.get("userID")
    if row.get("userId") is None:
        row["userId"] = user
    if user == row["userId"]:
        row.pop("userID", None)
    return row


class SurveyResponsesStream(VitallyStream):
    """Responses to the custom surveys named by the setting survey_ids; empty without it.

    API: GET /surveys/:id/responses
    """

    name = "survey_responses"
    parents = "surveys"
    shape = _with_one_user
    contexts = SURVEYS
    parent_key = "surveyId"
    records_jsonpath = "$.data[*]"
    replication_key = None
    schema = f.record(
        f.ID,
        SURVEY_ID,
        f.CREATED_AT,
        f.UPDATED_AT,
        f.moment("respondedAt", "When the survey was answered."),
        f.text("userId", "User who answered (users.id), whether sent as userId or as userID."),
        f.ACCOUNT_ID,
        f.ORGANIZATION_ID,
        *f.LINKS,
        f.text("title", "Documented for responses, though it seems to describe a question."),
        f.text("body", "Documented for responses, though it seems to describe the survey."),
        f.objects(
            "questionResponses",
            "Answers, each with questionId (survey_questions.id) and data; data.type says whether"
            " data.value is a string, a number, a date or an array.",
        ),
    )


class SurveyQuestionsStream(VitallyStream):
    """Questions that the responses in survey_responses refer to; empty without survey_ids.

    A question nobody has answered is missing: the API names questions only in responses.

    API: GET /surveyQuestions/:id
    """

    name = "survey_questions"
    parents = "questions"
    of = SurveyResponsesStream
    paginated = False
    parse = single
    contexts = QUESTIONS
    source = read_detail
    replication_key = None
    schema = f.record(
        f.ID,
        SURVEY_ID,
        f.text("title", "The question."),
        f.text("body", "Text that explains the question."),
        f.text("type", "Kind of answer asked for."),
        f.flag("isRequired", "Whether the question must be answered."),
    )
