"""What went wrong, as one line that is safe to log: what, where, what to do.

Nothing here holds the key, an address of a person, or more of a server's text than fits a line.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from vitally_api.endpoint import WHERE_THE_KEY_IS, Endpoint
from vitally_api.statuses import StatusClass, classify, phrase

LONGEST_DETAIL = 200
LONGEST_NAME = 80


@dataclass(frozen=True)
class NetworkErrorKind:
    """A kind of network failure: the exceptions that show it, what happened, and what helps.

    ``passing`` says that time may help; ``unsent`` that the request surely was not carried out;
    ``address`` that the address, or the way to it, is the first thing to check.
    """

    shown_by: tuple[type[BaseException], ...]
    what: str
    remedy: str
    passing: bool = True
    unsent: bool = True
    address: bool = True


ADDRESS = "Check subdomain and api_url."
NETWORK = "Check the network, subdomain and api_url."
PROXY = "Check HTTPS_PROXY: it takes http://host:port."

TROUBLES = (
    NetworkErrorKind(
        (ssl.SSLCertVerificationError,),
        "The certificate of the server could not be verified",
        (
            "If a proxy of your company signs the traffic, name its certificates in "
            "REQUESTS_CA_BUNDLE."
        ),
        passing=False,
    ),
    NetworkErrorKind(
        (requests.exceptions.InvalidProxyURL,),
        "The address of the proxy is none",
        PROXY,
        passing=False,
    ),
    NetworkErrorKind(
        (requests.exceptions.InvalidSchema, urllib3.exceptions.ProxySchemeUnknown),
        "The proxy is of a kind that cannot be used",
        PROXY,
        passing=False,
    ),
    NetworkErrorKind(
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        "The proxy refused the connection",
        "Check HTTPS_PROXY and NO_PROXY.",
    ),
    NetworkErrorKind(
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError),
        "No TLS connection could be made",
        "Check api_url, the proxy and REQUESTS_CA_BUNDLE.",
        # The same type shows a connection that broke off after the request had gone out.
        unsent=False,
    ),
    NetworkErrorKind(
        (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError),
        "The address is none",
        ADDRESS,
        passing=False,
    ),
    NetworkErrorKind(
        (urllib3.exceptions.NameResolutionError, socket.gaierror),
        "The host name was not found",
        NETWORK,
    ),
    NetworkErrorKind(
        (ConnectionRefusedError,),
        "The connection was refused",
        "Check api_url, or run again later.",
    ),
    NetworkErrorKind(
        (urllib3.exceptions.NewConnectionError,),
        "The connection broke",
        "Check the network, or run again later.",
    ),
    NetworkErrorKind(
        (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
        "The server did not answer in time",
        "Raise request_timeout, or run later.",
    ),
    NetworkErrorKind(
        (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        "The server did not answer in time",
        "Raise request_timeout, or run later.",
        unsent=False,
        address=False,
    ),
    NetworkErrorKind(
        (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError),
        "The compressed body was damaged",
        "Run again; if it stays, check the proxy.",
        unsent=False,
        address=False,
    ),
)
"""The first that fits is told: an error of the proxy may hold a refused connection, and some kinds
are kinds of others."""

NO_CERTIFICATES = NetworkErrorKind(
    (OSError,), "The file of certificates was not found", "Check REQUESTS_CA_BUNDLE.", passing=False
)
"""A plain `OSError`: whatever comes of the network has a type of its own."""
BROKEN = NetworkErrorKind(
    (Exception,),
    "The connection broke",
    "Check the network, or run again later.",
    unsent=False,
)


def network_error_kind(error: BaseException) -> NetworkErrorKind:
    """Say what kind of network failure an exception shows, by its type and those it holds."""
    if type(error) is OSError:
        return NO_CERTIFICATES
    chain = [error, *_causes(error)]
    return next((t for t in TROUBLES if any(isinstance(e, t.shown_by) for e in chain)), BROKEN)


def _causes(error: BaseException) -> list[BaseException]:
    """Find all exceptions inside an exception: libraries wrap them in several ways."""
    found: list[BaseException] = []
    waiting = [*_held(error)]
    while waiting:
        cause = waiting.pop()
        if cause not in found:
            found.append(cause)
            waiting += _held(cause)
    return found


def _held(error: BaseException) -> Iterator[BaseException]:
    # Not the context: what was being handled when a request was sent is no reason for its failure.
    held = (error.__cause__, getattr(error, "reason", None), *error.args)
    return (cause for cause in held if isinstance(cause, BaseException))


class Wording:
    """Words for one endpoint, so that the key is never among them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._host = endpoint.base_url
        self._secrets = endpoint.secrets

    def network(self, found: NetworkErrorKind, label: str) -> str:
        """Tell of a network failure."""
        return f"{found.what}, at {self._host} for {label}. {found.remedy}"

    def where(self, found: NetworkErrorKind) -> str:
        """Tell of a network failure before there was any answer: which address, what to check."""
        return f"{found.what}, at {self._host}. {found.remedy}"

    def reported(self, status: int, body: Any, label: str) -> str:
        """Tell of a status: ``404 Not Found at /resources/... (what the body says)``."""
        text = error_text(body, self._secrets)
        return f"{status} {phrase(status)} at {label}{f' ({text})' if text else ''}"

    def refusal(self, status: int, reported: str, location: str) -> str:
        """Tell of a final answer, with advice; ``location`` is where a redirect points to."""
        match classify(status):
            case StatusClass.KEY:
                return (
                    f"Vitally does not accept the API key at {self._host}: {reported}. Check that "
                    f"api_key is the REST API key ({WHERE_THE_KEY_IS}), not an analytics key, that "
                    "it was not revoked, and that data_center and subdomain are those of its "
                    "workspace."
                )
            case StatusClass.ELSEWHERE:
                target = self.safe_name(_host(location))
                return (
                    f"{self._host} redirects to {target}, and the API key is sent nowhere else: "
                    f"{reported}. Check data_center, subdomain and api_url."
                )
        if status == requests.codes.forbidden:
            return (
                f"Vitally does not let this API key read it: {reported}. The plan may not include it, "
                "or the key may lack the right."
            )
        return f"Vitally refused the request: {reported}."

    def safe_name(self, text: str) -> str:
        """Make what a server sent fit for a log."""
        return _safe(text, self._secrets)


