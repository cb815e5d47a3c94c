"""What a server says of an error is told in one line that is fit for a log."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NameResolutionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from sandbox import Sandbox
from tests.vitally_api.wire import KEY, Client, Reply, Server
from vitally_api import (
    Endpoint,
    error_text,
)
from vitally_api.wording import LONGEST_DETAIL, network_error_kind

ENDPOINT = Endpoint("http://localhost", KEY, "tests")

sometimes = settings(max_examples=100)

StartSandbox = Callable[..., Sandbox]


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


def reported(error: str) -> str:
    """What a message makes of the text of an error."""
    text = error_text({"error": error}, ENDPOINT.secrets)
    return f" ({text})" if text else ""


def test_what_is_told_of_an_error_shows_no_person_and_no_control_characters() -> None:
    error = "user <zoe@mail.example>, zoe+1@x.example:\r\n\x1b[31mred\x00 no"
    assert reported(error) == " (user *** ***   [31mred  no)"
    assert reported("x" * 5000) == f" ({'x' * LONGEST_DETAIL}...)"
    assert reported("") == ""


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
    detail = error_text(body, ENDPOINT.secrets)
    assert detail.isprintable()
    assert len(detail) <= LONGEST_DETAIL + len(" (...)")


@pytest.mark.parametrize("before", [0, 1, LONGEST_DETAIL - 3, LONGEST_DETAIL])
@pytest.mark.parametrize("secret", ["canary-in-a-mine", "Y2FuYXJ5LWluLWEtbWluZTo="])
def test_a_server_that_repeats_the_key_does_not_bring_it_into_a_message(
    serve: Callable[..., Server], secret: str, before: int
) -> None:
    body = json.dumps({"error": f"{'x' * before}{secret} was sent"}).encode()
    for status in (401, 404, 429, 503):
        failure = Client(serve(Reply(status, body)).url, key="canary-in-a-mine").failure()
        assert secret[:3] not in str(failure)


@pytest.mark.parametrize(
    ("error", "what", "unsent"),
    [
        (ConnectTimeoutError(), "did not answer in time", True),
        (ReadTimeoutError(HTTPConnectionPool("host"), "/", ""), "did not answer in time", False),
        (TimeoutError(), "did not answer in time", False),
        (ProtocolError("", ConnectionRefusedError()), "was refused", True),
        (ProtocolError("", ConnectionResetError()), "connection broke", False),
        (ProtocolError("", None), "connection broke", False),
        (ProxyError("", ConnectionRefusedError()), "proxy refused", True),
        (SSLError(ssl.SSLCertVerificationError()), "certificate", True),
        (SSLError(ssl.SSLEOFError()), "No TLS", False),
        (DecodeError(), "was damaged", False),
        (NameResolutionError("host", HTTPConnection("host"), socket.gaierror()), "not found", True),
        (OSError("no such file"), "file of certificates", True),
    ],
)
def test_a_failure_is_told_by_its_type_and_whether_anything_was_sent(
    error: Exception, what: str, *, unsent: bool
) -> None:
    found = network_error_kind(error)
    assert what in found.what
    assert found.unsent is unsent


@pytest.mark.parametrize("word", ["x", "@", "a@", "\u00e9"])
def test_a_long_word_takes_no_longer_than_many_short_ones(word: str) -> None:
    """A word of 64 kB took 7 s; this one would take two minutes."""
    text = error_text({"error": word * (250_000 // len(word))})
    assert len(text) <= LONGEST_DETAIL + len("...")
