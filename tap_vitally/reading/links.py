"""Which accounts, organizations, users and admins a record names, in all ways that have been seen."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
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


LINKS: Mapping[str, tuple[str, ...]] = {
    "accountIds": ("accounts", "customers"),
    "organizationIds": ("organizations",),
    "userIds": ("users",),
    "adminIds": ("admins",),
}
"""The arrays of ids, and the embedded copies that each is filled from where the API sends none."""
COPIES = ("account", "accounts", "customer", "customers", "organization", "organizations", "user")
"""Records that are embedded in others and have tables of their own."""


def fill_links(record: dict[str, Any], names: Sequence[str]) -> None:
    """Fill the arrays of ids that the API did not send from the copies or ids that it did."""
    for name in names:
        if record.get(name) is None:
            found = [record[place] for place in LINKS[name] if isinstance(record.get(place), list)]
            if found:
                ids = (identity for value in found for identity in _ids_in(value))
                record[name] = list(dict.fromkeys(ids))


def copies_in(properties: Container[str]) -> list[str]:
    """Name the embedded copies that a record may hold: users and admins only if their ids stand apart."""
    more = {"users": "userIds", "admins": "adminIds"}
    return [*COPIES, *(name for name, ids in more.items() if ids in properties)]
