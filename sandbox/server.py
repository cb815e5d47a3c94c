"""Runs a sandbox: on a thread of this process, on a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import uvicorn

from sandbox.app import application
from sandbox.sandbox import Sandbox
from sandbox.wire import Protocol
from sandbox.world import World
from sandbox.writing.switches import Writing

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.pages import AtEnd
    from sandbox.rate import Rate

HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """A server that is told to stop rather than asked every tenth of a second, and stops at once.

    Clients that keep their connections, or that a fault keeps waiting, are hung up on.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        """Prepare to serve."""
        super().__init__(config)
        self.ready = threading.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @override
    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.ready.set()  # lest anybody wait for a server that could not start

    @override
    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready.set()
        await self._stopping.wait()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # in which the connections close

    def stop(self) -> None:
        """Make the server stop, from another thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._stopping.set)


@contextmanager
def serve(  # noqa: PLR0913 - they are all optional, and named
    world: World | None = None,
    *,
    port: int = 0,
    key: str = "sandbox",
    latency: float = 0.0,
    rate: Rate | None = None,
    analytics_key: str = "sandbox-analytics",
    analytics_rate: Rate | None = None,
    gzip: bool = True,
    at_end: AtEnd = "present",
    admin_search: Literal["object", "results"] = "object",
    writing: Writing = Writing(),  # noqa: B008 - it is a value that cannot be changed
) -> Iterator[Sandbox]:
    """Run a sandbox for as long as the context lasts, on a port of 127.0.0.1 or any free one."""
    sandbox = Sandbox(
        world or World(),
        key=key,
        latency=latency,
        rate=rate,
        analytics_key=analytics_key,
        analytics_rate=analytics_rate,
        gzip=gzip,
        at_end=at_end,
        admin_search=admin_search,
        writing=writing,
    )
    # Only where the protocol is spelled out does asyncio switch Nagle's algorithm off, which would
    # otherwise hold each body back for the 40 ms it takes the client to acknowledge the headers.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        sandbox.url = "http://{}:{}".format(*listener.getsockname())
        server = _Server(
            uvicorn.Config(
                application(sandbox),
                http=Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
            )
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        server.ready.wait()
        try:
            yield sandbox
        finally:
            server.stop()
            thread.join()
