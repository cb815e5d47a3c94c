"""What a workspace answers to writes."""

from __future__ import annotations

from typing import Any

from harness.workspace.reads import as_shown
from harness.workspace.rows import (
    ARCHIVED,
    EXTERNAL,
    LINKS,
    NEEDED,
    Reply,
    Row,
    Workspace,
    instant,
)


def write(  # noqa: C901, PLR0911 - a table of routes
    here: Workspace, method: str, path: list[str], query: dict[str, str], body: Any
) -> Reply:
    """Answer a write."""
    match method, path:
        case "POST", ["customObjects", parent, "instances"]:
            return post(here, "instances", {**body, "customObjectId": parent})
        case "PUT", ["customObjects", _, "instances", name]:
            return put(here, "instances", name, body)
        case "DELETE", ["customObjects", _, "instances", name]:
            return delete(here, "instances", name)
        case "POST", ["conversations", parent, "messages"]:
            return post(here, "messages", {**body, "conversationId": parent})
        case "POST", ["meetings", name, "transcript"]:
            row = here.find("meetings", name)
            if row is None:
                return 404, {"error": "Not found"}
            here.tables.setdefault("transcripts", {})[row["id"]] = {
                "id": f"t-{row['id']}",
                **body,
            }
            return 200, here.tables["transcripts"][row["id"]]
        case "POST", ["meetings", name, "participants"]:
            return participate(here, name, body)
        case "DELETE", ["meetings", name, "participants", person]:
            row = here.find("meetings", name)
            if row is None:
                return 404, {"error": "Not found"}
            row["participants"] = [p for p in row["participants"] if p["id"] != person]
            return 204, None
        case "POST", [resource] if resource in NEEDED:
            return post(here, resource, body)
        case "PUT", [resource, name] if resource in NEEDED and resource != "messages":
            return put(here, resource, name, body)
        case "DELETE", [resource, name] if resource in NEEDED:
            return delete(here, resource, name, query.get("deleteOn"))
    return 404, {"error": "Not found"}


def participate(here: Workspace, name: str, body: Row) -> Reply:
    """Add a participant to a meeting."""
    row = here.find("meetings", name)
    if row is None:
        return 404, {"error": "Not found"}
    here.made += 1
    row["participants"] = [*row["participants"], {**body, "id": f"p{here.made}"}]
    return 200, row["participants"][-1]


def post(  # noqa: C901, PLR0911 - a table of refusals
    here: Workspace, resource: str, body: Row
) -> Reply:
    """Make a row, or change the one with the same external id."""
    if resource == "projects":
        if here.switches.wants_customer and "customerId" not in body:
            return invalid("customerId", "required")
        body = {("accountId" if n == "customerId" else n): v for n, v in body.items()}
    lacking = [name for name in NEEDED[resource] if body.get(name) is None]
    if lacking:
        return invalid(lacking[0], "must have required property")
    if resource == "users" and not (body.get("accountIds") or body.get("organizationIds")):
        return invalid("accountIds", "must have one of them")
    if problem := wrong(here, body):
        return problem
    external = body.get("externalId")
    known = next(
        (r for r in here.rows(resource) if external is not None and r["externalId"] == external),
        None,
    )
    if known and here.switches.on_known == "conflict":
        return 409, {"error": "externalId already exists"}
    if known and (here.switches.on_known == "update" or resource in EXTERNAL - {"meetings"}):
        return put(here, resource, known["id"], body)
    messages = body.get("messages") if resource == "conversations" else None
    row = here.insert(resource, dict(body))
    if resource == "meetings":
        row["participants"] = [
            {"id": f"p{i}-{row['id'][:8]}", **p} for i, p in enumerate(body["participants"])
        ]
    if resource == "customObjects":
        row["customFields"] = fields(here, body.get("customFields") or [])
    for message in messages or ():
        here.insert("messages", {**message, "conversationId": row["id"]})
    return 200, as_shown(here, resource, row)


def fields(here: Workspace, fields: list[Row]) -> list[Row]:
    """Show the fields of a custom object."""
    observed = []
    for given in fields:
        here.made += 1
        path = f"vitally.custom.{str(given['label']).lower()}"
        observed.append({"id": f"f{here.made}", "path": path, **given})
    return [{n: v for n, v in f.items() if n != "model"} for f in observed]


def wrong(here: Workspace, body: Row) -> Reply | None:
    """Find what the API would not take."""
    for name in ("externalId", "name", "email", "subject", "title"):
        if body.get(name) is not None and not isinstance(body[name], str):
            return invalid(name, "must be string")
    for name, of in LINKS.items():
        if body.get(name) is not None and body[name] not in here.tables.get(of, {}):
            return invalid(name, "must be the id of one")
    for id_ in body.get("accountIds") or ():
        if id_ not in here.tables.get("accounts", {}):
            return invalid("accountIds", "must be ids")
    if "poison" in str(body.get("name")):
        return invalid("name", "must not be poison")
    return None


def put(  # noqa: C901 - a table of refusals
    here: Workspace, resource: str, name: str, body: Row
) -> Reply:
    """Change a row in part."""
    row = here.find(resource, name)
    if row is None:
        return 404, {"error": "Not found"}
    if problem := wrong(here, body):
        return problem
    if row.get("archivedAt") and resource == "meetings":
        return 400, {"error": "The meeting is archived"}
    if resource == "npsResponses" and any(n not in body for n in NEEDED[resource]):
        return invalid("score", "must have required property")
    if resource == "meetings" and "participants" in body:
        return invalid("participants", "must not be given")
    body = dict(body)
    traits = {**row["traits"], **body.pop("traits", {})}
    row["traits"] = {path: value for path, value in traits.items() if value is not None}
    for message in body.pop("messages", None) or ():
        known = [m for m in here.rows("messages") if m["externalId"] == message["externalId"]]
        if known:
            known[0].update(message)
        else:
            here.insert("messages", {**message, "conversationId": row["id"]})
    if resource in {"tasks", "notes"} and "tags" not in body and here.switches.drops_tags:
        body["tags"] = []
    if resource == "customObjects" and "customFields" in body:
        body["customFields"] = [
            f if "path" in f else fields(here, [f])[0] for f in body["customFields"]
        ]
    if here.switches.links == "add" and "accountIds" in body:
        body["accountIds"] = list(dict.fromkeys([*row["accountIds"], *body["accountIds"]]))
    here.made += 1
    row |= {n: v for n, v in body.items() if n != "externalId"} | {"updatedAt": instant(here.made)}
    return 200, as_shown(here, resource, row)


def delete(here: Workspace, resource: str, name: str, later: str | None = None) -> Reply:
    """Delete or archive a row."""
    row = here.find(resource, name)
    if row is None:
        return 404, {"error": "Not found"}
    if later:
        row["deleteOn"] = later
    elif resource in ARCHIVED:
        here.made += 1
        row["archivedAt"] = instant(here.made)
    else:
        del here.tables[resource][row["id"]]
    return 204, None


def invalid(name: str, message: str) -> Reply:
    """Refuse as the API does."""
    error = {"instancePath": f"/{name}", "message": message}
    return 400, {"error": {"message": "validation failed", "errors": [error]}}
