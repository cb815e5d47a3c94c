"""Links of users to accounts as rows of their own, which messages alone write."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from target_vitally.lookup.index import Index
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import NEW, ResourceWriter


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
        users = self.references.index("users").get("id", user_id)
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
