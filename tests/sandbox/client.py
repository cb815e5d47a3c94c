"""A client of the sandbox, and what it may ask for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from sandbox import Clock, Sandbox, World, serve
from sandbox.expected_rows import NESTED, WHOLE_TABLES

START = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
NOW = "2026-03-04T05:06:07.890Z"
ROOT = Path(__file__).parents[2]


class Client(requests.Session):
    """Asks a sandbox with the right key, unless told otherwise."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.auth = (sandbox.key, "")
        self.sandbox = sandbox
        self.trust_env = False

    def ask(self, path: str, **params: Any) -> requests.Response:
        return self.get(f"{self.sandbox.url}/resources/{path}", params=params, timeout=20)

    def json(self, path: str, **params: Any) -> Any:
        response = self.ask(path, **params)
        assert response.status_code == 200, response.text
        return response.json(parse_float=Decimal)

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self.json(path, **params)
            yield page
            if not page["next"]:
                return
            params["from"] = page["next"]

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        return [
            row
            for page in self.pages(path, **params)
            for row in page["data" if "data" in page else "results"]
        ]


@contextlib.contextmanager
def running(world: World | None = None, **options: Any) -> Iterator[Client]:
    world = world or World(accounts=4, clock=Clock(START))
    with serve(world, **options) as sandbox, Client(sandbox) as client:
        yield client


def as_sent(sandbox: Sandbox, payload: Any) -> Any:
    return json.loads(sandbox.encode(payload), parse_float=Decimal)


def error_message(response: requests.Response) -> str:
    message: str = response.json()["error"]["message"]
    return message


def contexts(world: World, stream: str) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Return where the rows of a stream are: path, parameters, and what to add to each row."""
    if stream in NESTED:
        parents, resource, added = NESTED[stream]
        for parent in world.ids(parents):
            yield f"{parents}/{parent}/{resource}", {}, {added: parent}
    elif stream == "nps_responses":
        for target in ("accounts", "organization"):
            yield "npsResponses", {"target": target}, {"target": target}
    elif stream == "custom_object_instances":
        for parent in world.ids("customObjects"):
            yield f"customObjects/{parent}/instances", {}, {}
    elif stream == "survey_responses":
        for parent in world.ids("surveys"):
            yield f"surveys/{parent}/responses", {}, {}
    elif stream == "accounts":
        yield "accounts", {"status": "activeOrChurned"}, {}
    else:
        yield WHOLE_TABLES[stream], {}, {}


def json_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
