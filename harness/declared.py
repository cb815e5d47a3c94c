"""Streams that an operator could declare on the sandbox's endpoints, and what they should bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.support import Row
from sandbox import World
from sandbox.untemplated import KINDS, PLANS, change_events, subscriptions, usage


def _schema(**types: str) -> dict[str, dict[str, Row]]:
    return {"properties": {name: {"type": [kind, "null"]} for name, kind in types.items()}}


EVENT = {
    "path": "/changeEvents",
    "records_path": "$.data.events[*]",
    "schema": _schema(
        id="string", kind="string", changedAt="string", name="string", done="boolean"
    ),
}
EVENTS_OF = {"params": {"limit": 1, "kind": "{of}"}, "values": {"of": list(KINDS)}}
PLAN: Row = {
    "path": "/accounts/{accounts.id}/subscriptions",
    "records_path": "$.subscriptions[*]",
    "primary_keys": ["code"],
    "cursor": {"response": "$.meta.nextToken", "param": "page_token"},
    "schema": _schema(code="string", plan="object", seats="number", updatedAt="string"),
}
CHANGED = {"replication_key": "changedAt"}
UPDATED = {"replication_key": "updatedAt"}
NEWEST = {"order": "newest_first"}


@dataclass(frozen=True)
class DeclaredStream:
    """A declaration, the rows that it stands for, and what has to change for it to change.

    ``strict`` says that a run brings all that was there when it began, also what moves meanwhile.
    """

    entry: Row
    rows: Callable[[World], Iterable[Row]]
    resource: str
    strict: bool = True


def _events(world: World) -> Iterable[Row]:
    return change_events(world.rows)


def _events_of(world: World) -> Iterable[Row]:
    return ({**row, "of": row["kind"]} for row in change_events(world.rows))


def _plans(world: World) -> Iterable[Row]:
    for account in world.ids("accounts"):
        for row in subscriptions(world.rows, account):
            kept = {name: row[name] for name in PLAN["schema"]["properties"]}
            yield {**kept, "parentAccountId": account}


def _plans_named(world: World) -> Iterable[Row]:
    return ({**row, "named": row["plan"]["name"]} for row in _plans(world))


def _answers(world: World) -> Iterable[Row]:
    for account in world.ids("accounts"):
        rows = subscriptions(world.rows, account)
        yield {"parentAccountId": account, "subscriptions": rows[:2]}


def _tasks(world: World) -> Iterable[Row]:
    for key in world.ids("tasks"):
        row = world.row("tasks", key)
        kept = {name: row[name] for name in ("id", "name", "updatedAt")}
        yield {**kept, "parentEventId": key}


DECLARED: Mapping[str, DeclaredStream] = {
    "events": DeclaredStream(
        {**EVENT, **CHANGED, **NEWEST, "params": {"limit": 2}}, _events, "tasks"
    ),
    "events_since": DeclaredStream(
        {**EVENT, **CHANGED, **NEWEST, "params": {"limit": 2, "since": "{bookmark}"}},
        _events,
        "tasks",
    ),
    "events_whole": DeclaredStream(
        {**EVENT, "params": {"limit": 1}}, _events, "tasks", strict=False
    ),
    "events_of_kinds": DeclaredStream(
        {**EVENT, **CHANGED, **NEWEST, **EVENTS_OF}, _events_of, "tasks"
    ),
    "events_in_no_order": DeclaredStream(
        {**EVENT, **CHANGED, **EVENTS_OF}, _events_of, "tasks", strict=False
    ),
    "plans": DeclaredStream(PLAN, _plans, "accounts"),
    "plans_changed": DeclaredStream({**PLAN, **UPDATED, **NEWEST}, _plans, "accounts"),
    "plans_named": DeclaredStream(
        {**PLAN, **UPDATED, "params": {"plan": "{named}"}, "values": {"named": list(PLANS)}},
        _plans_named,
        "accounts",
    ),
    "answers": DeclaredStream(
        {
            "path": PLAN["path"],
            "records_path": "$",
            "primary_keys": ["parentAccountId"],
            "schema": _schema(subscriptions="array"),
        },
        _answers,
        "accounts",
    ),
    "event_tasks": DeclaredStream(
        {
            **UPDATED,
            "path": "/tasks/{events.id}",
            "records_path": "$",
            "schema": _schema(id="string", name="string", updatedAt="string"),
        },
        _tasks,
        "tasks",
        strict=False,
    ),
    "usage_of_accounts": DeclaredStream(
        {
            "path": "/usage/summary",
            "params": {"since": "{now-30d}"},
            "date_format": "%Y-%m-%d",
            "records_path": "$.rows[*]",
            "metadata": {"asOf": "$.asOf"},
            "primary_keys": ["accountId"],
            "cursor": False,
            "schema": _schema(accountId="string", events="number", trial="boolean", asOf="string"),
        },
        lambda world: usage(world.rows),
        "accounts",
    ),
}
"""Every shape: newest first, in no order, read whole, by values, below parents, one answer."""


def declarations(streams: Iterable[str]) -> list[Row]:
    """Return the setting custom_streams for some streams, with those that they are below."""
    wanted = set(streams) & DECLARED.keys()
    wanted |= {"events"} if "event_tasks" in wanted else set()
    return [{"name": name, **each.entry} for name, each in DECLARED.items() if name in wanted]


def declared_rows(world: World, name: str) -> dict[Any, Row]:
    """Return what a declared stream should hold at this moment, by its key."""
    entry = DECLARED[name].entry
    own = entry.get("primary_keys", ["id"])
    added = {
        "events_of_kinds": ["of"], "events_in_no_order": ["of"], "plans": ["parentAccountId"],
        "plans_changed": ["parentAccountId"], "plans_named": ["parentAccountId", "named"],
        "event_tasks": ["parentEventId"],
    }.get(name, [])  # fmt: skip
    return {tuple(row[part] for part in (*added, *own)): row for row in DECLARED[name].rows(world)}
