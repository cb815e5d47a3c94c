"""The Analytics API: its address and key, what a request holds, and that messages may be sent again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Fault, Rate, World
from sandbox import serve as sandbox
from tap_vitally.sync.summary import StreamMetrics
from tests.vitally_api.wire import Reply, Server
from vitally_api import (
    Analytics,
    AnalyticsEndpoint,
    Policy,
    SettingsError,
    Unavailable,
    VitallyError,
    encoded,
    fits,
    in_requests,
)
from vitally_api.analytics import MOST_BYTES, MOST_MESSAGES

TOKEN = "not:encoded=="  # noqa: S105 - made up
HASTY = Policy(patience=1.0, first_patience=1.0, request_timeout=5.0)


def endpoint(**config: Any) -> AnalyticsEndpoint:
    return AnalyticsEndpoint.from_config({"analytics_api_key": TOKEN, **config}, "tests")


def client(url: str, key: str = TOKEN, policy: Policy = HASTY) -> Analytics:
    made = endpoint(analytics_url=url, analytics_api_key=key)
    return Analytics(made, policy, 8)


def account(number: int = 0) -> dict[str, Any]:
    id_ = f"a-{number}"
    return {"type": "account", "accountId": id_, "traits": {"name": "A"}, "messageId": id_}


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"subdomain": "acme"}, "https://acme.api.vitally.io"),
        ({"subdomain": "https://acme.vitally.io/"}, "https://acme.api.vitally.io"),
        ({"analytics_url": "https://proxy.example.com/"}, "https://proxy.example.com"),
        ({"analytics_url": "https://a.example.com/analytics/v1/"}, "https://a.example.com"),
        ({"analytics_url": "http://127.0.0.1:1", "data_center": "eu"}, "http://127.0.0.1:1"),
    ],
)
def test_where_messages_go(config: dict[str, Any], url: str) -> None:
    assert endpoint(**config).base_url == url


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "subdomain is missing"),
        ({"data_center": "eu", "subdomain": "acme"}, "for the eu data center no host"),
        ({"api_url": "http://127.0.0.1:1", "subdomain": "acme"}, "with api_url set"),
        ({"analytics_url": "http://example.com"}, "analytics_url uses plain http"),
        ({"analytics_url": "nothing"}, "analytics_url is not an address"),
        ({"analytics_url": "https://u:p@example.com"}, "analytics_url holds more"),
        ({"subdomain": "acme", "analytics_api_key": ""}, "analytics_api_key is missing"),
        ({"subdomain": "acme", "analytics_api_key": "two words"}, "white space"),
    ],
)
def test_settings_that_lead_nowhere(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        endpoint(**config)
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize(
    "pasted", [TOKEN, f" {TOKEN}\n", f"Basic {TOKEN}", f"Authorization: Basic {TOKEN}"]
)
def test_the_token_goes_out_as_it_is(serve: Callable[..., Server], pasted: str) -> None:
    server = serve(Reply(body=b'{"message": "Success."}'))
    client(server.url, pasted).send([account()], StreamMetrics())
    (asked,) = server.asked
    assert asked["Authorization"] == f"Basic {TOKEN}"
    assert (asked["method"], asked["path"]) == ("POST", "/analytics/v1/batch")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, b'{"error": "not:encoded== is wrong"}'),
        Reply(401, b'{"error": "bm90OmVuY29kZWQ9PQ== or not:encoded=="}'),
        Reply(302, headers={"Location": "https://not:encoded==/"}),
        Reply(200, b'{"error": "not:encoded== again"}'),
    ],
    ids=lambda reply: str(reply.status),
)
def test_no_message_holds_the_token(serve: Callable[..., Server], reply: Reply) -> None:
    with pytest.raises(VitallyError) as refused:
        client(serve(reply).url).send([account()], StreamMetrics())
    assert "encoded==" not in str(refused.value)
    assert TOKEN not in repr(endpoint(subdomain="acme"))


def test_an_address_that_does_not_answer_names_its_own_setting() -> None:
    with pytest.raises(Unavailable, match="analytics_url") as failed:
        client("http://127.0.0.1:9").send([account()], StreamMetrics())
    assert "api_url" not in str(failed.value).replace("analytics_url", "")


@pytest.mark.parametrize("kind", ["reset_before", "reset_mid_body", "broken_gzip", "html_200"])
def test_a_lost_answer_is_asked_for_again(kind: Any) -> None:
    with sandbox(World.empty()) as made:
        made.faults.append(Fault(kind, "/analytics/v1/batch", times=1, done=True))
        client(made.url, made.analytics_key).send([account(n) for n in range(3)], StreamMetrics())
        assert len(made.requests) == 2
        assert len(made.world.tables["accounts"].rows) == 3


@pytest.mark.parametrize("silent", [True, False])
def test_a_full_budget_is_waited_for(*, silent: bool) -> None:
    rate = Rate("sliding", limit=2, window=1, silent=silent)
    with sandbox(World.empty(), analytics_rate=rate) as made:
        patient = client(made.url, made.analytics_key, Policy())
        for number in range(5):
            patient.send([account(number)], StreamMetrics())
        assert len(made.world.tables["accounts"].rows) == 5
        refused = made.requests.by_status().get(429, 0)
        assert refused <= (6 if silent else 1)


groups = st.lists(st.lists(st.integers(0, 200_000), min_size=1, max_size=40), max_size=30)


@given(groups)
def test_requests_hold_what_they_may(sizes: list[list[int]]) -> None:
    items = [[{"t": "x" * size} for size in group] for group in sizes]
    items = [item for item in items if fits(item)]
    made = list(in_requests(items, lambda item: item))
    assert [item for together in made for item in together] == items
    for together in made:
        messages = [message for item in together for message in item]
        assert len(messages) <= MOST_MESSAGES
        assert len(encoded(messages)) <= MOST_BYTES
    for first, then in pairwise(made):
        assert not fits([m for item in (*first, then[0]) for m in item])
