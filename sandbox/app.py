"""The web application: who may ask, how often, what goes wrong, and a log of it all."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from email.utils import format_datetime
from functools import partial
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from sandbox.control import control_routes
from sandbox.faults import Fault, Reply, misread, respond, tamper
from sandbox.pages import NOT_FOUND, ListPage, Plain
from sandbox.sandbox import Sandbox
from sandbox.wire import Delivery, compressed

ANALYTICS = "/analytics/v1/"
METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})

NOT_DONE = Plain({"error": "Service unavailable"}, 503)
"""The answer to a write that came to nothing, before it is spoiled."""

logger = logging.getLogger(__name__)


def application(sandbox: Sandbox) -> Starlette:
    """Make the web application of a sandbox."""
    served = _Application(sandbox)
    return Starlette(
        routes=[
            Mount("/control", routes=control_routes(sandbox)),
            Mount("", app=served.resources),
        ],
        exception_handlers={Exception: served.failed},
    )


class _Application:
    """Answers requests as a sandbox does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def resources(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer anything that is not below ``/control``."""
        request = Request(scope, receive)
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("latin-1")
        entry = self._sandbox.requests.add(request.method, path, query)
        if self._sandbox.before_request:
            self._sandbox.before_request(entry)
        if self._sandbox.latency:
            await asyncio.sleep(self._sandbox.latency)
        body = b"" if request.method == "GET" else await request.body()
        reply, fault = self._reply(request, path, query, body)
        if self._sandbox.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            reply = compressed(reply)
        entry.status, entry.bytes = reply.status, len(reply.body)
        await Delivery(reply, fault)(scope, receive, send)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Print an error of the sandbox itself, or of ``before_request``, to stderr."""
        logger.error("Cannot answer %s", request.url.path, exc_info=error)
        return Response(self._sandbox.encode({"error": repr(error)}), 500)

    def _reply(
        self, request: Request, path: str, query: str, body: bytes
    ) -> tuple[Reply, Fault | None]:
        headers = {"Date": format_datetime(self._sandbox.world.clock.now(), usegmt=True)}
        analytics = path.startswith(ANALYTICS)
        limiter = self._sandbox.analytics_limiter if analytics else self._sandbox.limiter
        objection = self._objection(request)
        if not objection and limiter:
            writes = request.method != "GET" and not analytics
            allowed, rate_headers = limiter.take(
                self._sandbox.writer.switches.cost if writes else 1
            )
            headers |= rate_headers
            objection = None if allowed else Plain({"error": "Too many requests"}, 429)
        if objection:
            return self._written(objection, headers), None
        params = dict(parse_qsl(query, keep_blank_values=True))
        segments = [unquote(part) for part in path.split("/")[2:]]
        fault = self._sandbox.faults.pick(request.method, path, params)
        if fault:
            misread(fault, params)
        self._sandbox.writer.catch_up()
        answer: Plain | ListPage
        writer = self._sandbox.writer
        write: Callable[[], Plain] = partial(writer.write, request.method, segments, params, body)
        if analytics:
            write = partial(writer.analytics.post, segments, body)
        if request.method == "GET":
            answer = self._sandbox.api.get(segments, params)
        elif fault and not fault.done:
            answer = NOT_DONE
            if fault.late:
                writer.later(self._sandbox.faults.delay(), write)
        else:
            answer = write()
        if not fault:
            return self._written(answer, headers), None
        return respond(fault, self._written(tamper(fault, answer), headers)), fault

    def _objection(self, request: Request) -> Plain | None:
        """Return the refusal of wrong headers; None if they are right (API notes: auth)."""
        path = request.scope["raw_path"].decode("ascii")
        analytics = path.startswith(ANALYTICS)
        if not (analytics or path.startswith("/resources/")):
            return NOT_FOUND
        if request.method not in (("POST",) if analytics else METHODS):
            return Plain({"error": "Method not allowed"}, 405)
        header = request.headers.get("authorization")
        if header is None:
            return Plain({"error": "Authorization header not present."}, 401)
        token = base64.b64encode(f"{self._sandbox.key}:".encode()).decode()
        if analytics:
            token = self._sandbox.analytics_key
        return None if header == f"Basic {token}" else Plain({"error": "Invalid API key."}, 401)

    def _written(self, answer: Plain | ListPage, headers: dict[str, str]) -> Reply:
        if isinstance(answer, ListPage):
            return Reply(200, self._sandbox.encode(self._sandbox.api.envelope(answer)), headers)
        body = self._sandbox.encode(answer.payload) if answer.body is None else answer.body
        return Reply(answer.status, body, headers)
