"""Which parents the changed rows of a list are of: what they say themselves, or what is looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote

from tap_vitally.reading.conform import identity_of
from tap_vitally.reading.declaration import Record
from tap_vitally.reading.links import Whom, digest, ids_named, whom
from tap_vitally.reading.listing import Listing
from tap_vitally.reading.page import Context
from tap_vitally.reading.workspace import Workspace
from tap_vitally.replication.instants import moment_of
from tap_vitally.replication.marks import Watch
from tap_vitally.replication.parents import ALL_LISTS, Parent, Pointers
from vitally_api import Refused, single

LOOKED_UP: Mapping[str, tuple[str, str]] = {
    "conversations": ("/conversations", "conversation"),
    "nps_responses": ("/users", "user"),
}
"""Where to ask whom a row names that does not say so itself, and by the id of what."""
GONE = (404, 410)
ACCOUNTS = "accounts"


class TooDear(Exception):
    """To find out who is pointed at would cost more than to read all."""


class Pointing:
    """Finds whom the changed rows of a list point at; `take` is called on any thread.

    ``whole`` is the stream of that list, ``listing`` the lists below each parent. ``watch`` tells
    what has changed.
    """

    def __init__(self, workspace: Workspace, whole: str, listing: Listing, watch: Watch) -> None:
        self.pointers = Pointers()
        self._workspace = workspace
        self._whole = whole
        self._listing = listing
        self._watch = watch
        parent = listing.resource.parent
        self._of_accounts = parent is not None and parent.name == ACCOUNTS
        self._unsaid: dict[str, set[str]] = {}
        self._accounts: dict[str, set[str]] = {}
        self._beside: list[tuple[Whom, str]] = []

    def take(self, row: Record, label: str, content: str = "") -> None:
        """Take in a row of the list of the whole workspace; ``content`` is its digest, if known."""
        identity = identity_of(row.get("id"))
        moment = moment_of(row.get("updatedAt"))
        since = self._watch.since
        if moment is None or since is None or moment >= since:
            content = content or digest(row)
        if identity and not self._watch.has_changed(identity, moment, content):
            return
        self._point_by(row, label if label in self._listing.labels else ALL_LISTS)

    def _point_by(self, row: Record, label: str) -> None:
        """Point at whom a changed row names; an account names itself."""
        named = named_by(row, self._whole)
        path, called = LOOKED_UP.get(self._whole, ("", ""))
        ids = [row.get("id")] if called == "conversation" else ids_named(row, called)
        asked = next(filter(None, map(identity_of, ids)), None)
        if not named and path and asked:
            place = f"{path}/{quote(asked, safe='')}"
            if called == "conversation":
                self._workspace.forget_older(place, moment_of(row.get("updatedAt")))
            self._unsaid.setdefault(place, set()).add(label)
        else:
            self._point(named, label)

    def _point(self, named: Whom, label: str) -> None:
        """Point at all that are named; the organizations of some accounts may have to be found."""
        if not named:
            self.pointers.everybody = True
        parents, organizations, unknown = self._owners(named)
        if organizations and None in named.accounts.values():
            self._beside.append((named, label))
            organizations = ()
        self.pointers.to(label, parents, organizations)
        for account in unknown:
            self._accounts.setdefault(account, set()).add(label)

    def _owners(self, named: Whom) -> tuple[set[str], Sequence[str], Sequence[str]]:
        """Tell apart the parents, the organizations of further ones, and accounts that may have any."""
        if self._of_accounts:
            return set(named.accounts), named.organizations_alone, ()
        told = {each for ids in named.accounts.values() for each in ids or ()}
        unknown = [account for account, ids in named.accounts.items() if ids is None]
        return told.union(named.organizations), (), unknown

    def settle(self, price: int) -> bool:
        """Find whom all changed rows point at; False if nobody can be left out.

        ``price`` is how many requests it takes to read all instead; `TooDear` is raised if this
        would take more.
        """
        workspace = self._workspace
        if workspace.lists_parents(self._whole):
            for parent in workspace.parents(self._whole):
                self._take_parent(parent)
        elif not workspace.changed(self._whole).read(price):
            msg = f"more than {price:,} pages have changed"
            raise TooDear(msg)
        if self.pointers.everybody:
            return False
        self._look_up(self._unsaid, price)
        for path, labels in self._unsaid.items():
            named = workspace.whom(path)
            for label in labels if named is not None else ():
                self._point(named or Whom(), label)
        if self._accounts:
            self._settle_organizations(price)
        if self._beside:
            self._settle_beside()
        return not self.pointers.everybody

    def _take_parent(self, parent: Parent) -> None:
        row: Record = {"id": parent.id, "updatedAt": parent.updated_at}
        if parent.organizations is not None:
            row["organizationIds"] = list(parent.organizations)
        self.take(row, ALL_LISTS, parent.content)

    def _settle_organizations(self, price: int) -> None:
        """Find the organizations of the accounts that are named."""
        workspace = self._workspace
        known = self._organizations_of_accounts()
        paths = {
            account: f"/accounts/{quote(account, safe='')}"
            for account in self._accounts
            if known.get(account) is None
        }
        self._look_up(paths.values(), price)
        for account, labels in self._accounts.items():
            own = known.get(account)
            if own is None:
                found = workspace.whom(paths[account])
                own = found.organizations if found else ()
            for label in labels:
                self.pointers.to(label, own)

    def _settle_beside(self) -> None:
        """Point at organizations that stand beside accounts, unless they are just those of the accounts."""
        known = self._organizations_of_accounts()
        for named, label in self._beside:
            told = {
                account: known.get(account) if own is None else own
                for account, own in named.accounts.items()
            }
            self.pointers.to(label, (), replace(named, accounts=told).organizations_alone)

    def _organizations_of_accounts(self) -> Mapping[str, tuple[str, ...] | None]:
        """Find what the list of all accounts tells, which is read once a run."""
        return {account.id: account.organizations for account in self._workspace.parents(ACCOUNTS)}

    def _look_up(self, paths: Iterable[str], price: int) -> None:
        """Look up whom records name, each once a run."""
        workspace = self._workspace
        with workspace.looking_up:
            unknown = workspace.unknown(paths)
            if unknown and len(unknown) >= price:
                msg = f"{len(unknown):,} records would have to be looked up"
                raise TooDear(msg)
            pool = ThreadPoolExecutor(workspace.settings.concurrency)
            try:
                list(pool.map(self._ask, unknown))
            finally:
                pool.shutdown(cancel_futures=True)

    def _ask(self, path: str) -> None:
        """Find whom one record names; one that is gone names nobody."""
        try:
            found = self._listing.ask(Context(path, parent=Parent(path)), single).data
        except Refused as refusal:
            if refusal.status not in GONE:
                raise
            found = []
        self._workspace.note_whom(path, found[0] if found else None)

    def parents_of(self, row: Record) -> set[str] | None:
        """Find all parents that a row is below, by its own words; None if it does not tell."""
        parents, organizations, unknown = self._owners(named_by(row, self._whole))
        return None if organizations or unknown else parents or None


def named_by(row: Record, whole: str) -> Whom:
    """Find whom a row of a stream names; an account names itself, and a response may hold its user."""
    if whole == ACCOUNTS:
        return whom({"account": row})
    user = row.get("user")
    return whom(row) or whom(user if isinstance(user, dict) else {})
