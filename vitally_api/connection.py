"""One request and its answer, read whole: a pool of connections to one host, the key in a header.

`requests` reads the surroundings once, the proxy and the certificates; `urllib3`, which it is made of,
sends. A `requests.Session` reads them for every request, which with the rest of what it does takes as
long as all else that is done for a request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3

from vitally_api.decoding import encoded
from vitally_api.endpoint import Endpoint
from vitally_api.errors import VitallyError
from vitally_api.rate import Quota
from vitally_api.retrying import Policy

DEADLINE_FACTOR = 10
"""A body may take this many times the request timeout, so that a trickle comes to an end."""
MAX_BODY = 1 << 28
CHUNK = 1 << 16
JSON = {"Content-Type": "application/json"}
ONCE = urllib3.Retry(total=False)
"""What is tried again, and where a redirect leads, is decided elsewhere."""


class ConnectionFailed(Exception):
    """No complete answer came; the first argument is the exception of the network library."""


@dataclass(frozen=True)
class Request:
    """A request: ``path`` is below the root of the API and percent-encoded, ``body`` is sent as JSON.

    Messages show ``label`` in place of the path, which may hold an e-mail address. ``headers`` are sent
    in addition to those of every request, and may be secret.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    label: str
    policy: Policy
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Response:
    """An answer of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def date(self) -> datetime | None:
        """The server's time, from the header ``Date``; None if that is missing."""
        try:
            moment = parsedate_to_datetime(self.headers.get("Date") or "")
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            return None

    @cached_property
    def quota(self) -> Quota:
        """The rate limit, from the headers."""
        return Quota.from_headers(self.headers, self.date)


class Connection:
    """Sends single requests from any thread, over connections that are kept alive."""

    def __init__(self, endpoint: Endpoint, at_once: int) -> None:
        """Prepare to send; ``at_once`` is the number of requests in progress at most."""
        self._base_url, self._at_once = endpoint.base_url, at_once
        self._target = f"{urlsplit(endpoint.base_url).path}{endpoint.root}"
        self._headers = {
            "Authorization": endpoint.authorization,
            "User-Agent": endpoint.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        self._opening = threading.Lock()
        self._opened: Any = None

    def request(self, asked: Request) -> Response:
        """Send a request; raise `ConnectionFailed` if no complete answer comes."""
        body = None if asked.body is None else encoded(asked.body)
        patience = asked.policy
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        try:
            with self._pool().urlopen(
                asked.method,
                f"{self._target}{asked.path}{query}",
                body,
                {**self._headers, **asked.headers, **({} if body is None else JSON)},
                ONCE,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(
                    connect=patience.connect_timeout, read=patience.request_timeout
                ),
                preload_content=False,
            ) as response:
                raw = self._read(response, asked)
                return Response(response.status, response.headers, raw)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise ConnectionFailed(error) from None

    def _pool(self) -> Any:
        with self._opening:
            if self._opened is None:
                session = requests.Session()
                # Plain http goes to this machine only, and a proxy would see the key in the clear.
                session.trust_env = self._base_url.startswith("https:")
                found = session.merge_environment_settings(self._base_url, {}, None, None, None)
                adapter = requests.adapters.HTTPAdapter(pool_maxsize=self._at_once)
                request = requests.Request("GET", self._base_url).prepare()
                verify, proxies = found["verify"], found["proxies"]
                pool: Any = adapter.get_connection_with_tls_context(request, verify, proxies)
                adapter.cert_verify(pool, self._base_url, verify, None)  # type: ignore[no-untyped-call]
                self._opened = pool
            return self._opened

    def _read(self, response: urllib3.BaseHTTPResponse, asked: Request) -> bytes:
        """Read a body; raise if it is larger than `MAX_BODY`, or takes `DEADLINE_FACTOR` timeouts."""
        deadline = time.monotonic() + DEADLINE_FACTOR * asked.policy.request_timeout
        chunks, size = [], 0
        while chunk := response.read1(CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                raise VitallyError(
                    f"Vitally sent more than {MAX_BODY >> 20} MB in one answer, at "
                    f"{self._base_url} for {asked.label}. Lower page_size."
                )
            if time.monotonic() > deadline:
                raise TimeoutError("the body did not come to its end")
        return b"".join(chunks)
