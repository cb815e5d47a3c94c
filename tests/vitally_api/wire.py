"""A server of a few lines, and a client that does not dawdle."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tap_vitally.sync.summary import StreamMetrics
from vitally_api import Answer, Budget, Endpoint, Policy, Vitally, VitallyError
from vitally_api.budget import Permit

KEY = "sandbox"
ENCODED = "c2FuZGJveDo="  # sandbox:


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """Gives its replies in turn, the last of them for ever, and remembers what was asked."""

    daemon_threads = True

    def __init__(self, *replies: Reply, port: int = 0) -> None:
        self.asked: list[dict[str, str]] = []
        self.replies = replies or (Reply(),)
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        reported = {"path": self.path, "method": self.command, "body": body}
        self.server.asked.append({**reported, **self.headers})
        reply = self.server.replies[min(len(self.server.asked), len(self.server.replies)) - 1]
        self.send_response_only(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - as the base class wants them

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


class Hasty(Budget):
    """A budget that notes every wait, and waits for none; the callbacks are called in their place."""

    def __init__(
        self,
        on_acquire: Callable[[], object] = lambda: None,
        on_sleep: Callable[[int], object] = lambda _: None,
    ) -> None:
        super().__init__()
        self._on_acquire, self._on_sleep = on_acquire, on_sleep
        self.slept: list[float] = []
        self.paused: list[float] = []

    def acquire(self, method: str = "GET") -> Permit:
        self._on_acquire()
        return super().acquire(method)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._on_sleep(len(self.slept))

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


@dataclass
class Client:
    """Asks one host, giving up at the first failure unless told otherwise."""

    url: str
    key: str = KEY
    patience: float = 0.0
    policy: Policy = field(default_factory=Policy)
    budget: Budget = field(default_factory=Hasty)
    metrics: StreamMetrics = field(default_factory=StreamMetrics)

    def __post_init__(self) -> None:
        endpoint = Endpoint.from_config({"api_key": self.key, "api_url": self.url}, "tests")
        self.api = Vitally(endpoint, self.budget, replace(self.policy, patience=self.patience))

    def get(
        self,
        path: str = "/accounts",
        parse: Callable[[Any], Any] = lambda body: body,
        **more: Any,
    ) -> Answer[Any]:
        return self.api.get(path, {}, parse, self.metrics, **more)

    def send(self, *asked: Any, **more: Any) -> Answer[Any]:
        return self.api.send(*asked, counts=self.metrics, **more)

    def failure(self, path: str = "/accounts", **more: Any) -> VitallyError:
        with pytest.raises(VitallyError) as caught:
            self.get(path, **more)
        message = str(caught.value)
        assert "\n" not in message
        assert self.key not in message.replace(self.url, "")
        assert ENCODED not in message
        assert caught.value.__cause__ is None
        return caught.value
