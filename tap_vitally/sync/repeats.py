"""Records that come in several lists of a stream, because the API does not know what parts them.

``target`` of the NPS responses is missing in older documents. Where it is ignored, both lists hold
the same records, and each would get the target of the last list.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import Any

from tap_vitally.state.passes import SortKey
from tap_vitally.sync.batches import Page
from tap_vitally.sync.list_client import ListClient
from vitally_api import Refused, Unreadable
from vitally_api.values import identity_of


class Repeats:
    """Leaves a record to the first list that has brought it, and remarks on the first that came again."""

    def __init__(self, list_client: ListClient) -> None:
        self._client = list_client
        self._keys = list_client.resource.primary_keys
        inject = list_client.resource.variants.inject
        # Where the list is part of the key, each has records of its own.
        self._matter = inject is not None and inject not in self._keys
        self._in_first: set[int] = set()
        self._warned = False

    def left_out(self, page: Page) -> Page:
        """Return a page without the records that the first list has brought.

        Of each of these, 8 bytes are remembered, which take some 70 in a set.
        """
        if not self._matter or not page.records:
            return page
        keys = [hash(tuple(map(record.get, self._keys))) for record in page.records]
        first, label = self._client.labels[0], page.request.label
        if label == first:
            self._in_first.update(keys)
            return page
        new = [key not in self._in_first for key in keys]
        if not all(new) and not self._warned:
            self._warned = True
            line = f"records of {first} came again in {label}, and stay those of {first}"
            self._client.metrics.remark(line)
        return replace(page, records=list(compress(page.records, new)))

    def prevent_resuming(self, sort_by: SortKey | None) -> bool:
        """Return True if a pass has to begin again, because its lists begin with the same records.

        What the first list has brought is known only to the run that has read it. Lists that cannot
        be read now may be the same, too.
        """
        seen: set[Any] = set()
        try:
            for context in self._client.contexts() if self._matter else ():
                rows = next(self._client.scan(context, sort_by)).records
                ids = {identity_of(row.get("id")) for row in rows}
                if seen & ids:
                    return True
                seen |= ids
        except (Refused, Unreadable):
            return True
        return False
