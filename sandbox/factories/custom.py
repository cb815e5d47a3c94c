"""Makes custom fields, custom objects and custom surveys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.factories.random_values import Factory, NewRow, RandomValues, unique
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


def _custom_object(values: RandomValues, serial: int, _given: Row) -> NewRow:
    name, label = CUSTOM_OBJECTS[serial % len(CUSTOM_OBJECTS)]
    return NewRow(
        {
            **values.stamps(),
            "name": name,
            "label": label,
            "syncActive": serial % 2 == 0,
            "writeMode": ("writable", "writableByAll", "readonly")[serial % 3],
            "customFields": [
                {
                    "id": new_id(values.random),
                    "label": label,
                    "path": path,
                    "type": kind,
                    "createdAt": values.moments.created,
                }
                for label, path, kind, _options in CUSTOM_FIELDS
            ],
        }
    )


def _custom_field(values: RandomValues, _serial: int, given: Row) -> NewRow:
    """A field's row has neither id nor model: the request has to remember which it was."""
    owner: str = given.pop("customObjectId", None) or given.pop("model", "accounts")
    return NewRow(
        {
            "label": values.phrase(),
            "path": f"vitally.custom.f{values.random.randrange(10**9)}",
            "type": "string",
            "createdAt": values.moments.created,
        },
        (owner,),
    )


def _instance(values: RandomValues, serial: int, given: Row) -> NewRow:
    customers = given.pop("customerIds", None)
    if customers is None:
        drawn = [values.any("accounts") for _ in range(1 + serial % 2)] if serial % 9 else []
        customers = unique(id_ for id_ in drawn if id_)
    organization = given.pop("organizationId", None if serial % 5 else values.any("organizations"))
    return NewRow(
        {
            **values.stamps(),
            "name": f"{values.phrase()} {serial}",
            "externalId": values.external_id("inst", serial),
            "customObjectId": values.owner(given, "customObjectId", "customObjects"),
            "createdByVitallyUserId": values.any("admins"),
            "ownedByVitallyUserId": values.maybe(values.any("admins")),
            **values.rows.linked(
                "instances", {"customerIds": customers, "organizationId": organization}
            ),
            "descriptionBody": [{"children": [{"text": values.phrase()}]}],
            "traits": {**values.traits(), "state": values.random.choice(("open", "done"))},
            "archivedAt": values.archived(serial),
        }
    )


def _survey(values: RandomValues, _serial: int, _given: Row) -> NewRow:
    return NewRow({"id": new_id(values.random)})


def _survey_question(values: RandomValues, _serial: int, _given: Row) -> NewRow:
    return NewRow(
        {"id": new_id(values.random), "surveyId": None, "body": values.maybe(values.html())}
    )


def _survey_response(values: RandomValues, serial: int, given: Row) -> NewRow:
    """The user goes by one of two spellings (API notes: custom surveys)."""
    survey = values.owner(given, "surveyId", "surveys")
    user = values.any("users")
    accounts = values.rows.tables["users"].rows[user]["accounts"] if user else []
    return NewRow(
        {
            **values.stamps(),
            "surveyId": survey,
            "organizationId": None,
            "userID" if serial % 2 else "userId": user,
            "accountId": accounts[0]["id"] if accounts else None,
            "respondedAt": values.past(1),
            "questionResponses": [
                {
                    "id": new_id(values.random),
                    "questionId": question,
                    "data": {"type": kind, "value": _answer(values, kind)},
                }
                for question in values.rows.tables["surveyQuestions"].listed(survey)
                for kind in (values.rows.tables["surveyQuestions"].rows[question]["type"],)
            ],
        }
    )


def _answer(values: RandomValues, kind: str) -> Any:
    match kind:
        case "number":
            return values.random.randrange(11)
        case "array":
            return ["north", "wést"]
        case "date":
            return values.moments.created[:10]
        case _:
            return values.phrase()


FACTORIES: Mapping[str, Factory] = {
    "customObjects": Factory(_custom_object, size=lambda _: 3, edited="label"),
    "customFields": Factory(_custom_field, part_of="customObjects"),
    "instances": Factory(
        _instance, size=lambda accounts: accounts, edited="name", part_of="customObjects"
    ),
    "surveys": Factory(_survey, size=lambda _: 2),
    "surveyQuestions": Factory(_survey_question, part_of="surveys"),
    "surveyResponses": Factory(
        _survey_response,
        size=lambda accounts: -(-accounts // 2),
        edited="respondedAt",
        part_of="surveys",
    ),
}
