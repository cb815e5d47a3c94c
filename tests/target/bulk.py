"""What the tests of the Analytics API have in common: a workspace, rows, and a target that sends them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.support import waits_pass_in_no_time
from harness.target import Outcome, Row, messages, write
from sandbox import Sandbox, World, Writing, serve

BATCH = "/analytics/v1/batch"
TABLES = {"custom_object_instances": "instances"}
NUMBER = 130
"""Rows that take two requests."""


@contextmanager
def workspace(**switches: Any) -> Iterator[Sandbox]:
    """A workspace with two accounts and an organization, whose clock goes along with the waits."""
    with (
        serve(World.empty(), writing=Writing(**switches)) as made,
        waits_pass_in_no_time(made.world.clock.advance),
    ):
        made.world.write("organizations", externalId="o", name="O")
        for name in ("a", "b"):
            made.world.write("accounts", externalId=name, name=name.upper(), organizationId=None)
        made.world.create("customObjects", name="deal")
        yield made


ROWS: dict[str, Row] = {
    "organizations": {"externalId": "{}", "name": "O {}", "traits": {"plan": "p", "n": 1}},
    "accounts": {
        "externalId": "{}",
        "name": "A {}",
        "organizationExternalId": "o",
        "traits": {"n": 1},
    },
    "users": {
        "externalId": "{}",
        "name": "U {}",
        "email": "{}@example.com",
        "avatar": "https://example.com/{}.png",
        "joinDate": "2026-01-02T03:04:05Z",
        "accountExternalId": "a",
        "traits": {"role": "owner"},
    },
    "custom_object_instances": {
        "externalId": "{}",
        "name": "D {}",
        "customObjectName": "deal",
        "accountExternalId": "a",
        "traits": {"stage": "won"},
    },
}
CHANGES: dict[str, Row] = {
    "organizations": {"traits": {"plan": "q"}},
    "accounts": {"name": "Changed {}", "traits": {"n": 2}},
    "users": {"name": "Changed {}", "accountExternalId": "b"},
    "custom_object_instances": {"traits": {"stage": "lost"}},
}
STREAMS = sorted(ROWS)


def rows_of(stream: str, number: int = NUMBER, **more: Any) -> list[Row]:
    template = json.dumps({**ROWS[stream], **more})
    return [json.loads(template.replace("{}", f"{stream}-{n}")) for n in range(number)]


def push(sandbox: Sandbox, said: Any, **settings: Any) -> Outcome:
    settings.setdefault("channel", "bulk")
    keys = {"analytics_api_key": sandbox.analytics_key, "analytics_url": sandbox.url}
    return write(sandbox, said, **{"first_push": True, **keys, **settings})


def put(sandbox: Sandbox, stream: str, rows: list[Row], **settings: Any) -> Outcome:
    return push(sandbox, messages(**{stream: rows}), **settings)


def table(sandbox: Sandbox, stream: str) -> dict[str, Row]:
    sandbox.writer.catch_up()
    rows = sandbox.world.tables[TABLES.get(stream, stream)].rows.values()
    return {row["externalId"]: row for row in rows if str(row["externalId"]).startswith(stream)}


def writes(sandbox: Sandbox) -> Counter[str]:
    return Counter(e.path for e in sandbox.requests if e.method in {"POST", "PUT", "DELETE"})
