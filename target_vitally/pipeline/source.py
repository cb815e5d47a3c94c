"""Where records of one resource are read: page by page, or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from target_vitally.mapping.resource import Record, Resource
from target_vitally.pipeline.wire import Wire, segment
from vitally_api import CursorRefused, Refused
from vitally_api.values import InvalidValue, key_text


class Source:
    """The lists of a resource, and its look-ups of single records."""

    def __init__(self, wire: Wire, resource: Resource, path: str) -> None:
        self._wire = wire
        self._api = resource.api
        self._path = path
        self._archives = resource.archives

    def pages(self) -> Iterator[list[Record]]:
        """Read the whole list; sorted by creation, a change does not move a record."""
        for more in self._api.variants.queries:
            yield from self._list(more)

    def archived(self) -> Iterator[list[Record]]:
        """Read the archived records of a resource that archives."""
        yield from self._list(self._api.variants.queries[-1])

    def newest(self, counts: Any) -> Iterator[list[Record]]:
        """Read the lists down to what was there before this run; what is new is not archived."""
        began = self._wire.clock
        for more in self._api.variants.queries[: 1 if self._archives else None]:
            for page in self._list(more, counts):
                yield page
                oldest = str(page[-1].get("createdAt") or "") if page else ""
                if began and oldest and oldest < began.strftime("%Y-%m-%dT%H:%M"):
                    break

    def _list(self, more: Mapping[str, str], counts: Any = None) -> Iterator[list[Record]]:
        order = {"sortBy": "createdAt"} if self._api.sortable else {}
        try:
            yield from self._wire.pages(self._path, self._label, {**order, **more}, counts)
        except Refused as refused:
            # A workspace may lack the lists after the first, but not the rest of one.
            first = more == self._api.variants.queries[0]
            if refused.key or isinstance(refused, CursorRefused) or first:
                raise

    @property
    def _label(self) -> str:
        return f"/resources{self._api.path}"

    def ask(self, by: str, value: str, counts: Any = None, *, both: bool = False) -> list[Record]:
        """Look up the records that have a value of a key.

        ``both`` has a search tried with the value as it is, too, not only with the text of the key.
        """
        text = key_text(by, value)
        if self._api.lookups[by] == "search":
            spellings = {text, value} if both else {text}
            found = [r for spelling in spellings for r in self.search(by, spelling, counts)]
        else:
            path = f"{self._path}/{segment(value)}"
            found = self._wire.records(path, f"{self._label}/...", None, counts)
        # A path takes ids and external ids alike, and one may look like the other.
        return [record for record in found if key_of_record(by, record) == text]

    def search(self, by: str, value: str, counts: Any = None) -> list[Record]:
        """Search for records, however the workspace compares the value."""
        path, label = f"{self._path}/search", f"{self._label}/search"
        return self._wire.records(path, label, {by: value}, counts)

    def search_folds(self, page: Sequence[Record]) -> bool:
        """Find out whether the search for an e-mail goes by its case, with somebody who is there."""
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
    if by.startswith("trait:"):
        traits = record.get("traits")
        value = traits.get(by.removeprefix("trait:")) if isinstance(traits, dict) else None
    else:
        value = record.get(by)
    try:
        return key_text(by, value)
    except InvalidValue:
        return ""  # what is no key of any row, such as a list in a trait
