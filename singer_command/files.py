"""JSON that somebody else wrote into a file, in whatever encoding."""

from __future__ import annotations

import json
from typing import IO, Any


def text_of(file: IO[str]) -> str:
    """Read a file as the encoding that its first bytes show, which need not be UTF-8 on Windows.

    A ``ValueError`` is raised for what is no text.
    """
    held = getattr(file, "buffer", None)
    if held is None:
        return file.read().removeprefix("\ufeff")
    raw: bytes = held.read()
    return raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff")


def parsed(text: str) -> Any:
    """Read a JSON value; a ``ValueError`` is raised for what is none, and for one nested without end."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError from None
