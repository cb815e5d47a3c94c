"""Compares the target's tables with the workspace."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from harness.declared import DECLARED, declared_rows
from harness.support import Row, Warehouse, plain, with_moments
from sandbox import World

RowsByStream = dict[str, dict[Any, Row]]


class Loss(AssertionError):
    """A row that the target should hold and does not, or anything as bad."""


@dataclass
class Checker:
    """Knows what was promised, and raises a `Loss` where it is not kept."""

    world: World
    warehouse: Warehouse
    streams: tuple[str, ...]
    inventory: tuple[str, ...]
    start: str | None
    """The setting start_date: what is older is not looked for."""
    walks_all: bool = False
    """True: the lists of all parents were read, so that records that no row names were found, too."""
    moved: set[str] = field(default_factory=set)
    """Rows that went from one list to another: between two requests they were in neither."""

    def expected_rows(self) -> RowsByStream:
        """What each table should hold at this moment."""
        with self.world.lock:
            return {
                name: (declared_rows if name in DECLARED else World.expected_rows)(self.world, name)
                for name in self.streams
            }

    def promise_kept(self, before: RowsByStream, excused: Collection[str]) -> None:
        """See that a complete run brought all that was there when it started, or newer."""
        now = self.expected_rows()
        for name in self.streams:
            if name in excused:
                continue
            table = self.warehouse.tables.get(name, {})
            for key, row in before[name].items():
                if key not in now[name] or self._too_old(row) or not self.moved.isdisjoint(key):
                    continue
                if not self._named(name, row):
                    continue
                if name in DECLARED and not DECLARED[name].strict and now[name][key] != row:
                    continue
                found = table.get(tuple(map(str, key)))
                if found is None:
                    msg = f"{name} {key} was there before the run, and the run did not bring it"
                    raise Loss(msg)
                if now[name][key] == row:
                    self._same(name, key, row, found)
                elif _version(found) < _version(row):
                    msg = f"{name} {key}: {_version(found)} in place of {_version(row)}"
                    raise Loss(msg)

    def all_there(self) -> None:
        """See that the tables are equal to the workspace."""
        for name, expected_rows in self.expected_rows().items():
            table = self.warehouse.tables.get(name, {})
            for key, row in expected_rows.items():
                if self._too_old(row) or not self._named(name, row):
                    continue
                if tuple(map(str, key)) not in table:
                    msg = f"{name} {key} is lost"
                    raise Loss(msg)
                self._same(name, key, row, table[tuple(map(str, key))])
            gone = table.keys() - {tuple(map(str, key)) for key in expected_rows}
            if name in self.inventory and not self.start and gone != self._deleted(name):
                msg = f"{name}: deleted are {sorted(gone)}, not {sorted(self._deleted(name))}"
                raise Loss(msg)

    def _too_old(self, row: Row) -> bool:
        moment = _version(row)
        return bool(self.start and moment and moment < self.start)

    def _named(self, name: str, row: Row) -> bool:
        """Return True if a run can know in which list a row is: a full scan knows them all."""
        if self.walks_all or not name.endswith("_nps_responses"):
            return True
        return (row.get("userId") or row.get("userID")) in self.world.ids("users")

    def _same(self, name: str, key: Any, row: Row, found: Row) -> None:
        wanted = plain(with_moments(row))
        wrong = [part for part, value in wanted.items() if found.get(part) != value]
        if wrong:
            msg = f"{name} {key}: {', '.join(wrong)} not as in the workspace"
            raise Loss(msg)

    def not_fooled(self) -> None:
        """See that nothing counts as deleted that is there."""
        for name in self.inventory:
            if name in self.streams:
                alive = {tuple(map(str, key)) for key in self.world.expected_rows(name)}
                if fooled := alive & self._deleted(name):
                    msg = f"{name} {sorted(fooled)} count as deleted and are there"
                    raise Loss(msg)

    def _deleted(self, name: str) -> set[tuple[str, ...]]:
        """What the last list of ids that came to its end lacks."""
        tables = self.warehouse.tables
        starts = [
            row["startedAt"]
            for row in tables.get("inventory_runs", {}).values()
            if row["resource"] == name
        ]
        if not starts:
            return set()
        seen = {
            (row["id"],)
            for row in tables.get("inventory", {}).values()
            if row["resource"] == name and row["seenAt"] >= max(starts)
        }
        return {
            key
            for key, row in tables.get(name, {}).items()
            if row["createdAt"] < max(starts) and key not in seen
        }

    @staticmethod
    def nobody_left_behind() -> None:
        """See that all workers end: at once, or when the request they are in is answered."""
        workers = [t for t in threading.enumerate() if t.name.startswith("tap-vitally")]
        for worker in workers:
            worker.join(10)
            if worker.is_alive():
                msg = f"a thread is left: {worker.name}"
                raise Loss(msg)


def _version(row: Row) -> str:
    moments = ("conversationUpdatedAt", "updatedAt", "changedAt")
    return str(next(filter(None, map(row.get, moments)), ""))
