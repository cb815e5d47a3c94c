"""Answers to custom surveys, and the questions asked in them."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.resource import Record
from tap_vitally.sync.sources import read_detail
from tap_vitally.sync.surveys import QUESTIONS, SURVEYS
from vitally_api import single


def _with_one_user(row: Record) -> Record:
    """Fold the two spellings of the user's id into one, unless they name two users."""
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
    schema = f.record("survey_responses")


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
    schema = f.record("survey_questions")
