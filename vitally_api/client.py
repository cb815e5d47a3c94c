"""Send requests within the rate limit, repeat failed ones, and check answers (API notes, "Rate limit")."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from vitally_api.budget import Budget
from vitally_api.connection import Connection, ConnectionFailed, Request, Response
from vitally_api.decoding import decoded, decoded_or_none
from vitally_api.endpoint import Endpoint
from vitally_api.errors import (
    KeyRefused,
    RateLimited,
    Refused,
    Unavailable,
    UnexpectedShape,
    Unreadable,
    WriteOutcomeUnknown,
)
from vitally_api.rate import Quota
from vitally_api.retrying import Policy, RequestMetrics, TryAgain, until_answered
from vitally_api.statuses import StatusClass, classify, phrase
from vitally_api.wording import (
    NetworkErrorKind,
    network_error_kind,
    network_message,
    redacted,
    refusal,
    safe_text,
    status_in_words,
)

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds that a server may ask to wait before the next try."""
ERROR_BODY = 1 << 16
"""Bytes of an error body that are looked at."""
UNKNOWN = "It is not known whether the request was carried out."


@dataclass(frozen=True)
class Answer(Generic[T]):
    """An answer: the parsed body, the server's time or None, and the size of the body in bytes."""

    data: T
    date: datetime | None
    size: int


