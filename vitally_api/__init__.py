"""HTTP to Vitally, independent of Singer: what every program that reads or writes there needs.

`Vitally` sends requests to an `Endpoint` within a `Budget`, as patiently as a `Policy` says;
`Analytics` does so with messages, to the other API.
"""

from vitally_api.analytics import Analytics, AnalyticsEndpoint, Message, fits, in_requests
from vitally_api.budget import Budget
from vitally_api.client import Answer, Vitally
from vitally_api.decoding import PageDecoder, as_text, decoded_or_none, encoded, sanitized
from vitally_api.endpoint import API_KEY_MISSING, Endpoint, read_all
from vitally_api.errors import (
    Cancelled,
    CursorRefused,
    KeyRefused,
    RateLimited,
    Refused,
    SettingsError,
    Unavailable,
    UnexpectedShape,
    Unreadable,
    VitallyError,
    WriteOutcomeUnknown,
)
from vitally_api.paging import (
    ENVELOPES,
    MOST_EMPTY_PAGES,
    Cursors,
    as_cursor,
    objects_at,
    rows_at,
    single,
)
from vitally_api.retrying import Policy, RequestMetrics
from vitally_api.wording import error_text, safe_name

__all__ = [
    "API_KEY_MISSING",
    "ENVELOPES",
    "MOST_EMPTY_PAGES",
    "Analytics",
    "AnalyticsEndpoint",
    "Answer",
    "Budget",
    "Cancelled",
    "CursorRefused",
    "Cursors",
    "Endpoint",
    "KeyRefused",
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
