"""Which resources the API has, and what can be asked of each (API notes)."""

from __future__ import annotations

from typing import Final

LISTS: Final = (
    "accounts",
    "admins",
    "conversations",
    "customObjects",
    "meetingTranscripts",
    "meetings",
    "noteCategories",
    "notes",
    "npsResponses",
    "organizations",
    "projectCategories",
    "projectTemplates",
    "projects",
    "taskCategories",
    "tasks",
    "users",
)
"""Resources that can be listed as a whole."""

ACCOUNT_LISTS: Final = (
    "users",
    "conversations",
    "notes",
    "tasks",
    "projects",
    "npsResponses",
    "meetings",
)
"""What can be listed per account."""

ORGANIZATION_LISTS: Final = ("accounts", *ACCOUNT_LISTS)
"""What can be listed per organization."""

NESTED_LISTS: Final = {
    "accounts": frozenset(ACCOUNT_LISTS),
    "organizations": frozenset(ORGANIZATION_LISTS),
}
"""Resources that can be listed per parent."""

SINGLES: Final = frozenset(
    {
        "accounts",
        "conversations",
        "customObjects",
        "meetingTranscripts",
        "meetings",
        "messages",
        "notes",
        "npsResponses",
        "organizations",
        "projectCategories",
        "projectTemplates",
        "projects",
        "tasks",
        "users",
    }
)
"""Resources of which one row can be read; the API has no such path for the others."""

BY_EXTERNAL_ID: Final = frozenset({"accounts", "meetings", "organizations", "users"})
"""Resources whose rows also go by their external id."""

ARCHIVED_LISTS: Final = frozenset({"instances", "meetings", "notes", "projects", "tasks"})
ARCHIVED_NESTED_LISTS: Final = frozenset({"notes", "tasks"})
"""Lists that take ``archived``; the nested ones of projects and meetings ignore it."""

STATUSES: Final = {"active": False, "churned": True, "activeOrChurned": None}
"""Whether ``churnedAt`` has to be set for each status of accounts."""

DATA_MODELS: Final = (
    "accounts",
    "conversations",
    "notes",
    "organizations",
    "projects",
    "tasks",
    "team",
    "users",
)
"""The models that have custom fields, next to the custom objects (API notes: custom fields)."""
