"""Find the parents of the changed rows of a list, in the rows or by look-ups."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from tap_vitally.state.parent_scan import ALL_LISTS, ChangedParentIds, Parent
from tap_vitally.state.watermarks import ChangeFilter
from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.linked_ids import NOBODY, LinkedIds, digest, ids_of_kind, linked_ids_of
from tap_vitally.sync.list_client import ListClient
from tap_vitally.sync.resource import Record
from tap_vitally.sync.workspace import Workspace
from vitally_api import Refused, Unreadable, single
from vitally_api.statuses import GONE
from vitally_api.values import identity_of, parse_moment

LOOKED_UP: Mapping[str, tuple[str, str]] = {
    "conversations": ("/conversations", "conversation"),
    "nps_responses": ("/users", "user"),
}
"""Where to look up the links of a row that has none itself: the path, and the kind of id it takes."""
ACCOUNTS = "accounts"
Organizations = Mapping[str, tuple[str, ...] | None]
"""The organizations of accounts, by the account's id."""


class CostLimitExceeded(Exception):
    """Finding the changed parents would take more requests than reading the lists of all parents."""


class ChangedParents:
    """Finds the parents of the changed rows of a list.

    ``whole`` is the stream of that list, ``list_client`` reads the lists below each parent. What the
    rows link to is kept with the labels of their lists, and so is where to look up what they do not say.
    """

    def __init__(
        self, workspace: Workspace, whole: str, list_client: ListClient, change_filter: ChangeFilter
    ) -> None:
        self.changed_ids = ChangedParentIds()
        self._workspace, self._whole = workspace, whole
        self._client, self._change_filter = list_client, change_filter
        parent = list_client.resource.parent
        self._of_accounts = parent is not None and parent.name == ACCOUNTS
        self._links: dict[LinkedIds, set[str]] = {}
        self._to_look_up: dict[str, set[str]] = {}

    def take(self, row: Record, label: str, content: str = "") -> None:
        """Note a row of the list; may be called on any thread. ``content`` is its digest, if known."""
        identity = identity_of(row.get("id"))
        moment = parse_moment(row.get("updatedAt"))
        since = self._change_filter.since
        if moment is None or since is None or moment >= since:
            content = content or digest(row)
        if identity and not self._change_filter.has_changed(identity, moment, content):
            return
        label = label if label in self._client.labels else ALL_LISTS
        links = _links_of(row, self._whole)
        path, called = LOOKED_UP.get(self._whole, ("", ""))
        ids = [identity] if called == "conversation" else ids_of_kind(row, called)
        asked = next(filter(None, ids), None)
        if links == NOBODY and path and asked:
            address = f"{path}/{quote(asked, safe='')}"
            if called == "conversation":
                self._workspace.forget_older(address, moment)
            self._to_look_up.setdefault(address, set()).add(label)
        else:
            self._links.setdefault(links, set()).add(label)

    def settle(self, estimate: int) -> bool:
        """Find the parents of all changed rows; return False if all parents must be read.

        ``estimate`` is the number of requests to read all parents; raise `CostLimitExceeded` if the
        look-ups would take more.
        """
        workspace = self._workspace
        if workspace.lists_parents(self._whole):
            for parent in workspace.parents(self._whole):
                of = parent.organizations
                named = {} if of is None else {"organizationIds": list(of)}
                row = {"id": parent.id, "updatedAt": parent.updated_at, **named}
                self.take(row, ALL_LISTS, parent.content)
        elif not workspace.changed(self._whole).read(estimate):
            raise CostLimitExceeded(f"more than {estimate:,} pages have changed")
        if NOBODY in self._links:
            return False
        for path, links in self._look_up(self._to_look_up, estimate).items():
            if links is not None:
                self._links.setdefault(links, set()).update(self._to_look_up[path])
        if NOBODY in self._links:
            return False
        known = self._organizations(estimate)
        for links, labels in list(self._links.items()):  # its own stream may still hand rows on
            parents, organizations = self._owners(links, known)
            for label in labels:
                self.changed_ids.to(label, parents, organizations)
        return True

    def parents_of(self, row: Record) -> set[str]:
        """Return the ids of all parents of a row; empty if the row does not have them."""
        links = _links_of(row, self._whole)
        parents, organizations = self._owners(links, {})
        return set() if organizations or self._without_organizations(links) else parents

    def _owners(self, links: LinkedIds, known: Organizations) -> tuple[set[str], set[str]]:
        """Return parents, and organizations whose accounts are parents, too.

        Organizations that stand beside accounts count unless they are just those of the accounts.
        """
        said = (known.get(account) if own is None else own for account, own in links.accounts)
        of_accounts = {organization for own in said for organization in own or ()}
        if self._of_accounts:
            return {account for account, _ in links.accounts}, {*links.organizations} - of_accounts
        return of_accounts.union(links.organizations), set()

    def _without_organizations(self, links: LinkedIds) -> set[str]:
        """Return the accounts whose organizations are needed and unknown."""
        if self._of_accounts and not links.organizations:
            return set()
        return {account for account, own in links.accounts if own is None}

    def _organizations(self, estimate: int) -> Organizations:
        unsaid = {
            each for links in list(self._links) for each in self._without_organizations(links)
        }
        if not unsaid:
            return {}
        known = {each.id: each.organizations for each in self._workspace.parents(ACCOUNTS)}
        if not self._of_accounts:
            lacking = [account for account in unsaid if known.get(account) is None]
            paths = {f"/accounts/{quote(account, safe='')}": account for account in lacking}
            for path, found in self._look_up(paths, estimate).items():
                known[paths[path]] = found.organizations if found else ()
        return known

    def _look_up(self, paths: Collection[str], estimate: int) -> dict[str, LinkedIds | None]:
        """Look up records by path and return their links, None for records that no longer exist.

        Each is requested once per run; raise `CostLimitExceeded` beyond ``estimate`` requests.
        """
        workspace = self._workspace
        with workspace.looking_up:
            unknown = sorted(set(paths) - workspace.linked_ids.keys())
            if unknown and len(unknown) >= estimate:
                raise CostLimitExceeded(f"{len(unknown):,} records would have to be looked up")
            pool = ThreadPoolExecutor(workspace.settings.concurrency)
            try:
                list(pool.map(self._ask, unknown))
            finally:
                pool.shutdown(cancel_futures=True)
        return {path: workspace.linked_ids[path][0] for path in paths}

    def _ask(self, path: str) -> None:
        try:
            found = self._client.ask(ListRequest(path, parent=Parent(path)), _one_record).data
        except Refused as refusal:
            if refusal.status not in GONE:
                raise
            found = []
        self._workspace.remember_linked_ids(path, found[0] if found else None)


def _one_record(body: Any) -> list[Record]:
    """Return the record in an answer; raise `Unreadable` where it holds none.

    A record that is gone is answered with a status that says so: what is below its parents would be
    left unread if nothing at all, or an object without an id, were taken for that.
    """
    found = single(body)
    if not any(isinstance(row, dict) and identity_of(row.get("id")) for row in found):
        raise Unreadable("there is no record in it")
    return found


def _links_of(row: Record, whole: str) -> LinkedIds:
    """Return the links of a row, or of its ``user`` if it has none; an account links to itself."""
    if whole == ACCOUNTS:
        return linked_ids_of({"account": row})
    links, user = linked_ids_of(row), row.get("user")
    return linked_ids_of(user) if links == NOBODY and isinstance(user, dict) else links
