"""Looks for what was sent in bulk: in lists, newest first, or one by one where that is fewer requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from target_vitally.bulk.sender import Unit
from target_vitally.lookup.client import PAGE_SIZE, found_records, one_record, segment
from target_vitally.lookup.references import References
from target_vitally.mapping.parse_row import RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from vitally_api import Budget, Refused, Unreadable

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
"""Seconds between two looks, which grow from one to the next."""
LOOKS = 5
"""Looks at a record that has changed without what was sent, until Vitally has left that out: 60 s."""
ABSENT: Record = {}


@dataclass(frozen=True)
class Found:
    """How a record compares with what was sent: ``lacking`` are the properties in which it differs.

    ``some`` if at least one property is as it was sent; ``open`` if a link is not as it is to be, so
    that the messages cannot all have been applied.
    """

    lacking: tuple[str, ...] = ()
    some: bool = True
    open: bool = False


@dataclass(eq=False, kw_only=True)
class Expected(Unit):
    """A unit whose record is looked for.

    ``resource`` is that of the record, ``path`` its list and ``external_id`` its key there; ``check``
    compares a record, or `ABSENT`. ``since`` is the moment before it was sent. ``record`` is as it was
    seen last, ``lacking`` what Vitally did not take, and ``changed`` how often it was seen as changed
    without a sign of what was sent.
    """

    plan: Plan
    resource: Resource
    path: str
    external_id: str
    check: Callable[[Record], Found]
    since: str = ""
    record: Record = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    changed: int = 0

    @property
    def ref(self) -> RecordRef:
        """The reference by which rows name its record."""
        return RecordRef(self.resource.name, "externalId", self.external_id)


@dataclass
class ReadBack:
    """Looks for units until each was seen, or time is over."""

    references: References
    budget: Budget

    def seen(self, units: Sequence[Expected], seconds: float) -> Iterator[list[Expected]]:
        """Yield units as they are seen; those that never come are not yielded.

        Their ``since`` is a moment of the server's clock, as text that sorts; empty where it is not
        known, and then each is looked up.
        """
        since = min((unit.since for unit in units), default="")
        ends = self.budget.monotonic() + seconds
        pause = FIRST_PAUSE
        waiting = list(units)
        pages: dict[str, int] = {}
        while waiting and (left := ends - self.budget.monotonic()) > 0:
            self.budget.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)
            self._look(waiting, since, pages)
            done: list[Expected] = []
            rest: list[Expected] = []
            for unit in waiting:
                (done if _is_done(unit, since) else rest).append(unit)
            waiting = rest
            if waiting and all(unit.changed >= LOOKS for unit in waiting):
                # All else has come: what these lack is what Vitally leaves out.
                done, waiting = done + waiting, []
            yield done

    def _look(self, units: Sequence[Expected], since: str, pages: dict[str, int]) -> None:
        by_path: dict[str, dict[str, list[Expected]]] = {}
        for unit in units:
            unit.record = ABSENT
            by_path.setdefault(unit.path, {}).setdefault(unit.external_id, []).append(unit)
        for path, wanted in by_path.items():
            expected = pages.get(path) or math.ceil(len(wanted) / PAGE_SIZE)
            if since and len(wanted) > expected:
                pages[path] = self._read_list(path, wanted, since)
            else:
                self.references.map_concurrently(self._read_one, wanted.values())

    def _read_list(self, path: str, wanted: dict[str, list[Expected]], since: str) -> int:
        """Read a list down to a moment; return how many pages that took."""
        pages = 0
        resource = next(iter(wanted.values()))[0].resource
        label = f"/resources{resource.api.path}"
        # What has just been written is not archived.
        queries = resource.api.variants.queries[: 1 if resource.archives else None]
        for query in queries:
            asked = {"sortBy": "updatedAt", **query}
            for page in self.references.client.pages(path, label, asked):
                pages += 1
                for record in page:
                    for unit in wanted.get(str(record.get("externalId")), ()):
                        unit.record = record
                if page and str(page[-1].get("updatedAt") or "") < since:
                    break
        return pages

    def _read_one(self, units: Sequence[Expected]) -> None:
        """Look one record up."""
        unit = units[0]
        label = f"/resources{unit.resource.api.path}/..."
        query: dict[str, str] = {}
        parse = one_record
        if unit.resource.api.lookups.get("externalId") == "search":
            path, query = f"{unit.path}/search", {"externalId": unit.external_id}
            parse = found_records
        else:
            path = f"{unit.path}/{segment(unit.external_id)}"
        try:
            client = self.references.client
            found = client.records(path, label, query, unit.write_, parse=parse)
        except (Refused, Unreadable):
            return  # that this one is not shown says nothing of the others
        for record in found:
            if record.get("externalId") == unit.external_id and not record.get("archivedAt"):
                for each in units:
                    each.record = record


def _is_done(unit: Expected, since: str) -> bool:
    """Return whether a record shows that the messages of a unit were applied."""
    found = unit.check(unit.record)
    if not (found.lacking or found.open):
        unit.lacking = ()
        return True
    updated = str(unit.record.get("updatedAt") or "")
    before = str((unit.plan.record or {}).get("updatedAt") or "")
    touched = bool(since) and updated >= since and updated != before
    if found.open or not touched:
        unit.changed = 0
        return False
    unit.lacking = found.lacking
    unit.changed += 1
    return found.some


def as_text(value: Any) -> str:
    """Return a moment of the server's clock as text that sorts with ``updatedAt``."""
    return value.strftime("%Y-%m-%dT%H:%M:%S") if value else ""
