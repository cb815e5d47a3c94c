"""Which accounts, organizations, users and admins a record names, in all ways that have been seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tap_vitally.reading.conform import identity_of


def ids_named(record: Mapping[str, Any], kind: str) -> list[str]:
    """Find the ids of one kind, such as ``account``, each once and in their order.

    They stand as ``accountIds`` and ``accountId``, and in ``accounts`` and ``account``, which hold
    copies of records or ids alone.
    """
    places = (f"{kind}Ids", f"{kind}s", f"{kind}Id", kind)
    found = (identity for place in places for identity in _ids_in(record.get(place)))
    return list(dict.fromkeys(found))


def _ids_in(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        identity = identity_of(item.get("id") if isinstance(item, dict) else item)
        if identity:
            yield identity
