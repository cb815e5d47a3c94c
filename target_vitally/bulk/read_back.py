"""Check that messages were applied: read lists, newest first, or single records if that is cheaper."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from target_vitally.bulk.sender import Unit
from target_vitally.lookup.client import PAGE_SIZE
from target_vitally.lookup.references import References
from target_vitally.lookup.source import Source
from target_vitally.mapping.parse_row import RecordRef
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from vitally_api import Budget, Refused, Unreadable

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
"""Seconds between two checks; each pause is twice the one before."""
LOOKS = 5
"""Checks of a record that has changed, but not as sent, before Vitally is taken to ignore that: 60 s."""
ABSENT: Record = {}


@dataclass(frozen=True)
class Found:
    """How a record compares with what was sent.

    ``lacking`` are the properties that differ; ``some`` is True if at least one is as sent; ``open`` is
    True if a link is still missing or present, so that not all messages have been applied.
    """

    lacking: tuple[str, ...] = ()
    some: bool = True
    open: bool = False


@dataclass(eq=False, kw_only=True)
class Expected(Unit):
    """A unit of messages whose record is read until it shows that they were applied.

    ``resource`` is the record's resource, ``path`` the list that has it, ``external_id`` its key there;
    ``check`` compares the record, or `ABSENT`, with what was sent. ``since`` is the server's time before
    it was sent. ``record`` is the record as last read, ``lacking`` the properties that Vitally did not
    store, ``changed`` how often it was read as changed, but not in the way that was sent.
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
        """The reference that rows use for its record."""
        return RecordRef(self.resource.name, "externalId", self.external_id)


@dataclass
class ReadBack:
    """Reads records until all units were seen to be applied, or time is up."""

    references: References
    budget: Budget

    def seen(self, units: Sequence[Expected], seconds: float) -> Iterator[list[Expected]]:
        """Yield units once their records show what was sent, within ``seconds``; never yield the others.

        ``since`` of the units is a time of the server's clock as text that sorts; if one is empty, it is
        unknown, and each record is read by itself.
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
        """Read a list, newest first, down to ``since``; return the number of pages."""
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
        """Read the one record that all ``units`` are about."""
        unit = units[0]
        source = Source(self.references.client, unit.resource, unit.path)
        try:
            found = source.ask("externalId", unit.external_id, unit.write_)
        except (Refused, Unreadable):
            return  # that this one is not shown says nothing of the others
        for record in found:
            if not record.get("archivedAt"):
                for each in units:
                    each.record = record


def _is_done(unit: Expected, since: str) -> bool:
    """Return True if the record shows that the messages of a unit were applied."""
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
    """Return a time of the server's clock as text that sorts with ``updatedAt``; empty for None."""
    return value.strftime("%Y-%m-%dT%H:%M:%S") if value else ""
