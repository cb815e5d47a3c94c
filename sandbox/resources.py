"""Which lists and records the API has, from the table that the programs share (API notes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vitally_api.resources import ARCHIVED, CUSTOM_FIELD_MODELS, NESTED
from vitally_api.resources import LISTS as API_LISTS


def resource_of(stream: str) -> str:
    """Return what the API calls the records of a stream: ``npsResponses``, ``instances``."""
    return API_LISTS[stream].path.rpartition("/")[2]


LISTS: Final = tuple(
    resource_of(stream)
    for stream, api in API_LISTS.items()
    if api.path.count("/") == 1 and api.path != "/customFields"
)
"""Resources that can be listed as a whole; custom fields are not a list with pages."""

NESTED_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    parent: tuple(map(resource_of, lists)) for parent, lists in NESTED.items()
}
"""What can be listed below each account and each organization."""

SINGLES: Final = frozenset(
    {
        *(resource_of(name) for name, api in API_LISTS.items() if api.lookups.get("id") == "path"),
        "messages",
        "projectCategories",
        "projectTemplates",
    }
)
"""Resources whose rows can be read one by one; the API has no path for a row of the others."""

BY_EXTERNAL_ID: Final = frozenset(
    resource_of(name) for name, api in API_LISTS.items() if api.lookups.get("externalId") == "path"
)
"""Resources whose rows also go by their external id."""

ARCHIVED_LISTS: Final = frozenset(
    resource_of(name) for name, api in API_LISTS.items() if api.variants is ARCHIVED
)
ARCHIVED_NESTED_LISTS: Final = frozenset(
    resource_of(name) for name, variants in NESTED["accounts"].items() if variants is ARCHIVED
)
"""Lists that take ``archived``; the nested ones of projects and meetings ignore it."""

STATUSES: Final = {"active": False, "churned": True, "activeOrChurned": None}
"""For each status of accounts: True where ``churnedAt`` must be set, False where null, None for both."""

DATA_MODELS: Final = tuple(sorted(CUSTOM_FIELD_MODELS.values))
"""The models that have custom fields, next to the custom objects (API notes: custom fields)."""
