"""The settings of a connection, as JSON schemas: the same for every command that talks to Vitally."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST_TIMEOUT = 3600.0

CONNECTION_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "api_key": {
        "type": ["string"],
        "title": "API key",
        "description": (
            "REST API key, from Settings > Integrations > Vitally REST API. The ready-made "
            "Basic header shown there is understood too."
        ),
        "secret": True,
        "writeOnly": True,
    },
    "data_center": {
        "type": ["string", "null"],
        "enum": ["us", "eu"],
        "title": "Data center",
        "default": "us",
        "description": "Where the workspace is hosted.",
    },
    "subdomain": {
        "type": ["string", "null"],
        "title": "Subdomain",
        "description": (
            "First part of the address you log in at, https://<subdomain>.vitally.io. "
            "Required for the us data center, not used for eu."
        ),
    },
    "api_url": {
        "type": ["string", "null"],
        "title": "API address",
        "description": (
            "Address of the API without /resources, in place of the one that follows from "
            "data_center and subdomain; for a proxy or the sandbox. https, or http to this "
            "machine."
        ),
    },
    "concurrency": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 32,
        "title": "Concurrency",
        "default": 8,
        "description": "Requests under way at once; 1 sends strictly one after the other.",
    },
    "max_requests_per_minute": {
        "type": ["integer", "null"],
        "minimum": 1,
        "title": "Requests per minute",
        "description": (
            "Upper limit for this program, to leave room for other tools that use the same "
            "workspace; unset, what the API allows is used."
        ),
    },
    "request_timeout": {
        # An integer as well, or else the SDK takes it for text where it is in the environment.
        "type": ["number", "integer", "null"],
        "exclusiveMinimum": 0,
        "title": "Request timeout",
        "default": 60,
        "description": "Seconds without a byte after which a request is tried again.",
    },
    "user_agent": {
        "type": ["string", "null"],
        "title": "User agent",
        "description": "How the program introduces itself; its name and version by default.",
    },
}


def read_timeout(config: Mapping[str, Any], default: float) -> float:
    """Read ``request_timeout``, which the SDK gives as a `Decimal` where it has a point in it."""
    value = config.get("request_timeout")
    return default if value is None else min(float(value), LONGEST_TIMEOUT)
