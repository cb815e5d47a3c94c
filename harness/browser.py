"""Pages in Chromium: how wide they are, what they ask for, what does not answer."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE: Final = 300
OFFLINE: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
"""Chromium asks for updates and the like by itself; no test lets it."""
POLICY: Final = (
    "default-src 'self' 'unsafe-inline' data: blob:; script-src 'self' 'unsafe-inline' "
    "'unsafe-eval' blob:; report-uri /reported"
)
"""What a page asks another host for is not sent, and reported to the server."""
MEASURE: Final = Path(__file__).with_name("measure.html")


def chromium() -> str:
    """Find the browser; ``CHROMIUM`` names it, if that is set."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail("Chromium is not installed: it is a package of Debian, or set CHROMIUM.")
    return found


@contextmanager
def opened(url: str, profile: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Open a page in a browser without a window; end it afterwards."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", *OFFLINE, *options]
    with subprocess.Popen(
        [*command, f"--user-data-dir={profile}", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Measured:
    """What pages did in a browser: each list is empty where all is well."""

    pages: int = 0
    wider: list[str] = field(default_factory=list)
    """Page, width, and the first element that ends beyond the screen and is no code."""
    missing: list[str] = field(default_factory=list)
    """Addresses that did not answer with 200, and the anchors that no page has."""
    elsewhere: list[str] = field(default_factory=list)
    """What another host was asked for."""
    failed: list[str] = field(default_factory=list)
    """What a script said that failed."""


class _Server(ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Pages, directory=str(folder)))
        self.measured = Measured()
        self.results: queue.Queue[Any] = queue.Queue()
        self.question: Any = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that the browser has closed."""


class _Pages(SimpleHTTPRequestHandler):
    """Serves a folder, and what measures it."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/measure":
            question = json.dumps(self.server.question)
            page = MEASURE.read_text(encoding="utf-8").replace("QUESTION", question)
            self._answer(page.encode())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/reported":
            self.server.measured.elsewhere.append(body["csp-report"]["blocked-uri"])
        else:
            self.server.results.put(body)
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.server.measured.missing.append(f"{self.path} {code}")
        super().send_error(code, message, explain)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has above
        """Say nothing."""


def measured(
    folder: Path, pages: Sequence[str], profile: Path, widths: Sequence[int] = (1400, 390)
) -> Measured:
    """Look at pages of a folder at each width, and follow each of their links within it."""
    server = _Server(folder)
    server.question = {"pages": list(pages), "widths": list(widths)}
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with opened(f"http://127.0.0.1:{server.server_port}/measure", profile):
            found = server.results.get(timeout=PATIENCE)
    finally:
        server.shutdown()
        server.server_close()
    result = server.measured
    result.pages = found["pages"]
    result.wider = found["wider"]
    result.missing += found["missing"]
    result.failed = found["failed"]
    return result
