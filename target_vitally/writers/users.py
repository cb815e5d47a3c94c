"""Users, and their links to accounts as rows of their own, which messages alone write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from target_vitally.lookup.index import Index
from target_vitally.mapping.links import with_present
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import NEW, ResourceWriter

LINKS = {"accountIds": "accounts", "organizationIds": "organizations"}


class UserWriter(ResourceWriter):
    """Users: an update may replace their links or add to them, which the first answer shows."""

    @override
    def exact(self, write_: PendingWrite) -> frozenset[str]:
        by_message = frozenset({"accountIds"} if self.unlinks else ())
        return super().exact(write_) & by_message if self.only_adds else super().exact(write_)

    @override
    def not_applied(self, write_: PendingWrite, plan: Plan, now: Record) -> list[str]:
        names = super().not_applied(write_, plan, now)
        later = write_.exact and self.unlinks
        return [name for name in names if not (later and name == "accountIds")]

    @override
    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        if not write_.exact and not LINKS.keys().isdisjoint(plan.body):
            # What was linked since the list was read would be unlinked by a PUT that replaces.
            id_, index = str((plan.record or {}).get("id")), self.index(write_)
            index.refresh("id", [id_], write_)
            for present in index.get("id", id_):
                plan = replace(plan, body=with_present(self.resource, plan.body, present))
        now = super().update(write_, plan)
        for name, displayed in LINKS.items():
            sent = plan.body.get(name)
            linked = {item.get("id") for item in now.get(displayed) or () if isinstance(item, dict)}
            if sent is not None and linked > set(sent):
                self.only_adds = True
        return now


class UserAccountWriter(ResourceWriter):
    """Finds a link in the accounts that its user shows."""

    @override
    def index(self, write_: PendingWrite) -> Index:
        return self.references.index("users")

    @override
    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        ids = {write_.inside.get("userId", NEW) for write_ in writes}
        known = {id_ for id_ in ids if not id_.startswith(NEW)}
        self.references.index("users").find("id", known, more=more)

    @override
    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        ids = {write_.inside.get("userId", NEW) for write_ in writes}
        self.references.index("users").refresh("id", ids - {NEW})

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
