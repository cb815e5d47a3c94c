"""What the headers of an answer say about the budget."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tests.vitally_api.simulation import EPOCH, sometimes
from vitally_api.rate import Quota, RateWindow


def quota(**named: str) -> Quota:
    reported = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in named.items()})
    return Quota.from_headers(reported, EPOCH)


@pytest.mark.parametrize(
    ("text", "limit", "window"),
    [
        ("1000, 1000;window=60", 1000, 60.0),
        ("100, 100;w=30", 100, 30.0),
        ("1000", 1000, None),
        (" 7 ;w=0", 7, None),
        ("0", None, None),
        ("plenty", None, None),
        ("", None, None),
    ],
)
def test_the_limit_comes_in_many_forms(text: str, limit: int | None, window: float | None) -> None:
    for spelling in ("RateLimit_Limit", "X_RateLimit_Limit", "x_ratelimit_limit"):
        assert quota(**{spelling: text}) == Quota(limit=limit, window=window)


UNIX = int(EPOCH.timestamp())
DATE = format_datetime(EPOCH + timedelta(seconds=90), usegmt=True)
PAST = format_datetime(EPOCH - timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("59", 59.0),
        ("0", 0.0),
        ("0.5", 0.5),
        (str(UNIX + 12), 12.0),
        (str(UNIX - 12), 0.0),
        (DATE, 90.0),
        (PAST, 0.0),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_comes_in_many_forms(text: str, seconds: float | None) -> None:
    assert quota(RateLimit_Reset=text).reset == seconds
    assert quota(X_RateLimit_Reset=text).reset == seconds
    assert quota(Retry_After=text).retry_after == seconds


def test_a_moment_means_nothing_without_the_servers_clock() -> None:
    reported = {"RateLimit-Reset": str(UNIX), "Retry-After": DATE, "RateLimit-Remaining": "3"}
    assert Quota.from_headers(reported, None) == Quota(remaining=3)


@sometimes
@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"{prefix}{name}"
                for prefix in ("RateLimit-", "X-RateLimit-")
                for name in ("Limit", "Remaining", "Reset")
            ]
            + ["Retry-After"]
        ),
        st.text(st.characters(max_codepoint=255)) | st.floats().map(str) | st.integers().map(str),
    )
)
def test_no_header_breaks_the_budget(reported: dict[str, str]) -> None:
    rate = RateWindow()
    rate.start()
    rate.finish(1, Quota.from_headers(reported, EPOCH))
    delay = rate.delay(1)
    assert delay is not None
    assert 0 <= delay <= 60
