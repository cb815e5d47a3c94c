"""JSON that somebody else wrote into a file, in whatever encoding."""

from __future__ import annotations

import json
from typing import IO, Any


def text_of(file: IO[str]) -> str:
    """Return the text of a file in the encoding that its first bytes show, on Windows not always UTF-8.

    A ``ValueError`` is raised for bytes that are not text.
    """
    held = getattr(file, "buffer", None)
    if held is None:
        return file.read().removeprefix("\ufeff")
    raw: bytes = held.read()
    return raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff")


def parsed(text: str) -> Any:
    """Return a JSON value; raise a ``ValueError`` for other text, and for one nested without end."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError from None
