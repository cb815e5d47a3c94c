"""Pages of lists, the cursors between them, and the other answers there are."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from sandbox.resources import ARCHIVED_LISTS, ARCHIVED_NESTED_LISTS, STATUSES
from sandbox.table import Key, Row, View

AtEnd: TypeAlias = Literal["present", "omitted", "early"]
"""How a list speaks of its end: ``early`` says so while there still is a cursor to follow."""

Params: TypeAlias = Mapping[str, str]

MOST_ROWS: Final = 100
"""How many rows a page has at most, and by default."""


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer that is not a list: its JSON, or the bytes of a body that is not JSON."""

    payload: Any = None
    status: int = 200
    body: bytes | None = None


NOT_FOUND: Final = Plain({"error": "Not found"}, 404)
"""The answer to a path or an id that does not exist."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """An answer that is one page of a list."""

    rows: list[Row]
    next: str | None
    at_end: bool
    sent: Cursor | None
    first: Cursor | None
    """What stands for its front; None where cursors are of another kind."""
    former: Row | None
    key: str = "results"
    body: Callable[[list[Row], Any], Any] | None = None
    """Makes a body of rows and next page, where that is not as in most lists."""


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, answer: Plain) -> None:
        """Refuse a request."""
        super().__init__(answer)
        self.answer = answer


def invalid(param: str, message: str) -> Plain:
    """Return the answer to a wrong parameter (API notes: error bodies)."""
    error = {
        "instancePath": f"/{param}",
        "schemaPath": f"#/properties/{param}",
        "keyword": "type",
        "params": {},
        "message": message,
    }
    return Plain({"error": {"message": "validation failed", "errors": [error]}}, 400)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list, bound to that list and its order (API notes: pagination)."""

    key: Key | None
    """The page starts below this; None stands for the top of the list."""
    listing: str
    """The list, its filter and its order."""
    turn: int = 0
    """Tells cursors apart that stand for the same place."""

    def encode(self) -> str:
        """Write the cursor as base64 with all of ``+``, ``/`` and ``=`` in it.

        Clients that forget to encode a query parameter are found out by these.
        """
        document = {
            "sortVal": self.key and self.key.value,
            "id": self.key and self.key.id,
            "listing": self.listing,
            "turn": self.turn,
            "salt": "~~~???",
        }
        text = json.dumps(document)
        text += " " * ((1 - len(text)) % 3)
        return base64.b64encode(text.encode()).decode()

    @classmethod
    def decode(cls, text: str, listing: str) -> Cursor:
        """Read a cursor back, and refuse garbage and those of another list, filter or order."""
        try:
            document = json.loads(base64.b64decode(text, validate=True))
            value, id_ = document["sortVal"], document["id"]
            key = None if value is None else Key(str(value), str(id_))
            cursor = cls(key, str(document["listing"]), int(document["turn"]))
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise RefusedError(invalid("from", "must be a cursor")) from None
        if cursor.listing != listing:
            raise RefusedError(invalid("from", "must belong to this list, filter and order"))
        return cursor


def view_of(resource: str, params: Params, parent: str | None) -> View:
    """Work out which rows a list is to show and in which order."""
    sort = params.get("sortBy", "updatedAt")
    if resource == "admins":
        sort = "id"
    elif sort not in ("updatedAt", "createdAt"):
        raise RefusedError(invalid("sortBy", "must be updatedAt or createdAt"))
    where = None
    if resource == "npsResponses" and parent is None:
        parent = params.get("target", "accounts")
        if parent not in ("accounts", "organization"):
            raise RefusedError(invalid("target", "must be accounts or organization"))
    elif resource == "accounts" and parent is None:
        status = params.get("status", "active")
        if status not in STATUSES:
            raise RefusedError(invalid("status", f"must be one of {', '.join(STATUSES)}"))
        churned = STATUSES[status]
        where = None if churned is None else ("churnedAt", churned)
    elif "archived" in params and _takes_archived(resource, parent):
        if params["archived"] not in ("true", "false"):
            raise RefusedError(invalid("archived", "must be boolean"))
        where = ("archivedAt", params["archived"] == "true")
    return View(sort, parent, where)


def _takes_archived(resource: str, parent: str | None) -> bool:
    if parent is None or resource == "instances":
        return resource in ARCHIVED_LISTS
    return resource in ARCHIVED_NESTED_LISTS


def as_listed(transcript: Row) -> Row:
    """Leave the sentences out of every third transcript: lists may (API notes: transcripts)."""
    if int(transcript["id"][-4:], 16) % 3:
        return transcript
    return {name: value for name, value in transcript.items() if name != "transcript"}
