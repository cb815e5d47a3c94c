"""The Analytics API, with its own host and key: a request takes up to a hundred messages.

Source: API notes on writing, 4. A message is accepted at once and applied later. A second message with
the same ``messageId`` has no effect, so a request whose answer was lost is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from typing_extensions import override

from vitally_api.budget import Budget
from vitally_api.client import Answer, Vitally
from vitally_api.decoding import encoded
from vitally_api.endpoint import (
    PASTED_HEADER,
    Endpoint,
    read_address,
    read_all,
    read_subdomain,
    sendable,
)
from vitally_api.errors import Refused
from vitally_api.retrying import Policy, RequestMetrics
from vitally_api.wording import error_text

ANALYTICS_URL = "https://{subdomain}.api.vitally.io"
WHERE_THE_TOKEN_IS = "Vitally: Settings > Integrations > Vitally Analytics API"  # noqa: S105 - no token
MOST_MESSAGES = 100
MOST_BYTES = 500_000
"""The largest body of a request in bytes."""
BATCH = "/batch"

Message = dict[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True)
class AnalyticsEndpoint(Endpoint):
    """The Analytics API of a workspace; its token is sent as it is, without encoding."""

    root: ClassVar[str] = "/analytics/v1"
    url_setting: ClassVar[str] = "analytics_url"
    key_advice: ClassVar[str] = (
        f"analytics_api_key is the token of the Analytics API ({WHERE_THE_TOKEN_IS}), not the REST "
        "API key"
    )

    @classmethod
    @override
    def from_config(cls, config: Mapping[str, Any], user_agent: str) -> AnalyticsEndpoint:
        token, url = read_all(lambda: read_token(config), lambda: read_analytics_url(config))
        return cls(url, token, str(config.get("user_agent") or user_agent))

    @property
    @override
    def authorization(self) -> str:
        return f"Basic {self.api_key}"


def read_token(config: Mapping[str, Any]) -> str:
    """Return the token, from the token itself or a whole header; raise a ``ValueError`` without it."""
    text = str(config.get("analytics_api_key") or "").strip()
    if not text:
        raise ValueError(
            "analytics_api_key is missing, which events, unlinks and the bulk channel take: copy the "
            f"token from {WHERE_THE_TOKEN_IS}"
        )
    header = PASTED_HEADER.fullmatch(text)
    return sendable("analytics_api_key", header[1] if header else text, WHERE_THE_TOKEN_IS)


def read_analytics_url(config: Mapping[str, Any]) -> str:
    """Return the address of the API, or raise a ``ValueError`` where none follows from the settings."""
    if config.get("analytics_url"):
        return read_address("analytics_url", str(config["analytics_url"]), "/analytics/v1")
    reason = ""
    if config.get("data_center") == "eu":
        reason = "for the eu data center no host of the Analytics API is published"
    elif config.get("api_url"):
        reason = "with api_url set, the host of the Analytics API does not follow from subdomain"
    if reason:
        raise ValueError(
            f"analytics_url is missing: {reason}. Ask Vitally's support for the address"
        )
    return ANALYTICS_URL.format(subdomain=read_subdomain(str(config.get("subdomain") or "")))


def _size(messages: Iterable[Message]) -> int:
    return sum(len(encoded(message)) + 1 for message in messages)


def fits(messages: list[Message]) -> bool:
    """Return whether a request may hold messages that go together."""
    return len(messages) <= MOST_MESSAGES and 2 + _size(messages) <= MOST_BYTES


def in_requests(
    items: Iterable[Item], messages_of: Callable[[Item], list[Message]]
) -> Iterator[list[Item]]:
    """Put items together in their order, as many as one request takes; none is taken apart."""
    together: list[Item] = []
    number, size = 0, 2
    for item in items:
        messages = messages_of(item)
        more = _size(messages)
        if together and (number + len(messages) > MOST_MESSAGES or size + more > MOST_BYTES):
            yield together
            together, number, size = [], 0, 2
        together.append(item)
        number, size = number + len(messages), size + more
    if together:
        yield together


class Analytics:
    """One workspace's Analytics API, for all threads of a run."""

    def __init__(self, endpoint: AnalyticsEndpoint, policy: Policy, concurrency: int) -> None:
        """Prepare to send, within a budget of its own; nothing is sent yet."""
        self.budget = Budget()
        policy = replace(policy, repeats=policy.repeats | {"POST"})
        self._vitally = Vitally(endpoint, self.budget, policy, concurrency)

    def send(self, messages: list[Message], counts: RequestMetrics) -> datetime | None:
        """Send messages in one request; return the server's clock. Errors are those of `Vitally.send`."""
        answer: Answer[Any] = self._vitally.send("POST", BATCH, body=messages, counts=counts)
        text = error_text(answer.data, self._vitally.endpoint.secrets)
        if isinstance(answer.data, dict) and answer.data.get("error"):
            raise Refused(f"Vitally did not take it: {text or 'an error, without a word why'}", 400)
        return answer.date
