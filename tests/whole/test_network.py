"""Where there is no server, or none that can be trusted."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from harness.run_attempts import Pipe
from harness.support import Warehouse, read
from sandbox import Sandbox, World, serve
from tests.whole.runs import SELECT, config, everything, failed_in_one_line, helps, hurried, run
from vitally_api import Budget


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_refused_connection_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(seed=2, accounts=6, sizes={"notes": 12, "users": 8})
    port = free_port()
    waits: list[float] = []
    warehouse = Warehouse()
    with ExitStack() as later:
        started: list[Sandbox] = []

        def sleep(_: Budget, seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 5:
                started.append(later.enter_context(serve(world, port=port)))

        monkeypatch.setattr(Budget, "sleep", sleep)
        pipe = Pipe()
        url = f"http://127.0.0.1:{port}"
        read(config(url), select=SELECT, collector=pipe.collector)
        warehouse.load(pipe.messages)
        assert everything(started[0], warehouse)


def test_a_connection_that_stays_refused(tmp_path: Path) -> None:
    result = hurried(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert "refused" in failed_in_one_line(result)


@pytest.mark.parametrize("times", [2, None])
@pytest.mark.usefixtures("hurry")
def test_a_name_that_is_not_found(
    sandbox: Sandbox, times: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    asked: list[Any] = []

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        asked.append(args[0])
        if times is None or len(asked) <= times:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert "127.0.0.1" in asked
    if times:
        assert failure is None
        assert everything(sandbox, warehouse)
    else:
        assert "host name was not found" in str(failure)
        assert helps(str(failure))


@contextmanager
def tls_in_front_of(sandbox: Sandbox, authority: trustme.CA) -> Iterator[str]:
    """Speak TLS with a certificate of an authority, and pass all bytes on to the sandbox."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    inner = sandbox.url.removeprefix("http://").split(":")

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((inner[0], int(inner[1]))) as behind,
                context.wrap_socket(self.request, server_side=True) as front,
            ):
                back = threading.Thread(target=pump, args=(behind, front), daemon=True)
                back.start()
                pump(front, behind)
                back.join()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Forward) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_certificate_nobody_vouches_for(sandbox: Sandbox, tmp_path: Path) -> None:
    with tls_in_front_of(sandbox, trustme.CA()) as url:
        result = hurried(tmp_path, url)
    last = failed_in_one_line(result)
    assert "certificate" in last
    assert "REQUESTS_CA_BUNDLE" in last
    assert sandbox.requests == []


def test_a_certificate_that_is_vouched_for(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    warehouse = Warehouse()
    pipe = Pipe()
    with tls_in_front_of(sandbox, authority) as url:
        read(config(url), select=SELECT, collector=pipe.collector)
    warehouse.load(pipe.messages)
    assert everything(sandbox, warehouse)


def test_a_server_that_speaks_no_tls(sandbox: Sandbox, tmp_path: Path) -> None:
    result = hurried(tmp_path, sandbox.url.replace("http:", "https:"))
    assert "No TLS connection" in failed_in_one_line(result)
