"""The arithmetic of the rate limit; the caller passes the current time.

The API allows a number of units in any window of 60 s and says in each answer how many are left
(API notes, "Rate limit"); a read costs one, a write may cost more. Sources disagree whether the
server keeps a sliding window or a token bucket. Staying inside a sliding window is right for both,
because a bucket of the same size refills at least as fast, but leaves a bucket's refill unused:
1,501 units took 121 s where a bucket of 600 a minute gives them in 90. So what the headers say is
left may be used beyond the window.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

DEFAULT_WINDOW = 60.0
WINDOWS = range(1, 3601)
"""Accepted lengths of a window in seconds; others in a header are ignored."""
UNIX_TIME = 1_000_000_000


@dataclass(frozen=True)
class Quota:
    """The rate limit in the headers of one answer; None for what they do not have.

    ``limit`` is units per ``window`` seconds, ``remaining`` the units left, ``reset`` the seconds
    until there is at least one more, ``retry_after`` the seconds that the server asks to wait.
    """

    limit: int | None = None
    window: float | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], now: datetime | None) -> Quota:
        """Read ``RateLimit-*``, ``X-RateLimit-*`` and ``Retry-After``.

        ``headers`` are looked up without regard to case; ``now`` is the server's clock, for values
        that are given as moments.
        """

        def value(name: str) -> str:
            return headers.get(f"RateLimit-{name}") or headers.get(f"X-RateLimit-{name}") or ""

        def number(pattern: str, text: str) -> int | None:
            found = re.search(pattern, text)
            return int(found[1]) if found else None

        # `1000, 1000;window=60`: the first number is the limit, the rest describes it.
        limit = value("Limit")
        window = number(r"\bw(?:indow)?=(\d{1,9})\b", limit)
        return cls(
            limit=number(r"^\s*(\d{1,9})\b", limit) or None,
            # To look for None in a range compares it with all 3,600 numbers: 130 µs a request.
            window=window if window and window in WINDOWS else None,
            remaining=number(r"^\s*(\d{1,9})\b", value("Remaining")),
            reset=_seconds(value("Reset"), now),
            retry_after=_seconds(headers.get("Retry-After") or "", now),
        )


def _seconds(text: str, now: datetime | None) -> float | None:
    """Parse a delay in seconds, a Unix time or an HTTP date into seconds; None if it is none."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
            return max(0.0, (moment - now).total_seconds()) if now else None
        except (ValueError, TypeError, OverflowError):
            return None
    if number > UNIX_TIME:
        return max(0.0, number - now.timestamp()) if now else None
    return number if number >= 0 else None


