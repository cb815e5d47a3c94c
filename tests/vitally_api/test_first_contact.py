"""Until one answer has been of use, each line says where was asked, and nothing takes long."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.vitally_api.wire import Client, Reply, Server
from vitally_api import Unavailable


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Answer whatever is asked with a few bytes that may be no HTTP, and hang up."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x15\x03\x01\x00\x02\x02\x46", b"SSH-2.0-OpenSSH_9\r\n", b"<html>"],
    ids=["nothing", "TLS", "SSH", "no header"],
)
def test_what_does_not_speak_http_ends_as_fast_as_what_does_not_listen(answer: bytes) -> None:
    with answering(answer) as url:
        client = Client(url)
        client.api.policy = replace(client.api.policy, patience=300.0, first_patience=0.0)
        failure = client.failure()
    assert isinstance(failure, Unavailable)
    assert url in str(failure)


@pytest.mark.parametrize("reply", [Reply(503), Reply(429), Reply(body=b"<html>")])
def test_the_first_line_names_the_address(
    serve: Callable[..., Server], reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    good = Reply(body=b'{"results": []}')
    url = serve(reply, good, reply, good).url
    client = Client(url, patience=300)
    client.get()
    client.get()
    first, second = (record.getMessage() for record in caplog.records)
    assert url in first
    assert url not in second
