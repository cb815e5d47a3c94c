"""Makes custom fields, custom objects and custom surveys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.factories.random_values import Made, Make, RandomValues, unique
from sandbox.fake_values import new_id
from sandbox.table import Row

CUSTOM_FIELDS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Next step", "vitally.custom.nextStep", "textarea", ()),
    ("Products", "vitally.custom.products", "multiselect", ("north", "south", "wést")),
    ("Renewal 📅", "sfdc.Renew_Date__c", "datetime", ()),
    ("Tier", "vitally.custom.tier", "select", ("A", "B", "C")),
)
"""Label, path, type and options of the fields that each model has."""

CUSTOM_OBJECTS = (
    ("featureRequest", "Feature request"),
    ("Opportunity", "Opportunity"),
    ("customerGoals", None),
    ("", "Nameless"),
)
"""Machine name and label of the custom objects (API notes: custom objects)."""


def _custom_object(draw: RandomValues, serial: int, _given: Row) -> Made:
    name, label = CUSTOM_OBJECTS[serial % len(CUSTOM_OBJECTS)]
    return Made(
        {
            **draw.stamps(),
            "name": name,
            "label": label,
            "syncActive": serial % 2 == 0,
            "writeMode": ("writable", "writableByAll", "readonly")[serial % 3],
            "customFields": [
                {
                    "id": new_id(draw.random),
                    "label": label,
                    "path": path,
                    "type": kind,
                    "createdAt": draw.moments.created,
                }
                for label, path, kind, _options in CUSTOM_FIELDS
            ],
        }
    )


def _custom_field(draw: RandomValues, _serial: int, given: Row) -> Made:
    """A field's row has neither id nor model: the request has to remember which it was."""
    owner: str = given.pop("customObjectId", None) or given.pop("model", "accounts")
    return Made(
        {
            "label": draw.phrase(),
            "path": f"vitally.custom.f{draw.random.randrange(10**9)}",
            "type": "string",
            "createdAt": draw.moments.created,
        },
        (owner,),
    )


def _instance(draw: RandomValues, serial: int, given: Row) -> Made:
    customers = given.pop("customerIds", None)
    if customers is None:
        drawn = [draw.any("accounts") for _ in range(1 + serial % 2)] if serial % 9 else []
        customers = unique(id_ for id_ in drawn if id_)
    organization = given.pop("organizationId", None if serial % 5 else draw.any("organizations"))
    return Made(
        {
            **draw.stamps(),
            "name": f"{draw.phrase()} {serial}",
            "externalId": draw.external_id("inst", serial),
            "customObjectId": draw.owner(given, "customObjectId", "customObjects"),
            "createdByVitallyUserId": draw.any("admins"),
            "ownedByVitallyUserId": draw.maybe(draw.any("admins")),
            **draw.rows.linked(
                "instances", {"customerIds": customers, "organizationId": organization}
            ),
            "descriptionBody": [{"children": [{"text": draw.phrase()}]}],
            "traits": {**draw.traits(), "state": draw.random.choice(("open", "done"))},
            "archivedAt": draw.archived(serial),
        }
    )


def _survey(draw: RandomValues, _serial: int, _given: Row) -> Made:
    return Made({"id": new_id(draw.random)})


def _survey_question(draw: RandomValues, _serial: int, _given: Row) -> Made:
    return Made({"id": new_id(draw.random), "surveyId": None, "body": draw.maybe(draw.html())})


def _survey_response(draw: RandomValues, serial: int, given: Row) -> Made:
    """The user goes by one of two spellings (API notes: custom surveys)."""
    survey = draw.owner(given, "surveyId", "surveys")
    user = draw.any("users")
    accounts = draw.rows.tables["users"].rows[user]["accounts"] if user else []
    return Made(
        {
            **draw.stamps(),
            "surveyId": survey,
            "organizationId": None,
            "userID" if serial % 2 else "userId": user,
            "accountId": accounts[0]["id"] if accounts else None,
            "respondedAt": draw.past(1),
            "questionResponses": [
                {
                    "id": new_id(draw.random),
                    "questionId": question,
                    "data": {"type": kind, "value": _answer(draw, kind)},
                }
                for question in draw.rows.tables["surveyQuestions"].listed(survey)
                for kind in (draw.rows.tables["surveyQuestions"].rows[question]["type"],)
            ],
        }
    )


def _answer(draw: RandomValues, kind: str) -> Any:
    match kind:
        case "number":
            return draw.random.randrange(11)
        case "array":
            return ["north", "wést"]
        case "date":
            return draw.moments.created[:10]
        case _:
            return draw.phrase()


MAKERS: Mapping[str, Make] = {
    "customObjects": _custom_object,
    "customFields": _custom_field,
    "instances": _instance,
    "surveys": _survey,
    "surveyQuestions": _survey_question,
    "surveyResponses": _survey_response,
}