class RateWindow:
    """Decides when a request may be sent.

    ``in_flight`` are the units of requests in progress; ``credit`` the units left by the last answer, less
    those sent since, None if it did not say. Other tools may use the same key, which only shows there.

    A request counts from before it is sent until a window's length after its answer came: the
    server counted it somewhere in between, so its own count is never higher.
    """

    def __init__(self, ceiling: int | None = None) -> None:
        """Start with nothing sent; ``ceiling`` is the operator's limit per minute, or None."""
        self._ceiling = ceiling
        self._advertised: int | None = None
        self._window = DEFAULT_WINDOW
        self.in_flight = 0
        self._leaving: deque[float] = deque()
        self._paused_until = 0.0
        # After a pause one request goes out alone, to see whether it has been long enough.
        self._probing = False
        self.credit: int | None = None
        self._credit_reset = self._told_at = 0.0
        # What is left even if all that was under way with that answer is yet to be counted, and
        # nothing has left the window since.
        self._certain = -math.inf
        self._answered = 0

    @property
    def limit(self) -> int | None:
        """Units per window; None while no limit is known."""
        limits = [n for n in (self._ceiling, self._advertised) if n is not None]
        return min(limits) if limits else None

    def left(self, now: float) -> int | None:
        """Return the units that may be sent at once; None while no limit is known."""
        self._expire(now)
        own = None if self.limit is None else self.limit - self.in_flight - len(self._leaving)
        if self.credit is None:
            return None if own is None else max(0, own)
        return max(0, self.credit if own is None else min(own, self.credit))

    def delay(self, now: float, units: int = 1) -> float | None:
        """Return 0 to send now, the seconds until the next check, or None to wait for an answer."""
        self._expire(now)
        if now < self._paused_until:
            return self._paused_until - now
        if self._probing and self.in_flight:
            return None
        leaves = self._leaving[0] if self._leaving else math.inf
        full = self._exceeds(self._advertised, units)
        if self._exceeds(self._ceiling, units) or (full and self.credit is None):
            return leaves - now if self._leaving else None
        # Beyond the window one unit is kept back, since a server may round up what is left.
        credit = math.inf if self.credit is None else self.credit
        spare = self._certain - 1 if full else credit
        if spare >= units:
            return 0.0
        # In a bucket there is one more unit at the reset, and others follow at the server's rate.
        each = self._window / self._advertised if self._advertised else 0.0
        more = self._credit_reset + (units - 1 - spare) * each
        if full and not self._refills(now):
            more = leaves
        if more <= now:
            # One request goes out to see how much there is; the rest wait for its answer.
            return None if self.in_flight else 0.0
        return min(more, leaves) - now

    def _refills(self, now: float) -> bool:
        """Return True if the server uses a token bucket: it allows more than a window would."""
        # Answers are taken to come within a tenth of a window.
        late, limit = self._window / 10, self._advertised or 0
        if len(self._leaving) > limit and self._leaving[-limit - 1] > now + late:
            return True
        return not self._leaving or self._credit_reset < self._leaving[0] - late

    def _exceeds(self, limit: int | None, units: int) -> bool:
        used = self.in_flight + len(self._leaving)
        return limit is not None and used > 0 and used + units > limit

    def start(self, units: int = 1) -> int:
        """Count a request that is about to be sent; return the units answered so far."""
        self.in_flight += units
        if self.credit is not None:
            self.credit -= units
        self._certain -= units
        return self._answered

    def finish(
        self, now: float, quota: Quota, units: int = 1, cost: int = 0, answered: int | None = None
    ) -> None:
        """Count a request that was answered or failed.

        ``units`` is its expected cost, as in `start`; ``cost`` its measured cost, 0 if unknown;
        ``answered`` the result of `start`.
        """
        self.in_flight -= units
        self._window = quota.window or self._window
        self._advertised = quota.limit or self._advertised
        self._leaving.extend([now + self._window] * (cost or units))
        if now >= self._paused_until:
            self._probing = False
        if quota.remaining is None:
            self.credit, self._certain = None, -math.inf
        else:
            self.credit = quota.remaining - self.in_flight
            overtaken = 0 if answered is None else self._answered - answered
            self._certain = min(self.credit, max(self._certain, self.credit - overtaken))
            # Resets only move on: an earlier one comes with an answer that was overtaken.
            reset = now + min(quota.reset or 1.0, self._window)
            self._credit_reset = max(self._credit_reset, reset)
            self._told_at = now
        self._answered += units

    def refilled(self, now: float, before: int, quota: Quota) -> float:
        """Estimate the units that a token bucket gained since ``before`` were left; 0 for a window."""
        limit = quota.limit or self._advertised
        if not limit or quota.reset is None or quota.reset > self._window / limit + 2:
            return 0.0
        return min(limit - before, (now - self._told_at) * limit / self._window)

    def pause(self, until: float) -> None:
        """Permit nothing until a time, and then one request alone, to see if the server accepts it."""
        self._paused_until = max(self._paused_until, until)
        self._probing = True

    def _expire(self, now: float) -> None:
        while self._leaving and self._leaving[0] <= now:
            self._leaving.popleft()
            if self.credit is not None:
                self.credit += 1


class CostEstimator:
    """Estimates the cost of a request of each method in units, from the headers.

    Only a request that was alone shows its own cost, as the difference of what was left before and
    after. Another tool may have drawn on the same key meanwhile, so the median of three counts; it
    is rounded up, because a unit too many is kept back once, one too few is refused again and again.
    """

    SAMPLES = 3
    MOST = 50
    """The largest difference that is taken for the cost of one request."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = {}

    def of(self, method: str) -> int:
        """Return the cost of a method in units; 1 while it is unknown, and for reads."""
        seen = sorted(self._seen.get(method) or [1])
        return math.ceil(seen[(len(seen) - 1) // 2])

    def known(self, method: str) -> bool:
        """Return True if the cost of a method was measured often enough; always for reads."""
        return method == "GET" or len(self._seen.get(method, ())) >= self.SAMPLES

    def learn(self, method: str, before: float, quota: Quota) -> int:
        """Measure a request that was sent alone, from the units left before and after; return its cost."""
        cost = before - quota.remaining if quota.remaining is not None else 1
        cost = cost if 1 <= cost <= self.MOST else self.of(method)
        self._seen.setdefault(method, []).append(cost)
        return math.ceil(cost)
