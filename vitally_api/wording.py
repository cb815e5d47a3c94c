"""Error messages of one line that are safe to log: without API keys and e-mail addresses."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from requests.exceptions import InvalidProxyURL, InvalidSchema
from urllib3 import exceptions as urllib

from vitally_api.endpoint import Endpoint
from vitally_api.statuses import StatusClass, classify, phrase

LONGEST_DETAIL = 200
LONGEST_NAME = 80


@dataclass(frozen=True)
class NetworkErrorKind:
    """A kind of network failure: what happened, what to do, and the exceptions that it is raised as.

    ``passing``: another try may succeed. ``unsent``: the server has certainly not carried out the request.
    ``address``: the configured address or proxy is the most likely cause.
    """

    what: str
    remedy: str
    exceptions: type[BaseException] | tuple[type[BaseException], ...]
    passing: bool = True
    unsent: bool = True
    address: bool = True


ADDRESS = "Check subdomain and api_url."
PROXY = "Check HTTPS_PROXY: it takes http://host:port."
REFUSED_BY_PROXY = ("The proxy refused the connection", "Check HTTPS_PROXY and NO_PROXY.")
NO_TLS = ("No TLS connection could be made", "Check api_url, the proxy and REQUESTS_CA_BUNDLE.")
NO_NAME = ("The host name was not found", "Check the network, subdomain and api_url.")
REFUSED = ("The connection was refused", "Check api_url, or run again later.")
BROKE = ("The connection broke", "Check the network, or run again later.")
SLOW = ("The server did not answer in time", "Raise request_timeout, or run later.")
DAMAGED = ("The compressed body was damaged", "Run again; if it stays, check the proxy.")
NO_CERTIFICATES = ("The file of certificates was not found", "Check REQUESTS_CA_BUNDLE.")

_KINDS = (
    NetworkErrorKind(
        "The certificate of the server could not be verified",
        "If a proxy of your company signs the traffic, name its certificates in REQUESTS_CA_BUNDLE.",
        ssl.SSLCertVerificationError,
        passing=False,
    ),
    NetworkErrorKind("The address of the proxy is none", PROXY, InvalidProxyURL, passing=False),
    NetworkErrorKind(
        "The proxy is of a kind that cannot be used",
        PROXY,
        (InvalidSchema, urllib.ProxySchemeUnknown),
        passing=False,
    ),
    NetworkErrorKind(*REFUSED_BY_PROXY, urllib.ProxyError),
    # The same type stands for a connection that broke off after the request had gone out.
    NetworkErrorKind(*NO_TLS, (urllib.SSLError, ssl.SSLError), unsent=False),
    NetworkErrorKind("The address is none", ADDRESS, urllib.LocationParseError, passing=False),
    NetworkErrorKind(*NO_NAME, (urllib.NameResolutionError, socket.gaierror)),
    NetworkErrorKind(*REFUSED, ConnectionRefusedError),
    NetworkErrorKind(*BROKE, urllib.NewConnectionError),
    NetworkErrorKind(*SLOW, urllib.ConnectTimeoutError),
    NetworkErrorKind(*SLOW, (urllib.TimeoutError, TimeoutError), unsent=False, address=False),
    NetworkErrorKind(*DAMAGED, urllib.DecodeError, unsent=False, address=False),
)
"""The first that fits counts: an error of the proxy may hold a refused connection, and some types
are subtypes of others."""


def network_error_kind(error: BaseException) -> NetworkErrorKind:
    """Return the kind of network failure, from the type of an exception and of its causes."""
    if type(error) is OSError:  # whatever comes of the network has a type of its own
        return NetworkErrorKind(*NO_CERTIFICATES, (), passing=False)
    chain = [error]
    for each in chain:
        chain += [cause for cause in _held(each) if cause not in chain]
    found = (k for k in _KINDS if any(isinstance(e, k.exceptions) for e in chain))
    return next(found, NetworkErrorKind(*BROKE, (), unsent=False))


def _held(error: BaseException) -> Iterator[BaseException]:
    # Not the context: what was being handled when a request was sent is no reason for its failure.
    held = (error.__cause__, getattr(error, "reason", None), *error.args)
    return (cause for cause in held if isinstance(cause, BaseException))


def network_message(endpoint: Endpoint, found: NetworkErrorKind, label: str = "") -> str:
    """Return the message of a network failure; ``label`` names the request, if it is to be named."""
    remedy = found.remedy.replace("api_url", endpoint.url_setting)
    return f"{found.what}, at {endpoint.base_url}{f' for {label}' if label else ''}. {remedy}"


def status_in_words(endpoint: Endpoint, status: int, body: Any, label: str) -> str:
    """Return a status with its phrase and address: ``404 Not Found at /resources/... (the body's text)``."""
    text = error_text(body, endpoint.secrets)
    return f"{status} {phrase(status)} at {label}{f' ({text})' if text else ''}"


def refusal(endpoint: Endpoint, status: int, reported: str, location: str) -> str:
    """Return the error message for a final status, with advice; ``location`` is a redirect's target."""
    match classify(status):
        case StatusClass.KEY:
            return (
                f"Vitally does not accept the API key at {endpoint.base_url}: {reported}. Check that "
                f"{endpoint.key_advice}, that it was not revoked, and that data_center and "
                "subdomain are those of its workspace."
            )
        case StatusClass.ELSEWHERE:
            target = safe_text(_host(location), endpoint.secrets)
            return (
                f"{endpoint.base_url} redirects to {target}, and the API key is sent nowhere else: "
                f"{reported}. Check data_center, subdomain and {endpoint.url_setting}."
            )
    if status == HTTPStatus.FORBIDDEN:
        return (
            f"Vitally does not let this API key read it: {reported}. The plan may not include it, "
            "or the key may lack the right."
        )
    return f"Vitally refused the request: {reported}."


def safe_name(name: str) -> str:
    """Return a name or an id for the log: other characters than letters, digits and a few signs as ``?``."""
    return re.sub(r"[^\w .$-]", "?", name)[:LONGEST_NAME]


def error_text(body: Any, secrets: Iterable[str] = ()) -> str:
    """Return the text in an error body, as one short line; empty if there is none.

    The shapes seen are ``{"error": "..."}``, ``{"error": {"message": ..., "errors": [...]}}`` and
    ``{"message": "..."}``.
    """
    if not isinstance(body, dict):
        return ""
    error = body.get("error") or body.get("message")
    if isinstance(error, dict):
        details = error.get("errors")
        items = (
            [each for each in details if isinstance(each, dict)]
            if isinstance(details, list)
            else []
        )
        texts = [f"{i.get('instancePath', '')} {i.get('message', '')}".strip() for i in items]
        error = ": ".join(filter(None, [str(error.get("message") or ""), ", ".join(texts)]))
    return safe_text(error, secrets) if isinstance(error, str) else ""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Replace the secrets in a message, such as an API key that the server sent back, with ``***``."""
    for secret in secrets:
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
    return text


def safe_text(text: str, secrets: Iterable[str]) -> str:
    """Return text of a server for the log: one short line without secrets and e-mail addresses."""
    text = redacted(text, secrets)
    words = "".join(c if c.isprintable() else " " for c in text)
    # One expression for both sides of the @ takes 7 s for a word of 64 kB.
    text = re.sub(r"\S+", lambda word: "***" if "@" in word[0][1:-1] else word[0], words)
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}..."


def _host(address: str) -> str:
    host = ""
    with suppress(ValueError):
        host = urlsplit(address).hostname or ""
    # What is no host may be half of a key that the server sends back.
    return host if re.fullmatch(r"[\w.:-]+", host) else "another path"
