"""One request budget for all threads.

The API allows a number of requests in any window of 60 s and says in each answer how many are
left (API notes, "Rate limit"). Sources disagree whether the server keeps a sliding window or a
token bucket; staying inside a sliding window is right for both, because a bucket of the same size
refills at least as fast.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tap_vitally.errors import stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

DEFAULT_WINDOW = 60.0
WINDOWS = range(1, 3601)
"""Seconds that a window may have: nobody would wait for a longer one."""
UNIX_TIME = 1_000_000_000


@dataclass(frozen=True)
class Quota:
    """What one answer's headers say about the budget; None where they say nothing.

    Attributes:
        limit: Requests allowed per window.
        window: Length of the window in seconds.
        remaining: Requests left.
        reset: Seconds until there is at least one more.
        retry_after: Seconds the server asks to wait.
    """

    limit: int | None = None
    window: float | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], now: datetime | None) -> Quota:
        """Read ``RateLimit-*``, ``X-RateLimit-*`` and ``Retry-After``.

        Args:
            headers: Response headers, looked up without regard to case.
            now: The server's clock, for values given as moments.

        Returns:
            Whatever could be understood.
        """

        def value(name: str) -> str:
            return headers.get(f"RateLimit-{name}") or headers.get(f"X-RateLimit-{name}") or ""

        # `1000, 1000;window=60`: the first number is the limit, the rest describes it.
        limit = value("Limit")
        window = re.search(r"\bw(?:indow)?=(\d{1,9})\b", limit)
        first = re.match(r"\s*(\d{1,9})\b", limit)
        remaining = re.match(r"\s*(\d{1,9})\b", value("Remaining"))
        return cls(
            limit=int(first.group(1)) if first and int(first.group(1)) else None,
            window=float(window.group(1)) if window and int(window.group(1)) in WINDOWS else None,
            remaining=int(remaining.group(1)) if remaining else None,
            reset=_seconds(value("Reset"), now),
            retry_after=_seconds(headers.get("Retry-After") or "", now),
        )


def _seconds(text: str, now: datetime | None) -> float | None:
    """Read a delay given in seconds, as Unix time, or as an HTTP date."""
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
    """The budget's arithmetic, on moments given by the caller.

    A request counts from before it is sent until a window's length after its answer came: the
    server counted it somewhere in between, so its own count is never higher.
    """

    def __init__(self, ceiling: int | None = None) -> None:
        """Open a budget.

        Args:
            ceiling: The operator's limit per minute, or None for what the server advertises.
        """
        self._ceiling = ceiling
        self._advertised: int | None = None
        self._window = DEFAULT_WINDOW
        self._in_flight = 0
        self._leaving: deque[float] = deque()
        self._paused_until = 0.0
        # After a pause one request goes out alone, to see whether it has been long enough.
        self._cautious = False
        # What the server said is left, less what has been sent since: other tools may draw on the
        # same key, so their use shows only here.
        self._credit: int | None = None
        self._credit_reset = 0.0

    @property
    def limit(self) -> int | None:
        """Requests per window, or None while nothing limits them."""
        limits = [n for n in (self._ceiling, self._advertised) if n is not None]
        return min(limits) if limits else None

    def left(self, now: float) -> int | None:
        """Count what may be sent at once.

        Args:
            now: The moment.

        Returns:
            A number of requests, or None while nothing limits them.
        """
        self._expire(now)
        if self.limit is None:
            return self._credit
        own = max(0, self.limit - self._in_flight - len(self._leaving))
        return own if self._credit is None else max(0, min(own, self._credit))

    def delay(self, now: float) -> float | None:
        """Decide whether a request may be sent.

        Args:
            now: The moment.

        Returns:
            0 to send it now, else the seconds until asking again makes sense; None when only the
            answer to a request under way can change that.
        """
        self._expire(now)
        if now < self._paused_until:
            return self._paused_until - now
        if self._cautious and self._in_flight:
            return None
        if self.limit is not None and self._in_flight + len(self._leaving) >= self.limit:
            return self._leaving[0] - now if self._leaving else None
        if self._credit is not None and self._credit <= 0:
            if now >= self._credit_reset:
                # One request goes out to see how much there is; the rest wait for its answer.
                return None if self._in_flight else 0.0
            ends = [self._credit_reset, *([self._leaving[0]] if self._leaving else [])]
            return min(ends) - now
        return 0.0

    def start(self) -> None:
        """Count a request that is about to be sent."""
        self._in_flight += 1
        if self._credit is not None:
            self._credit -= 1

    def finish(self, now: float, quota: Quota) -> None:
        """Take in the end of a request.

        Args:
            now: The moment its answer came, or it failed.
            quota: What the answer said.
        """
        self._in_flight -= 1
        self._window = quota.window or self._window
        self._advertised = quota.limit or self._advertised
        self._leaving.append(now + self._window)
        if now >= self._paused_until:
            self._cautious = False
        if quota.remaining is None:
            self._credit = None
        else:
            self._credit = quota.remaining - self._in_flight
            self._credit_reset = now + min(quota.reset or 1.0, self._window)

    def pause(self, until: float) -> None:
        """Hold everybody back.

        Args:
            until: The moment from which one request may try again.
        """
        self._paused_until = max(self._paused_until, until)
        self._cautious = True

    def _expire(self, now: float) -> None:
        while self._leaving and self._leaving[0] <= now:
            self._leaving.popleft()
            if self._credit is not None:
                self._credit += 1


class RateBudget:
    """The budget as threads use it: they wait their turn, and a stop wakes them."""

    def __init__(
        self,
        ceiling: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open a budget.

        Args:
            ceiling: The operator's limit per minute, or None for what the server advertises.
            clock: Seconds that only go forward.
        """
        self._rate = RateWindow(ceiling)
        self._clock = clock
        self._turn = threading.Condition()
        self._stopped = False

    def acquire(self) -> float:
        """Wait until a request may be sent, and count it.

        Returns:
            The seconds waited.

        Raises:
            Cancelled: If the run was stopped meanwhile.
        """
        began = self._clock()
        with self._turn:
            while True:
                if self._stopped:
                    raise stopped()
                delay = self._rate.delay(self._clock())
                if delay == 0:
                    self._rate.start()
                    return self._clock() - began
                self._turn.wait(delay)

    def release(self, quota: Quota) -> None:
        """Take in the end of a request.

        Args:
            quota: What its answer said; an empty one if there was none.
        """
        with self._turn:
            self._rate.finish(self._clock(), quota)
            self._turn.notify_all()

    def pause(self, seconds: float) -> None:
        """Hold everybody back after a 429.

        Args:
            seconds: For how long.
        """
        with self._turn:
            self._rate.pause(self._clock() + seconds)

    def sleep(self, seconds: float) -> None:
        """Wait alone, for a retry, until the time is over or the run is stopped.

        Args:
            seconds: For how long.

        Raises:
            Cancelled: If the run was stopped meanwhile.
        """
        end = self._clock() + seconds
        with self._turn:
            while not self._stopped and (rest := end - self._clock()) > 0:
                self._turn.wait(rest)
            if self._stopped:
                raise stopped()

    def left(self) -> int | None:
        """Count what may be sent at once, for the progress line.

        Returns:
            A number of requests, or None while nothing limits them.
        """
        with self._turn:
            return self._rate.left(self._clock())

    def stop(self) -> None:
        """End every wait, now and from now on."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
