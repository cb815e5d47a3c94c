"""How long and how often a request is tried, and what is counted meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

READS = frozenset({"GET"})


@dataclass(frozen=True)
class Policy:
    """How patient a request is; ``dataclasses.replace`` makes another one for a single call.

    Times are in seconds. ``patience`` outlives a whole rate window and an outage of minutes. Until
    the first answer has come, failures that time seldom ends (an address, a name, a proxy) end after
    ``first_patience``. ``unreadable_tries`` are answers 2xx that are not JSON, and ``odd_tries``
    those of another shape, until the request fails. ``repeats`` are the methods that may be sent
    again when the first request may have been carried out.
    """

    patience: float = 300.0
    first_patience: float = 30.0
    unreadable_tries: int = 5
    odd_tries: int = 2
    connect_timeout: float = 15.0
    request_timeout: float = 60.0
    repeats: frozenset[str] = READS


class RequestMetrics(Protocol):
    """Where requests, retries and seconds waited are counted, from any thread."""

    def add(self, **counts: float) -> None:
        """Add to the counts ``requests``, ``retries`` and ``waited``."""


class NoMetrics:
    """Counts nothing."""

    def add(self, **counts: float) -> None:
        """Do nothing."""
