"""What the package offers is a list that changes on purpose."""

from __future__ import annotations

import vitally_api


def test_the_public_face() -> None:
    assert sorted(vitally_api.__all__) == [
        "API_KEY_MISSING",
        "Answer",
        "Budget",
        "CONNECTION_SETTINGS",
        "CURSOR_REFUSED",
        "Cancelled",
        "Counts",
        "CursorRefused",
        "Cursors",
        "ENVELOPES",
        "Endpoint",
        "MOST_EMPTY_PAGES",
        "Meaning",
        "Odd",
        "Oversized",
        "Policy",
        "READS",
        "Refused",
        "SettingsError",
        "Unavailable",
        "Uncertain",
        "Uncounted",
        "Unreadable",
        "Vitally",
        "VitallyError",
        "WHERE_THE_KEY_IS",
        "as_it_is",
        "as_text",
        "encoded",
        "error_text",
        "meaning_of",
        "mended",
        "next_cursor",
        "objects_at",
        "printable",
        "read_timeout",
        "rows_at",
        "single",
    ]
    assert all(hasattr(vitally_api, name) for name in vitally_api.__all__)
