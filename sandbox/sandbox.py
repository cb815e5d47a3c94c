"""One sandbox: its world, its moods and its memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Any, Literal

import msgspec

from sandbox.api import Api
from sandbox.faults import Fault, Faults, OddAnswer, odd
from sandbox.pages import AtEnd
from sandbox.rate import Limiter, Rate
from sandbox.world import World
from sandbox.writing.routes import Writer
from sandbox.writing.switches import Writing

DEFAULT = Writing()


@dataclass(slots=True)
class Entry:
    """A request to the API."""

    number: int
    """Its place in the log, from 1."""
    time: float
    """When it came, on the monotonic clock."""
    method: str
    path: str
    """As it was sent."""
    query: str
    status: int = 0
    """The status of the answer; 0 until there is one."""
    bytes: int = 0
    """The size of the body that was to be sent."""


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

    def by_method(self) -> dict[str, int]:
        """Count the requests per method."""
        return dict(Counter(entry.method for entry in list(self)))

    def by_path(self) -> dict[str, int]:
        """Count the requests per path."""
        return dict(Counter(entry.path for entry in list(self)))


@dataclass(eq=False)
class Sandbox:
    """A Vitally to play with: its world, its moods and its memory."""

    world: World
    """The rows to serve."""
    key: str = "sandbox"
    """The one API key that is accepted."""
    latency: float = 0.0
    """Seconds that every answer takes longer than it has to."""
    rate: Rate | None = None
    """The request budget; None is no limit and no headers about one."""
    analytics_key: str = "sandbox-analytics"
    """The one token that the Analytics API accepts."""
    analytics_rate: Rate | None = None
    """The request budget of the Analytics API, which is one of its own."""
    gzip: bool = True
    """True: bodies are compressed for clients that accept it."""
    at_end: AtEnd = "present"
    """How lists mark their end: ``atEnd`` is there, missing, or true one page early."""
    admin_search: Literal["object", "results"] = "object"
    """What searching admins answers: one ``object`` or ``results``."""
    writing: InitVar[Writing] = DEFAULT
    """How it writes where nobody knows; ``writer.switches`` later on."""
    url: str = field(default="", init=False)
    """Where it listens, without ``/resources``."""
    faults: Faults = field(default_factory=Faults, init=False)
    """What is going to go wrong; append to it, ``clear()`` it."""
    requests: RequestLog = field(default_factory=RequestLog, init=False)
    """The requests so far."""
    before_request: Callable[[Entry], object] | None = field(default=None, init=False)
    """Called before each request is answered, in the thread of the server."""

    def __post_init__(self, writing: Writing) -> None:
        """Set up what follows from the choices."""
        self.limiter = Limiter(self.rate) if self.rate else None
        self.analytics_limiter = Limiter(self.analytics_rate) if self.analytics_rate else None
        self.api = Api(self.world, self.at_end, self.admin_search)
        self.writer = Writer(self.api)
        self.writer.switches = writing
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def refuse(self, path: str, status: int = 403) -> None:
        """Refuse a resource such as ``customObjects`` and all below it, as if the plan had it not."""
        glob, mark, query = path.partition("?")
        self.faults.insert(0, Fault("status", f"{glob}*{mark}{query}", status=status))

    def odd(self, path: str, kind: OddAnswer) -> None:
        """Make paths that match a glob give an odd answer from now on."""
        self.faults.insert(0, odd(path, kind))

    def encode(self, payload: Any) -> bytes:
        """Write JSON, with decimals as numbers that keep all their digits."""
        return self._encoder.encode(payload)
