"""What an HTTP status means: the one place that says so.

Source: API notes, "Status codes and error bodies".
"""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus


class StatusClass(Enum):
    """What follows from a status."""

    DATA = auto()
    ELSEWHERE = auto()
    """A redirect, which is not followed: the key goes to the configured host alone."""
    KEY = auto()
    MISSING = auto()
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

CURSOR_REFUSED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers that may mean the cursor alone: nobody knows which one the API gives to an old one."""


def classify(status: int) -> StatusClass:
    """Say what a status means."""
    if status in _CLASSES:
        return _CLASSES[HTTPStatus(status)]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return StatusClass.DATA
    if status < HTTPStatus.BAD_REQUEST:
        return StatusClass.ELSEWHERE
    return StatusClass.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else StatusClass.BROKEN


def phrase(status: int) -> str:
    """Name a status as its standard does; empty for one that no standard has."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
