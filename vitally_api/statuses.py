"""What an HTTP status means: the one place that says so.

Source: API notes, "Status codes and error bodies".
"""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus


class Meaning(Enum):
    """What follows from a status."""

    DATA = auto()
    ELSEWHERE = auto()
    """A redirect, which is not followed: the key goes to the configured host alone."""
    KEY = auto()
    MISSING = auto()
    REFUSED = auto()
    WAIT = auto()
    BROKEN = auto()


_MEANINGS = {
    HTTPStatus.UNAUTHORIZED: Meaning.KEY,
    HTTPStatus.PAYMENT_REQUIRED: Meaning.MISSING,
    HTTPStatus.FORBIDDEN: Meaning.MISSING,
    HTTPStatus.NOT_FOUND: Meaning.MISSING,
    HTTPStatus.METHOD_NOT_ALLOWED: Meaning.MISSING,
    HTTPStatus.GONE: Meaning.MISSING,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: Meaning.MISSING,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.WAIT,
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


def meaning_of(status: int) -> Meaning:
    """Say what a status means."""
    if status in _MEANINGS:
        return _MEANINGS[HTTPStatus(status)]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return Meaning.DATA
    if status < HTTPStatus.BAD_REQUEST:
        return Meaning.ELSEWHERE
    return Meaning.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else Meaning.BROKEN


def phrase(status: int) -> str:
    """Name a status as its standard does; empty for one that no standard has."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
