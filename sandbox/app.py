"""The web application: who may ask, how often, what goes wrong, and a log of it all."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from sandbox.api import NOT_FOUND, Api, AtEnd, Page, Plain
from sandbox.control import control_routes
from sandbox.faults import Fault, Faults, Odd, Reply, odd, respond, tamper
from sandbox.rate import Limiter, Rate
from sandbox.wire import Delivery, compressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from sandbox.world import World

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """A request to the API.

    Attributes:
        number: Its place in the log, from 1.
        time: When it came, on the monotonic clock.
        method: Its HTTP method.
        path: Its path as it was sent.
        query: Its query as it was sent.
        status: The status of the answer; 0 until there is one.
        bytes: The size of the body that was to be sent.
    """

    number: int
    time: float
    method: str
    path: str
    query: str
    status: int = 0
    bytes: int = 0


class RequestLog(list[Entry]):
    """All requests since the start or the last ``clear()``, in the order they came."""

    def add(self, method: str, path: str, query: str) -> Entry:
        """Write down a request that has just come."""
        entry = Entry(len(self) + 1, time.monotonic(), method, path, query)
        self.append(entry)
        return entry

    def by_status(self) -> dict[int, int]:
        """Count the requests per status."""
        return dict(Counter(entry.status for entry in list(self)))

    def by_path(self) -> dict[str, int]:
        """Count the requests per path."""
        return dict(Counter(entry.path for entry in list(self)))


@dataclass(eq=False)
class Sandbox:
    """A Vitally to play with: its world, its moods and its memory.

    Attributes:
        world: The rows to serve.
        key: The one API key that is accepted.
        latency: Seconds that every answer takes longer than it has to.
        rate: The request budget; None is no limit and no headers about one.
        gzip: Whether bodies are compressed for clients that accept it.
        at_end: Whether lists carry ``atEnd``, or carry it one page early.
        admin_search: What searching admins answers: one ``object`` or ``results``.
        url: Where it listens, without ``/resources``.
        faults: What is going to go wrong; append to it, ``clear()`` it.
        requests: The requests so far.
        before_request: Called before each request is answered, in the thread of the server.
    """

    world: World
    key: str = "sandbox"
    latency: float = 0.0
    rate: Rate | None = None
    gzip: bool = True
    at_end: AtEnd = "present"
    admin_search: Literal["object", "results"] = "object"
    url: str = field(default="", init=False)
    faults: Faults = field(default_factory=Faults, init=False)
    requests: RequestLog = field(default_factory=RequestLog, init=False)
    before_request: Callable[[Entry], object] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Set up what follows from the choices."""
        self._limiter = Limiter(self.rate) if self.rate else None
        self._api = Api(self.world, self.at_end, self.admin_search)
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def refuse(self, path: str, status: int = 403) -> None:
        """Refuse a resource and everything below it, as if the plan did not include it.

        Args:
            path: Such as ``customObjects`` or ``npsResponses?target=organization``.
            status: What to refuse it with.
        """
        glob, mark, query = path.partition("?")
        self.faults.insert(0, Fault("status", f"{glob}*{mark}{query}", status=status))

    def odd(self, path: str, kind: Odd) -> None:
        """Make paths that match a glob give an odd answer from now on."""
        self.faults.insert(0, odd(path, kind))

    def app(self) -> Starlette:
        """Return the web application."""
        return Starlette(
            routes=[
                Mount("/control", routes=control_routes(self)),
                Mount("", app=self._resources),
            ],
            exception_handlers={Exception: self._failed},
        )

    def encode(self, payload: Any) -> bytes:
        """Write JSON, with decimals as numbers that keep all their digits."""
        return self._encoder.encode(payload)

    async def _resources(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer anything that is not below ``/control``."""
        request = Request(scope)
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("latin-1")
        entry = self.requests.add(request.method, path, query)
        if self.before_request:
            self.before_request(entry)
        if self.latency:
            await asyncio.sleep(self.latency)
        reply, fault = self._reply(request, path, query)
        if self.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            reply = compressed(reply)
        entry.status, entry.bytes = reply.status, len(reply.body)
        await Delivery(reply, fault)(scope, receive, send)

    async def _failed(self, request: Request, error: Exception) -> Response:
        """Tell of a mistake in the sandbox itself, or in ``before_request``."""
        logger.error("Cannot answer %s", request.url.path, exc_info=error)
        return Response(self.encode({"error": repr(error)}), 500)

    def _reply(self, request: Request, path: str, query: str) -> tuple[Reply, Fault | None]:
        headers = {"Date": format_datetime(self.world.clock.now(), usegmt=True)}
        objection = self._objection(request)
        if not objection and self._limiter:
            allowed, rate_headers = self._limiter.take()
            headers |= rate_headers
            objection = None if allowed else Plain({"error": "Too many requests"}, 429)
        if objection:
            return self._written(objection, headers), None
        params = dict(parse_qsl(query, keep_blank_values=True))
        answer = self._api.get([unquote(part) for part in path.split("/")[2:]], params)
        fault = self.faults.pick(path, params)
        if not fault:
            return self._written(answer, headers), None
        return respond(fault, self._written(tamper(fault, answer), headers)), fault

    def _objection(self, request: Request) -> Plain | None:
        """Say what is wrong with a request, whatever it is after (API notes: auth)."""
        if not request.scope["raw_path"].startswith(b"/resources/"):
            return NOT_FOUND
        if request.method != "GET":
            return Plain({"error": "Method not allowed"}, 405)
        header = request.headers.get("authorization")
        if header is None:
            return Plain({"error": "Authorization header not present."}, 401)
        token = base64.b64encode(f"{self.key}:".encode()).decode()
        return None if header == f"Basic {token}" else Plain({"error": "Invalid API key."}, 401)

    def _written(self, answer: Plain | Page, headers: dict[str, str]) -> Reply:
        if isinstance(answer, Page):
            return Reply(200, self.encode(self._api.envelope(answer)), headers)
        body = self.encode(answer.payload) if answer.body is None else answer.body
        return Reply(answer.status, body, headers)
