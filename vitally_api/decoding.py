"""Decode JSON without rounding numbers, and with text that databases can store."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, TypedDict

import msgspec

from vitally_api.errors import Unreadable
from vitally_api.wording import safe_name

BOM = b"\xef\xbb\xbf"
NUL = re.compile(rb"\\u0000")
"""NUL as JSON writes it; a search with a pattern takes half the time of ``in``."""
# Levels of lists and objects that are mended. Python ends at a thousand calls, and what is
# finalised near that end fails, so it is not the one to count.
DEEPEST = 100

logger = logging.getLogger("tap-vitally.api")


def _number(text: str, kind: Callable[[str], Any] = Decimal) -> Any:
    """Convert without rounding; keep what no type can hold, such as 1e9999999999999999999, as text."""
    try:
        return kind(text)
    except (InvalidOperation, ValueError):
        return text


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_patient_decoder = msgspec.json.Decoder(float_hook=_number)
_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(value: Any) -> bytes:
    """Encode a value as JSON, a `Decimal` as a number with all its digits."""
    return _encoder.encode(value)


def as_text(value: Any) -> str:
    """Return text as it is, and any other value as JSON."""
    return value if isinstance(value, str) else encoded(value).decode()


def decoded(raw: bytes, label: str, reported: set[str] | None = None) -> Any:
    """Decode a body; return None if it is empty, raise `Unreadable` if it is not JSON.

    Text that is not UTF-8 and NaN are repaired, since one damaged value must not keep a page of records
    from being read. NUL is removed, as no SQL database can store it, and logged once per property:
    ``reported`` has those that were logged, and further ones are added.
    """
    raw = raw.removeprefix(BOM)
    if not raw.strip():
        return None
    try:
        data = _strictly(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = sanitized(_leniently(raw))
        logger.warning("JSON that is not quite JSON was mended, at %s.", label)
        return data
    if not NUL.search(raw):
        return data
    reported = set() if reported is None else reported
    for name in _holders_of_nul(data) - reported:
        reported.add(name)
        logger.warning(
            "A NUL, which no database stores, was taken out of '%s', at %s.", safe_name(name), label
        )
    return sanitized(data)


class PageDecoder:
    """Decodes a page of a list, but only some members of its records, in half the time.

    The members ``whole`` are decoded completely, of the objects in ``linked`` only their ids.
    """

    def __init__(self, whole: Iterable[str], linked: Iterable[str]) -> None:
        """Build types for the decoder, which skips members that these do not have."""
        typed: Any = TypedDict  # whose members mypy wants to know
        object_: Any = typed("object_", {"id": Any}, total=False)
        links = dict.fromkeys(linked, object_ | list[object_] | None)
        record: Any = typed("record", dict.fromkeys(whole, Any) | links, total=False)
        members: Any = [("results", list[record]), ("next", Any, None), ("atEnd", Any, None)]
        page: Any = msgspec.defstruct("Page", members, forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page, float_hook=Decimal)

    def __call__(self, raw: bytes) -> Any:
        """Return a page; None for one that only `decoded` can read."""
        if NUL.search(raw):
            return None
        try:
            return msgspec.structs.asdict(self._decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation):
            return None


def _strictly(raw: bytes) -> Any:
    try:
        return _decoder.decode(raw)
    except InvalidOperation:
        return _patient_decoder.decode(raw)


def _leniently(raw: bytes) -> Any:
    """Decode with Python's own decoder, which accepts more; NaN becomes text."""
    try:
        return json.loads(
            raw.decode("utf-8", "replace"),
            parse_float=_number,
            parse_int=partial(_number, kind=int),
            parse_constant=str,
            strict=False,
        )
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON") from None


def decoded_or_none(raw: bytes) -> Any:
    """Decode a body; return None if it is not JSON."""
    try:
        return _strictly(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _holders_of_nul(value: Any, holder: str = "") -> set[str]:
    """Return the properties with a NUL in their text or name."""
    if isinstance(value, str):
        return {holder} if "\0" in value else set()
    if isinstance(value, list):
        return {name for item in value for name in _holders_of_nul(item, holder)}
    if isinstance(value, dict):
        named = {name for name in value if "\0" in name}
        return named.union(*(_holders_of_nul(item, name) for name, item in value.items()))
    return set()


def sanitized(value: Any, deepest: int = DEEPEST) -> Any:
    """Take NUL and halves of characters out of all text; raise `Unreadable` if it is too deep."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if not isinstance(value, list | dict):
        return value
    if not deepest:
        raise Unreadable("the body is nested too deeply")
    if isinstance(value, list):
        return [sanitized(item, deepest - 1) for item in value]
    return {sanitized(name): sanitized(item, deepest - 1) for name, item in value.items()}
