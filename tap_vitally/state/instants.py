"""Stands here until its callers import `vitally_api.values` themselves."""

from vitally_api.values import (
    CANONICAL,
    EARLIEST,
    LATEST,
    as_day,
    as_moment,
    has_time_of_day,
    is_canonical,
    latest,
)
from vitally_api.values import format_moment as format_instant
from vitally_api.values import parse_moment as moment_of
from vitally_api.values import parse_moment as parse_instant

__all__ = [
    "CANONICAL",
    "EARLIEST",
    "LATEST",
    "as_day",
    "as_moment",
    "format_instant",
    "has_time_of_day",
    "is_canonical",
    "latest",
    "moment_of",
    "parse_instant",
]
