"""One request: what is sent, what comes back, and what a person is told when nothing does."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Fault, Sandbox
from tap_vitally import api
from tap_vitally.api import LONGEST_DETAIL, UNREADABLE_TRIES, Answer, VitallyApi, error_text
from tap_vitally.errors import Cancelled, Refused, TapFailure, Unavailable, Unreadable
from tap_vitally.rate_limit import RateBudget
from tap_vitally.report import Tally
from tap_vitally.settings import WHERE_THE_KEY_IS, Settings

KEY = "sandbox"
ENCODED = "c2FuZGJveDo="  # sandbox:

sometimes = settings(max_examples=100, deadline=None)

StartSandbox = Callable[..., Sandbox]


# A server of a few lines, and a client that does not dawdle


@dataclass
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """Gives its replies in turn, the last of them for ever, and remembers what was asked."""

    daemon_threads = True

    def __init__(self, *replies: Reply) -> None:
        self.asked: list[dict[str, str]] = []
        self.replies = replies or (Reply(),)
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append({"path": self.path, **self.headers})
        reply = self.server.replies[min(len(self.server.asked), len(self.server.replies)) - 1]
        self.send_response_only(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    with ExitStack() as running:

        def start(*replies: Reply) -> Server:
            server = running.enter_context(Server(*replies))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return server

        yield start


class Hasty(RateBudget):
    """A budget that notes every wait, and waits for none."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.paused: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


@dataclass
class Client:
    """Asks one host, giving up at the first failure unless told otherwise."""

    url: str
    key: str = KEY
    patience: float = 0.0
    config: Mapping[str, Any] = field(default_factory=dict)
    budget: RateBudget = field(default_factory=Hasty)
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        checked = Settings.from_config({"api_key": self.key, "api_url": self.url, **self.config})
        self.api = VitallyApi(checked, self.budget, "tests", self.patience)

    def get(
        self,
        path: str = "/accounts",
        parse: Callable[[Any], Any] = lambda body: body,
        **more: Any,
    ) -> Answer[Any]:
        return self.api.get(path, {}, parse, self.tally, **more)

    def failure(self, path: str = "/accounts", **more: Any) -> TapFailure:
        with pytest.raises(TapFailure) as caught:
            self.get(path, **more)
        message = str(caught.value)
        assert "\n" not in message
        assert self.key not in message.replace(self.url, "")
        assert ENCODED not in message
        assert caught.value.__cause__ is None
        return caught.value


# What is told when the answer is final


def test_a_refused_key_is_named_with_all_that_may_be_wrong_with_it(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(key="another")
    failure = Client(sandbox.url, patience=60).failure()
    assert isinstance(failure, Refused)
    assert failure.status == 401
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
    ("status", "told"),
    [
        (400, "Vitally refused the request: 400 Bad Request at /resources/notes (Bad Request)."),
        (404, "Vitally refused the request: 404 Not Found at /resources/notes (Not Found)."),
        (409, "Vitally refused the request: 409 Conflict at /resources/notes (Conflict)."),
    ],
)
def test_a_final_answer_is_told_and_not_asked_for_again(
    start_sandbox: StartSandbox, status: int, told: str
) -> None:
    sandbox = start_sandbox()
    sandbox.faults.append(Fault("status", status=status))
    failure = Client(sandbox.url, patience=60).failure("/notes")
    assert isinstance(failure, Refused)
    assert failure.status == status
    assert str(failure) == told
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
        Client(sandbox.url).api.get("/accounts", {"from": "x"}, lambda body: body, Tally())
    assert "400 Bad Request at /resources/accounts (validation failed: /from" in str(caught.value)


def test_a_request_can_be_called_by_another_name(serve: Callable[..., Server]) -> None:
    client = Client(serve(Reply(404)).url)
    message = str(client.failure("/users/zoe%40example.com", place="a look-up"))
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


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


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
        client = Client(url, config={"request_timeout": 0.05})
        assert str(client.failure()).startswith("The server did not answer in time")


