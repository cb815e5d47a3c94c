"""A workspace behind HTTP, with faults; the worst is a write that is done and not answered."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from harness.workspace.reads import read
from harness.workspace.rows import Reply, Switches, Workspace
from harness.workspace.writes import write


def answer(
    here: Workspace, method: str, path: list[str], query: dict[str, str], body: Any
) -> Reply:
    """Answer one request."""
    with here.lock:
        if method == "GET":
            return read(here, path, query)
        reply = write(here, method, path, query, body)
        if here.switches.error_as_200 and reply[0] == 400:
            return 200, reply[1]
        return reply


def _as_double(text: str) -> int:
    """Read a whole number as JavaScript does: beyond 2^53 it is the nearest double."""
    return int(float(text)) if abs(int(text)) > 2**53 else int(text)


class _Handler(BaseHTTPRequestHandler):
    """Puts a workspace on the wire."""

    protocol_version = "HTTP/1.1"
    workspace: Workspace

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _handle(self) -> None:
        here = self.workspace
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        body = json.loads(raw, parse_int=_as_double) if length else None
        address = urlsplit(self.path)
        path = [unquote(part) for part in address.path.split("/")[2:]]
        with here.lock:
            here.log.append((self.command, "/".join(path)))
            here.bodies.append(raw.decode())
            fault = here.fault(self.command, "/".join(path), len(here.log))
        if fault == "cut":
            self._hang_up()
            return
        if fault.isdigit():
            self._send(int(fault), {"error": "as the test wants it"})
            return
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if self.headers.get("Authorization") is None or here.key == "revoked":
            self._send(401, {"error": "Invalid API key."})
            return
        try:
            status, reply = answer(here, self.command, path, query, body)
        except Exception as error:  # noqa: BLE001 - a fault of the test's machine ends the run
            status, reply = 418, {"error": f"the workspace itself failed: {error!r}"}
        if fault == "lost":
            self._hang_up()
            return
        self._send(status, reply)

    def _send(self, status: int, reply: Any) -> None:
        raw = b"" if reply is None else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(raw)

    def _hang_up(self) -> None:
        """Reset the connection."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out clients that hang up."""


@contextmanager
def workspace(**switches: Any) -> Iterator[Workspace]:
    """Run a workspace for as long as the context lasts."""
    here = Workspace(Switches(**switches))
    handler = type("Handler", (_Handler,), {"workspace": here})
    with _Server(("127.0.0.1", 0), handler) as server:
        here.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
