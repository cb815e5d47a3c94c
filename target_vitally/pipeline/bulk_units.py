"""Writes as units of messages, and what each record has to show once these were applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from target_vitally.bulk.messages import MessageWriter, external_id_of
from target_vitally.bulk.read_back import ABSENT, Expected, Found
from target_vitally.lookup.client import segment
from target_vitally.lookup.index import LookupFailed
from target_vitally.lookup.references import References
from target_vitally.mapping.links import displayed
from target_vitally.mapping.plan import Plan, changes
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import NEW, ResourceWriter


class BulkUnits:
    """Makes units; `NotInBulk` is raised for writes that messages cannot carry."""

    def __init__(
        self,
        writers: Mapping[str, ResourceWriter],
        references: References,
        protected_traits: Sequence[str],
        began: str,
    ) -> None:
        """Take in what units are made with; ``began`` tells this run from others."""
        self._writers = writers
        self._references = references
        self._external_ids: dict[tuple[str, str], str] = {}
        self._messages = MessageWriter(self._external_id, protected_traits, began)

    def find_parents(self, planned: Sequence[tuple[list[PendingWrite], Plan]]) -> None:
        """Read what messages may have to name, whose external ids only lists tell."""
        wanted: dict[str, set[str]] = {}
        for queue, plan in planned:
            for of, id_ in self._messages.parents_to_find(queue[0], plan):
                wanted.setdefault(of, set()).add(id_)
        self._find(wanted)

    def find_linked(self, writes: Iterable[PendingWrite]) -> None:
        """Read the users and accounts that rows link."""
        wanted: dict[str, set[str]] = {"users": set(), "accounts": set()}
        for write_ in writes:
            wanted["users"].add(write_.inside.get("userId", NEW))
            wanted["accounts"].add(write_.inside.get("accountId", NEW))
        self._find(wanted)

    def _find(self, wanted: Mapping[str, set[str]]) -> None:
        for of, ids in wanted.items():
            index = self._references.index(of)
            index.find("id", [id_ for id_ in ids if not id_.startswith(NEW)])

    def _external_id(self, of: str, id_: str) -> str:
        """Return the external id of a record, empty if none is known."""
        if (of, id_) not in self._external_ids:
            try:
                found = self._references.index(of).get("id", id_)
            except LookupFailed:
                found = []
            key = str(found[0].get("externalId") or "") if found else ""
            self._external_ids[of, id_] = key
        return self._external_ids[of, id_]

    def of_write(self, write_: PendingWrite, plan: Plan) -> Expected:
        """Return what is sent for a write, and how it is seen to be there."""
        resource = write_.resource
        messages = self._messages.messages(write_, plan)
        inside = {name: segment(value) for name, value in write_.inside.items()}
        return Expected(
            messages,
            self._references.client.counted_for(write_),
            write_=write_,
            plan=plan,
            resource=resource,
            path=resource.api.path.format(**inside),
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

    def of_link(self, write_: PendingWrite, plan: Plan) -> Expected:
        """Return what links a user to an account, or unlinks the two."""
        account, linked = write_.inside["accountId"], plan.outcome == "created"

        def check(record: Record) -> Found:
            accounts = displayed(users.by_name["accountIds"], record) or ()
            return Found(open=record is ABSENT or (account in accounts) is not linked)

        users = self._writers["users"].resource
        kind = "user" if linked else "unlink"
        return self._of_user(kind, write_, plan, write_.inside["userId"], [account], check)

    def of_unlinks(self, write_: PendingWrite, plan: Plan, gone: set[str]) -> Expected:
        """Return what unlinks a user from accounts."""

        def check(record: Record) -> Found:
            accounts = displayed(write_.resource.by_name["accountIds"], record) or ()
            return Found(open=record is ABSENT or not gone.isdisjoint(accounts))

        user = str((plan.record or {})["id"])
        return self._of_user("unlink", write_, plan, user, sorted(gone), check)

    def _of_user(  # noqa: PLR0913, PLR0917 - a unit, by its parts
        self,
        kind: str,
        write_: PendingWrite,
        plan: Plan,
        user: str,
        accounts: Sequence[str],
        check: Callable[[Record], Found],
    ) -> Expected:
        """Return messages about a user and accounts, by their ids."""
        key = self._external_id("users", user) or str((plan.record or {}).get("externalId") or "")
        self._references.index("accounts").find("id", accounts)
        messages = self._messages.link_messages(kind, write_, key, accounts)
        users = self._writers["users"].resource
        return Expected(
            messages,
            self._references.client.counted_for(write_),
            write_=write_,
            plan=plan,
            resource=users,
            path=users.api.path,
            external_id=key,
            check=check,
        )