def test_a_body_without_end_is_left(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_BODY", 1000)
    client = Client(serve(Reply(body=b" " * 1001)).url)
    assert "Lower page_size" in str(client.failure())
    assert client.tally.requests == 1


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
    assert client.tally.requests == 8
    assert client.tally.retries == 7
    told = [record.getMessage() for record in caplog.records]
    reasons = ["503 Service Unavailable", "the rate limit (429)", "the rate limit (429)"]
    reasons += ["the rate limit (429)", "500 Internal Server Error", "522", "the body is not JSON"]
    assert len(told) == len(reasons)
    for line, reason in zip(told, reasons, strict=True):
        assert line.startswith("Trying again in ")
        assert reason in line


def test_answers_that_are_no_data_are_believed_in_the_end(serve: Callable[..., Server]) -> None:
    page = Reply(body=b"<html>Just a moment</html>", headers={"Content-Type": "text/html"})
    server = serve(page)
    failure = Client(server.url, patience=60).failure()
    assert isinstance(failure, Unreadable)
    assert len(server.asked) == UNREADABLE_TRIES
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
    ("reply", "told"),
    [
        (Reply(503, b'{"error": "Down"}'), "Vitally kept failing for 0 s: 503 Service Unavailable"),
        (Reply(429, b'{"error": "Down"}'), "Vitally's rate limit left no request through for 0 s"),
    ],
)
def test_what_goes_on_failing_is_told_in_the_end(
    serve: Callable[..., Server], reply: Reply, told: str
) -> None:
    failure = Client(serve(reply).url).failure()
    assert isinstance(failure, Unavailable)
    assert str(failure).startswith(told)
    assert "at /resources/accounts (Down)" in str(failure)


def test_waiting_for_the_budget_is_no_failure(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()

    class Slow(Hasty):
        def acquire(self) -> float:
            nonlocal now
            now += 400 if not self.slept else 0
            return super().acquire()

    monkeypatch.setattr(time, "monotonic", lambda: now)
    server = serve(Reply(503), Reply(body=b"[]"))
    assert Client(server.url, patience=300, budget=Slow()).get().data == []


def test_a_stop_ends_the_wait_for_another_try(serve: Callable[..., Server]) -> None:
    class Stopping(RateBudget):
        def sleep(self, seconds: float) -> None:
            self.stop()
            super().sleep(seconds)

    server = serve(Reply(503, headers={"Retry-After": "3600"}))
    with pytest.raises(Cancelled):
        Client(server.url, patience=60, budget=Stopping()).get()
    assert len(server.asked) == 1


# What is sent


def test_the_header_with_the_key_is_built_once_and_sent_every_time(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(Reply(503), Reply())
    client = Client(server.url, patience=60)

    def built_again(*_: Any) -> str:
        pytest.fail("the header was built again")

    monkeypatch.setattr(requests.auth, "_basic_auth_str", built_again)
    client.get()
    client.get("/users")
    assert [asked["Authorization"] for asked in server.asked] == [f"Basic {ENCODED}"] * 3
    assert [asked["path"] for asked in server.asked] == [
        "/resources/accounts",
        "/resources/accounts",
        "/resources/users",
    ]


# What is made of what comes back


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"", None),
        (b" \n", None),
        (b"null", None),
        (b"[]", []),
        (b"12345678901234567890", 12345678901234567890),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"0.10", Decimal("0.10")),
        (b"1E+400", Decimal("1E+400")),
        (b"-0.0", Decimal("-0.0")),
        ('"Zoë 🎉"'.encode(), "Zoë 🎉"),
        (b'"a\xffb"', "a\ufffdb"),
        (b'["a\xffb", 0.10]', ["a\ufffdb", Decimal("0.10")]),
        (rb'"a\ud83db"', "a?b"),
        (rb'"\ud83c\udf89"', "🎉"),
        (rb'{"a\u0000b": ["\u0000", {"\ud83d": "c\u0000"}]}', {"ab": ["", {"?": "c"}]}),
        (rb'{"a\u0000b": ["\u0000", {"c": "\u0000d"}]}', {"ab": ["", {"c": "d"}]}),
        (rb'"a\\u0000b"', r"a\u0000b"),
    ],
)
def test_bodies_are_decoded_with_every_digit_and_mended_text(
    serve: Callable[..., Server], body: bytes, data: Any
) -> None:
    answer = Client(serve(Reply(body=body)).url).get()
    assert answer.data == data
    assert str(answer.data) == str(data)
    assert type(answer.data) is type(data)
    assert answer.size == len(body)


