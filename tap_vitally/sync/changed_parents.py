"""Finds the parents of the changed rows of a list: the rows name them, or they are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote

from tap_vitally.state.parent_scan import ALL_LISTS, ChangedParentIds, Parent
from tap_vitally.state.watermarks import ChangeFilter
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.linked_ids import LinkedIds, digest, ids_of_kind, linked_ids_of
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Record
from tap_vitally.sync.workspace import Workspace
from vitally_api import Refused, single
from vitally_api.statuses import GONE
from vitally_api.values import identity_of, parse_moment

LOOKED_UP: Mapping[str, tuple[str, str]] = {
    "conversations": ("/conversations", "conversation"),
    "nps_responses": ("/users", "user"),
}
"""Where to look up the links of a row that has none itself, and by the id of what."""
ACCOUNTS = "accounts"


class CostLimitExceeded(Exception):
    """To find the changed parents would cost more than to read all."""


class ChangedParents:
    """Finds the parents of the changed rows of a list.

    ``whole`` is the stream of that list, ``list_client`` reads the lists below each parent.
    """

    def __init__(
        self, workspace: Workspace, whole: str, list_client: ListClient, change_filter: ChangeFilter
    ) -> None:
        self.changed_ids = ChangedParentIds()
        self._workspace = workspace
        self._whole = whole
        self._client = list_client
        self._change_filter = change_filter
        parent = list_client.resource.parent
        self._of_accounts = parent is not None and parent.name == ACCOUNTS
        self._unsaid: dict[str, set[str]] = {}
        self._accounts: dict[str, set[str]] = {}
        self._beside: list[tuple[LinkedIds, str]] = []

    def take(self, row: Record, label: str, content: str = "") -> None:
        """Take in a row of the whole workspace, on any thread; ``content`` is its digest, if known."""
        identity = identity_of(row.get("id"))
        moment = parse_moment(row.get("updatedAt"))
        since = self._change_filter.since
        if moment is None or since is None or moment >= since:
            content = content or digest(row)
        if identity and not self._change_filter.has_changed(identity, moment, content):
            return
        self._add_linked(row, label if label in self._client.labels else ALL_LISTS)

    def _add_linked(self, row: Record, label: str) -> None:
        named = linked_by(row, self._whole)
        path, called = LOOKED_UP.get(self._whole, ("", ""))
        ids = [row.get("id")] if called == "conversation" else ids_of_kind(row, called)
        asked = next(filter(None, map(identity_of, ids)), None)
        if not named and path and asked:
            address = f"{path}/{quote(asked, safe='')}"
            if called == "conversation":
                self._workspace.forget_older(address, parse_moment(row.get("updatedAt")))
            self._unsaid.setdefault(address, set()).add(label)
        else:
            self._add(named, label)

    def _add(self, named: LinkedIds, label: str) -> None:
        """Add what a row names; the organizations of some accounts may have to be found."""
        if not named:
            self.changed_ids.everybody = True
        parents, organizations, unknown = self._owners(named)
        if organizations and None in named.accounts.values():
            self._beside.append((named, label))
            organizations = ()
        self.changed_ids.to(label, parents, organizations)
        for account in unknown:
            self._accounts.setdefault(account, set()).add(label)

    def _owners(self, named: LinkedIds) -> tuple[set[str], Sequence[str], Sequence[str]]:
        """Return the parents, organizations of further parents, and accounts that may have some."""
        if self._of_accounts:
            return set(named.accounts), named.organizations_alone, ()
        reported = {each for ids in named.accounts.values() for each in ids or ()}
        unknown = [account for account, ids in named.accounts.items() if ids is None]
        return reported.union(named.organizations), (), unknown

    def settle(self, estimate: int) -> bool:
        """Find the parents of all changed rows; return False if no parent can be left out.

        ``estimate`` is how many requests it takes to read all instead; `CostLimitExceeded` is raised
        if this would take more.
        """
        workspace = self._workspace
        if workspace.lists_parents(self._whole):
            for parent in workspace.parents(self._whole):
                self._take_parent(parent)
        elif not workspace.changed(self._whole).read(estimate):
            msg = f"more than {estimate:,} pages have changed"
            raise CostLimitExceeded(msg)
        if self.changed_ids.everybody:
            return False
        self._look_up(self._unsaid, estimate)
        for path, labels in self._unsaid.items():
            named = workspace.linked_ids_of(path)
            for label in labels if named is not None else ():
                self._add(named or LinkedIds(), label)
        if self._accounts or self._beside:
            self._settle_organizations(estimate)
        return not self.changed_ids.everybody

    def _take_parent(self, parent: Parent) -> None:
        row: Record = {"id": parent.id, "updatedAt": parent.updated_at}
        if parent.organizations is not None:
            row["organizationIds"] = list(parent.organizations)
        self.take(row, ALL_LISTS, parent.content)

    def _settle_organizations(self, estimate: int) -> None:
        """Find the organizations of the accounts that are named, in the list of all accounts first.

        Organizations that stand beside accounts count unless they are just those of the accounts.
        """
        workspace = self._workspace
        known = {account.id: account.organizations for account in workspace.parents(ACCOUNTS)}
        paths = {
            account: f"/accounts/{quote(account, safe='')}"
            for account in self._accounts
            if known.get(account) is None
        }
        self._look_up(paths.values(), estimate)
        for account, labels in self._accounts.items():
            own = known.get(account)
            if own is None:
                found = workspace.linked_ids_of(paths[account])
                own = found.organizations if found else ()
            for label in labels:
                self.changed_ids.to(label, own)
        for named, label in self._beside:
            reported = {
                account: known.get(account) if own is None else own
                for account, own in named.accounts.items()
            }
            self.changed_ids.to(label, (), replace(named, accounts=reported).organizations_alone)

    def _look_up(self, paths: Iterable[str], estimate: int) -> None:
        """Look records up for their links, each once a run."""
        workspace = self._workspace
        with workspace.looking_up:
            unknown = workspace.unknown(paths)
            if unknown and len(unknown) >= estimate:
                msg = f"{len(unknown):,} records would have to be looked up"
                raise CostLimitExceeded(msg)
            pool = ThreadPoolExecutor(workspace.settings.concurrency)
            try:
                list(pool.map(self._ask, unknown))
            finally:
                pool.shutdown(cancel_futures=True)

    def _ask(self, path: str) -> None:
        try:
            found = self._client.ask(ListRequest(path, parent=Parent(path)), single).data
        except Refused as refusal:
            if refusal.status not in GONE:
                raise
            found = []
        self._workspace.remember_linked_ids(path, found[0] if found else None)

    def parents_of(self, row: Record) -> set[str] | None:
        """Return all parents that a row is below, None if it does not say."""
        parents, organizations, unknown = self._owners(linked_by(row, self._whole))
        return None if organizations or unknown else parents or None


def linked_by(row: Record, whole: str) -> LinkedIds:
    """Return what a row links to; an account links to itself, and a response may hold its user."""
    if whole == ACCOUNTS:
        return linked_ids_of({"account": row})
    user = row.get("user")
    return linked_ids_of(row) or linked_ids_of(user if isinstance(user, dict) else {})
