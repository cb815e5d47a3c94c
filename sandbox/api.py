"""What Vitally answers to a GET below ``/resources``: routes, lists, searches and refusals.

Nothing in here knows of HTTP beyond a status code; `sandbox.app` puts the answers on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sandbox.pages import (
    MOST_ROWS,
    NOT_FOUND,
    AtEnd,
    Cursor,
    ListPage,
    Params,
    Plain,
    RefusedError,
    as_listed,
    invalid,
    view_of,
)
from sandbox.resources import BY_EXTERNAL_ID, DATA_MODELS, LISTS, NESTED_LISTS, SINGLES
from sandbox.table import Row, View
from sandbox.untemplated import untemplated
from sandbox.world import World
from sandbox.writing.switches import Writing


@dataclass(slots=True)
class Api:
    """Vitally's REST API, reading from a world."""

    world: World
    """Whose rows it serves."""
    at_end: AtEnd = "present"
    """How lists mark their end."""
    admin_search: Literal["object", "results"] = "object"
    """What a search for admins answers: one object, or a list of results."""
    switches: Writing = field(default_factory=Writing)
    """What searches find, where nobody knows."""

    def get(self, path: Sequence[str], params: Params) -> Plain | ListPage:
        """Answer a request for decoded segments below ``/resources``; unknown params are ignored."""
        try:
            with self.world.lock:
                return self._route(path, params)
        except RefusedError as refused:
            return refused.answer

    def envelope(self, page: ListPage) -> Any:
        """Wrap a page's rows; surveys do it differently (API notes: custom surveys)."""
        if page.body:
            return page.body(page.rows, page.next)
        envelope: Row = {page.key: page.rows, "next": page.next}
        if page.key == "results" and self.at_end != "omitted":
            envelope["atEnd"] = page.at_end
        return envelope

    def _route(self, path: Sequence[str], params: Params) -> Plain | ListPage:
        answer = self._listed(path, params) or self._found(path, params) or self._read(path)
        return answer or untemplated(self.world.rows, path, params) or NOT_FOUND

    def _listed(self, path: Sequence[str], params: Params) -> ListPage | None:
        """Answer a path that stands for a paginated list."""
        match path:
            case ["customObjects", parent, "instances"]:
                return self._page("instances", params, self._key("customObjects", parent))
            case ["surveys", parent, "responses"]:
                page = self._page("surveyResponses", params, self._key("surveys", parent))
                return replace(page, key="data")
            case [resource] if resource in LISTS:
                return self._page(resource, params)
            case [parents, parent, resource] if resource in NESTED_LISTS.get(parents, ()):
                return self._page(resource, params, self._key(parents, parent))
        return None

    def _found(self, path: Sequence[str], params: Params) -> Plain | None:
        """Answer a path that stands for a search of some kind."""
        match path:
            case ["users", "search"]:
                return Plain({"results": self._search_users(params)})
            case ["admins", "search"]:
                return self._search_admins(params)
            case ["customFields"]:
                return Plain(self._custom_fields(params))
            case ["customObjects", parent, "instances", "search"]:
                return Plain(self._search_instances(self._key("customObjects", parent), params))
            case [("notes" | "tasks") as resource, key] if params.get("source"):
                return Plain(self._from_source(resource, key, params["source"]))
        return None

    def _read(self, path: Sequence[str]) -> Plain | None:
        """Answer a path that stands for a single thing."""
        match path:
            case ["conversations", key]:
                return Plain(self._conversation(key))
            case [("surveyResponses" | "surveyQuestions") as resource, key]:
                return Plain({"data": self._row(resource, key)})
            case ["accounts", key, "healthScores"]:
                scores = self.world.rows.health_scores(self._key("accounts", key))
                return NOT_FOUND if scores is None else Plain(scores)
            case ["meetings", key, "transcript"]:
                return self._transcript(self._key("meetings", key))
            case [resource, key] if resource in SINGLES:
                return Plain(self._row(resource, key))
        return None

    # Single rows.

    def _key(self, resource: str, name: str) -> str:
        """Find a row by its id or, where the API allows that, by its external id."""
        rows = self.world.tables[resource].rows
        if name in rows:
            return name
        if resource in BY_EXTERNAL_ID:
            for key, row in rows.items():
                if name and row["externalId"] == name:
                    return key
        raise RefusedError(NOT_FOUND)

    def _row(self, resource: str, name: str) -> Row:
        return self.world.row(resource, self._key(resource, name))

    def _from_source(self, resource: str, name: str, source: str) -> Row:
        """Find a note or a task by the id it has in an integration (API notes: notes, tasks)."""
        rows = self.world.tables[resource].rows
        if name in rows:
            return rows[name]
        for row in rows.values():
            same_source = (row["source"] or "").casefold() == source.casefold()
            if name and row["externalId"] == name and same_source:
                return row
        raise RefusedError(NOT_FOUND)

    def _conversation(self, key: str) -> Row:
        """The one place that says whose a conversation is and what was said in it."""
        tables = self.world.tables
        row = self._row("conversations", key)
        messages, _ = tables["messages"].page(View("timestamp", key), None, len(tables["messages"]))
        members = {
            resource: [
                self.world.rows.copy_without(
                    resource, link, ("accounts", "organizations", "keyRoles")
                )
                for link in tables["conversations"].links(key)
                if link in tables[resource].rows
            ]
            for resource in ("accounts", "users", "admins")
        }
        return {
            **row,
            "externalUrl": f"https://www.example.com/conversations/{key}",
            "messages": [tables["messages"].rows[message.id] for message in reversed(messages)],
            **members,
        }

    def _transcript(self, meeting: str) -> Plain:
        """A meeting's transcript, or one of the ways to say that there is none."""
        table = self.world.tables["meetingTranscripts"]
        if recorded := table.listed(meeting):
            return Plain(table.rows[recorded[0]])
        absent = (
            NOT_FOUND,
            Plain(status=204, body=b""),
            Plain(body=b""),
            Plain(None),
            Plain({}),
        )
        return absent[int(meeting[-4:], 16) % len(absent)]

    # Searches.

    def _search_users(self, params: Params) -> list[Row]:
        criterion, wanted = _only_one(params, ("email", "externalId", "emailSubdomain"))

        def matches(row: Row) -> bool:
            if criterion != "emailSubdomain":
                return self._same(criterion, row[criterion], wanted)
            domain = (row["email"] or "").rpartition("@")[2]
            return bool(domain == wanted or domain.startswith(f"{wanted}."))

        return [row for row in self.world.tables["users"].rows.values() if matches(row)]

    def _same(self, criterion: str, value: str | None, wanted: str) -> bool:
        if criterion == "email" and value and self.switches.email_case == "ignored":
            return value.lower() == wanted.lower()
        return value == wanted

    def _search_admins(self, params: Params) -> Plain:
        _, email = _only_one(params, ("email",))
        admins = self.world.tables["admins"].rows.values()
        rows = [row for row in admins if self._same("email", row["email"], email)]
        if self.admin_search == "results":
            return Plain({"results": rows})
        return Plain(rows[0]) if rows else NOT_FOUND

    def _search_instances(self, parent: str, params: Params) -> list[Row]:
        """Answers a bare array (API notes: custom objects, search)."""
        criterion, wanted = _only_one(
            params,
            (
                "id",
                "externalId",
                "customerId",
                "organizationId",
                "customFieldId",
                "customFieldValue",
            ),
        )

        def matches(row: Row) -> bool:
            match criterion:
                case "customerId":
                    return any(customer["id"] == wanted for customer in row["customers"])
                case "customFieldId":
                    return wanted in row["traits"]
                case "customFieldValue":
                    return wanted in row["traits"].values()
                case _:
                    return bool(row[criterion] == wanted)

        table = self.world.tables["instances"]
        found = [row for key in table.listed(parent) if matches(row := table.rows[key])]
        if self.switches.archived_instances == "hidden":
            return [row for row in found if not row["archivedAt"]]
        return found

    def _custom_fields(self, params: Params) -> list[Row]:
        """A bare array, by label, without a word on the model (API notes: custom fields)."""
        model = params.get("model")
        if model == "customObjects":
            owner = params.get("customObjectId")
            if not owner:
                raise RefusedError(invalid("customObjectId", "is required for this model"))
            owner = self._key("customObjects", owner)
        elif model in DATA_MODELS:
            owner = model
        else:
            raise RefusedError(
                invalid("model", f"must be one of {', '.join(DATA_MODELS)}, customObjects")
            )
        table = self.world.tables["customFields"]
        rows = (table.rows[key] for key in table.listed(owner))
        return sorted(rows, key=_label)

    # Lists.

    def _page(self, resource: str, params: Params, parent: str | None = None) -> ListPage:
        """Read one page, newest first (API notes: pagination)."""
        view = view_of(resource, params, parent)
        listing = f"{resource}:{':'.join(str(part) for part in view)}"
        sent = Cursor.decode(params["from"], listing) if params.get("from") else None
        after = sent.key if sent else None
        limit = params.get("limit", str(MOST_ROWS))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_ROWS):
            raise RefusedError(invalid("limit", f"must be an integer between 1 and {MOST_ROWS}"))
        table = self.world.tables[resource]
        keys, more = table.page(view, after, int(limit))
        following = bool(keys) and (more or self.at_end == "early")
        rows = [table.rows[key.id] for key in keys]
        return ListPage(
            rows=[as_listed(row) for row in rows] if resource == "meetingTranscripts" else rows,
            next=Cursor(keys[-1], listing).encode() if following else None,
            at_end=not more,
            sent=sent,
            first=Cursor(None, listing),
            former=table.rows.get(after.id) if after else None,
        )


def _only_one(params: Params, criteria: Sequence[str]) -> tuple[str, str]:
    """Return the one criterion that was given, and its value."""
    given = [(name, params[name]) for name in criteria if name in params]
    if len(given) != 1:
        raise RefusedError(
            invalid(criteria[0], f"exactly one of {', '.join(criteria)} is required")
        )
    return given[0]


def _label(row: Row) -> str:
    return str(row["label"])
