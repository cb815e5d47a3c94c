"""HTTP to Vitally, without a word of Singer: what every program that reads or writes there needs.

`Vitally` sends requests to an `Endpoint` within a `Budget`, as patiently as a `Policy` says.
"""

from vitally_api.budget import Budget
from vitally_api.client import Answer, Vitally
from vitally_api.decoding import as_text, encoded, mended
from vitally_api.endpoint import API_KEY_MISSING, Endpoint
from vitally_api.errors import (
    Cancelled,
    CursorRefused,
    Odd,
    RateLimited,
    Refused,
    SettingsError,
    Unavailable,
    Uncertain,
    Unreadable,
    VitallyError,
)
from vitally_api.paging import (
    ENVELOPES,
    MOST_EMPTY_PAGES,
    Cursors,
    objects_at,
    rows_at,
    single,
)
from vitally_api.policy import Counts, Policy, Uncounted
from vitally_api.settings import CONNECTION_SETTINGS, read_timeout
from vitally_api.statuses import CURSOR_REFUSED
from vitally_api.wording import error_text, printable

__all__ = [
    "API_KEY_MISSING",
    "CONNECTION_SETTINGS",
    "CURSOR_REFUSED",
    "ENVELOPES",
    "MOST_EMPTY_PAGES",
    "Answer",
    "Budget",
    "Cancelled",
    "Counts",
    "CursorRefused",
    "Cursors",
    "Endpoint",
    "Odd",
    "Policy",
    "RateLimited",
    "Refused",
    "SettingsError",
    "Unavailable",
    "Uncertain",
    "Uncounted",
    "Unreadable",
    "Vitally",
    "VitallyError",
    "as_text",
    "encoded",
    "error_text",
    "mended",
    "objects_at",
    "printable",
    "read_timeout",
    "rows_at",
    "single",
]