def _texts(value: Any) -> Iterator[str]:
    """All text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(item)


texts = st.text(st.characters() | st.just("\0"))


@sometimes
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=10,
    ),
    st.booleans(),
)
def test_all_text_that_comes_through_can_be_stored(value: Any, escaped: bool) -> None:  # noqa: FBT001
    body = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    decoded = Client("http://localhost").api._decode(body, "a test")
    assert not any("\0" in text for text in _texts(decoded))
    json.dumps(decoded, ensure_ascii=False).encode()
    if not any(mark in repr(value) for mark in (r"\ud", r"\x00")):
        assert decoded == value


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"results": [',
        b'{"a": 1} x',
        b"nothing",
        b"'a'",
        b"\x80",
        b"[" * 100_000,
        b"{" * 9,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_unreadable(serve: Callable[..., Server], body: bytes) -> None:
    failure = Client(serve(Reply(body=body)).url).failure()
    assert isinstance(failure, Unreadable)
    assert "the body is not JSON" in str(failure)


def test_compressed_bodies_are_unpacked_and_damaged_ones_told(serve: Callable[..., Server]) -> None:
    packed = gzip.compress(b'"packed"')
    gz = {"Content-Encoding": "gzip"}
    server = serve(Reply(body=packed, headers=gz), Reply(body=b"\x1f\x8b" + b"x" * 9, headers=gz))
    client = Client(server.url)
    assert client.get().data == "packed"
    assert server.asked[0]["Accept-Encoding"] == "gzip"
    assert str(client.failure()).startswith("The compressed body was damaged")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Wed, 04 Mar 2026 05:06:07 GMT", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("Wed, 04 Mar 2026 05:06:07 +0100", datetime(2026, 3, 4, 4, 6, 7, tzinfo=UTC)),
        ("Wed, 04 Mar 2026 05:06:07 -0000", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ],
)
def test_an_answer_tells_the_servers_clock(
    serve: Callable[..., Server], text: str, moment: datetime | None
) -> None:
    assert Client(serve(Reply(headers={"Date": text})).url).get().date == moment
    assert Client(serve(Reply()).url).get().date is None


# The text of an error


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": "Invalid API key."}, "Invalid API key."),
        ({"message": "externalId is required"}, "externalId is required"),
        ({"error": "", "message": "second"}, "second"),
        ({"error": {"message": "validation failed"}}, "validation failed"),
        (
            {
                "error": {
                    "message": "validation failed",
                    "errors": [
                        {"instancePath": "/externalId", "message": "must be string", "params": {}},
                        {"message": "must be there"},
                        {"instancePath": "/x"},
                        "no object",
                    ],
                }
            },
            "validation failed: /externalId must be string, must be there, /x",
        ),
        ({"error": {"errors": [{"message": "alone"}]}}, "alone"),
        ({"error": {"message": None, "errors": None}}, ""),
        ({"error": {"message": {"deep": 1}}}, "{'deep': 1}"),
        ({"error": 5}, ""),
        ({"error": ["a"]}, ""),
        ({"error": None}, ""),
        ({}, ""),
        ([{"error": "in a list"}], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_the_text_is_found_in_every_shape_of_error(body: Any, text: str) -> None:
    assert error_text(body) == text


def told(error: str) -> str:
    """What a message makes of the text of an error."""
    body = json.dumps({"error": error}).encode()
    return Client("http://localhost").api._detail(body)


def test_what_is_told_of_an_error_shows_no_person_and_no_control_characters() -> None:
    error = "user <zoe@mail.example>, zoe+1@x.example:\r\n\x1b[31mred\x00 no"
    assert told(error) == " (user *** ***   [31mred  no)"
    assert told("x" * 5000) == f" ({'x' * LONGEST_DETAIL}...)"
    assert told("") == ""


error_bodies = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "errors", "instancePath", "x"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@sometimes
@given(error_bodies)
def test_no_body_breaks_the_reading_of_errors(body: Any) -> None:
    detail = Client("http://localhost").api._detail(json.dumps(body).encode())
    assert detail.isprintable()
    assert len(detail) <= LONGEST_DETAIL + len(" (...)")
    assert bool(detail) == bool(error_text(body))


@pytest.mark.parametrize("before", [0, 1, LONGEST_DETAIL - 3, LONGEST_DETAIL])
@pytest.mark.parametrize("secret", ["canary-in-a-mine", "Y2FuYXJ5LWluLWEtbWluZTo="])
def test_a_server_that_repeats_the_key_does_not_bring_it_into_a_message(
    serve: Callable[..., Server], secret: str, before: int
) -> None:
    body = json.dumps({"error": f"{'x' * before}{secret} was sent"}).encode()
    for status in (401, 404, 429, 503):
        failure = Client(serve(Reply(status, body)).url, key="canary-in-a-mine").failure()
        assert secret[:3] not in str(failure)


# What no server should send


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 -0500"},
        {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
        {"RateLimit-Reset": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
        {"RateLimit-Limit": "1, 1;window=99999999999999999999", "RateLimit-Remaining": "1"},
        {"RateLimit-Limit": "9" * 5000, "RateLimit-Remaining": "9" * 5000},
    ],
    ids=["far date", "last date", "Retry-After", "RateLimit-Reset", "window", "limit"],
)
def test_headers_beyond_all_measure_are_not_minded(
    serve: Callable[..., Server], headers: Mapping[str, str]
) -> None:
    client = Client(serve(Reply(body=b'{"results": []}', headers=headers)).url)
    assert client.get().data == {"results": []}


@pytest.mark.parametrize("number", ["1e9999999999999999999", "1e-9999999999999999999"])
@pytest.mark.parametrize("more", ["", ", \xff"], ids=["decoded", "mended"])
def test_a_number_beyond_all_measure_is_none(
    serve: Callable[..., Server], number: str, more: str
) -> None:
    body = f'{{"number": {number}, "text": "a{more}"}}'.encode("latin-1")
    client = Client(serve(Reply(body=body)).url)
    assert client.get().data["number"] is None


def test_what_is_nested_too_deeply_to_be_mended_is_no_answer(serve: Callable[..., Server]) -> None:
    body = b"[" * 900 + b'"\\u0000"' + b"]" * 900
    assert isinstance(Client(serve(Reply(body=body)).url).failure(), Unreadable)


def test_a_mark_before_the_text_is_passed_over(serve: Callable[..., Server]) -> None:
    assert Client(serve(Reply(body=b"\xef\xbb\xbf[]")).url).get().data == []


def test_a_key_that_comes_back_in_other_writing_is_not_told(serve: Callable[..., Server]) -> None:
    key = "sandbox+key/of=ours"
    echoes = [quote(key, safe=""), key.upper(), quote(key, safe="").lower()]
    body = json.dumps({"error": " ".join(echoes)}).encode()
    message = str(Client(serve(Reply(400, body)).url, key=key).failure())
    assert "*** *** ***" in message


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        ({"HTTPS_PROXY": "http://"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:9"}, "HTTPS_PROXY"),
        ({"REQUESTS_CA_BUNDLE": "/nowhere/to/be/found.pem"}, "REQUESTS_CA_BUNDLE"),
    ],
    ids=["no proxy", "another kind of proxy", "no certificates"],
)
def test_what_no_time_heals_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, config: Mapping[str, str], advice: str
) -> None:
    for name, value in config.items():
        monkeypatch.setenv(name, value)
    client = Client("https://vitally.example", patience=300.0)
    assert advice in str(client.failure())
    assert client.tally.requests == 1


def test_half_a_key_in_the_address_of_a_redirect_is_not_told(serve: Callable[..., Server]) -> None:
    key = "sandbox+key/of=ours"
    reply = Reply(302, b"", {"Location": f"https://{key}@example.com/"})
    assert "sandbox" not in str(Client(serve(reply).url, key=key).failure())