class Vitally:
    """The API of one workspace, used by all threads of a run."""

    def __init__(
        self, endpoint: Endpoint, budget: Budget, policy: Policy | None = None, concurrency: int = 8
    ) -> None:
        """Prepare; nothing is sent yet. ``concurrency`` is the number of requests in progress at most."""
        self.endpoint = endpoint
        self.policy = policy or Policy()
        self._budget = budget
        self._connection = Connection(endpoint, concurrency)
        self._under_way = threading.BoundedSemaphore(concurrency)
        self._met = self._understood = False
        self._nul_told: set[str] = set()

    def get(
        self,
        path: str,
        query: Mapping[str, str],
        parse: Callable[[Any], T],
        counts: RequestMetrics,
        **more: Any,
    ) -> Answer[T]:
        """Send a GET request; ``more`` are further arguments of `send`."""
        return self.send("GET", path, query, parse=parse, counts=counts, **more)

    def send(  # noqa: PLR0913 - one request, described by its parts
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        counts: RequestMetrics,
        parse: Callable[[Any], T] = lambda body: body,
        label: str | None = None,
        policy: Policy | None = None,
        headers: Mapping[str, str] | None = None,
        decode: Callable[[bytes], Any] | None = None,
    ) -> Answer[T]:
        """Send a request until it is answered.

        ``path`` is below the root of the API and percent-encoded; messages show ``label`` in its place,
        as a path may hold an e-mail address. ``parse`` takes the data out of the decoded body; it raises
        `Unreadable` for an unexpected body, which counts as a failed try. ``decode`` is a faster decoder
        that returns None for bodies it cannot read.

        Raise `KeyRefused`, or `Refused` for any other final status; `Unreadable` or `Unavailable` once the
        policy allows no more tries; `WriteOutcomeUnknown` for a method that the policy does not repeat, if
        the request may have been carried out; `Cancelled` after a stop.
        """
        called = label or f"{self.endpoint.root}{path}"
        patience = policy or self.policy
        asked = Request(method, path, query or {}, body, called, patience, headers or {})

        def attempt() -> Answer[T]:
            with self._under_way:
                response = self._response(asked, counts)
            return self._answer(asked, response, parse, decode)

        return until_answered(attempt, self._budget, counts)

    def _response(self, asked: Request, counts: RequestMetrics) -> Response:
        """Send a request once, within the rate limit; return the answer, whatever its status."""
        turn = self._budget.acquire(asked.method)
        began = time.monotonic()
        counts.add(waited=turn.waited, requests=1)
        quota, carried_out = Quota(), False
        try:
            response = self._connection.request(asked)
            quota = response.quota
            carried_out = classify(response.status) not in {StatusClass.WAIT, StatusClass.BROKEN}
        except ConnectionFailed as broken:
            kind = network_error_kind(broken.args[0])
            raise self._broken(asked, kind, time.monotonic() - began) from None
        finally:
            self._budget.release(turn, quota, carried_out=carried_out)
        self._met = True
        return response

    def _broken(self, asked: Request, found: NetworkErrorKind, took: float) -> Exception:
        """Return the exception to raise for a network failure, which showed after ``took`` seconds."""
        policy, message = asked.policy, network_message(self.endpoint, found, asked.label)
        if asked.method not in policy.repeats and not found.unsent:
            return WriteOutcomeUnknown(f"{message} {UNKNOWN}")
        if not found.passing:
            return Unavailable(message)
        patience, reason = policy.patience, self._reason(found.what)
        if not self._met and found.address:
            # Who has never had an answer asks at a wrong address more often than in an outage.
            patience = min(patience, policy.first_patience - took)
            reason = network_message(self.endpoint, found).rstrip(".")
        return TryAgain(reason, lambda _: Unavailable(message), patience)

    def _answer(
        self,
        asked: Request,
        response: Response,
        parse: Callable[[Any], T],
        decode: Callable[[bytes], Any] | None,
    ) -> Answer[T]:
        if classify(response.status) is not StatusClass.DATA:
            raise self._failed(asked, response)
        kind: type[Unreadable] = Unreadable
        try:
            body = decode(response.body) if decode else None
            if body is None:
                body = decoded(response.body, asked.label, self._nul_told)
            kind = UnexpectedShape
            data = parse(body)
        except Unreadable as failure:
            reason = redacted(str(failure), self.endpoint.secrets)
            raise self._unreadable(asked, response, kind(reason)) from None
        self._understood = True
        return Answer(data, response.date, len(response.body))

    def _reason(self, what: str) -> str:
        """Return the reason of a retry for the log, with the address until a first answer was readable."""
        return what if self._understood else f"{what}, at {self.endpoint.base_url}"

    def _unreadable(self, asked: Request, response: Response, failure: Unreadable) -> Exception:
        policy, odd = asked.policy, isinstance(failure, UnexpectedShape)
        tries = policy.odd_tries if odd else policy.unreadable_tries
        kind = response.headers.get("Content-Type", "no type").partition(";")[0]
        what = f"something that is not the data asked for, at {asked.label}: {failure} "
        what += f"({safe_text(kind, self.endpoint.secrets)})."
        if asked.method not in policy.repeats:
            return WriteOutcomeUnknown(f"Vitally answered with {what} {UNKNOWN}")

        def lasting(_: float) -> Unreadable:
            times = f"Vitally answered {again.failures} times"
            return type(failure)(f"{times} with {what} If it goes on, tell Vitally's support.")

        reason = self._reason(f"an answer that cannot be used ({failure})")
        again = TryAgain(reason, lasting, policy.patience, tries, kind=type(failure).__name__)
        return again

    def _failed(self, asked: Request, response: Response) -> Exception:
        status, quota, policy = response.status, response.quota, asked.policy
        body = decoded_or_none(response.body[:ERROR_BODY])
        reported = status_in_words(self.endpoint, status, body, asked.label)
        kind = classify(status)
        match kind:
            case StatusClass.WAIT:
                wait = quota.reset if quota.retry_after is None else quota.retry_after
                return TryAgain(
                    self._reason("the rate limit (429)"),
                    lambda seconds: RateLimited(
                        f"Vitally's rate limit left no request through for {seconds:.0f} s: {reported}. "
                        "Other tools may be using the same limit: set max_requests_per_minute, or "
                        "run at another time."
                    ),
                    # Not the call's own: whatever is asked for, a full window is waited for.
                    self.policy.patience,
                    wait=None if wait is None else min(max(wait, 1.0), LONGEST_WAIT),
                    for_all=True,
                )
            case StatusClass.BROKEN if asked.method not in policy.repeats:
                return WriteOutcomeUnknown(f"Vitally failed: {reported}. {UNKNOWN}")
            case StatusClass.BROKEN:
                wait = quota.retry_after
                return TryAgain(
                    self._reason(f"{status} {phrase(status)}"),
                    lambda seconds: Unavailable(
                        f"Vitally kept failing for {seconds:.0f} s: {reported}. Nothing is lost: run "
                        "again later."
                    ),
                    policy.patience,
                    wait=None if wait is None else min(wait, LONGEST_WAIT),
                )
        location = response.headers.get("Location", "")
        message = refusal(self.endpoint, status, reported, location)
        return KeyRefused(message) if kind is StatusClass.KEY else Refused(message, status)
