"""What comes back is decoded with every digit, and mended where nothing could store it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Sandbox
from tests.vitally_api.wire import Client, Reply, Server
from vitally_api import (
    Unreadable,
    decoding,
)

sometimes = settings(max_examples=100)

StartSandbox = Callable[..., Sandbox]


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
def test_all_text_that_comes_through_can_be_stored(value: Any, escaped: bool) -> None:
    body = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    decoded = decoding.decoded(body, "a test")
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
    compressed = gzip.compress(b'"packed"')
    gz = {"Content-Encoding": "gzip"}
    server = serve(
        Reply(body=compressed, headers=gz), Reply(body=b"\x1f\x8b" + b"x" * 9, headers=gz)
    )
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


@pytest.mark.parametrize(
    "number",
    ["1e9999999999999999999", "1e-9999999999999999999", "9" * 5000, "NaN", "Infinity", "-Infinity"],
)
@pytest.mark.parametrize("more", ["", ", \xff", "\n"], ids=["decoded", "mended", "a line break"])
def test_a_number_beyond_all_measure_stays_as_text(
    serve: Callable[..., Server], number: str, more: str
) -> None:
    body = f'{{"number": {number}, "text": "a{more}"}}'.encode("latin-1")
    client = Client(serve(Reply(body=body)).url)
    assert client.get().data["number"] == number


@pytest.mark.parametrize("depth", [100, 101, 400])
@pytest.mark.parametrize("text", [b'"\\u0000"', b'"\\ud800"'], ids=["a NUL", "half a character"])
def test_what_is_nested_too_deeply_to_be_mended_is_no_answer(
    serve: Callable[..., Server], depth: int, text: bytes
) -> None:
    client = Client(serve(Reply(body=b"[" * depth + text + b"]" * depth)).url)
    if depth > 100:
        assert isinstance(client.failure(), Unreadable)
    else:
        assert str(client.get().data).strip("[]") in {"''", "'?'"}


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
    assert client.metrics.requests == 1


def test_half_a_key_in_the_address_of_a_redirect_is_not_told(serve: Callable[..., Server]) -> None:
    key = "sandbox+key/of=ours"
    reply = Reply(302, b"", {"Location": f"https://{key}@example.com/"})
    assert "sandbox" not in str(Client(serve(reply).url, key=key).failure())


def test_a_nul_is_told_once_by_the_property_that_held_it(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    body = rb'{"results": [{"id": "1", "note": "a\u0000", "traits": {"x.y": ["\u0000b"]}}]}'
    client = Client(serve(Reply(body=body)).url)
    for _ in range(2):
        assert client.get().data == {
            "results": [{"id": "1", "note": "a", "traits": {"x.y": ["b"]}}]
        }
    reported = sorted(
        record.getMessage() for record in caplog.records if "NUL" in record.getMessage()
    )
    assert [line.split("'")[1] for line in reported] == ["note", "x.y"]
