"""What each resource takes, and what is said of a body that is not like that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sandbox.pages import Plain
from sandbox.table import Row

ADMIN, TRAITS = "admins", {"traits": "object"}


@dataclass(frozen=True, slots=True)
class WriteSchema:
    """The properties that a resource takes, each with its kind.

    A kind is a JSON type, ``date``, ``date-time``, ``array`` or the resource whose id it is;
    brackets around it mean an array of such.
    """

    required: Mapping[str, str]
    optional: Mapping[str, str]
    one_of: tuple[str, ...] = ()
    """Of these a new row needs one at least."""
    create_only: frozenset[str] = frozenset({"externalId"})
    put_required: tuple[str, ...] = ()

    @property
    def all(self) -> Mapping[str, str]:
        """Every property with its kind."""
        return {**self.required, **self.optional}


NAMED: Final = {"externalId": "string", "name": "string"}
PARENT: Final = {"accountId": "accounts", "organizationId": "organizations"}
PARENTS: Final = {"accountIds": "[accounts]", "organizationIds": "[organizations]"}

WRITE_SCHEMAS: Final[Mapping[str, WriteSchema]] = {
    "organizations": WriteSchema(NAMED, TRAITS),
    "accounts": WriteSchema(
        NAMED, {"organizationId": "organizations", "accountOwnerId": "nothing", **TRAITS}
    ),
    "users": WriteSchema(
        {"externalId": "string"},
        {
            **PARENTS,
            **dict.fromkeys(("name", "email", "avatar"), "string"),
            "unsubscribedFromConversations": "boolean",
            "joinDate": "date-time",
            **TRAITS,
        },
        tuple(PARENTS),
    ),
    "tasks": WriteSchema(
        {"name": "string"},
        {
            "externalId": "string",
            **PARENT,
            "description": "string",
            "dueDate": "date",
            "assignedToId": ADMIN,
            "completedAt": "date-time",
            "completedById": ADMIN,
            "categoryId": "taskCategories",
            "tags": "[string]",
            **TRAITS,
        },
        tuple(PARENT),
    ),
    "notes": WriteSchema(
        {"note": "string", "noteDate": "date-time"},
        {
            "externalId": "string",
            **PARENT,
            "subject": "string",
            "authorId": ADMIN,
            "categoryId": "noteCategories",
            "tags": "[string]",
            **TRAITS,
        },
        tuple(PARENT),
        frozenset(),
    ),
    "projects": WriteSchema(
        {"templateId": "projectTemplates"},
        {
            **PARENT,
            "customerId": "accounts",
            "name": "string",
            "targetStartDate": "date",
            "targetCompletionDate": "date",
            "projectStatusId": "string",
            "projectCategoryId": "projectCategories",
            "ownedByVitallyUserId": ADMIN,
            **TRAITS,
        },
        (*PARENT, "customerId"),
        frozenset({"templateId", "customerId", *PARENT}),
    ),
    "npsResponses": WriteSchema(
        {"userId": "users", "score": "score", "respondedAt": "date-time"},
        {"externalId": "string", "feedback": "string"},
        put_required=("userId", "score", "respondedAt"),
    ),
    "conversations": WriteSchema(
        {"subject": "string", "messages": "array"}, {"externalId": "string", **TRAITS}
    ),
    "messages": WriteSchema(
        {"externalId": "string", "message": "string", "from": "person", "to": "[person]"},
        {"timestamp": "date-time", "cc": "[person]", "bcc": "[person]", "type": "string"},
    ),
    "customObjects": WriteSchema(
        {"name": "string", "label": "string", "writeMode": "writeMode"}, {"customFields": "array"}
    ),
    "instances": WriteSchema(
        {"name": "string"},
        {
            "externalId": "string",
            "customerId": "accounts",
            "organizationId": "organizations",
            "ownedByVitallyUserId": ADMIN,
            **TRAITS,
        },
        ("customerId", "organizationId"),
        frozenset(),
    ),
    "meetings": WriteSchema(
        {"externalId": "string", "title": "string", "participants": "array"},
        {
            **dict.fromkeys(("description", "location", "recordingUrl", "summary"), "string"),
            **dict.fromkeys(("riskAssessment", "source"), "string"),
            **dict.fromkeys(("startDateTime", "endDateTime"), "date-time"),
            "keyPoints": "[string]",
            **TRAITS,
        },
        (),
        frozenset({"externalId", "participants", "source"}),
    ),
    "participants": WriteSchema(
        {"type": "string"},
        {
            **dict.fromkeys(("userId", "vitallyUserId", "email", "responseStatus"), "string"),
            "isOrganizer": "boolean",
        },
        ("userId", "vitallyUserId", "email"),
    ),
    "transcripts": WriteSchema({"transcript": "array"}, {}),
}


def _is_date(value: Any) -> bool:
    try:
        return bool(date.fromisoformat(value[:10]))
    except (TypeError, ValueError):
        return False


def _is_moment(value: Any) -> bool:
    try:
        return bool(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return False


CHECKS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "string": ("string", lambda value: isinstance(value, str)),
    "boolean": ("boolean", lambda value: isinstance(value, bool)),
    "object": ("object", lambda value: isinstance(value, dict)),
    "array": ("array", lambda value: isinstance(value, list)),
    "nothing": ("null", lambda _: False),
    "date": ("date", _is_date),
    "date-time": ("date-time", _is_moment),
    "score": ("integer", lambda value: type(value) is int and value in range(11)),
    "writeMode": (
        "one of writable, writableByAll, readonly",
        lambda value: value in ("writable", "writableByAll", "readonly"),
    ),
    "person": (
        "object",
        lambda value: isinstance(value, dict) and value.get("type") in ("user", "admin"),
    ),
}

Known = Callable[[str, str], bool]
"""Says whether a resource has a row with that id."""


def problems(resource: str, body: Any, *, creating: bool, extra: bool, known: Known) -> list[Row]:
    """Return everything that is wrong with a body; ``extra`` refuses unknown properties."""
    if not isinstance(body, dict):
        return [problem("", "type", "must be object")]
    return list(
        _problems(WRITE_SCHEMAS[resource], body, creating=creating, extra=extra, known=known)
    )


def _problems(
    taken: WriteSchema, body: Row, *, creating: bool, extra: bool, known: Known
) -> Iterator[Row]:
    for name in taken.required if creating else taken.put_required:
        if name not in body:
            yield problem("", "required", f"must have required property '{name}'", missing=name)
    if creating and taken.one_of and not any(body.get(name) for name in taken.one_of):
        choices = ", ".join(taken.one_of)
        yield problem("", "anyOf", f"must have at least one of {choices}", missing=taken.one_of[0])
    kinds = taken.all
    for name, value in body.items():
        if name not in kinds or (name in taken.create_only - {"externalId"} and not creating):
            if extra:
                yield problem("", "additionalProperties", "must NOT have additional properties")
        elif value is not None or name in taken.required:
            yield from _value_problems(name, kinds[name], value, known)


def _value_problems(name: str, kind: str, value: Any, known: Known) -> Iterator[Row]:
    if kind.startswith("["):
        if not isinstance(value, list):
            yield problem(f"/{name}", "type", "must be array")
            return
        for number, item in enumerate(value):
            yield from _value_problems(f"{name}/{number}", kind[1:-1], item, known)
    elif kind in CHECKS:
        said, check = CHECKS[kind]
        if not check(value):
            yield problem(f"/{name}", "type", f"must be {said}", type=said)
    elif not isinstance(value, str):
        yield problem(f"/{name}", "type", "must be string", type="string")
    elif not known(kind, value):
        yield problem(f"/{name}", "reference", f"must be the id of one of the {kind}")


def problem(path: str, keyword: str, message: str, **params: str) -> Row:
    """Return one problem in the form of the schema validator that Vitally uses (API notes: errors)."""
    return {
        "instancePath": path,
        "schemaPath": f"#/properties{path}/{keyword}" if path else f"#/{keyword}",
        "keyword": keyword,
        "params": params,
        "message": message,
    }


def refusal(errors: list[Row]) -> Plain:
    """Refuse a body for everything that is wrong with it."""
    return Plain({"error": {"message": "validation failed", "errors": errors}}, 400)
