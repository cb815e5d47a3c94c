"""Find the columns that mark deleted rows, and read their values."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from vitally_api.values import TRUE, InvalidValue, day_of, number_of

UNDERSTOOD = ("_deleted", "_sdc_deleted_at", "__sdc_deleted_at")
"""Columns that always mark a delete, in upper case, too."""
YES = TRUE | {"d", "delete", "deleted"}
NO = frozenset({"false", "f", "no", "n", "off", "c", "create", "i", "insert", "r", "u", "update"})
"""The words of flags, and those of change data capture, where ``d`` is a delete and ``u`` an update."""
ZEROS = re.compile(r"(0[0\s:.tz+-]*)?")
"""Nothing, 0, 0.0 and the date that MySQL has in place of none: 0000-00-00 00:00:00."""
EARLIEST_EPOCH = 10**8
"""Numbers from here on are seconds, milliseconds and so on since 1970."""
NEVER = 9999
"""Year of a deletion that never comes; an infinite moment of PostgreSQL is read as this year."""
SHAPE = re.compile(
    r"(.*_)?(is_?)?deleted(_?(at|on|time|date|timestamp|ts|utc|flag))?|date_?deleted|_+op"
)


@lru_cache(maxsize=4096)
def marks_deletes(column: str) -> bool:
    """Return True if a column's name suggests that it marks deleted rows.

    Such as ``_fivetran_deleted``, ``_ab_cdc_deleted_at``, ``__deleted``, ``isDeleted``, ``__op``.
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip()).lower()
    return SHAPE.fullmatch(re.sub(r"[\s.-]+", "_", snake)) is not None


def says_deleted(value: Any) -> bool:
    """Return True if the value of a marking column means deleted; raise `InvalidValue` if unclear."""
    if value is None or isinstance(value, bool):
        return bool(value)
    text = value.strip().lower() if isinstance(value, str) else ""
    if isinstance(value, str) and (text in NO or ZEROS.fullmatch(text)):
        return False
    if text in YES:
        return True
    try:
        if re.match(r"\d{4}-", text):
            return day_of(text.upper()).year < NEVER
        number = number_of(value)
    except InvalidValue:
        number = -1
    if number in {0, 1} or number >= EARLIEST_EPOCH:
        return number != 0
    raise InvalidValue("it says neither that the row is deleted nor that it is not")
