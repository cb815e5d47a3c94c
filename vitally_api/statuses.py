"""What an HTTP status means: the one place that says so (API notes, "Status codes and error bodies")."""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus


class StatusClass(Enum):
    """The meaning of an HTTP status, as far as it is the same for all requests."""

    DATA = auto()
    ELSEWHERE = auto()
    """A redirect, which is not followed: the key goes to the configured host alone."""
    KEY = auto()
    MISSING = auto()
    """Not there, or not in the plan."""
    REFUSED = auto()
    WAIT = auto()
    BROKEN = auto()


_CLASSES = {
    HTTPStatus.UNAUTHORIZED: StatusClass.KEY,
    HTTPStatus.PAYMENT_REQUIRED: StatusClass.MISSING,
    HTTPStatus.FORBIDDEN: StatusClass.MISSING,
    HTTPStatus.NOT_FOUND: StatusClass.MISSING,
    HTTPStatus.METHOD_NOT_ALLOWED: StatusClass.MISSING,
    HTTPStatus.GONE: StatusClass.MISSING,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: StatusClass.MISSING,
    HTTPStatus.TOO_MANY_REQUESTS: StatusClass.WAIT,
}

# What a final status means depends on what was asked for:
INVALID = frozenset({HTTPStatus.BAD_REQUEST})
NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND})
GONE = NOT_FOUND | {HTTPStatus.GONE}
"""A record no longer exists."""
UNKNOWN_ID = NOT_FOUND | INVALID
"""No record has an id from the settings; the API may not even accept it as an id."""
NOT_OFFERED = INVALID | {each for each, what in _CLASSES.items() if what is StatusClass.MISSING}
"""A list does not exist, is not in the plan, or not available in this variant."""
PARAMETER_REFUSED = UNKNOWN_ID | {HTTPStatus.UNPROCESSABLE_ENTITY}
"""It may be the value of a query parameter that is refused."""
CURSOR_REFUSED = PARAMETER_REFUSED | GONE | {HTTPStatus.FORBIDDEN}
"""The cursor alone may be refused: which status an old cursor gets is not documented."""
EXISTS = frozenset({HTTPStatus.CONFLICT})
MAY_EXIST = EXISTS | INVALID | {HTTPStatus.UNPROCESSABLE_ENTITY}
"""A create may be refused because the record exists already; the message then says so."""


def classify(status: int) -> StatusClass:
    """Return the class of an HTTP status."""
    if status in _CLASSES:
        return _CLASSES[HTTPStatus(status)]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return StatusClass.DATA
    if status < HTTPStatus.BAD_REQUEST:
        return StatusClass.ELSEWHERE
    return StatusClass.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else StatusClass.BROKEN


def phrase(status: int) -> str:
    """Return the standard name of a status; empty for one that no standard has."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
