"""One request: what is sent, how often, and what a person is told when nothing comes back."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings

from sandbox import Fault, Sandbox
from tap_vitally.sync.summary import StreamMetrics
from tests.vitally_api.wire import ENCODED, Client, Hasty, Reply, Server, free_port
from vitally_api import (
    Answer,
    Budget,
    Cancelled,
    KeyRefused,
    Policy,
    Refused,
    Unavailable,
    Unreadable,
    WriteOutcomeUnknown,
    connection,
)
from vitally_api.endpoint import WHERE_THE_KEY_IS

sometimes = settings(max_examples=100)

StartSandbox = Callable[..., Sandbox]


# What is told when the answer is final


def test_a_refused_key_is_named_with_all_that_may_be_wrong_with_it(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(key="another")
    failure = Client(sandbox.url, patience=60).failure()
    assert isinstance(failure, KeyRefused)
    message = str(failure)
    for part in (
        f"does not accept the API key at {sandbox.url}",
        "401 Unauthorized at /resources/accounts (Invalid API key.)",
        WHERE_THE_KEY_IS,
        "not an analytics key",
        "data_center and subdomain",
    ):
        assert part in message
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("status", "reported"),
    [
        (400, "Vitally refused the request: 400 Bad Request at /resources/notes (Bad Request)."),
        (404, "Vitally refused the request: 404 Not Found at /resources/notes (Not Found)."),
        (409, "Vitally refused the request: 409 Conflict at /resources/notes (Conflict)."),
    ],
)
def test_a_final_answer_is_told_and_not_asked_for_again(
    start_sandbox: StartSandbox, status: int, reported: str
) -> None:
    sandbox = start_sandbox()
    sandbox.faults.append(Fault("status", status=status))
    failure = Client(sandbox.url, patience=60).failure("/notes")
    assert isinstance(failure, Refused)
    assert failure.status == status
    assert str(failure) == reported
    assert len(sandbox.requests) == 1


def test_a_resource_that_is_not_allowed_may_not_be_in_the_plan(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    sandbox.refuse("customObjects")
    failure = Client(sandbox.url, patience=60).failure("/customObjects")
    assert "does not let this API key read it: 403 Forbidden" in str(failure)
    assert "The plan may not include it" in str(failure)


def test_the_details_of_a_validation_are_told(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    sandbox.faults.append(Fault("cursor_refused"))
    with pytest.raises(Refused) as caught:
        Client(sandbox.url).api.get("/accounts", {"from": "x"}, lambda body: body, StreamMetrics())
    assert "400 Bad Request at /resources/accounts (validation failed: /from" in str(caught.value)


def test_a_request_can_be_called_by_another_name(serve: Callable[..., Server]) -> None:
    client = Client(serve(Reply(404)).url)
    message = str(client.failure("/users/zoe%40example.com", label="a look-up"))
    assert "zoe" not in message
    assert "404 Not Found at a look-up" in message


@pytest.mark.parametrize("location", ["OTHER/resources/accounts", "/elsewhere", "", "https://["])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(
    serve: Callable[..., Server], location: str
) -> None:
    other = serve()
    there = location.replace("OTHER", other.url)
    server = serve(Reply(302, headers={"Location": there}), Reply())
    failure = Client(server.url, patience=60).failure()
    assert isinstance(failure, Refused)
    assert len(server.asked) == 1
    assert other.asked == []
    to = "127.0.0.1" if location.startswith("OTHER") else "another path"
    assert f"{server.url} redirects to {to}, and the API key is sent nowhere else" in str(failure)
    assert "Check data_center, subdomain and api_url." in str(failure)


# What is told when there is no answer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection(scheme: str) -> None:
    client = Client(f"{scheme}://127.0.0.1:{free_port()}")
    failure = client.failure()
    assert isinstance(failure, Unavailable)
    assert str(failure).startswith(
        f"The connection was refused, at {client.url} for /resources/accounts."
    )


def test_a_host_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(host: str, *_: Any, **__: Any) -> Any:
        assert host == "acme.invalid"
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    failure = Client("https://acme.invalid").failure()
    assert isinstance(failure, Unavailable)
    assert str(failure) == (
        "The host name was not found, at https://acme.invalid for /resources/accounts. "
        "Check the network, subdomain and api_url."
    )


def test_a_server_without_tls(serve: Callable[..., Server]) -> None:
    url = serve().url.replace("http:", "https:")
    assert str(Client(url).failure()).startswith("No TLS connection could be made")


def test_a_server_that_keeps_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://127.0.0.1:{1}".format(*silent.getsockname())
        client = Client(url, policy=Policy(request_timeout=0.05))
        assert str(client.failure()).startswith("The server did not answer in time")


def test_a_body_without_end_is_left(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_BODY", 1000)
    client = Client(serve(Reply(body=b" " * 1001)).url)
    assert "Lower page_size" in str(client.failure())
    assert client.metrics.requests == 1


def test_a_failed_request_gives_its_place_in_the_budget_back(
    serve: Callable[..., Server],
) -> None:
    server = serve(Reply(500), Reply(headers={"RateLimit-Limit": "9", "RateLimit-Remaining": "7"}))
    budget = Hasty()
    Client(f"http://127.0.0.1:{free_port()}", budget=budget).failure()
    Client(server.url, budget=budget).failure()
    assert budget.left() is None
    Client(server.url, budget=budget).get()
    assert budget.left() == 6  # of nine, three were sent


# Trying again


def test_what_fails_for_a_moment_is_asked_again_and_every_wait_is_told(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(
        Reply(503, headers={"Retry-After": "7"}),
        Reply(429, headers={"RateLimit-Reset": "11"}),
        Reply(429, headers={"RateLimit-Reset": "11", "Retry-After": "5000"}),
        Reply(429),
        Reply(500),
        Reply(522),
        Reply(body=b"<html>"),
        Reply(body=b'{"results": [1]}'),
    )
    budget = Hasty()
    client = Client(server.url, patience=60, budget=budget)
    with caplog.at_level(logging.WARNING):
        assert client.get().data == {"results": [1]}
    assert budget.paused == [11, 60, 1]
    assert budget.slept[0] == 7
    assert len(budget.slept) == 4
    assert all(0 <= wait <= 4 for wait in budget.slept[1:])
    assert client.metrics.requests == 8
    assert client.metrics.retries == 7
    reported = [record.getMessage() for record in caplog.records]
    reasons = ["503 Service Unavailable", "the rate limit (429)", "the rate limit (429)"]
    reasons += ["the rate limit (429)", "500 Internal Server Error", "522", "the body is not JSON"]
    assert len(reported) == len(reasons)
    for line, reason in zip(reported, reasons, strict=True):
        assert line.startswith("Trying again in ")
        assert reason in line


def test_answers_that_are_no_data_are_believed_in_the_end(serve: Callable[..., Server]) -> None:
    page = Reply(body=b"<html>Just a moment</html>", headers={"Content-Type": "text/html"})
    server = serve(page)
    failure = Client(server.url, patience=60).failure()
    assert isinstance(failure, Unreadable)
    assert len(server.asked) == Policy().unreadable_tries
    assert str(failure) == (
        "Vitally answered 5 times with something that is not the data asked for, at "
        "/resources/accounts: the body is not JSON (text/html). If it goes on, tell Vitally's "
        "support."
    )


def test_an_answer_that_is_not_what_was_asked_for_is_asked_for_again(
    serve: Callable[..., Server],
) -> None:
    def parse(body: Any) -> Any:
        if "results" not in body:
            msg = "there is no list"
            raise Unreadable(msg)
        return body["results"]

    server = serve(Reply(body=b'{"error": "x"}'), Reply(body=b'{"results": [1]}'))
    assert Client(server.url, patience=60).get(parse=parse).data == [1]


@pytest.mark.parametrize(
    ("reply", "reported"),
    [
        (Reply(503, b'{"error": "Down"}'), "Vitally kept failing for 0 s: 503 Service Unavailable"),
        (Reply(429, b'{"error": "Down"}'), "Vitally's rate limit left no request through for 0 s"),
    ],
)
def test_what_goes_on_failing_is_told_in_the_end(
    serve: Callable[..., Server], reply: Reply, reported: str
) -> None:
    failure = Client(serve(reply).url).failure()
    assert isinstance(failure, Unavailable)
    assert str(failure).startswith(reported)
    assert "at /resources/accounts (Down)" in str(failure)


def test_waiting_for_the_budget_is_no_failure(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()

    def pass_time() -> None:
        nonlocal now
        now += 400 if not budget.slept else 0

    budget = Hasty(on_acquire=pass_time)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    server = serve(Reply(503), Reply(body=b"[]"))
    assert Client(server.url, patience=300, budget=budget).get().data == []


class Stopping(Budget):
    """Is stopped as soon as somebody waits for another try."""

    def sleep(self, seconds: float) -> None:
        self.stop()
        super().sleep(seconds)


def test_a_stop_ends_the_wait_for_another_try(serve: Callable[..., Server]) -> None:
    server = serve(Reply(503, headers={"Retry-After": "3600"}))
    with pytest.raises(Cancelled):
        Client(server.url, patience=60, budget=Stopping()).get()
    assert len(server.asked) == 1


# What is sent


def test_the_header_with_the_key_is_sent_every_time(serve: Callable[..., Server]) -> None:
    server = serve(Reply(503), Reply())
    client = Client(server.url, patience=60)
    client.get()
    client.get("/users")
    assert [asked["Authorization"] for asked in server.asked] == [f"Basic {ENCODED}"] * 3
    assert [asked["path"] for asked in server.asked] == [
        "/resources/accounts",
        "/resources/accounts",
        "/resources/users",
    ]


# What writes


def lost(status: int) -> Reply:
    return Reply(status, b'{"error": "Down"}')


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("reply", [lost(500), lost(503), Reply(200, b"<html>")])
def test_a_write_that_may_have_been_done_is_not_sent_again(
    serve: Callable[..., Server], method: str, reply: Reply
) -> None:
    server = serve(reply, Reply())
    client = Client(server.url, patience=60)
    with pytest.raises(WriteOutcomeUnknown, match="not known whether the request was carried out"):
        client.send(method, "/notes", body={})
    assert len(server.asked) == 1


def test_a_write_whose_answer_is_lost_is_not_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://127.0.0.1:{1}".format(*silent.getsockname())
        client = Client(url, patience=60, policy=Policy(request_timeout=0.05))
        with pytest.raises(WriteOutcomeUnknown, match="did not answer in time"):
            client.send("POST", "/notes", body={})


def test_a_write_that_the_policy_repeats_is_sent_again(serve: Callable[..., Server]) -> None:
    server = serve(lost(503), Reply(body=b'{"id": "1"}'))
    client = Client(server.url, patience=60)
    repeated = replace(client.api.policy, repeats=frozenset({"PUT"}))
    assert client.send("PUT", "/notes/1", body={}, policy=repeated).data == {"id": "1"}
    assert len(server.asked) == 2


def test_a_write_that_was_not_let_through_is_sent_again(serve: Callable[..., Server]) -> None:
    server = serve(Reply(429, headers={"RateLimit-Reset": "1"}), Reply(204, b""))
    answer: Answer[Any] = Client(server.url, patience=60).send("DELETE", "/notes/1")
    assert answer.data is None
    assert [asked["method"] for asked in server.asked] == ["DELETE"] * 2


def test_a_body_is_json_with_every_digit(serve: Callable[..., Server]) -> None:
    server = serve(Reply())
    body = {
        "name": "Zoë",
        "mrr": Decimal("0.10"),
        "traits": {"vitally.custom.n": 12345678901234567890},
    }
    Client(server.url).send("POST", "/accounts", {"source": "crm"}, body)
    (asked,) = server.asked
    assert asked["Content-Type"] == "application/json"
    assert asked["path"] == "/resources/accounts?source=crm"
    assert json.loads(asked["body"], parse_float=Decimal) == body


# First contact


def test_a_wrong_address_is_named_from_the_first_try_and_given_up_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(f"http://127.0.0.1:{free_port()}", patience=300)
    client.api.policy = replace(client.api.policy, first_patience=0.001)
    with pytest.raises(Unavailable, match="The connection was refused"):
        client.get()
    client.api.policy = replace(client.api.policy, first_patience=30.0)
    client.budget.stop()
    with pytest.raises(Cancelled):
        Client(client.url, patience=300, budget=Stopping()).get()
    assert f"at {client.url}. Check api_url" in caplog.text


def test_what_was_reached_once_is_waited_for(serve: Callable[..., Server]) -> None:
    server = serve(Reply(headers={"Connection": "close"}))
    client = Client(server.url, patience=300)
    client.get()
    server.server_close()
    client.api.policy = replace(client.api.policy, first_patience=0.0)
    client.budget = Stopping()
    client.api._budget = client.budget
    with pytest.raises(Cancelled):
        client.get()
