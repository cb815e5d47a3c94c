"""The requests for the records of one resource: its lists, and look-ups of single records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from target_vitally.lookup.client import RecordClient, found_one, found_records, segment
from target_vitally.lookup.kept_records import key_of_record
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from vitally_api import PageDecoder, Refused
from vitally_api.resources import LISTS
from vitally_api.statuses import PARAMETER_REFUSED
from vitally_api.values import key_text


class ArchivedRefused(Refused):
    """The list of archived records was refused, after all other records had been read."""


class Source:
    """Requests the lists of a resource and single records."""

    def __init__(self, client: RecordClient, resource: Resource, path: str) -> None:
        self._client = client
        self._api = resource.api
        self._path = path
        self._label = f"/resources{self._api.path}"
        self._archives = resource.archives
        self._decode = PageDecoder(*resource.compared)

    def pages(self) -> Iterator[list[Record]]:
        """Yield the pages of the list, sorted by creation, so that changes do not move records."""
        for query in self._api.variants.queries:
            yield from self._list(query)

    def archived(self) -> Iterator[list[Record]]:
        """Yield the pages of archived records, if the resource has any."""
        yield from self._list(self._api.variants.queries[-1])

    def newest(self, write_: PendingWrite | None) -> Iterator[list[Record]]:
        """Yield pages of the newest records, down to those created before this run."""
        began = self._client.clock
        for query in self._api.variants.queries[: 1 if self._archives else None]:
            for page in self._list(query, write_):
                yield page
                oldest = str(page[-1].get("createdAt") or "") if page else ""
                if began and oldest and oldest < began.strftime("%Y-%m-%dT%H:%M"):
                    break

    def _list(
        self, query: Mapping[str, str], write_: PendingWrite | None = None
    ) -> Iterator[list[Record]]:
        asked = {**({"sortBy": "createdAt"} if self._api.sortable else {}), **query}
        first, begun = query == self._api.variants.queries[0], False
        try:
            for page in self._client.pages(self._path, self._label, asked, write_, self._decode):
                begun = True
                yield page
        except Refused as refused:
            if self._archives and not first:
                raise ArchivedRefused(str(refused), refused.status) from None
            # Older workspaces know no target of a response, and hold none about organizations.
            if first or begun or refused.status not in PARAMETER_REFUSED:
                raise

    def ask(
        self, by: str, value: str, write_: PendingWrite | None = None, *, both: bool = False
    ) -> list[Record]:
        """Look up the records with a value of a key.

        With ``both``, search for the value as it is, in addition to its normal form.
        """
        text = key_text(by, value)
        if self._api.lookups[by] == "search":
            spellings = {text, value} if both else {text}
            found = [r for spelling in spellings for r in self._search(by, spelling, write_)]
        else:
            path = f"{self._path}/{segment(value)}"
            found = self._client.records(path, f"{self._label}/...", None, write_)
        # A path takes ids and external ids alike, and one may look like the other.
        return [record for record in found if key_of_record(by, record) == text]

    def _search(self, by: str, value: str, write_: PendingWrite | None = None) -> list[Record]:
        """Search for records by a value; the API decides how it is compared."""
        path, label, query = f"{self._path}/search", f"{self._label}/search", {by: value}
        if self._api == LISTS["admins"]:  # it answers one of them, or 404
            return self._client.records(path, label, query, write_, parse=found_one)
        return self._client.records(path, label, query, write_, parse=found_records, absent=())

    def search_ignores_case(self, page: Sequence[Record]) -> bool:
        """Return True if the search for e-mails ignores case, which is tried with a user of the page."""
        emails = {str(r["email"]): r.get("id") for r in page if r.get("email")}
        email = next((e for e in emails if e != e.swapcase()), "")
        found: list[Record] = []
        with suppress(Refused):
            found = self._search("email", email.swapcase()) if email else []
        return bool(email) and emails[email] in {record.get("id") for record in found}
