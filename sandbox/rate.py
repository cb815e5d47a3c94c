"""The request budget, in the two ways it has been documented (API notes: rate limit)."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Rate:
    """A budget of requests."""

    model: Literal["sliding", "bucket"] = "sliding"
    """``sliding`` allows ``limit`` requests in any window; ``bucket`` allows a burst of ``limit``
    and refills as many per window, bit by bit."""
    limit: int = 1000
    window: float = 60.0
    """How long the window is, in seconds of real time."""
    retry_after: bool = False
    """True: a refusal also carries ``Retry-After``, which Vitally does not document."""
    prefix: str = "RateLimit"
    """What the names of the headers begin with."""
    terse: bool = False
    """True: a refusal says only that a unit is back in one second."""
    silent: bool = False
    """True: no answer says anything of the budget, refusals included."""


class Verdict(NamedTuple):
    """Return True if a request is within the budget, and the headers of its answer."""

    allowed: bool
    headers: dict[str, str]


@dataclass(slots=True)
class Limiter:
    """Counts the requests of the one key there is."""

    rate: Rate
    clock: Callable[[], float] = time.monotonic
    _taken: deque[float] = field(default_factory=deque)
    _tokens: float = field(init=False)
    _filled: float = field(init=False)

    def __post_init__(self) -> None:
        """Start with the full budget."""
        self._tokens = float(self.rate.limit)
        self._filled = self.clock()

    def take(self, units: int = 1) -> Verdict:
        """Spend what a request costs, if that much is left to spend."""
        spend = self._from_window if self.rate.model == "sliding" else self._from_bucket
        allowed, remaining, reset = spend(units)
        rate, prefix = self.rate, self.rate.prefix
        if rate.silent:
            return Verdict(allowed, {})
        if rate.terse and not allowed:
            return Verdict(allowed, {f"{prefix}-Reset": "1"})
        headers = {
            f"{prefix}-Limit": f"{rate.limit}, {rate.limit};window={rate.window:g}",
            f"{prefix}-Remaining": str(remaining),
            f"{prefix}-Reset": str(reset),
        }
        if not allowed and rate.retry_after:
            headers["Retry-After"] = str(reset)
        return Verdict(allowed, headers)

    def _from_window(self, units: int) -> tuple[bool, int, int]:
        """Reset says when the oldest request leaves the window."""
        now = self.clock()
        while self._taken and self._taken[0] <= now - self.rate.window:
            self._taken.popleft()
        allowed = len(self._taken) + units <= self.rate.limit
        if allowed:
            self._taken.extend([now] * units)
        oldest = self._taken[0] if self._taken else now
        reset = math.ceil(oldest + self.rate.window - now)
        return allowed, self.rate.limit - len(self._taken), reset

    def _from_bucket(self, units: int) -> tuple[bool, int, int]:
        """Reset says when a single unit will have been refilled."""
        now = self.clock()
        per_second = self.rate.limit / self.rate.window
        self._tokens = min(self.rate.limit, self._tokens + (now - self._filled) * per_second)
        self._filled = now
        allowed = self._tokens >= units
        if allowed:
            self._tokens -= units
        missing = 1 - self._tokens % 1
        return allowed, int(self._tokens), max(1, math.ceil(missing / per_second))
