"""The lists of the API, and how single records are looked up, for tap and target.

Source: API notes on customers (lists, 2) and on activity (lists), on writing (look-ups, 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Lookup = Literal["path", "search"]
"""How a record is read by a key: ``/accounts/<key>``, or ``/users/search?email=<key>``."""


@dataclass(frozen=True)
class Variants:
    """The lists of one path, which differ in one query parameter.

    ``parameter`` is empty if there is only one list; ``values`` are the values that together give all
    records, in the order in which they are read; ``inject`` is the property of a record that receives
    the value of its list; ``spellings`` has another value to send if one is refused, None for no
    parameter.
    """

    parameter: str = ""
    values: tuple[str, ...] = ()
    inject: str | None = None
    spellings: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def queries(self) -> tuple[Mapping[str, str], ...]:
        """The queries of all lists; without parameter one empty query."""
        return tuple({self.parameter: value} for value in self.values) or ({},)


ONE = Variants()
ARCHIVED = Variants("archived", ("false", "true"))
"""Which records a list has without the parameter is not documented."""
ACCOUNT_STATUS = Variants("status", ("activeOrChurned",))
"""Without it the API leaves churned accounts out."""
NPS_TARGETS = Variants(
    "target",
    ("accounts", "organization"),
    inject="target",
    # Sources differ on the plural, and older ones know no target: then it is accounts.
    spellings={"accounts": None, "organization": "organizations"},
)
CUSTOM_FIELD_MODELS = Variants(
    "model",
    ("accounts", "organizations", "users", "conversations", "notes", "tasks", "projects", "team"),
    inject="model",
)


@dataclass(frozen=True)
class ApiList:
    """A list of the API.

    ``path`` is below ``/resources`` and may contain ``{property}``. ``lookups`` says how a record is
    read by its ``id`` and other keys; for keys that it does not have, the list is read. ``sortable`` is
    True if the API accepts ``sortBy``.
    """

    path: str
    variants: Variants = ONE
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    sortable: bool = True


_BY_ID: Mapping[str, Lookup] = MappingProxyType({"id": "path"})
_BY_EITHER: Mapping[str, Lookup] = MappingProxyType({"id": "path", "externalId": "path"})

LISTS: Mapping[str, ApiList] = {
    "accounts": ApiList("/accounts", ACCOUNT_STATUS, _BY_EITHER),
    "organizations": ApiList("/organizations", lookups=_BY_EITHER),
    "users": ApiList("/users", lookups={**_BY_EITHER, "email": "search"}),
    "admins": ApiList("/admins", lookups={"email": "search"}, sortable=False),
    "conversations": ApiList("/conversations", lookups=_BY_ID),
    "notes": ApiList("/notes", ARCHIVED, _BY_ID),
    "note_categories": ApiList("/noteCategories"),
    "tasks": ApiList("/tasks", ARCHIVED, _BY_ID),
    "task_categories": ApiList("/taskCategories"),
    "projects": ApiList("/projects", ARCHIVED, _BY_ID),
    "project_templates": ApiList("/projectTemplates"),
    "project_categories": ApiList("/projectCategories"),
    "nps_responses": ApiList("/npsResponses", NPS_TARGETS, _BY_ID),
    "meetings": ApiList("/meetings", ARCHIVED, _BY_EITHER),
    "custom_fields": ApiList("/customFields", CUSTOM_FIELD_MODELS, sortable=False),
    "custom_objects": ApiList("/customObjects", lookups=_BY_ID),
    "custom_object_fields": ApiList("/customFields", sortable=False),
    "custom_object_instances": ApiList(
        "/customObjects/{customObjectId}/instances",
        ARCHIVED,
        {"id": "search", "externalId": "search"},
    ),
    "survey_responses": ApiList("/surveys/{surveyId}/responses", sortable=False),
    "survey_questions": ApiList("/surveyQuestions/{questionId}", sortable=False),
    "meeting_transcripts": ApiList("/meetingTranscripts", lookups=_BY_ID),
    "messages": ApiList("/conversations/{conversationId}", sortable=False),
    "account_health_scores": ApiList("/accounts/{accountId}/healthScores", sortable=False),
}
"""All lists by the name of the tap's stream, in the order of the streams."""

_NESTED = {
    "users": ONE,
    "conversations": ONE,
    "notes": ARCHIVED,
    "tasks": ARCHIVED,
    "projects": ONE,
    "nps_responses": ONE,
    "meetings": ONE,
}
NESTED: Mapping[str, Mapping[str, Variants]] = {
    "accounts": _NESTED,
    "organizations": {"accounts": ACCOUNT_STATUS, **_NESTED},
}
"""The lists below each account and each organization, by the stream that holds the same records."""


def nested_name(parent: str, of: str) -> str:
    """Return the name of the stream of a nested list: ``account_notes``."""
    return f"{parent.removesuffix('s')}_{of}"
