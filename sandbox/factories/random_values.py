"""What all makers values from: chance, pools of names, and the rows that there are."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeVar

from sandbox.fake_values import fake_values, new_id
from sandbox.rows import Rows
from sandbox.table import Links, Row

T = TypeVar("T")


class Moments(NamedTuple):
    """When a row was created and when it was last updated; the latter may be unknown."""

    created: str
    updated: str | None


class NewRow(NamedTuple):
    """A new row, with the links that cannot be read off the row itself."""

    row: Row
    links: Links = ()


class RandomValues:
    """Chance, always the same for a seed, and what the rows have in common."""

    def __init__(self, rows: Rows, seed: int) -> None:
        self.rows = rows
        """What new rows refer to; they are not put there, only looked up."""
        self.random = Random(f"{seed}:changes")
        self.fake_values = fake_values(seed)
        self.moments = Moments("", None)
        """Those of the row that is being made."""

    def stamps(self) -> Row:
        """Return the id and the moments of a new row."""
        return {
            "id": new_id(self.random),
            "createdAt": self.moments.created,
            "updatedAt": self.moments.updated,
        }

    def maybe(self, value: T, share: float = 0.5) -> T | None:
        """Return the value with the probability ``share``, else None."""
        return value if self.random.random() < share else None

    def past(self, share: float = 0.5) -> str | None:
        """Return a moment between creation and update, or None."""
        return self.maybe(self.moments.updated or self.moments.created, share)

    def future(self, share: float = 0.5) -> str | None:
        """Return a moment to come, or None."""
        return self.maybe(f"{self.random.randrange(2027, 2030)}-01-01T00:00:00.000Z", share)

    def day(self, share: float = 0.5) -> str | None:
        """Return the day of the row's creation, or None."""
        return self.maybe(self.moments.created[:10], share)

    def archived(self, serial: int) -> str | None:
        """When a row was deleted in the app: one in six was (API notes: ``archivedAt``)."""
        return (self.moments.updated or self.moments.created) if serial % 6 == 5 else None

    def any(self, resource: str) -> str | None:
        """The id of some row of a resource, or None if there is none."""
        ids = self.rows.tables[resource].ids
        return self.random.choice(ids) if ids else None

    def owner(self, given: Row, field: str, resource: str) -> str:
        """The id of what a row cannot be without."""
        owner: str | None = given.pop(field, None) or self.any(resource)
        if owner is None:
            msg = f"there are no {resource} that it could belong to"
            raise ValueError(msg)
        return owner

    def phrase(self) -> str:
        """Draw a few words."""
        return self.random.choice(self.fake_values.phrases)

    def html(self) -> str:
        """Draw some HTML."""
        return (
            f"<p>{self.phrase()} &amp; <b>{self.phrase()}</b></p>"
            f'<ul><li>{self.phrase()}</li></ul><a href="https://www.example.com/?a=1&amp;b=2">…</a>'
        )

    def traits(self) -> Row:
        """Draw traits."""
        return self.random.choice(self.fake_values.traits)

    def external_id(self, prefix: str, serial: int) -> str | None:
        """Mostly plain, but empty, null, or with a slash, a space and an accent now and then."""
        match serial % 23:
            case 7:
                return ""
            case 11:
                return f"{prefix}/{serial} é"
            case 13:
                return None
            case _:
                return f"{prefix}-{serial}"

    def person(self, serial: int, domain: str) -> tuple[str, str]:
        """A name and an address that belong to nobody."""
        first = self.random.choice(self.fake_values.first_names)
        last = self.random.choice(self.fake_values.last_names)
        name = f"{first} {last}" if serial % 19 else f"{first} “Łucja” {last} 🙂"
        return name, f"{first}.{last}+{serial}@{domain}".lower()

    def source(self) -> str | None:
        """Draw the integration a row came from, mostly none."""
        return self.random.choice((None, None, "hubspot", "salesforce", "zapier"))

    def parent(self, serial: int, given: Row) -> Row:
        """Choose what a note, task or project hangs on: an account or else an organization."""
        if "accountId" in given or "organizationId" in given:
            account, organization = given.pop("accountId", None), given.pop("organizationId", None)
        elif serial % 4 == 1:
            account, organization = None, self.any("organizations")
        else:
            account, organization = self.any("accounts"), None
        return self.rows.linked("notes", {"accountId": account, "organizationId": organization})

    def company_people(self, given: Row) -> tuple[list[str], Row]:
        """Choose people of one company, and the accounts and organizations they stand for."""
        users = given.pop("userIds", None)
        if users is None:
            someone = self.any("users")
            users = [someone] if someone else []
        accounts = given.pop("accountIds", None)
        organizations = given.pop("organizationIds", None)
        rows = [self.rows.tables["users"].rows[user] for user in users]
        if accounts is None:
            accounts = unique(row["id"] for user in rows for row in user["accounts"])
        if organizations is None:
            organizations = unique(row["id"] for user in rows for row in user["organizations"])
        return users, {"accountIds": accounts, "organizationIds": organizations}


@dataclass(frozen=True)
class Factory:
    """How the rows of a resource are made, how many there are and how they change.

    ``make`` takes a serial number and the fields that are given. ``size`` returns how many rows a new
    workspace has for its number of accounts, or of rows of the resource ``per``; without it they are
    made together with the row that they are ``part_of``, and they are deleted together with it.
    ``edited`` is the field that an ordinary edit changes.
    """

    make: Callable[[RandomValues, int, Row], NewRow]
    size: Callable[[int], int] | None = None
    edited: str = ""
    per: str = "accounts"
    part_of: str = ""


def unique(ids: Iterable[str]) -> list[str]:
    """Leave out what is there already."""
    return list(dict.fromkeys(ids))
