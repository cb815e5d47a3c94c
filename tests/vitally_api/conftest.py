"""Fixtures of the tests of the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.vitally_api.wire import Reply, Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    with ExitStack() as running:

        def start(*replies: Reply, port: int = 0) -> Server:
            server = running.enter_context(Server(*replies, port=port))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return server

        yield start
