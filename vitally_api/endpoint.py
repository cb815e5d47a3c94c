"""Read and check the settings of the API's address and key (API notes, "Hosts, auth")."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from vitally_api.errors import SettingsError

EU_URL = "https://rest.vitally-eu.io"
US_URL = "https://{subdomain}.rest.vitally.io"
PORTS = {"http": 80, "https": 443}
WHERE_THE_KEY_IS = "Vitally: Settings > Integrations > Vitally REST API"
PASTED_HEADER = re.compile(r"(?:authorization:\s*)?basic\s+(\S+)", re.IGNORECASE)
API_KEY_MISSING = f"api_key is missing: copy the secret token from {WHERE_THE_KEY_IS}"

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """The API of a workspace.

    ``base_url`` has no slash at its end; ``api_key`` is the key alone, without ``Basic``; ``headers`` are
    the values of further secret headers.
    """

    base_url: str
    api_key: str = field(repr=False)
    user_agent: str
    headers: tuple[str, ...] = field(default=(), repr=False)
    root: ClassVar[str] = "/resources"
    """The path in front of the paths of all requests."""
    url_setting: ClassVar[str] = "api_url"
    key_advice: ClassVar[str] = (
        f"api_key is the REST API key ({WHERE_THE_KEY_IS}), not an analytics key"
    )

    @classmethod
    def from_config(cls, config: Mapping[str, Any], user_agent: str) -> Endpoint:
        """Read the settings; raise a `SettingsError` with all problems. ``user_agent`` is the default."""
        key, url, agent = read_all(
            lambda: read_api_key(config.get("api_key")),
            lambda: read_base_url(config),
            lambda: _read_user_agent(config.get("user_agent") or user_agent),
        )
        return cls(url, key, agent)

    @property
    def authorization(self) -> str:
        """The header ``Authorization``: the key as the user name, with an empty password."""
        return f"Basic {base64.b64encode(f'{self.api_key}:'.encode()).decode()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key and secret headers, also as encoded by us or by a server that sends them back."""
        encoded = self.authorization.removeprefix("Basic ")
        plain = (encoded, encoded.rstrip("="), self.api_key, *self.headers)
        return (*plain, *(quote(secret, safe="") for secret in plain))


def read_all(*readings: Callable[[], T]) -> list[T]:
    """Call each function and return the results; raise one `SettingsError` with all problems."""
    found, problems = [], []
    for reading in readings:
        try:
            found.append(reading())
        except SettingsError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError(problems)
    return found


def sendable(name: str, text: str, where: str) -> str:
    """Return a key if a header can hold it; else raise a ``ValueError`` that says ``where`` to copy it."""
    if re.search(r"\s", text) or not text.isascii() or not text.isprintable():
        raise ValueError(
            f"{name} has white space or other characters inside that no key has: copy it again from "
            f"{where}"
        )
    return text


def read_api_key(value: Any) -> str:
    """Return the key, from the key itself or from a whole header, as people paste either.

    Raise a ``ValueError`` for anything else; its message does not contain the value.
    """
    text = str(value or "").strip()
    if not text:
        raise ValueError(API_KEY_MISSING)
    pasted_header = PASTED_HEADER.fullmatch(text)
    if decoded := _decoded_key(pasted_header[1] if pasted_header else text):
        return decoded
    if pasted_header:
        raise ValueError(
            "api_key looks like a Basic header but does not decode to a key: "
            f"copy it again from {WHERE_THE_KEY_IS}"
        )
    return sendable("api_key", text, WHERE_THE_KEY_IS).removesuffix(":")


def _decoded_key(encoded: str) -> str | None:
    """Decode ``base64("<key>:")``; return None for anything else, a bare key included."""
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    key, colon, rest = text.partition(":")
    return key if colon and key and not rest.strip() and text.isprintable() else None


def read_base_url(config: Mapping[str, Any]) -> str:
    """Return the address of the API, from ``api_url``, or else from ``data_center`` and ``subdomain``."""
    if config.get("api_url"):
        return read_address("api_url", str(config["api_url"]), "/resources")
    if config.get("data_center", "us") == "eu":
        return EU_URL
    subdomain = read_subdomain(str(config.get("subdomain") or ""))
    return US_URL.format(subdomain=subdomain)


def read_subdomain(value: str) -> str:
    """Return the subdomain in lower case, from a name, a host or an address.

    Such as ``acme``, ``acme.vitally.io`` or ``https://acme.rest.vitally.io/``. Raise a ``ValueError`` if it
    is missing, or has other characters than letters, digits and hyphens.
    """
    text = value.strip().lower()
    if not text:
        raise ValueError(
            "subdomain is missing: for the us data center it is the first part of the address "
            "you log in at, https://<subdomain>.vitally.io; for the eu data center set "
            "data_center to eu"
        )
    host = _parts(text if "//" in text else f"//{text}").hostname or ""
    name = re.sub(r"(\.rest)?\.vitally(-eu)?\.io$", "", host)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) or name in {"rest", "www"}:
        raise ValueError(
            f"subdomain is {value!r}, which holds no subdomain: give the first part of the "
            "address you log in at, https://<subdomain>.vitally.io"
        )
    return name


def read_address(name: str, value: str, root: str) -> str:
    """Return an address in normal form, without ``root`` at its end; raise a ``ValueError`` if it is none."""
    text = value.strip().rstrip("/").removesuffix(root).rstrip("/")
    parts = _parts(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{name} is not an address: write it as https://host, without {root}")
    if not re.fullmatch(r"[\w:-]+(\.[\w-]+)*", parts.hostname, re.ASCII):
        raise ValueError(f"{name} has {parts.hostname!r} for a host, which is no name of one")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{name} holds more than scheme, host, port and path: leave out the rest")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"{name} uses plain http for {parts.hostname}, which would send the API key in the "
            "clear: use https (http is for addresses of this machine only)"
        )
    # One spelling of one host: STATE knows the workspace by it.
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _parts(address: str) -> SplitResult:
    """Split an address; return empty parts for text that is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def is_loopback(host: str) -> bool:
    """Return True for a host name or address of this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_user_agent(value: Any) -> str:
    text = str(value)
    if not (text.isascii() and text.isprintable()):
        raise ValueError(
            "user_agent has characters that cannot be sent: use letters, digits and the like"
        )
    return text