def safe_name(name: str) -> str:
    """Make a property's name or an id fit for a log: letters, digits, a few signs, not too many."""
    return re.sub(r"[^\w.$-]", "?", name)[:LONGEST_NAME]


def error_text(body: Any, secrets: Iterable[str] = ()) -> str:
    """Find the text in an error body, as one short line; empty if there is none.

    The shapes seen are ``{"error": "..."}``, ``{"error": {"message": ..., "errors": [...]}}`` and
    ``{"message": "..."}``.
    """
    if not isinstance(body, dict):
        return ""
    error = body.get("error") or body.get("message")
    if isinstance(error, dict):
        details = error.get("errors")
        parts = [str(error.get("message") or "")]
        parts += [
            f"{item.get('instancePath', '')} {item.get('message', '')}".strip()
            for item in (details if isinstance(details, list) else [])
            if isinstance(item, dict)
        ]
        error = ": ".join(filter(None, [parts[0], ", ".join(parts[1:])]))
    return _safe(error, secrets) if isinstance(error, str) else ""


def _safe(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
    words = "".join(c if c.isprintable() else " " for c in text)
    # One expression for both sides of the @ takes 7 s for a word of 64 kB.
    text = re.sub(r"\S+", lambda word: "***" if "@" in word[0][1:-1] else word[0], words)
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}..."


def _host(address: str) -> str:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    # What is no host may be half of a key that the server sends back.
    return host if re.fullmatch(r"[\w.:-]+", host) else "another path"
