"""Turn writes into messages of the Analytics API, with a check that tells when they were applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from target_vitally.bulk.read_back import ABSENT, Expected, Found
from target_vitally.bulk.sender import message_id
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.links import displayed
from target_vitally.mapping.parse_row import owned_traits
from target_vitally.mapping.plan import Plan, changes
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.stage import Stage
from target_vitally.writers.base import NEW
from vitally_api import Message, fits

PROPERTIES = {
    "organization": {"name": "name"},
    "account": {"name": "name"},
    "user": {"name": "name", "email": "email", "avatar": "avatar", "joinDate": "createdAt"},
    "customobjectinstance": {"name": ""},
}
"""By type of message: the properties that it carries, and the trait that each is sent as, if any."""
RESERVED = frozenset({"name", "email", "avatar", "createdAt"})
"""Traits that Vitally takes for properties."""
IDS = {"organization": "organizationId", "account": "accountId", "user": "userId"}
PARENTS = {
    "account": {"organizationId": ("organizationId", "organizations")},
    "user": {
        "accountIds": ("accountId", "accounts"),
        "organizationIds": ("organizationId", "organizations"),
    },
    "customobjectinstance": {
        "customerId": ("accountId", "accounts"),
        "organizationId": ("organizationId", "organizations"),
    },
}
"""By type of message and property: what a message calls the linked record, and its resource."""
CLEARS = "it empties something"
OWNED = "a trait belongs to another system (protected_traits)"
OVERWRITES = "a trait is called like a property"
NO_ID = "its record has no externalId"
NO_USER = "its user has no externalId, or is not known"
NO_NAME = "its name is not known"
NO_PARENT = "what it is linked to has no externalId, or is not known"
MOVES = "it changes what it is linked to"
LARGE = "it is larger than a request may be"


class NotInBulk(Exception):
    """A write that goes by REST; the message says why."""


class NotShown(NotInBulk):
    """It is not known what messages would have to name, since a look-up was not answered."""


@dataclass
class BulkUnits(Stage):
    """Makes units of messages; raises `NotInBulk` for writes that messages cannot express."""

    def __post_init__(self) -> None:
        self._external_id = cache(self._read_external_id)
        # It tells this run's messages from those of others, so that a value may go back to what it was.
        self._began = str(time.time_ns())

    def find(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read records, given by resource and id, for their external ids."""
        by_resource: dict[str, set[str]] = {}
        for of, id_ in wanted:
            if not id_.startswith(NEW):
                by_resource.setdefault(of, set()).add(id_)
        for of, ids in by_resource.items():
            self.references.index(of).find("id", ids)

    def _read_external_id(self, of: str, id_: str) -> str:
        """Return the external id of a record, empty if it has none or is not there."""
        try:
            found = self.references.index(of).get("id", id_)
        except LookupFailed as failed:
            raise NotShown(str(failed)) from None
        return str(found[0].get("externalId") or "") if found else ""

    def of_write(self, write_: PendingWrite, plan: Plan) -> Expected:
        """Return the messages of a write, with the check that finds out if they were applied."""
        return Expected(
            self._messages(write_, plan),
            self.references.client.counted_for(write_),
            write_,
            plan=plan,
            resource=write_.resource,
            path=self.writer(write_).path(write_),
            external_id=external_id_of(plan),
            check=self._check(write_, plan),
        )

    def _check(self, write_: PendingWrite, plan: Plan) -> Callable[[Record], Found]:
        """Return a function that compares a record with what was sent."""
        resource = write_.resource
        body = {n: v for n, v in plan.body.items() if n not in {"traits", "externalId"}}
        traits = plan.body.get("traits") or {}
        links = [ref.name for ref in resource.links if ref.many and ref.name in body]
        sent = len(body) - len(links) + len(traits)

        def check(record: Record) -> Found:
            if record is ABSENT:
                return Found(open=True)
            differing = changes(resource, body, traits, record)
            lacking = tuple(name for name in differing if name not in links)
            linked = all(
                set(body[name]) <= set(displayed(resource.by_name[name], record) or ())
                for name in links
            )
            return Found(lacking, len(lacking) < sent, not linked)

        return check

    def of_links(self, write_: PendingWrite, plan: Plan, gone: Collection[str] = ()) -> Expected:
        """Return the messages that link a user to an account or unlink it, with a check.

        With ``gone``, ids of accounts, unlink the user from all of these.
        """
        linked = plan.outcome == "created"
        accounts = sorted(gone) or [write_.inside["accountId"]]
        user = str((plan.record or {})["id"]) if gone else write_.inside["userId"]
        users = self.writers["users"].resource

        def check(record: Record) -> Found:
            there = displayed(users.by_name["accountIds"], record) or ()
            done = all((account in there) is linked for account in accounts)
            return Found(open=record is ABSENT or not done)

        key = str((plan.record or {}).get("externalId") or "") or self._external_id("users", user)
        self.find(("accounts", account) for account in accounts)
        kind = "user" if linked else "unlink"
        return Expected(
            self._link_messages(kind, write_, key, accounts),
            self.references.client.counted_for(write_),
            write_,
            plan=plan,
            resource=users,
            path=users.api.path,
            external_id=key,
            check=check,
        )

    def _messages(self, write_: PendingWrite, plan: Plan) -> list[Message]:
        """Return the messages of a write; raise `NotInBulk` if they cannot express all of it."""
        kind = write_.resource.message
        if kind not in PROPERTIES:
            raise NotInBulk(f"Vitally takes no {write_.resource.name} in bulk")
        traits = self._traits(kind, write_, plan)
        body, key = plan.body, external_id_of(plan)
        if not key:
            raise NotInBulk(NO_ID)
        whole: Message = {"type": kind, IDS.get(kind, "externalId"): key, "traits": traits}
        if kind == "customobjectinstance":
            whole |= {"customObjectId": write_.inside["customObjectId"]}
            whole |= {"name": body["name"]} if "name" in body else {}
        parents = self._parents(kind, write_, plan)
        if kind == "account":
            made = [whole | dict(parents)]
        else:
            made = [whole | {name: id_} for name, id_ in parents] or [whole]
        return self._identified(write_, made)

    def _link_messages(
        self, kind: str, write_: PendingWrite, user: str, accounts: Iterable[str]
    ) -> list[Message]:
        """Return a message for each account; ``user`` is an external id, ``accounts`` are Vitally ids."""
        if not user:
            raise NotInBulk(NO_USER)
        more: Message = {"traits": {}} if kind == "user" else {}
        keys = [self._external("accounts", id_) for id_ in accounts]
        made = [{"type": kind, "userId": user, "accountId": key, **more} for key in keys]
        return self._identified(write_, made)

    def _identified(self, write_: PendingWrite, made: Sequence[Message]) -> list[Message]:
        """Add a ``messageId`` that is unique to this run; raise `NotInBulk` if a message is too large."""
        identity = (write_.mapping.stream, self._began, write_.rows[-1].number)
        messages = [{**message, "messageId": message_id(*identity, message)} for message in made]
        if not fits(messages):
            raise NotInBulk(LARGE)
        return messages

    def _traits(self, kind: str, write_: PendingWrite, plan: Plan) -> Record:
        """Return the traits of a message, with the properties that it carries as traits."""
        body, carried = plan.body, PROPERTIES[kind]
        given: Record = body.get("traits") or {}
        if None in (*body.values(), *given.values()):
            raise NotInBulk(CLEARS)
        known = {"externalId", "traits", *carried, *PARENTS.get(kind, ())}
        if strange := sorted(body.keys() - known):
            raise NotInBulk(f"messages carry no {', '.join(strange)}")
        if RESERVED & given.keys():
            raise NotInBulk(OVERWRITES)
        if owned_traits(tuple(given), self.settings.protected_traits):
            raise NotInBulk(OWNED)
        traits = {trait: body[name] for name, trait in carried.items() if trait and name in body}
        if kind in {"organization", "account"} and "name" not in traits:
            name = write_.parsed.properties.get("name") or (plan.record or {}).get("name")
            if not name:
                raise NotInBulk(NO_NAME)
            traits["name"] = name
        return traits | given

    def _parents(self, kind: str, write_: PendingWrite, plan: Plan) -> list[tuple[str, str]]:
        """Return the parents that messages name, as (member, external id): those to link.

        Users and custom objects need at least one, which then is a parent that is linked already.
        """
        body, record = plan.body, plan.record
        found = []
        for prop, (name, of) in PARENTS.get(kind, {}).items():
            there = _ids(displayed(write_.resource.by_name[prop], record)) if record else []
            wanted = [id_ for id_ in _ids(body.get(prop)) if id_ not in there]
            if wanted and there and kind == "customobjectinstance":
                raise NotInBulk(MOVES)
            found += [(name, self._external(of, id_)) for id_ in wanted]
        if found or kind in {"organization", "account"}:
            return found
        for name, of, id_ in _linked(kind, write_, record):
            if key := self._external_id(of, id_):
                return [(name, key)]
        raise NotInBulk(NO_PARENT)

    def _external(self, of: str, id_: str) -> str:
        key = self._external_id(of, id_)
        if not key:
            raise NotInBulk(NO_PARENT)
        return key


def external_id_of(plan: Plan) -> str:
    """Return the external id that a record has or will get; empty if none."""
    return str((plan.record or {}).get("externalId") or plan.body.get("externalId") or "")


def parents_to_find(write_: PendingWrite, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the parents that the messages of a write may name, as (resource, id)."""
    kind = write_.resource.message
    for prop, (_, of) in PARENTS.get(kind, {}).items():
        for id_ in _ids(plan.body.get(prop)):
            yield of, id_
    if kind in {"user", "customobjectinstance"}:
        for _, of, id_ in islice(_linked(kind, write_, plan.record), 1):
            yield of, id_


def _linked(
    kind: str, write_: PendingWrite, record: Record | None
) -> Iterator[tuple[str, str, str]]:
    """Yield the parents of a record, as (member of the message, resource, id)."""
    for prop, (name, of) in PARENTS[kind].items():
        for id_ in _ids(displayed(write_.resource.by_name[prop], record or {})):
            yield name, of, id_


def _ids(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(id_) for id_ in values if id_]
