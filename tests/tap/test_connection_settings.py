"""Whatever people paste for key and host is understood, or refused with a line that helps."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.tap.refusals import refusal_of_the_tap
from vitally_api.endpoint import (
    EU_URL,
    WHERE_THE_KEY_IS,
    Endpoint,
    is_loopback,
    read_api_key,
    read_base_url,
    read_subdomain,
)

often = settings(max_examples=150)

ENCODED = "c2FuZGJveDo="  # sandbox:


# The key


@pytest.mark.parametrize(
    "pasted",
    [
        "sandbox",
        "  sandbox\n",
        "sandbox:",
        "\u00a0sandbox\u00a0",
        ENCODED,
        f"\t{ENCODED} ",
        f"Basic {ENCODED}",
        f"basic   {ENCODED}",
        f"BASIC {ENCODED}\n",
        f"Authorization: Basic {ENCODED}",
        f"authorization:basic {ENCODED}",
    ],
)
def test_the_key_is_found_in_what_people_paste(pasted: str) -> None:
    assert read_api_key(pasted) == "sandbox"


@often
@given(st.from_regex(r"[A-Za-z0-9_.+/=-]{4,60}", fullmatch=True), st.sampled_from(["", " ", "\n"]))
def test_any_key_is_found_in_every_form(key: str, around: str) -> None:
    encoded = base64.b64encode(f"{key}:".encode()).decode()
    for form in (f"Basic {encoded}", encoded, f"Authorization: Basic {encoded}"):
        assert read_api_key(f"{around}{form}{around}") == key
    try:
        itself_encoded = base64.b64decode(key, validate=True).endswith(b":")
    except ValueError:
        itself_encoded = False
    assume(not itself_encoded)
    assert read_api_key(f"{around}{key}{around}") == key


@pytest.mark.parametrize("nothing", [None, "", "   ", "\n"])
def test_a_missing_key_is_named_with_the_place_to_find_it(nothing: str | None) -> None:
    with pytest.raises(ValueError, match="api_key is missing") as caught:
        read_api_key(nothing)
    assert WHERE_THE_KEY_IS in str(caught.value)


@pytest.mark.parametrize(
    "pasted",
    [
        "sand box",
        "sand\tbox",
        "sand\nbox",
        "sand\u200bbox",
        "sand\0box",
        "sändbox",
        "Basic sandbox",
        "Basic c2FuZGJveA==",  # without the colon
        "Basic Og==",  # the colon alone
        "Basic OnNhbmRib3g=",  # a password without a user
        "Basic c2FuZGJveDpib3g=",  # a user and a password
        "Basic /////w==",
        "Authorization: Basic sandbox",
    ],
)
def test_what_holds_no_key_is_refused_without_being_repeated(pasted: str) -> None:
    with pytest.raises(ValueError, match=r"^api_key ") as caught:
        read_api_key(pasted)
    message = str(caught.value)
    assert WHERE_THE_KEY_IS in message
    assert ("looks like a Basic header" in message) == ("Basic" in pasted)
    for part in (pasted, "sand", "c2FuZGJve", "OnNhbmR"):
        assert part not in message


@pytest.mark.parametrize("key", [1234567890123, 12.5, ["sandbox"], {"key": "sandbox"}, True])
def test_a_key_that_is_not_text_is_refused_without_being_repeated(key: Any) -> None:
    reported = refusal_of_the_tap({"api_key": key, "subdomain": "acme"})
    assert "api_key is not text: put it in quotes" in reported
    assert str(key) not in reported
    assert "sandbox" not in reported


def test_the_tap_names_the_missing_key_in_its_own_words() -> None:
    reported = refusal_of_the_tap({"subdomain": "acme"})
    assert reported.splitlines()[1:] == [
        f"api_key is missing: copy the secret token from {WHERE_THE_KEY_IS}"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"subdomain": "acme corp"},
        {"subdomain": "KEY and more"},
        {"subdomain": ["KEY"]},
        {"api_url": "http://api.example"},
        {"api_url": "KEY"},
        {"subdomain": "acme", "start_date": "KEY"},
        {"subdomain": "acme", "page_size": 0},
        {"subdomain": "acme", "page_size": "KEY"},
        {"subdomain": "acme", "lookups": {"acounts": ["1"]}},
        {"subdomain": "acme", "lookups": {"KEY": ["1"]}},
        {"subdomain": "acme", "data_center": "KEY"},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["canary-in-a-mine", "Basic Y2FuYXJ5LWluLWEtbWluZTo="])
def test_no_refusal_of_another_setting_repeats_the_key_even_if_it_was_pasted_there(
    wrong: dict[str, Any], form: str
) -> None:
    pasted = json.loads(json.dumps(wrong).replace("KEY", form))
    reported = refusal_of_the_tap({"api_key": form, **pasted})
    assert "canary" not in reported
    assert "Y2FuYXJ5" not in reported


def test_settings_do_not_show_the_key() -> None:
    checked = Endpoint.from_config({"api_key": f"Basic {ENCODED}", "subdomain": "acme"}, "tests")
    assert checked.api_key == "sandbox"
    for displayed in (repr(checked), str(checked), f"{checked}"):
        assert "sandbox" not in displayed
        assert ENCODED not in displayed


# The host


@pytest.mark.parametrize(
    ("pasted", "subdomain"),
    [
        ("acme", "acme"),
        (" acme\n", "acme"),
        ("ACME", "acme"),
        ("acme-2", "acme-2"),
        ("2-acme", "2-acme"),
        ("7", "7"),
        ("acme.vitally.io", "acme"),
        ("Acme.Vitally.io", "acme"),
        ("acme.rest.vitally.io", "acme"),
        ("https://acme.vitally.io", "acme"),
        ("https://acme.vitally.io/", "acme"),
        ("https://acme.vitally.io/settings/integrations?tab=1#rest", "acme"),
        ("https://acme-2.rest.vitally.io/resources/accounts", "acme-2"),
        ("http://acme.vitally.io:443", "acme"),
        ("//acme.vitally.io", "acme"),
        ("acme.vitally.io/work", "acme"),
    ],
)
def test_the_subdomain_is_found_in_what_people_paste(pasted: str, subdomain: str) -> None:
    assert read_subdomain(pasted) == subdomain
    url = read_base_url({"data_center": "us", "subdomain": pasted})
    assert url == f"https://{subdomain}.rest.vitally.io"


@pytest.mark.parametrize(
    "pasted",
    [
        "acme corp",
        "acme_corp",
        "-acme",
        "acme-",
        "münchen",
        "rest",
        "www",
        "https://www.vitally.io",
        "https://rest.vitally.io",
        "https://vitally.io",
        "vitally.io",
        "acme.example",
        "https://",
        "//",
        ".",
        "[",
        "https://[acme",
        "acme@evil.example",
    ],
)
def test_what_holds_no_subdomain_is_refused(pasted: str) -> None:
    with pytest.raises(ValueError, match=r"^subdomain is .*: give the first part of the address"):
        read_subdomain(pasted)


@often
@given(st.text() | st.text(alphabet="[]/:@.-a%?#\\ ", max_size=12))
def test_any_text_is_a_subdomain_or_refused_by_name(text: str) -> None:
    try:
        found = read_subdomain(text)
    except ValueError as problem:
        assert str(problem).startswith("subdomain is ")  # noqa: PT017 - both ways are right
        return
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", found)


def test_the_us_data_center_needs_a_subdomain_and_the_message_says_where_it_is() -> None:
    for config in ({}, {"data_center": "us"}, {"data_center": None, "subdomain": " "}):
        with pytest.raises(ValueError, match="subdomain is missing") as caught:
            read_base_url(config)
        assert "https://<subdomain>.vitally.io" in str(caught.value)
        assert "set data_center to eu" in str(caught.value)


def test_the_eu_data_center_has_one_host_for_all() -> None:
    assert read_base_url({"data_center": "eu"}) == EU_URL == "https://rest.vitally-eu.io"
    assert read_base_url({"data_center": "eu", "subdomain": "not even [ a subdomain"}) == EU_URL


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("https://api.example", "https://api.example"),
        (" https://api.example/ ", "https://api.example"),
        ("https://api.example/resources", "https://api.example"),
        ("https://api.example/resources/", "https://api.example"),
        ("https://api.example:8443/proxy/resources", "https://api.example:8443/proxy"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST:8000", "http://localhost:8000"),
        ("HTTPS://Api.Example:443//resources//", "https://api.example"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_replaces_the_host_and_may_name_the_resources(given_url: str, url: str) -> None:
    config = {"api_url": given_url, "data_center": "us", "subdomain": "not needed"}
    assert read_base_url(config) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://192.168.1.1:8000",
        "http://0.0.0.0:8000",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://127.0.0.1\t.example",
        "http://[::2]",
    ],
)
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    with pytest.raises(ValueError, match=r"^api_url uses plain http .* use https"):
        read_base_url({"api_url": url})


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@api.example",
        "https://secret@api.example",
        "http://127.0.0.1:secret@api.example",
        "http://localhost@api.example",
        "https://api.example?key=secret",
        "https://api.example#secret",
    ],
)
def test_an_address_with_credentials_or_a_query_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"^api_url holds more than .* leave out the rest"
    ) as caught:
        read_base_url({"api_url": url})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.example",
        "ftp://api.example",
        "https://",
        "https:///x",
        "//api.example",
        "localhost:80",
        "https://[",
        "https://api.example:port",
        "https://api.example:99999",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match=r"^api_url is not an address: write it as https://host"):
        read_base_url({"api_url": url})


@often
@given(
    st.sampled_from(["", "https://", "http://", "http://localhost", "http://127.0.0.1"]),
    st.text(max_size=12) | st.text(alphabet="[]/:@.-a1%?#\\ ", max_size=12),
)
def test_any_text_is_an_address_that_is_safe_or_refused_by_name(before: str, text: str) -> None:
    if not before + text.strip():
        return
    try:
        url = read_base_url({"api_url": before + text, "subdomain": "acme"})
    except ValueError as problem:
        assert str(problem).startswith("api_url ")  # noqa: PT017 - both ways are right
        return
    parts = urlsplit(url)
    assert parts.scheme == "https" or is_loopback(parts.hostname or "")
    assert parts.hostname
    assert parts.port is None or parts.port <= 65535
    assert not any([parts.username, parts.password, parts.query, parts.fragment])
