"""Links of users to accounts as rows of their own, which messages alone write."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from target_vitally.lookup.client import RecordClient
from target_vitally.lookup.index import Index
from target_vitally.lookup.references import References
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import NEW, ResourceWriter


class UserAccountWriter(ResourceWriter):
    """Finds a link in the accounts that its user shows."""

    def __init__(self, resource: Resource, references: References, client: RecordClient) -> None:
        super().__init__(resource, references, client)
        self._planned: set[tuple[str, str]] = set()

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
        pair = write_.inside.get("userId", ""), write_.inside.get("accountId", "")
        users = self.references.index("users").get("id", pair[0])
        accounts = [account for user in users for account in user.get("accounts") or ()]
        linked = pair[1] in {account.get("id") for account in accounts}
        if not (linked or pair in self._planned):
            return []
        known = {write_.key.by: write_.key.value} if write_.key else {}
        return [{"id": "/".join(pair), **known}]

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
        pair = write_.inside["userId"], write_.inside["accountId"]
        self._planned.add(pair)
        return {"id": "/".join(pair)}
