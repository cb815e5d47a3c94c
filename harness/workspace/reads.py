"""What a workspace answers to reads."""

from __future__ import annotations

from harness.workspace.rows import ARCHIVED, LINKS, Reply, Row, Workspace


def read(  # noqa: PLR0911 - a table of routes
    here: Workspace, path: list[str], query: dict[str, str]
) -> Reply:
    """Answer a GET."""
    match path:
        case ["users", "search"] | ["admins", "search"]:
            by, value = next(iter(query.items()))
            found = [row for row in here.rows(path[0]) if row.get(by) == value]
            if path[0] == "users":
                return 200, {"results": [as_shown(here, "users", row) for row in found]}
            return (200, found[0]) if found else (404, {"error": "Not found"})
        case ["customFields"]:
            return 200, here.rows("customFields")
        case ["customObjects", parent, "instances", "search"]:
            by, value = next(iter(query.items()))
            mine = [r for r in here.rows("instances") if r["customObjectId"] == parent]
            return 200, [row for row in mine if row.get(by) == value]
        case ["customObjects", parent, "instances"]:
            rows = [r for r in here.rows("instances") if r["customObjectId"] == parent]
            return page(here, "instances", rows, query)
        case ["meetings", name, "transcript"]:
            row = here.find("meetings", name)
            transcript = row and here.tables.get("transcripts", {}).get(row["id"])
            return (200, transcript) if transcript else (404, {"error": "Not found"})
        case [resource]:
            return page(here, resource, here.rows(resource), query)
        case [resource, name]:
            row = here.find(resource, name)
            return (200, as_shown(here, resource, row)) if row else (404, {"error": "Not found"})
    return 404, {"error": "Not found"}


def page(here: Workspace, resource: str, rows: list[Row], query: dict[str, str]) -> Reply:
    """Answer with a page of a list."""
    if resource in ARCHIVED and "archived" in query:
        gone = query["archived"] == "true"
        rows = [row for row in rows if bool(row.get("archivedAt")) is gone]
    rows = sorted(rows, key=lambda row: (row["createdAt"], row["id"]), reverse=True)
    start, limit = int(query.get("from", "0")), int(query.get("limit", "100"))
    observed = [as_shown(here, resource, row, whole=False) for row in rows[start : start + limit]]
    more = start + limit < len(rows)
    return 200, {"results": observed, "next": str(start + limit) if more else None}


def as_shown(here: Workspace, resource: str, row: Row, *, whole: bool = True) -> Row:
    """Show a row as the API does, with what it is linked to."""
    observed = dict(row)
    if resource == "users":
        for name, of in (("accountIds", "accounts"), ("organizationIds", "organizations")):
            ids = observed.pop(name, [])
            linked = [here.tables.get(of, {}).get(id_) for id_ in ids]
            observed[of] = [
                {"id": r["id"], "externalId": r["externalId"], "traits": {}} for r in linked if r
            ]
    if resource == "conversations":
        mine = [m for m in here.rows("messages") if m["conversationId"] == row["id"]]
        observed.pop("messages", None)
        if whole:
            observed["messages"] = mine
    for name, of in LINKS.items():
        linked_row = here.tables.get(of, {}).get(str(row.get(name)))
        if name in {"accountId", "organizationId", "customerId"} and linked_row:
            observed[name.removesuffix("Id")] = {"id": linked_row["id"], "traits": {}}
    return observed
