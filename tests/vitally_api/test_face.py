"""What the package offers is a list that changes on purpose."""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path

import vitally_api

BUILT_ON_IT = ("singer_command", "tap_vitally", "target_vitally")


def test_the_public_face() -> None:
    assert sorted(vitally_api.__all__) == [
        "API_KEY_MISSING",
        "Analytics",
        "AnalyticsEndpoint",
        "Answer",
        "Budget",
        "Cancelled",
        "CursorRefused",
        "Cursors",
        "ENVELOPES",
        "Endpoint",
        "KeyRefused",
        "MOST_EMPTY_PAGES",
        "Message",
        "PageDecoder",
        "Policy",
        "RateLimited",
        "Refused",
        "RequestMetrics",
        "SettingsError",
        "Unavailable",
        "UnexpectedShape",
        "Unreadable",
        "Vitally",
        "VitallyError",
        "WriteOutcomeUnknown",
        "as_cursor",
        "as_text",
        "decoded_or_none",
        "encoded",
        "error_text",
        "fits",
        "in_requests",
        "objects_at",
        "read_all",
        "rows_at",
        "safe_name",
        "sanitized",
        "single",
    ]


def test_every_name_of_the_face_is_used_by_tap_or_target() -> None:
    packages = [Path(vitally_api.__file__).parents[1] / name for name in BUILT_ON_IT]
    used = {
        alias.name
        for path in chain.from_iterable(package.rglob("*.py") for package in packages)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "vitally_api"
        for alias in node.names
    }
    assert used == set(vitally_api.__all__)
