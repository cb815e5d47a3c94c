"""The lists that the API has, and how each is asked for: the one place that names them by hand."""

from __future__ import annotations

BOTH = ({"archived": "false"}, {"archived": "true"})
MODELS = (
    "accounts",
    "conversations",
    "notes",
    "organizations",
    "projects",
    "tasks",
    "team",
    "users",
)

NESTED = ("users", "conversations", "notes", "tasks", "projects", "npsResponses", "meetings")
"""The lists below each account and each organization."""

SORTED: dict[str, tuple[dict[str, str], ...]] = {
    "accounts": ({"status": "activeOrChurned"},),
    "organizations": ({},),
    "users": ({},),
    "conversations": ({},),
    "notes": BOTH,
    "tasks": BOTH,
    "projects": BOTH,
    "meetings": BOTH,
    "npsResponses": ({"target": "accounts"}, {"target": "organization"}),
    "meetingTranscripts": ({},),
    "customObjects/instances": BOTH,
    **{
        f"{parents}/{resource}": BOTH if resource in {"notes", "tasks"} else ({},)
        for parents in ("accounts", "organizations")
        for resource in NESTED
    },
    "organizations/accounts": ({"status": "activeOrChurned"},),
}
"""The lists that can be sorted, with what selects each of them."""

WHOLE = (
    "noteCategories",
    "taskCategories",
    "projectCategories",
    "projectTemplates",
    "customObjects",
)
"""The lists that are read whole in every run, in an order in which nothing moves."""

UNSORTED = ("admins", "surveys/responses")
"""The lists that come in an order of their own."""

SINGLE = ("accounts/healthScores", "surveyQuestions")
"""What is read one by one, without any query."""
