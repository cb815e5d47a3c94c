"""What a dry run would have made of records that are read anew for every row."""

from __future__ import annotations

from target_vitally.lookup.kept_records import deserialized, serialized_whole
from target_vitally.lookup.store import Store
from target_vitally.mapping.resource import Record


class SimulatedRecords:
    """Remembers them by the name of their queue, and knows those of the ``runs`` that it goes on from."""

    def __init__(self, store: Store, runs: tuple[int, ...] = ()) -> None:
        self._store = store
        self._runs = (*runs, store.new_scope())

    def apart(self) -> SimulatedRecords:
        """Return one that knows the same, and may remember more without the notice of this one."""
        return SimulatedRecords(self._store, self._runs)

    def put(self, queue: str, record: Record) -> None:
        """Remember a record as it would be; an empty one is only not read again."""
        self._store.remember(("simulated", self._runs[-1], queue), serialized_whole(record))

    def get(self, queue: str) -> Record | None:
        """Return what was simulated last; None if nothing was."""
        for run in reversed(self._runs):
            raw = self._store.recall(("simulated", run, queue))
            if raw is not None:
                return deserialized(raw)
        return None
