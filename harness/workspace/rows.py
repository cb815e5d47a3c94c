"""What a workspace holds, and the switches for what nobody knows of the live API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Row = dict[str, Any]
Reply = tuple[int, Any]

EXTERNAL = frozenset({"accounts", "organizations", "users", "meetings"})
"""Resources whose path also takes an external id."""
ARCHIVED = frozenset({"tasks", "notes", "projects", "instances", "meetings"})
NEEDED: dict[str, tuple[str, ...]] = {
    "organizations": ("externalId", "name"),
    "accounts": ("externalId", "name"),
    "users": ("externalId",),
    "tasks": ("name",),
    "notes": ("note", "noteDate"),
    "projects": ("templateId",),
    "npsResponses": ("userId", "score", "respondedAt"),
    "conversations": ("externalId", "subject", "messages"),
    "messages": ("externalId", "message", "from", "to"),
    "customObjects": ("name", "label", "writeMode"),
    "instances": ("name",),
    "meetings": ("externalId", "title", "participants"),
}
LINKS = {
    "accountId": "accounts",
    "organizationId": "organizations",
    "userId": "users",
    "customerId": "accounts",
    "assignedToId": "admins",
    "authorId": "admins",
}


@dataclass
class Switches:
    """What nobody knows of the live API."""

    on_known: Literal["update", "conflict", "duplicate"] = "update"
    links: Literal["replace", "add"] = "replace"
    wants_customer: bool = False
    drops_tags: bool = True
    error_as_200: bool = False
    cost: int = 0
    """Units of a write; 0 tells no limits at all."""


@dataclass
class Workspace:
    """Rows by resource and id, and a log of every request."""

    switches: Switches = field(default_factory=Switches)
    tables: dict[str, dict[str, Row]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    """What came with each request, as it was written."""
    fault: Callable[[str, str, int], str] = lambda _method, _path, _count: ""
    """Says by method, path and number of the request: ``lost``, ``cut``, a status, or nothing."""
    url: str = ""
    key: str = "sandbox"
    lock: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0

    def rows(self, resource: str) -> list[Row]:
        """Return the rows of a resource."""
        return list(self.tables.get(resource, {}).values())

    def put(self, resource: str, **values: Any) -> Row:
        """Put a row there, as if it had always been."""
        with self.lock:
            return self.insert(resource, values)

    def writes(self) -> list[tuple[str, str]]:
        """Return the requests that were writes."""
        return [(method, path) for method, path in self.log if method != "GET"]

    def insert(self, resource: str, values: Row) -> Row:
        """Make a row."""
        self.made += 1
        moment = instant(self.made)
        id_ = f"{self.made:08x}-0000-4000-8000-000000000000"
        row: Row = {"id": id_, "externalId": None, "createdAt": moment, "updatedAt": moment}
        if resource in ARCHIVED:
            row["archivedAt"] = None
        row |= values
        row.setdefault("traits", {})
        self.tables.setdefault(resource, {})[row["id"]] = row
        return row

    def find(self, resource: str, name: str) -> Row | None:
        """Find a row as the path of the API does."""
        rows = self.tables.get(resource, {})
        if name in rows:
            return rows[name]
        if resource not in EXTERNAL:
            return None
        return next((row for row in rows.values() if row["externalId"] == name), None)


def instant(number: int) -> str:
    """Count in seconds from now on, so that what is made later is younger."""
    moment = datetime.now(UTC) + timedelta(milliseconds=number)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
