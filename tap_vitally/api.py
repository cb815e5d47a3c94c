"""The wire: one request to the Vitally REST API, repeated until it has an answer.

Source: API notes, "Rate limit" and "Status codes and error bodies".
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import backoff
import msgspec
import requests
import urllib3

from tap_vitally.errors import Refused, TapFailure, Unavailable, Unreadable
from tap_vitally.rate_limit import Quota, RateBudget
from tap_vitally.settings import WHERE_THE_KEY_IS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from tap_vitally.report import Tally

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds of failure the tap outlives: a whole rate window and an outage of minutes."""
UNREADABLE_TRIES = 5
"""Answers 200 without data before they are taken for an answer: half a minute of them."""
CONNECT_TIMEOUT = 15.0
DEADLINE_FACTOR = 10
"""A body may take this many times the request timeout, so that a trickle comes to an end."""
MAX_BODY = 1 << 28
CHUNK = 1 << 16
BOM = b"\xef\xbb\xbf"
LONGEST_WAIT = 60.0
LONGEST_DETAIL = 200

RETRIED = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}

logger = logging.getLogger("tap-vitally.api")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a request brought.

    Attributes:
        data: The decoded and checked body.
        date: The server's clock when it answered, if it told.
        size: Length of the decoded text in bytes.
    """

    data: T
    date: datetime | None
    size: int


class _TryAgainError(Exception):
    """One try failed in a way that another may not."""

    def __init__(
        self,
        reason: str,
        failure: TapFailure,
        wait: float | None = None,
        *,
        for_all: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failure = failure
        self.wait = wait
        self.for_all = for_all


class _KeyHeader(requests.auth.AuthBase):
    """HTTP Basic with the key as user and no password, encoded once."""

    def __init__(self, key: str) -> None:
        request = requests.Request("GET", "http://localhost").prepare()
        requests.auth.HTTPBasicAuth(key, "")(request)
        self._header = request.headers["Authorization"]
        self.encoded = self._header.removeprefix("Basic ")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class VitallyApi:
    """Asks the API, within the budget, as often as it takes."""

    def __init__(
        self,
        settings: Settings,
        budget: RateBudget,
        user_agent: str,
        patience: float = PATIENCE,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            settings: Host, key and timeouts.
            budget: Shared by all threads.
            user_agent: Who is asking.
            patience: Seconds of failure to outlive.
        """
        self._settings = settings
        self._budget = budget
        self._user_agent = user_agent
        self._patience = patience
        self._auth = _KeyHeader(settings.api_key)
        plain = (self._auth.encoded, self._auth.encoded.rstrip("="), settings.api_key)
        self._secrets = (*plain, *(quote(secret, safe="") for secret in plain))
        self._decoder = msgspec.json.Decoder(float_hook=_number)
        self._local = threading.local()
        self._connections = threading.BoundedSemaphore(settings.concurrency)

    def get(  # noqa: PLR0913 - one request, described by its parts
        self,
        path: str,
        params: Mapping[str, str],
        parse: Callable[[Any], T],
        tally: Tally,
        *,
        place: str | None = None,
        patience: float = PATIENCE,
    ) -> Answer[T]:
        """Ask for one resource.

        Args:
            path: Below ``/resources``, its parts percent-encoded.
            params: The query.
            parse: Checks the decoded body and picks what is wanted; raises `Unreadable` if it is
                not what was asked for, which counts as a failed try.
            tally: Where to count.
            place: What to call this request in messages, where its path may name a person.
            patience: Seconds of failure to outlive; the rate limit is always waited for.

        Returns:
            The answer.

        Raises:
            Refused: If the answer is final and not data.
            Unreadable: If what comes back is not data, again and again.
            Unavailable: If the API stays out of reach.
            Cancelled: If the run was stopped.
        """
        place = place or f"/resources{path}"

        @backoff.on_exception(
            self._pauses,
            _TryAgainError,
            jitter=None,
            logger=None,
            tally=tally,
            patience=min(patience, self._patience),
        )
        def attempt() -> Answer[T]:
            return self._attempt(path, params, parse, tally, place)

        try:
            return attempt()
        except _TryAgainError as last:
            raise last.failure from None

    def _attempt(
        self,
        path: str,
        params: Mapping[str, str],
        parse: Callable[[Any], T],
        tally: Tally,
        place: str,
    ) -> Answer[T]:
        with self._connections:
            response, raw, quota, date = self._send(path, params, tally, place)
        self._check_status(response, raw, quota, place)
        try:
            return Answer(parse(self._decode(raw, place)), date, len(raw))
        except Unreadable as failure:
            reason = f"an answer that cannot be used ({failure})"
            kind = response.headers.get("Content-Type", "no type").partition(";")[0]
            kind = _printable(kind, self._secrets)
            lasting = Unreadable(
                f"Vitally answered {UNREADABLE_TRIES} times with something that is not the data "
                f"asked for, at {place}: {failure} ({kind}). If it goes on, tell Vitally's support."
            )
            raise _TryAgainError(reason, lasting) from failure

    def _send(
        self, path: str, params: Mapping[str, str], tally: Tally, place: str
    ) -> tuple[requests.Response, bytes, Quota, datetime | None]:
        """Send one request within the budget and read its answer whole."""
        tally.add(waited=self._budget.acquire(), requests=1)
        quota = Quota()
        try:
            with self._session().get(
                f"{self._settings.base_url}/resources{path}",
                params=params,
                timeout=(CONNECT_TIMEOUT, self._settings.request_timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                date = _http_date(response.headers.get("Date"))
                quota = Quota.from_headers(response.headers, date)
                return response, self._read(response, place), quota, date
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._network_failure(error, place) from None
        except ValueError:
            # Of a redirect, the target is parsed even if it is not followed.
            msg = (
                f"{self._settings.base_url} redirects to another path, and the API key is sent "
                f"nowhere else: {place}. Check data_center, subdomain and api_url."
            )
            raise Refused(msg, HTTPStatus.FOUND) from None
        finally:
            self._budget.release(quota)

    def _session(self) -> requests.Session:
        """Give each thread its own session, and with it its own kept-alive connection."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = self._auth
            session.headers["User-Agent"] = self._user_agent
            session.headers["Accept"] = "application/json"
            session.headers["Accept-Encoding"] = "gzip"
            # Plain http goes to this machine only, and a proxy would see the key in the clear.
            session.trust_env = self._settings.base_url.startswith("https:")
        return session

    def _read(self, response: requests.Response, place: str) -> bytes:
        """Read a body to its end, but not for ever and not without limit."""
        deadline = time.monotonic() + DEADLINE_FACTOR * self._settings.request_timeout
        body = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > MAX_BODY:
                msg = (
                    f"Vitally sent more than {MAX_BODY >> 20} MB in one answer, at "
                    f"{self._settings.base_url} for {place}. Lower page_size."
                )
                raise TapFailure(msg)
            if time.monotonic() > deadline:
                msg = "the body did not come to its end"
                raise requests.exceptions.ReadTimeout(msg)
        return bytes(body)

    def _decode(self, raw: bytes, place: str) -> Any:
        """Decode JSON keeping every digit of its numbers.

        Text that is not Unicode is mended rather than refused: one damaged character must not
        keep a page of records away. NUL goes because no SQL database can store it.
        """
        raw = raw.removeprefix(BOM)
        if not raw.strip():
            return None
        try:
            data = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                data = json.loads(raw.decode("utf-8", "replace"), parse_float=_number)
                data = _mended(data)
            except (ValueError, RecursionError):
                msg = "the body is not JSON"
                raise Unreadable(msg) from None
            logger.warning("Text that is not Unicode was mended, at %s.", place)
            return data
        try:
            return _mended(data) if b"\\u0000" in raw else data
        except RecursionError:
            msg = "the body is nested too deeply"
            raise Unreadable(msg) from None

    def _check_status(
        self, response: requests.Response, raw: bytes, quota: Quota, place: str
    ) -> None:
        status = response.status_code
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        told = f"{status} {_reason(status)} at {place}{self._detail(raw)}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = next((w for w in (quota.retry_after, quota.reset) if w is not None), None)
            failure: TapFailure = Unavailable(
                f"Vitally's rate limit left no request through for {self._patience:.0f} s: {told}. "
                "Other tools may be using the same limit: set max_requests_per_minute, or run at "
                "another time."
            )
            reason = "the rate limit (429)"
            wait = min(max(wait or 1.0, 1.0), LONGEST_WAIT)
            raise _TryAgainError(reason, failure, wait, for_all=True)
        if status in RETRIED or status > HTTPStatus.INTERNAL_SERVER_ERROR:
            failure = Unavailable(
                f"Vitally kept failing for {self._patience:.0f} s: {told}. Nothing is lost: run "
                "again later."
            )
            msg = f"{status} {_reason(status)}"
            raise _TryAgainError(
                msg,
                failure,
                None if quota.retry_after is None else min(quota.retry_after, LONGEST_WAIT),
            )
        raise Refused(self._advice(status, told, response), status)

    def _advice(self, status: int, told: str, response: requests.Response) -> str:
        host = self._settings.base_url
        if status == HTTPStatus.UNAUTHORIZED:
            return (
                f"Vitally does not accept the API key at {host}: {told}. Check that api_key is the "
                f"REST API key ({WHERE_THE_KEY_IS}), not an analytics key, that it was not "
                "revoked, and that data_center and subdomain are those of its workspace."
            )
        if status == HTTPStatus.FORBIDDEN:
            return (
                f"Vitally does not let this API key read it: {told}. The plan may not include it, "
                "or the key may lack the right."
            )
        if status < HTTPStatus.BAD_REQUEST:
            target = _printable(_host(response.headers.get("Location", "")), self._secrets)
            return (
                f"{host} redirects to {target}, and the API key is sent nowhere else: "
                f"{told}. Check data_center, subdomain and api_url."
            )
        return f"Vitally refused the request: {told}."

    def _detail(self, raw: bytes) -> str:
        """Find the error text in either shape of error body, fit for a log."""
        try:
            body = self._decoder.decode(raw[:CHUNK])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        text = error_text(body, self._secrets)
        return f" ({text})" if text else ""

    def _network_failure(self, error: Exception, place: str) -> Exception:
        """Turn what the network did into a reason and a remedy."""
        host = self._settings.base_url
        kind, remedy, final = _explain(error)
        failure = Unavailable(f"{kind}, at {host} for {place}. {remedy}")
        return failure if final else _TryAgainError(kind, failure)

    def _pauses(self, tally: Tally, patience: float) -> Generator[float, _TryAgainError, None]:
        """Wait between tries: a wait generator for `backoff`.

        It waits itself, where a stopped run can wake it, and leaves `backoff` nothing to sleep.
        """
        growing = backoff.expo(max_value=30)
        next(growing)
        unreadable = 0
        failed = yield 0
        began = time.monotonic()
        while True:
            if time.monotonic() - began > (self._patience if failed.for_all else patience):
                return
            if isinstance(failed.failure, Unreadable):
                unreadable += 1
                if unreadable == UNREADABLE_TRIES:
                    return
            wait = failed.wait
            if wait is None:
                wait = backoff.full_jitter(next(growing))
            tally.add(retries=1)
            logger.warning("Trying again in %.1f s after %s.", wait, failed.reason)
            if failed.for_all:
                self._budget.pause(wait)
            else:
                self._budget.sleep(wait)
                tally.add(waited=wait)
            failed = yield 0


def error_text(body: Any, secrets: Iterable[str] = ()) -> str:
    """Find the text in an error body.

    Args:
        body: ``{"error": "..."}``, ``{"error": {"message": ..., "errors": [...]}}`` or
            ``{"message": "..."}``.
        secrets: What must not be in it.

    Returns:
        One short printable line without e-mail addresses; empty if there is none.
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
    return _printable(error, secrets) if isinstance(error, str) else ""


def _printable(text: str, secrets: Iterable[str]) -> str:
    """Make what a server sent fit for a log: no key, no address of a person, not too long."""
    for secret in secrets:
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
    text = re.sub(r"\S+@\S+", "***", "".join(c if c.isprintable() else " " for c in text))
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}..."


def _host(address: str) -> str:
    host = urlsplit(address).hostname or ""
    # What is no host may be half of a key that the server sends back.
    return host if re.fullmatch(r"[\w.:-]+", host) else "another path"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


FINAL, PASSING = True, False
NETWORK_FAILURES: tuple[tuple[str, str, str, bool], ...] = (
    (
        "SSLCertVerificationError",
        "The certificate of the server could not be verified",
        (
            "If a proxy of your company signs the traffic, name its certificates in "
            "REQUESTS_CA_BUNDLE."
        ),
        FINAL,
    ),
    (
        "InvalidProxyURL",
        "The address of the proxy is none",
        "Check HTTPS_PROXY: it takes http://host:port.",
        FINAL,
    ),
    (
        "InvalidSchema",
        "The proxy is of a kind that cannot be used",
        "Check HTTPS_PROXY: it takes http://host:port.",
        FINAL,
    ),
    ("ProxyError", "The proxy refused the connection", "Check HTTPS_PROXY and NO_PROXY.", PASSING),
    (
        "SSLError",
        "No TLS connection could be made",
        "Check api_url, the proxy and REQUESTS_CA_BUNDLE.",
        PASSING,
    ),
    ("InvalidURL", "The address is none", "Check subdomain and api_url.", FINAL),
    ("LocationParse", "The address is none", "Check subdomain and api_url.", FINAL),
    (
        "NameResolution",
        "The host name was not found",
        "Check the network, subdomain and api_url.",
        PASSING,
    ),
    (
        "gaierror",
        "The host name was not found",
        "Check the network, subdomain and api_url.",
        PASSING,
    ),
    (
        "Timeout",
        "The server did not answer in time",
        "Raise request_timeout, or run later.",
        PASSING,
    ),
    (
        "Decod",
        "The compressed body was damaged",
        "Run again; if it stays, check the proxy.",
        PASSING,
    ),
    (
        "ConnectionRefused",
        "The connection was refused",
        "Check api_url, or run again later.",
        PASSING,
    ),
    ("", "The connection broke", "Check the network, or run again later.", PASSING),
)
"""Part of the name of an error in the chain, what happened, what helps, and if time may help."""


def _explain(error: Exception) -> tuple[str, str, bool]:
    """Say what kind of network failure it was, what helps, and if trying again is pointless."""
    if type(error) is OSError:
        # Whatever comes of the network has a name of its own.
        return "The file of certificates was not found", "Check REQUESTS_CA_BUNDLE.", FINAL
    names = " ".join(type(cause).__name__ for cause in [error, *_causes(error)])
    _, what, remedy, final = next(row for row in NETWORK_FAILURES if row[0] in names)
    return what, remedy, final


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    waiting: list[Any] = [error.__cause__, error.__context__, *error.args]
    waiting.append(getattr(error, "reason", None))
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            waiting += [cause.__cause__, cause.__context__, *cause.args]
            waiting.append(getattr(cause, "reason", None))
    return found


def _number(text: str) -> Decimal | None:
    """Keep every digit; a number beyond what any program can hold is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _mended(value: Any) -> Any:
    """Take out of all strings what Singer targets cannot store: NUL and halves of characters."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value
