"""JSON with every digit of its numbers, and text that databases can store."""

from __future__ import annotations

import json
import logging
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from vitally_api.errors import Unreadable

BOM = b"\xef\xbb\xbf"

logger = logging.getLogger("tap-vitally.api")


def _number(text: str) -> Decimal | None:
    """Keep every digit; a number beyond what any program can hold is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


_decoder = msgspec.json.Decoder(float_hook=_number)
_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(value: Any) -> bytes:
    """Write a value as JSON; a `Decimal` as a number with all its digits."""
    return _encoder.encode(value)


def as_text(value: Any) -> str:
    """Make text of any JSON value: text stays, the rest becomes its JSON."""
    return value if isinstance(value, str) else encoded(value).decode()


def decoded(raw: bytes, label: str) -> Any:
    """Read a body; an empty one is None.

    Text that is not Unicode is mended rather than refused: one damaged character must not keep a
    page of records away. NUL goes because no SQL database can store it.
    """
    raw = raw.removeprefix(BOM)
    if not raw.strip():
        return None
    try:
        data = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            data = mended(json.loads(raw.decode("utf-8", "replace"), parse_float=_number))
        except (ValueError, RecursionError):
            msg = "the body is not JSON"
            raise Unreadable(msg) from None
        logger.warning("Text that is not Unicode was mended, at %s.", label)
        return data
    try:
        return mended(data) if b"\\u0000" in raw else data
    except RecursionError:
        msg = "the body is nested too deeply"
        raise Unreadable(msg) from None


def decoded_or_none(raw: bytes) -> Any:
    """Read a body of which nothing is expected; None where it is not JSON."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def mended(value: Any) -> Any:
    """Take out of all strings what Singer targets cannot store: NUL and halves of characters."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(name): mended(item) for name, item in value.items()}
    return value
