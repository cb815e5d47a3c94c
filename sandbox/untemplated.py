"""Endpoints that no stream of the tap is made for: what operators declare themselves, each in its own shape.

Their rows follow from the workspace's own, so that a change in it is a change in them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.pages import (
    MOST_ROWS,
    NOT_FOUND,
    Cursor,
    ListPage,
    Params,
    Plain,
    RefusedError,
    invalid,
)
from sandbox.rows import Rows
from sandbox.table import Row, View

PLANS = ("Starter", "Team", "Business", "Enterprise")
KINDS = ("task", "review", "call")
TOKEN_PAGE = 2
"""Subscriptions on a page, so that most accounts have more than one."""


def untemplated(world: Rows, path: Sequence[str], params: Params) -> Plain | ListPage | None:
    """Answer a request for one of the three endpoints; None for any other path."""
    match path:
        case ["changeEvents"]:
            return _change_events(world, params)
        case ["accounts", account, "subscriptions"]:
            return _subscriptions(world, account, params)
        case ["usage", "summary"]:
            return _usage(world, params)
    return None


def change_events(world: Rows) -> list[Row]:
    """Return what `changeEvents` holds."""
    return [_event(row) for row in world.tables["tasks"].rows.values()]


def subscriptions(world: Rows, account: str) -> list[Row]:
    """Return what an account's `subscriptions` hold: up to four, by its id."""
    row = world.tables["accounts"].rows[account]
    number = int(account[-2:], 16) % 5
    return [
        {
            "code": f"S-{place + 1}",
            "plan": {"name": PLANS[place], "tags": [PLANS[place].lower()]},
            "seats": 5 * (place + 1),
            "price": 9.5 * (place + 1),
            "startedAt": row["createdAt"],
            "renewsOn": row["createdAt"][:10],
            "updatedAt": row["updatedAt"],
        }
        for place in range(number)
    ]


def usage(world: Rows) -> list[Row]:
    """Return the rows of `usage/summary`."""
    accounts = world.tables["accounts"].rows
    return [
        {"accountId": key, "events": int(key[-3:], 16), "trial": False} for key in sorted(accounts)
    ]


def _event(task: Row) -> Row:
    return {
        "id": task["id"],
        "kind": KINDS[int(task["id"][-1], 16) % len(KINDS)],
        "changedAt": task["updatedAt"],
        "name": task["name"],
        "done": bool(task["completedAt"]),
    }


def _change_events(world: Rows, params: Params) -> ListPage:
    """Answer a list, newest change first, whose rows stand two levels down.

    ``since`` cuts it off, and ``kind`` leaves the others out of each page.
    """
    limit = params.get("limit", str(MOST_ROWS))
    if not (limit.isdigit() and 1 <= int(limit) <= MOST_ROWS):
        raise RefusedError(invalid("limit", f"must be an integer between 1 and {MOST_ROWS}"))
    first = Cursor(None, f"changeEvents:{params.get('kind', '')}")
    sent = Cursor.decode(params["from"], first.listing) if params.get("from") else None
    table = world.tables["tasks"]
    keys, more = table.page(View("updatedAt"), sent.key if sent else None, int(limit))
    rows = [_event(table.rows[key.id]) for key in keys]
    late = [row for row in rows if row["changedAt"] >= params.get("since", "")]
    more = more and len(late) == len(rows)
    wanted = [row for row in late if params.get("kind", row["kind"]) == row["kind"]]
    return ListPage(
        rows=wanted,
        next=Cursor(keys[-1], first.listing).encode() if more else None,
        at_end=not more,
        sent=sent,
        first=first,
        former=None,
        body=lambda rows, after: {"data": {"events": rows, "count": len(rows)}, "next": after},
    )


def _subscriptions(world: Rows, account: str, params: Params) -> Plain | ListPage:
    """Answer a list below an account, with a token in place of a cursor; ``plan`` asks for one."""
    if account not in world.tables["accounts"].rows:
        return NOT_FOUND
    plan = params.get("plan")
    rows = [row for row in subscriptions(world, account) if plan in {None, row["plan"]["name"]}]
    try:
        start = int(base64.b64decode(params.get("page_token", "MA=="), validate=True))
    except (ValueError, binascii.Error):
        raise RefusedError(invalid("page_token", "must be a token")) from None
    end = start + TOKEN_PAGE
    token = base64.b64encode(str(end).encode()).decode() if end < len(rows) else None
    total = len(rows)
    return _page(
        rows[start:end],
        token,
        lambda rows, after: {"subscriptions": rows, "meta": {"nextToken": after, "total": total}},
    )


def _usage(world: Rows, params: Params) -> ListPage:
    """Answer everything at once, with what holds for all rows beside them."""
    beside = {
        "asOf": world.clock.now().isoformat(),
        "window": {"since": params.get("since"), "until": params.get("until")},
    }
    return _page(usage(world), None, lambda rows, _: {**beside, "rows": rows})


def _page(rows: list[Row], after: str | None, body: Callable[[list[Row], Any], Any]) -> ListPage:
    return ListPage(
        rows, after, at_end=after is None, sent=None, first=None, former=None, body=body
    )
