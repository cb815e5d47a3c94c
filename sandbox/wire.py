"""Sends replies, and knows how to send them badly."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sandbox.faults import Fault, Reply

WORTH_COMPRESSING: Final = 500
"""Bytes from which on a body is compressed."""

BROKEN_GZIP: Final = b"\x1f\x8b" + b"so much for gzip " * 40


class Protocol(H11Protocol):
    """Lets a request get at its connection, which only a fault should want to."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection in the state that each of its requests gets."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def compressed(reply: Reply) -> Reply:
    """Return a reply with its body compressed, if that is worth while."""
    if len(reply.body) < WORTH_COMPRESSING:
        return reply
    return replace(
        reply,
        body=gzip.compress(reply.body, compresslevel=1, mtime=0),
        headers={**reply.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
    )


class Delivery(Response):
    """A reply on its way, which a fault may hold up or cut off."""

    def __init__(self, reply: Reply, fault: Fault | None = None) -> None:
        """Pack a reply, and what goes wrong on the way."""
        headers, body = dict(reply.headers), reply.body
        if fault and fault.kind == "broken_gzip":
            headers["Content-Encoding"] = "gzip"
            body = BROKEN_GZIP
        super().__init__(body, reply.status, headers, media_type="application/json")
        self._fault = fault

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the reply the way the fault, if any, has it."""
        fault, body = self._fault, bytes(self.body)
        start = {"type": "http.response.start", "status": self.status_code}
        headers = self.raw_headers
        transport: asyncio.Transport = scope["state"]["transport"]
        match fault.kind if fault else None:
            case "reset_before":
                await _reset(transport, receive)
            case "reset_mid_body":
                await send({**start, "headers": headers})
                await send(_part(body[: len(body) // 2], more=True))
                await _reset(transport, receive)
            case "truncated_with_length":
                await send({**start, "headers": headers})
                await send(_part(body[: len(body) // 2], more=True))
                transport.close()
                await _until_gone(receive)
            case "truncated_chunked":
                unmeasured = [header for header in headers if header[0] != b"content-length"]
                await send({**start, "headers": unmeasured})
                await send(_part(body))
            case "stall" if fault:
                await asyncio.sleep(fault.seconds)
                await super().__call__(scope, receive, send)
            case "slow_drip" if fault:
                await send({**start, "headers": headers})
                size = max(1, -(-len(body) // fault.pieces))
                for begin in range(0, len(body), size):
                    await asyncio.sleep(fault.seconds)
                    await send(_part(body[begin : begin + size], more=True))
                await send(_part(b""))
            case _:
                await super().__call__(scope, receive, send)


def _part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _reset(transport: asyncio.Transport, receive: Receive) -> None:
    """Drop the connection with RST: what a lingering time of zero makes of a close."""
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    """Wait for the server to notice, lest it try to complete the response."""
    while (await receive())["type"] != "http.disconnect":
        pass
