"""A Vitally to play with: a loopback server with the API's behaviour and made-up data.

Example:
    >>> with serve(World(seed=1, accounts=50)) as sandbox:
    ...     print(sandbox.url, len(sandbox.world.expected_rows("users")))

"""

from __future__ import annotations

from sandbox.clock import Clock
from sandbox.expected_rows import STREAMS
from sandbox.faults import LATE, Fault
from sandbox.rate import Rate
from sandbox.sandbox import Entry, Sandbox
from sandbox.server import serve
from sandbox.world import World
from sandbox.writing.switches import Writing

__all__ = [
    "LATE",
    "STREAMS",
    "Clock",
    "Entry",
    "Fault",
    "Rate",
    "Sandbox",
    "World",
    "Writing",
    "serve",
]
