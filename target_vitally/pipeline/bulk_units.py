"""Writes as units of messages, and what each record has to show once these were applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache

from target_vitally.bulk.messages import MessageWriter, external_id_of
from target_vitally.bulk.read_back import ABSENT, Expected, Found
from target_vitally.lookup.index import LookupFailed
from target_vitally.mapping.links import displayed
from target_vitally.mapping.plan import Plan, changes
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.stage import Stage
from target_vitally.writers.base import NEW


@dataclass
class BulkUnits(Stage):
    """Makes units; `NotInBulk` is raised for writes that messages cannot carry."""

    def __post_init__(self) -> None:
        # The time tells this run's messages from those of others.
        self._external_id = cache(self._read_external_id)
        protected, began = self.settings.protected_traits, str(time.time_ns())
        self._messages = MessageWriter(self._external_id, protected, began)

    def find(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read records, by resource and id, since only lists tell their external ids."""
        by_resource: dict[str, set[str]] = {}
        for of, id_ in wanted:
            if not id_.startswith(NEW):
                by_resource.setdefault(of, set()).add(id_)
        for of, ids in by_resource.items():
            self.references.index(of).find("id", ids)

    def _read_external_id(self, of: str, id_: str) -> str:
        """Return the external id of a record, empty if none is known."""
        try:
            found = self.references.index(of).get("id", id_)
        except LookupFailed:
            found = []
        return str(found[0].get("externalId") or "") if found else ""

    def of_write(self, write_: PendingWrite, plan: Plan) -> Expected:
        """Return what is sent for a write, and how it is seen to be there."""
        return Expected(
            self._messages.messages(write_, plan),
            self.references.client.counted_for(write_),
            write_=write_,
            plan=plan,
            resource=write_.resource,
            path=self.writer(write_).path(write_),
            external_id=external_id_of(plan),
            check=self._check(write_, plan),
        )

    def _check(self, write_: PendingWrite, plan: Plan) -> Callable[[Record], Found]:
        """Return what compares a record with what was sent."""
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
        """Return what links a user to an account, or unlinks the two; or unlinks a user from all ``gone``."""
        linked = plan.outcome == "created"
        accounts = sorted(gone) or [write_.inside["accountId"]]
        user = str((plan.record or {})["id"]) if gone else write_.inside["userId"]
        users = self.writers["users"].resource

        def check(record: Record) -> Found:
            there = displayed(users.by_name["accountIds"], record) or ()
            done = all((account in there) is linked for account in accounts)
            return Found(open=record is ABSENT or not done)

        key = self._external_id("users", user) or str((plan.record or {}).get("externalId") or "")
        self.find(("accounts", account) for account in accounts)
        kind = "user" if linked else "unlink"
        return Expected(
            self._messages.link_messages(kind, write_, key, accounts),
            self.references.client.counted_for(write_),
            write_=write_,
            plan=plan,
            resource=users,
            path=users.api.path,
            external_id=key,
            check=check,
        )
