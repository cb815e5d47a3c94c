"""The operator's settings, checked and made usable once at the start.

Nothing here touches the network or the SDK. Source: API notes, "Hosts, auth, identifiers".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from tap_vitally.replication import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

EU_URL = "https://rest.vitally-eu.io"
US_URL = "https://{subdomain}.rest.vitally.io"
WHERE_THE_KEY_IS = "Vitally: Settings > Integrations > Vitally REST API"
LONGEST_TIMEOUT = 3600.0
API_KEY_MISSING = f"api_key is missing: copy the secret token from {WHERE_THE_KEY_IS}"


class SettingsError(ValueError):
    """Settings the tap cannot work with.

    Attributes:
        problems: One line each: which setting, what is wrong, what to do.
    """

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems.

        Args:
            problems: One line each.
        """
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """The settings in the form the tap works with; the README's table says what each means."""

    base_url: str
    api_key: str = field(repr=False)
    account_status: str = "activeOrChurned"
    include_archived: bool = True
    start_date: datetime | None = None
    survey_ids: tuple[str, ...] = ()
    page_size: int = 100
    lookback: timedelta = timedelta(seconds=300)
    concurrency: int = 8
    max_requests_per_minute: int | None = None
    request_timeout: float = 60.0
    fail_on_skipped: bool = False
    embedded_objects: str = "full"
    custom_object_streams: bool = False
    lookups: Mapping[str, Any] = field(default_factory=dict)
    inventory_resources: tuple[str, ...] = ()
    user_agent: str | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Check a configuration that already fits its JSON schema.

        Args:
            config: The tap's configuration.

        Returns:
            The settings.

        Raises:
            SettingsError: With every problem found, not only the first.
        """
        problems: list[str] = []

        def checked(check: Any, *args: Any) -> Any:
            try:
                return check(*args)
            except ValueError as problem:
                problems.append(str(problem))
                return None

        key = checked(read_api_key, config.get("api_key"))
        url = checked(read_base_url, config)
        start_date = checked(_read_start_date, config.get("start_date"))
        user_agent = checked(_read_user_agent, config.get("user_agent"))
        if problems:
            raise SettingsError(problems)
        given = {
            name: config[name]
            for name in (
                "account_status",
                "include_archived",
                "page_size",
                "concurrency",
                "max_requests_per_minute",
                "fail_on_skipped",
                "embedded_objects",
                "custom_object_streams",
                "lookups",
            )
            if config.get(name) is not None
        }
        if config.get("request_timeout") is not None:
            # The SDK reads what has a point in it as a Decimal.
            given["request_timeout"] = min(float(config["request_timeout"]), LONGEST_TIMEOUT)
        if config.get("lookback_seconds") is not None:
            given["lookback"] = timedelta(seconds=config["lookback_seconds"])
        return cls(
            base_url=url,
            api_key=key,
            start_date=start_date,
            user_agent=user_agent,
            survey_ids=tuple(config.get("survey_ids") or ()),
            inventory_resources=tuple(config.get("inventory_resources") or ()),
            **given,
        )


def read_api_key(value: Any) -> str:
    """Find the key in what Vitally's settings page shows.

    That page shows the secret itself and a ready-made header; people paste either.

    Args:
        value: The key, the header ``Basic ...``, or the header's encoded part.

    Returns:
        The bare key.

    Raises:
        ValueError: If there is no key in it. The message does not repeat the value.
    """
    text = str(value or "").strip()
    if not text:
        raise ValueError(API_KEY_MISSING)
    pasted_header = re.fullmatch(r"(?:authorization:\s*)?basic\s+(\S+)", text, re.IGNORECASE)
    encoded = pasted_header.group(1) if pasted_header else text
    decoded = _decoded_key(encoded)
    if decoded:
        return decoded
    if pasted_header:
        msg = (
            "api_key looks like a Basic header but does not decode to a key: "
            f"copy it again from {WHERE_THE_KEY_IS}"
        )
        raise ValueError(msg)
    if re.search(r"\s", text) or not text.isascii() or not text.isprintable():
        msg = (
            "api_key has white space or other characters inside that no key has: "
            f"copy it again from {WHERE_THE_KEY_IS}"
        )
        raise ValueError(msg)
    return text.removesuffix(":")


def _decoded_key(encoded: str) -> str | None:
    """Undo ``base64("<key>:")``; anything else, a bare key included, gives None."""
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    key, colon, rest = text.partition(":")
    return key if colon and key and not rest.strip() and text.isprintable() else None


def read_base_url(config: Mapping[str, Any]) -> str:
    """Decide which host to talk to.

    Args:
        config: The tap's configuration: ``api_url``, or ``data_center`` and ``subdomain``.

    Returns:
        Scheme and host, without ``/resources`` and without a slash at the end.

    Raises:
        ValueError: If no host follows from the settings, or it would carry the key in the clear.
    """
    if config.get("api_url"):
        return _read_api_url(str(config["api_url"]))
    if config.get("data_center", "us") == "eu":
        return EU_URL
    subdomain = read_subdomain(str(config.get("subdomain") or ""))
    return US_URL.format(subdomain=subdomain)


def read_subdomain(value: str) -> str:
    """Reduce what people paste for a subdomain to the subdomain.

    Args:
        value: ``acme``, ``acme.vitally.io``, ``https://acme.rest.vitally.io/`` and the like.

    Returns:
        The subdomain in lower case.

    Raises:
        ValueError: If it is missing, or not made of letters, digits and hyphens.
    """
    text = value.strip().lower()
    if not text:
        msg = (
            "subdomain is missing: for the us data center it is the first part of the address "
            "you log in at, https://<subdomain>.vitally.io; for the eu data center set "
            "data_center to eu"
        )
        raise ValueError(msg)
    host = _parts(text if "//" in text else f"//{text}").hostname or ""
    name = re.sub(r"(\.rest)?\.vitally(-eu)?\.io$", "", host)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) or name in {"rest", "www"}:
        msg = (
            f"subdomain is {value!r}, which holds no subdomain: give the first part of the "
            "address you log in at, https://<subdomain>.vitally.io"
        )
        raise ValueError(msg)
    return name


def _read_api_url(value: str) -> str:
    text = value.strip().rstrip("/").removesuffix("/resources")
    parts = _parts(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "api_url is not an address: write it as https://host, without /resources"
        raise ValueError(msg)
    if not re.fullmatch(r"[\w:-]+(\.[\w-]+)*", parts.hostname, re.ASCII):
        msg = f"api_url has {parts.hostname!r} for a host, which is no name of one"
        raise ValueError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "api_url holds more than scheme, host, port and path: leave out the rest"
        raise ValueError(msg)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = (
            f"api_url uses plain http for {parts.hostname}, which would send the API key in the "
            "clear: use https (http is for addresses of this machine only)"
        )
        raise ValueError(msg)
    return text


def _parts(address: str) -> SplitResult:
    """Take an address apart; what is none has no parts."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    Args:
        host: A host name or address.

    Returns:
        True for ``localhost`` and the loopback addresses.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_user_agent(value: Any) -> str | None:
    if not value:
        return None
    if not (value.isascii() and value.isprintable()):
        msg = "user_agent has characters that cannot be sent: use letters, digits and the like"
        raise ValueError(msg)
    return str(value)


def _read_start_date(value: Any) -> datetime | None:
    if not value:
        return None
    moment = parse_instant(value)
    if moment is None:
        msg = f"start_date is {value!r}, which is no date: write it as 2024-01-31T00:00:00Z"
        raise ValueError(msg)
    return moment
