"""Read a record's links to accounts, organizations, users and admins, in all known forms."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from vitally_api import as_text
from vitally_api.values import identity_of


def ids_of_kind(record: Mapping[str, Any], kind: str) -> list[str]:
    """Return the ids of one kind, such as ``account``, each once and in their order.

    They stand as ``accountIds`` and ``accountId``, and in ``accounts`` and ``account``, which hold
    copies of records or ids alone.
    """
    places = (f"{kind}Ids", f"{kind}s", f"{kind}Id", kind)
    return list(dict.fromkeys(each for place in places for each in _ids_in(record.get(place))))


def _ids_in(value: Any) -> list[str]:
    """Return the ids in a record, an id, or a list of either; no generator, which takes 2 µs more."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        identity = item
        if isinstance(item, dict):
            if "id" not in item:
                # Lists have been seen in envelopes.
                found += [*_ids_in(item.get("results")), *_ids_in(item.get("data"))]
                continue
            identity = item["id"]
        if identity := identity_of(identity):
            found.append(identity)
    return found


def _unique_ids(values: list[Any]) -> list[str]:
    if len(values) == 1:
        ids = _ids_in(values[0])
        return ids if len(ids) == 1 else list(dict.fromkeys(ids))
    return list(dict.fromkeys(each for value in values for each in _ids_in(value)))


def digest(row: Mapping[str, Any]) -> str:
    """Return a few characters that differ if anything in a row does."""
    return sha256(as_text(row).encode()).hexdigest()[:12]


class LinkedIds(NamedTuple):
    """The links of a record: accounts, each with its organizations, None if these are unknown."""

    accounts: frozenset[tuple[str, tuple[str, ...] | None]] = frozenset()
    organizations: tuple[str, ...] = ()


NOBODY = LinkedIds()


def linked_ids_of(record: Mapping[str, Any]) -> LinkedIds:
    """Return the accounts and organizations that a record links to."""
    accounts: dict[str, tuple[str, ...] | None] = dict.fromkeys(ids_of_kind(record, "account"))
    for place in ("account", "accounts"):
        copies = record.get(place)
        for copy in copies if isinstance(copies, list) else [copies]:
            if isinstance(copy, dict) and (identity := identity_of(copy.get("id"))):
                accounts[identity] = organizations_of(copy)
    return LinkedIds(frozenset(accounts.items()), tuple(ids_of_kind(record, "organization")))


def organizations_of(account: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the organizations of an account; None if the record does not have them."""
    found = tuple(ids_of_kind(account, "organization"))
    reported = found or account.keys() & {f"organization{end}" for end in ("", "s", "Id", "Ids")}
    return found if reported else None


LINKS: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "accountIds": (
        ("accounts", "customers", "customerIds"),
        {"accountId": "account", "customerId": "customer"},
    ),
    "organizationIds": (("organizations",), {"organizationId": "organization"}),
    "userIds": (("users",), {"userId": "user"}),
    "adminIds": (("admins",), {"adminId": "admin"}),
}
"""By its array of ids each kind of link: where several copies stand, and single ids with their copies."""
PLACES = frozenset(
    place
    for array, (copies, one) in LINKS.items()
    for place in (array, *copies, *one, *one.values())
)
COPIES = frozenset(place for place in PLACES if not place.endswith(("Id", "Ids")))
"""Where records are embedded in others that have tables of their own."""


def links_in(columns: Container[str]) -> list[Link]:
    """Return all links as they stand in the columns of a stream."""
    return [Link(array, copies, one, columns) for array, (copies, one) in LINKS.items()]


class Link:
    """Fills the columns of a stream that link to one kind of records: an array of ids, or a single id.

    ``is_bound`` is True if the stream has a column for it.
    """

    def __init__(
        self, array: str, copies: Sequence[str], one: Mapping[str, str], columns: Container[str]
    ) -> None:
        self.array, self._copies, self._one = array, copies, one
        self.has_array = array in columns
        self._reported = [name for name in one if name in columns]
        self.is_bound = self.has_array or bool(self._reported)
        # A list of one names no primary account, beside which the API says null: it has its array.
        listed = () if self.has_array else (*copies, array)
        several = (*one, *one.values(), *listed)
        # Where each single id may be found, the likeliest place first.
        self._singles = {
            name: tuple(dict.fromkeys((name, one[name], *several))) for name in self._reported
        }
        # One id that has a column of its own stands there alone, where that is how a record is linked.
        twice = self._reported and not any(name in columns for name in copies)
        self._alone = () if twice else (*one.values(), *one)

    def fill(self, records: Iterable[dict[str, Any]], held: Container[str]) -> None:
        """Fill the columns of ids that the API did not send from the copies or ids that it did.

        ``held`` are the names under which any of the records has a value: most columns of links are
        empty for a whole page.
        """
        for name, each in self._singles.items():
            if places := [place for place in each if place in held]:
                for record in records:
                    if type(sent := record.get(name)) is not str or not sent:
                        self._fill_single(record, name, places)
        if self.has_array:
            copies = [place for place in self._copies if place in held]
            alone = [place for place in self._alone if place in held]
            if copies or alone or self.array in held:
                for record in records:
                    self._fill_array(record, copies, alone)

    def _fill_single(self, record: dict[str, Any], name: str, places: Iterable[str]) -> None:
        for place in places:
            if (value := record.get(place)) is not None and (ids := _ids_in(value)):
                if len(ids) == 1:
                    record[name] = ids[0]
                elif self.has_array and not record.get(self.array):
                    record[self.array] = ids
                return

    def _fill_array(
        self, record: dict[str, Any], copies: Iterable[str], alone: Iterable[str]
    ) -> None:
        get = record.get
        sent = get(self.array)
        found = [value for place in copies if (value := get(place)) is not None]
        if not any(found):
            found += [value for place in alone if (value := get(place)) is not None]
        if not sent:
            if found and ((ids := _unique_ids(found)) or sent is None):
                record[self.array] = ids
            return
        listed = sent if isinstance(sent, list) else [sent]
        if any(isinstance(item, dict) for item in listed):
            ids = _unique_ids([listed, *found])
            # What holds something else than records is made text as it is.
            if len(ids) >= len(listed):
                record[self.array] = ids

    def ids_left(self, record: Mapping[str, Any]) -> list[str]:
        """Return the ids that are only in embedded copies, if the stream has no column for them."""
        if self.has_array:
            return []
        sent = map(record.get, (*self._copies, *self._one.values()))
        ids = dict.fromkeys(i for value in sent if value is not None for i in _ids_in(value))
        reported = {record.get(name) for name in self._reported}
        return [] if reported.issuperset(ids) else list(ids)
