"""Limit creates and updates: ``max_creates``, ``max_updates`` and ``first_push``.

Writes under a limit wait for the end of the input, so that they are counted before the first is sent.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from target_vitally.lookup.index import Index
from target_vitally.mapping.cap import Cap
from target_vitally.mapping.plan import Outcome, Plan
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.stage import Stage
from target_vitally.pipeline.waiting_rows import WaitingRows
from target_vitally.writers.base import NEW, ResourceWriter
from vitally_api import Refused, safe_name

FEW = 100
"""A stream that creates one record for so many that Vitally holds is no first push."""
INSIDE = {"messages": "conversations", "meeting_transcripts": "meetings"}
"""Resources without a list of their own: a share of them is one of the records that hold them."""
OVER = "more than {} ({}) would be {}, so that nothing was"
FIRST_PUSH = "more would be created than found, and first_push is not set, so that nothing was"


class HeldRecords:
    """Counts the records that Vitally holds in the lists that writes concern."""

    def __init__(self, writers: Mapping[str, ResourceWriter]) -> None:
        self._writers = writers
        self._indexes: defaultdict[str, dict[Index, None]] = defaultdict(dict)

    def note(self, write_: PendingWrite) -> None:
        """Remember which list holds the records that a write is compared with."""
        # What lies inside a record that is still to be created has no list yet.
        if not any(id_.startswith(NEW) for id_ in write_.inside.values()):
            name = write_.resource.name
            writer = self._writers[name]
            holder = INSIDE.get(name)
            index = writer.references.index(holder) if holder else writer.index(write_)
            self._indexes[name][index] = None

    def count(self, resource: str, enough: int) -> int:
        """Return how many records those lists hold; stop reading pages once there are ``enough``."""
        found = 0
        for index in self._indexes[resource]:
            with suppress(Refused):  # what cannot be listed counts as far as it was
                while found + index.listed < enough and index.read_on():
                    pass
            found += index.listed
        return found


@dataclass
class WriteCaps(Stage):
    """Lets planned writes pass, wait, or be rejected.

    While rows come in, writes under a limit wait. At the end a dry run counts them all (``counting``);
    then those over their limit are rejected and all others pass (``decided``).
    """

    waiting: WaitingRows

    def __post_init__(self) -> None:
        settings = self.settings
        self._caps: Mapping[Outcome, tuple[str, Cap | None]] = {
            "created": ("max_creates", settings.max_creates),
            "updated": ("max_updates", settings.max_updates),
        }
        own = [entry.get("first_push") for entry in settings.streams.values()]
        capped = any(cap for _, cap in self._caps.values())
        active = capped or not settings.first_push or False in own
        self.phase: Literal["collecting", "counting", "decided"]
        self.phase = "collecting" if active else "decided"
        self._held = HeldRecords(self.writers)
        self._lock = threading.Lock()
        self._created: Counter[tuple[str, str]] = Counter()  # by stream and resource
        self._updated: defaultdict[str, set[str]] = defaultdict(set)  # ids by resource
        self._found: Counter[str] = Counter()  # by stream
        self._refused: dict[tuple[Outcome, str | None], str] = {}

    def follows(self, write_: PendingWrite) -> bool:
        """Let a write wait, and return True, if an earlier write to its record waits."""
        if self.phase != "collecting":
            return False
        follows = self.waiting.follows(write_.resource, write_.parsed)
        if follows:
            self.waiting.put(write_)
        return follows

    def admit(self, write_: PendingWrite, made: Plan) -> bool:
        """Return True if a write may be carried out now; else let it wait, or reject it."""
        stream, outcome = write_.mapping.stream, made.outcome
        if write_.lost or write_.undo:
            return True  # it was admitted before its answer was lost, or takes back what was
        if self.phase == "counting":
            return self._count(write_, made)
        if self.phase == "decided":
            refusal = self._refused.get((outcome, None)) or self._refused.get((outcome, stream))
            if refusal:
                self.outcomes.end_write(write_, made, made.record, refusal=refusal)
            return not refusal
        if self._is_capped(outcome, stream):
            self.waiting.put(write_)
            return False
        if made.record is not None:
            self.found(stream, 1)
        return True

    def _count(self, write_: PendingWrite, made: Plan) -> bool:
        """Count a write; return True if the dry run creates its record, which later rows may need."""
        resource = write_.resource.name
        id_ = str((made.record or {}).get("id") or NEW)
        writes = made.outcome in {"created", "updated"}
        with self._lock:
            if made.outcome == "created":
                self._created[write_.mapping.stream, resource] += 1
            elif not id_.startswith(NEW):
                self._found[write_.mapping.stream] += 1
                if writes:
                    self._updated[resource].add(id_)
            if writes:
                self._held.note(write_)
        return writes and id_.startswith(NEW)

    def found(self, stream: str, rows: int) -> None:
        """Count rows whose records exist, for ``first_push``."""
        if self.phase != "decided":
            with self._lock:
                self._found[stream] += rows

    def _is_capped(self, outcome: Outcome, stream: str) -> bool:
        if outcome not in self._caps:
            return False
        _, cap = self._caps[outcome]
        return cap is not None or (outcome == "created" and not self._is_first_push(stream))

    def _is_first_push(self, stream: str) -> bool:
        own = (self.settings.streams.get(stream) or {}).get("first_push")
        return self.settings.first_push if own is None else bool(own)

    def decide(self) -> list[str]:
        """Decide what to reject, after everything was counted; return an error message per exceeded limit."""
        self.phase = "decided"
        created = Counter[str]()
        for (_, resource), count in self._created.items():
            created[resource] += count
        updated = {resource: len(ids) for resource, ids in self._updated.items()}
        problems = [self._over("created", created), self._over("updated", updated)]
        problems += [
            self._first_push(stream, resource, count)
            for (stream, resource), count in sorted(self._created.items())
            if not self._is_first_push(stream)
        ]
        return list(filter(None, problems))

    def _over(self, outcome: Outcome, counts: Mapping[str, int]) -> str:
        name, cap = self._caps[outcome]
        most = cap.excess(counts, self._held.count) if cap else None
        if cap is None or most is None:
            return ""
        self._refused[outcome, None] = OVER.format(name, cap.text, outcome)
        total = counted(sum(counts.values()), "record")
        return f"{total} would be {outcome}, and {name} is {most}: nothing was {outcome}."

    def _first_push(self, stream: str, resource: str, count: int) -> str:
        found = self._found[stream]
        if count <= found or self._held.count(resource, count * FEW) >= count * FEW:
            return ""
        self._refused["created", stream] = FIRST_PUSH
        return (
            f"{safe_name(stream)}: {counted(count, 'record')} would be created, and only {found:,} of "
            "its rows found theirs: nothing was created. Look at the column of the key and at match; if "
            "the stream is new to this workspace, set first_push: true."
        )


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``1 record``, ``2,000 records``."""
    return f"{number:,} {what}{'s' if number != 1 else ''}"
