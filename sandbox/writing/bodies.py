"""Bodies of requests, read as the API reads them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from sandbox.pages import Plain, RefusedError

BAD_JSON: Final = Plain({"error": "Request body is not valid JSON"}, 400)

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def read_body(body: bytes, *, doubles: bool) -> Any:
    """Return the JSON of a body; ``doubles`` keeps numbers as JavaScript does."""
    try:
        document = _decoder.decode(body)
    except msgspec.DecodeError:
        raise RefusedError(BAD_JSON) from None
    return _as_doubles(document) if doubles else document


def _as_doubles(value: Any) -> Any:
    """Keep numbers as JavaScript does: a whole number beyond 2^53 is the nearest double, too."""
    if isinstance(value, dict):
        return {name: _as_doubles(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    if isinstance(value, Decimal) or (type(value) is int and abs(value) > 2**53):
        double = float(value)
        return int(double) if double.is_integer() else double
    return value
