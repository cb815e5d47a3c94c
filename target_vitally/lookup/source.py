"""Where records of one resource are read: page by page, or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from target_vitally.lookup.client import RecordClient, segment
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from vitally_api import CursorRefused, PageDecoder, Refused
from vitally_api.values import InvalidValue, key_text


class Source:
    """The lists of a resource, and its look-ups of single records."""

    def __init__(self, client: RecordClient, resource: Resource, path: str) -> None:
        self._client = client
        self._api = resource.api
        self._path = path
        self._label = f"/resources{self._api.path}"
        self._archives = resource.archives
        self._decode = PageDecoder(*resource.compared)

    def pages(self) -> Iterator[list[Record]]:
        """Yield the whole list; sorted by creation, a change does not move a record."""
        for query in self._api.variants.queries:
            yield from self._list(query)

    def archived(self) -> Iterator[list[Record]]:
        """Yield the archived records of a resource that archives."""
        yield from self._list(self._api.variants.queries[-1])

    def newest(self, write_: PendingWrite | None) -> Iterator[list[Record]]:
        """Yield the lists down to what was there before this run; what is new is not archived."""
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
        order = {"sortBy": "createdAt"} if self._api.sortable else {}
        try:
            asked = {**order, **query}
            yield from self._client.pages(self._path, self._label, asked, write_, self._decode)
        except Refused as refused:
            # A workspace may lack the lists after the first, but not the rest of one.
            first = query == self._api.variants.queries[0]
            if refused.key or isinstance(refused, CursorRefused) or first:
                raise

    def ask(
        self, by: str, value: str, write_: PendingWrite | None = None, *, both: bool = False
    ) -> list[Record]:
        """Look up the records that have a value of a key.

        ``both`` searches for the value as it is, too, not only for the text of the key.
        """
        text = key_text(by, value)
        if self._api.lookups[by] == "search":
            spellings = {text, value} if both else {text}
            found = [r for spelling in spellings for r in self.search(by, spelling, write_)]
        else:
            path = f"{self._path}/{segment(value)}"
            found = self._client.records(path, f"{self._label}/...", None, write_)
        # A path takes ids and external ids alike, and one may look like the other.
        return [record for record in found if key_of_record(by, record) == text]

    def search(self, by: str, value: str, write_: PendingWrite | None = None) -> list[Record]:
        """Search for records, however the workspace compares the value."""
        path, label = f"{self._path}/search", f"{self._label}/search"
        return self._client.records(path, label, {by: value}, write_)

    def search_ignores_case(self, page: Sequence[Record]) -> bool:
        """Try with somebody of a page whether the search for an e-mail ignores its case."""
        emails = {str(r["email"]): r.get("id") for r in page if r.get("email")}
        email = next((e for e in emails if e != e.swapcase()), "")
        try:
            found = self.search("email", email.swapcase()) if email else []
        except Refused as refused:
            if refused.key:
                raise
            found = []
        return bool(email) and emails[email] in {record.get("id") for record in found}


def key_of_record(by: str, record: Mapping[str, Any]) -> str:
    """Return the text of a key that a record has, empty where it has none."""
    value = record.get(by)
    if value.__class__ is str and by != "email":
        return str(value)  # as it is: every record has two of these
    if by.startswith("trait:"):
        traits = record.get("traits")
        value = traits.get(by.removeprefix("trait:")) if isinstance(traits, dict) else None
    try:
        return key_text(by, value)
    except InvalidValue:
        return ""  # what is no key of any row, such as a list in a trait
