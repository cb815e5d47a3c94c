"""One request and its answer, read whole: a session per thread, the key in its header."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3
from typing_extensions import override

from vitally_api.decoding import encoded
from vitally_api.endpoint import Endpoint
from vitally_api.errors import Oversized
from vitally_api.policy import Policy
from vitally_api.rate import Quota

DEADLINE_FACTOR = 10
"""A body may take this many times the request timeout, so that a trickle comes to an end."""
MAX_BODY = 1 << 28
CHUNK = 1 << 16
JSON = {"Content-Type": "application/json"}


class ConnectionFailed(Exception):
    """The network brought no answer, or not all of it."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True)
class Request:
    """What is asked: ``path`` below ``/resources``, its parts percent-encoded; a body, sent as JSON.

    ``label`` is what messages call it, where its path may name a person; ``headers`` are sent beside
    those of every request, and may be secrets.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    label: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Response:
    """An answer of any status; ``date`` is the server's clock, None where it does not tell."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    date: datetime | None

    @property
    def quota(self) -> Quota:
        """What the headers say about the budget."""
        return Quota.from_headers(self.headers, self.date)


class _Key(requests.auth.AuthBase):
    """Sets the header that was made once."""

    def __init__(self, header: str) -> None:
        self._header = header

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _Session(requests.Session):
    """A session that does not even look at where a redirect leads."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Connection:
    """Sends single requests from any thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._key = _Key(endpoint.authorization)
        self._local = threading.local()

    def request(self, asked: Request, policy: Policy) -> Response:
        """Send a request; `ConnectionFailed` is raised where no whole answer comes."""
        body = None if asked.body is None else encoded(asked.body)
        try:
            with self._session().request(
                asked.method,
                f"{self._endpoint.base_url}/resources{asked.path}",
                params=asked.query,
                data=body,
                headers={**asked.headers, **({} if body is None else JSON)},
                timeout=(policy.connect_timeout, policy.request_timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                date = _http_date(response.headers.get("Date"))
                raw = self._read(response, asked.label, policy)
                return Response(response.status_code, response.headers, raw, date)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise ConnectionFailed(error) from None

    def _session(self) -> requests.Session:
        """Give each thread its own session, and with it its own kept-alive connection."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session()
            session.auth = self._key
            session.headers["User-Agent"] = self._endpoint.user_agent
            session.headers["Accept"] = "application/json"
            session.headers["Accept-Encoding"] = "gzip"
            # Plain http goes to this machine only, and a proxy would see the key in the clear.
            session.trust_env = self._endpoint.base_url.startswith("https:")
        return session

    def _read(self, response: requests.Response, label: str, policy: Policy) -> bytes:
        """Read a body to its end, but not for ever and not without limit."""
        deadline = time.monotonic() + DEADLINE_FACTOR * policy.request_timeout
        body = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > MAX_BODY:
                msg = (
                    f"Vitally sent more than {MAX_BODY >> 20} MB in one answer, at "
                    f"{self._endpoint.base_url} for {label}. Lower page_size."
                )
                raise Oversized(msg)
            if time.monotonic() > deadline:
                msg = "the body did not come to its end"
                raise requests.exceptions.ReadTimeout(msg)
        return bytes(body)


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
