"""Users, and rows that link a user to an account, which only the Analytics API can write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from target_vitally.lookup.index import Index
from target_vitally.mapping.links import with_present
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite, Undo
from target_vitally.mapping.undo import STILL_LINKED
from target_vitally.writers.base import NEW, ResourceWriter

LINKS = {"accountIds": "accounts", "organizationIds": "organizations"}


def _linked(record: Record, name: str) -> set[Any]:
    return {item.get("id") for item in record.get(LINKS[name]) or () if isinstance(item, dict)}


class UserWriter(ResourceWriter):
    """Writes users. An update replaces their links or adds to them; the first answer shows which."""

    @override
    def exact(self, write_: PendingWrite) -> frozenset[str]:
        names = super().exact(write_)
        return frozenset(filter(self._by_message, names)) if self.only_adds else names

    @override
    def _plan_undo(self, write_: PendingWrite, undo: Undo) -> Plan:
        made = super()._plan_undo(write_, undo)
        staying = self._staying(write_, made.record or {}) if made.outcome == "updated" else []
        if not (staying and self.only_adds):
            return made
        body = {name: value for name, value in made.body.items() if name not in staying}
        if not body:
            return Plan("rejected", STILL_LINKED.format(", ".join(staying)), record=made.record)
        return replace(made, body=body)

    @override
    def not_undone(self, write_: PendingWrite, now: Record) -> str:
        staying = ", ".join(self._staying(write_, now))
        return STILL_LINKED.format(staying) if staying else super().not_undone(write_, now)

    def _staying(self, write_: PendingWrite, record: Record) -> list[str]:
        """Return the properties whose links an undo should remove and cannot, by REST or by messages."""
        wanted = write_.parsed.properties
        named = [name for name in LINKS if name in wanted and not self._by_message(name)]
        return [name for name in named if _linked(record, name) > set(wanted[name])]

    def _by_message(self, name: str) -> bool:
        return self.unlinks and name == "accountIds"

    @override
    def not_applied(self, write_: PendingWrite, plan: Plan, now: Record) -> list[str]:
        names = super().not_applied(write_, plan, now)
        return [name for name in names if not (write_.exact and self._by_message(name))]

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        if not write_.exact and not LINKS.keys().isdisjoint(plan.body):
            # What was linked since the list was read would be unlinked by a PUT that replaces.
            id_, index = str((plan.record or {}).get("id")), self.index(write_)
            index.refresh("id", [id_], write_)
            for present in index.get("id", id_):
                plan = replace(plan, body=with_present(self.resource, plan.body, present))
        now = super().update(write_, plan)
        for name in LINKS.keys() & plan.body.keys():
            if plan.body[name] is not None and _linked(now, name) > set(plan.body[name]):
                self.only_adds = True
        return now


def _users_of(writes: Iterable[PendingWrite]) -> set[str]:
    ids = {write_.inside.get("userId", NEW) for write_ in writes}
    return {id_ for id_ in ids if not id_.startswith(NEW)}


class UserAccountWriter(ResourceWriter):
    """Writes links of users to accounts; a link is looked up in the ``accounts`` of its user."""

    @override
    def index(self, write_: PendingWrite) -> Index:
        return self.references.index("users")

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        self.references.index("users").find("id", _users_of(writes), more=more)

    @override
    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        self.references.index("users").refresh("id", _users_of(writes))

    @override
    def present(self, write_: PendingWrite) -> list[Record]:
        user_id, account_id = write_.inside.get("userId", ""), write_.inside.get("accountId", "")
        users = self.index(write_).get("id", user_id)
        accounts = [account for user in users for account in user.get("accounts") or ()]
        linked = account_id in {account.get("id") for account in accounts}
        id_ = f"{user_id}/{account_id}"
        if not (linked or self.simulated.get(id_)):
            return []
        known = {write_.key.by: write_.key.value} if write_.key else {}
        return [{"id": id_, **known}]

    @override
    def queue(self, write_: PendingWrite) -> str:
        if write_.undo or write_.key is None:
            return super().queue(write_)
        return f"{write_.key.by}:{write_.key.value}"

    @override
    def read(self, write_: PendingWrite) -> list[Record]:
        self.find_again([write_])
        return self.present(write_)

    @override
    def whole(self, write_: PendingWrite, record: Record) -> Record:
        return record

    @override
    def simulate(self, write_: PendingWrite, plan: Plan, id_: str) -> Record:
        made = {"id": f"{write_.inside['userId']}/{write_.inside['accountId']}"}
        self.simulated.put(made["id"], made)
        return made
