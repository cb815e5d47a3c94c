"""Requests are limited in one of two ways, and so are the headers about it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Rate
from sandbox.rate import Limiter
from tests.sandbox.client import Client, running


@pytest.mark.parametrize("model", ["sliding", "bucket"])
@pytest.mark.parametrize("retry_after", [False, True])
def test_too_many_requests_are_refused(model: Any, retry_after: bool) -> None:
    with running(rate=Rate(model, 3, 3600, retry_after)) as client:
        answers = [client.ask("admins") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3, 3;window=3600"}
    assert all(int(answer.headers["RateLimit-Reset"]) > 1000 for answer in answers)
    assert answers[-1].json() == {"error": "Too many requests"}
    assert ("Retry-After" in answers[-1].headers) is retry_after


def test_no_budget_no_headers(lively: Client) -> None:
    assert not any("ratelimit" in name.lower() for name in lively.ask("users").headers)


def test_the_window_slides() -> None:
    now = 0.0
    limiter = Limiter(Rate("sliding", 2, 10), lambda: now)
    resets = []
    for now in (0.0, 4.0, 9.5, 10.0, 13.9, 14.0):  # noqa: B007 - the limiter looks at it
        verdict = limiter.take()
        resets.append((verdict.allowed, verdict.headers["RateLimit-Reset"]))
    assert resets == [
        (True, "10"),
        (True, "6"),
        (False, "1"),
        (True, "4"),
        (False, "1"),
        (True, "6"),
    ]


def test_the_bucket_refills_bit_by_bit() -> None:
    now = 0.0
    limiter = Limiter(Rate("bucket", 2, 10), lambda: now)
    verdicts = []
    for now in (0.0, 0.0, 4.0, 5.0, 5.0, 100.0, 100.0, 100.0):  # noqa: B007 - the limiter looks
        verdict = limiter.take()
        verdicts.append((verdict.allowed, verdict.headers["RateLimit-Reset"]))
    assert verdicts == [
        (True, "5"),
        (True, "5"),
        (False, "1"),
        (True, "5"),
        (False, "5"),
        (True, "5"),
        (True, "5"),
        (False, "5"),
    ]
