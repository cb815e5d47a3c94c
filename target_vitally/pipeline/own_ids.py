"""External ids that are ids of Vitally: creating a record with one would make a second of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from target_vitally.lookup.index import Index, LookupFailed
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import NEW, ResourceWriter

OWN_ID = "its externalId is the id of a record in Vitally: say match: id, or map a key of your own"
DIGITS = 32


def with_own_ids(writer: ResourceWriter, writes: Sequence[PendingWrite]) -> set[int]:
    """Return the places of writes that would create a record by the id of one in the same list."""
    by_index: dict[int, tuple[Index, dict[str, list[int]]]] = {}
    for place, write_ in enumerate(writes):
        id_ = _as_id(write_)
        if id_ and _is_new(writer, write_):
            index = writer.index(write_)
            by_index.setdefault(id(index), (index, {}))[1].setdefault(id_, []).append(place)
    found: set[int] = set()
    for index, places in by_index.values():
        if "id" in writer.resource.api.lookups:
            index.find("id", places)
        found.update(*(places[id_] for id_ in places if index.ids("id", id_)))
    return found


def _is_new(writer: ResourceWriter, write_: PendingWrite) -> bool:
    simulated = any(id_.startswith(NEW) for id_ in write_.inside.values())
    if write_.parsed.mode == "update" or writer.asks or simulated:
        return False
    with suppress(LookupFailed):
        return not writer.present(write_)
    return False


def _as_id(write_: PendingWrite) -> str:
    """Return a write's external id as Vitally writes its own, empty for what cannot be one."""
    key = write_.key
    text = key.value if key and key.by == "externalId" else str(write_.body.get("externalId") or "")
    try:
        return str(UUID(text)) if len(text) >= DIGITS else ""
    except ValueError:
        return ""
