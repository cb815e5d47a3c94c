"""A server whose answers a test makes up path by path, for endpoints that the sandbox does not have."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Query = dict[str, str]


@dataclass(frozen=True)
class Raw:
    """An answer that is more than JSON with status 200; no ``status`` breaks the connection off."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Answers(ThreadingHTTPServer):
    """Answers each path by a function of its query, and remembers what was asked."""

    daemon_threads = True

    def __init__(self, bodies: dict[str, Callable[[Query], Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies = bodies
        self.asked: list[tuple[str, Query, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/resources")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append((path, query, dict(self.headers)))
        found = self.server.bodies.get(path)
        answer = found(query) if found else Raw(404, {"error": "Not found"})
        answer = answer if isinstance(answer, Raw) else Raw(200, answer)
        if not answer.status:
            self.close_connection = True
            return
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


ACCOUNTS = {
    "results": [
        {"id": "a1", "externalId": "x/1", "createdAt": "2026-01-01T00:00:00Z"},
        {"id": "a2", "externalId": None, "createdAt": "2026-01-02T00:00:00Z"},
    ],
    "next": None,
}


@contextmanager
def answering(**bodies: Callable[[Query], Any]) -> Iterator[Answers]:
    """Serve some paths, ``__`` for a slash, beside two accounts."""
    found: dict[str, Callable[[Query], Any]] = {"/accounts": lambda _: ACCOUNTS}
    found |= {f"/{path.replace('__', '/')}": answer for path, answer in bodies.items()}
    server = Answers(found)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
