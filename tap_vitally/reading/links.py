"""Which accounts, organizations, users and admins a record names, in all ways that have been seen."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Whom:
    """Whom a record names: accounts, each with its organizations where they are told, else None."""

    accounts: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    organizations: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it names anybody."""
        return bool(self.accounts or self.organizations)

    @property
    def organizations_alone(self) -> list[str]:
        """The organizations that it names for their own sake, and not as those of its accounts."""
        own = {identity for told in self.accounts.values() for identity in told or ()}
        return [identity for identity in self.organizations if identity not in own]


def whom(record: Mapping[str, Any]) -> Whom:
    """Find the accounts and organizations that a record names, in whatever shape."""
    accounts: dict[str, tuple[str, ...] | None] = dict.fromkeys(ids_named(record, "account"))
    for place in ("account", "accounts"):
        copies = record.get(place)
        for copy in copies if isinstance(copies, list) else [copies]:
            if isinstance(copy, dict) and (identity := identity_of(copy.get("id"))):
                accounts[identity] = organizations_of(copy)
    return Whom(accounts, tuple(ids_named(record, "organization")))


def organizations_of(account: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Find the organizations of an account; None if it does not say whether it has any."""
    found = tuple(ids_named(account, "organization"))
    told = found or account.keys() & {f"organization{end}" for end in ("", "s", "Id", "Ids")}
    return found if told else None


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
