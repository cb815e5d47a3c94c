"""What the tests of writing have in common: a client that writes, and rows to hang things on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import requests

from sandbox import Clock, World
from tests.sandbox.client import START, Client, running

Row = dict[str, Any]
NOBODY = "00000000-0000-4000-8000-000000000000"


class Writer:
    """Writes into a sandbox and looks at what became of it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.world = client.sandbox.world

    def send(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{self.client.sandbox.url}/resources/{path}"
        return self.client.request(method, url, json=body, timeout=20)

    def post(self, path: str, **body: Any) -> Row:
        return self.done(self.send("POST", path, body))

    def put(self, path: str, **body: Any) -> Row:
        return self.done(self.send("PUT", path, body))

    def delete(self, path: str) -> None:
        answer = self.send("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b"")

    def get(self, path: str) -> Row:
        row: Row = self.client.json(path)
        return row

    def is_gone(self, path: str) -> bool:
        return self.client.ask(path).status_code == 404

    def turn(self, **switches: Any) -> None:
        """Turn switches the way one does from outside."""
        url = f"{self.client.sandbox.url}/control/writing"
        answer = requests.post(url, json=switches, timeout=20)
        assert answer.status_code == 200, answer.text

    def organization(self, external_id: str = "o-1") -> Row:
        return self.post("organizations", externalId=external_id, name="Example Group")

    def account(self, external_id: str = "a-1", **more: Any) -> Row:
        return self.post("accounts", externalId=external_id, name="Example Mills", **more)

    def user(self, external_id: str = "u-1", **more: Any) -> Row:
        more.setdefault("accountIds", [self.account()["id"]])
        return self.post("users", externalId=external_id, **more)

    @staticmethod
    def done(answer: requests.Response) -> Row:
        assert answer.status_code == 200, answer.text
        row: Row = answer.json()
        assert "error" not in row
        return row


@contextlib.contextmanager
def writing(**options: Any) -> Iterator[Writer]:
    """Run a sandbox without customers."""
    with running(World.empty(clock=Clock(START)), **options) as client:
        yield Writer(client)


def errors(answer: requests.Response) -> list[tuple[str, str]]:
    """Return what a refusal names: where, and by which keyword."""
    assert answer.status_code == 400, answer.text
    return [(one["instancePath"], one["keyword"]) for one in answer.json()["error"]["errors"]]
