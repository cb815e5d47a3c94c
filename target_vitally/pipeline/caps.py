"""Creates and updates that may be too many wait for the end of the input, and are counted first."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from target_vitally.lookup.index import Index
from target_vitally.mapping.cap import Cap
from target_vitally.mapping.plan import Outcome, Plan
from target_vitally.mapping.rows import PendingWrite
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.overflow import WaitingRows
from target_vitally.pipeline.settings import Settings
from target_vitally.writers.base import NEW, ResourceWriter
from vitally_api import Refused, safe_name

FEW = 100
"""A stream that creates one record for so many that Vitally holds only adds to what is there."""
INSIDE = {"messages": "conversations", "meeting_transcripts": "meetings"}
"""What has no list of its own is a share of what holds it."""
OVER = "more than {} ({}) would be {}, so that nothing was"
FIRST_PUSH = "more would be created than found, and first_push is not set, so that nothing was"


class Admission(Protocol):
    """Decides whether a planned write may go on."""

    def follows(self, write_: PendingWrite) -> bool:
        """Return whether a write waits because one of its record before it does."""

    def admit(self, write_: PendingWrite, made: Plan) -> bool:
        """Return whether a write may go on as it is planned; if not, it waits or has ended."""

    def found(self, stream: str, rows: int) -> None:
        """Count rows that have ended because their records are there and say the same."""


class HeldRecords:
    """Counts the records that Vitally holds in the lists that writes concern."""

    def __init__(self, writers: Mapping[str, ResourceWriter]) -> None:
        self._writers = writers
        self._indexes: defaultdict[str, dict[int, Index]] = defaultdict(dict)

    def note(self, write_: PendingWrite) -> None:
        """Remember the list that a write concerns."""
        # What lies inside a record that is still to be created has no list yet.
        if not any(id_.startswith(NEW) for id_ in write_.inside.values()):
            name = write_.resource.name
            writer = self._writers[name]
            index = (
                writer.references.index(INSIDE[name]) if name in INSIDE else writer.index(write_)
            )
            self._indexes[name][id(index)] = index

    def count(self, resource: str, enough: int) -> int:
        """Return how many records are there, or at least ``enough``: no more pages are read for it."""
        found = 0
        for index in self._indexes[resource].values():
            try:
                while found + index.listed < enough and index.read_on():
                    pass
            except Refused as refused:  # what cannot be listed counts as far as it was
                if refused.key:
                    raise
            found += index.listed
        return found


@dataclass
class PlannedWrites:
    """What a run would do: records that it creates, updates and finds."""

    created: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By stream and resource."""
    updated: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids by resource."""
    found: Counter[str] = field(default_factory=Counter)
    """By stream."""

    def by_resource(self, outcome: Outcome) -> Mapping[str, int]:
        """Return how many records of each resource are created or updated."""
        if outcome == "updated":
            return {resource: len(ids) for resource, ids in self.updated.items()}
        counts = Counter[str]()
        for (_, resource), count in self.created.items():
            counts[resource] += count
        return counts


class WriteCaps:
    """Lets planned writes go on, wait, or end as rejected.

    What waits is counted, by a dry run whose admission is a `WriteCounter`, before `decide` refuses
    what is too much.
    """

    def __init__(
        self,
        settings: Settings,
        writers: Mapping[str, ResourceWriter],
        waiting: WaitingRows,
        outcomes: Outcomes,
    ) -> None:
        self._settings = settings
        self._waiting = waiting
        self._outcomes = outcomes
        self._caps: Mapping[Outcome, tuple[str, Cap | None]] = {
            "created": ("max_creates", settings.max_creates),
            "updated": ("max_updates", settings.max_updates),
        }
        entries = [entry.get("first_push") for entry in settings.streams.values()]
        self.active = (
            not settings.first_push
            or False in entries
            or any(cap for _, cap in self._caps.values())
        )
        """True if something may have to wait for `decide`."""
        self._refused: dict[tuple[Outcome, str | None], str] = {}
        self._decided = not self.active
        self._lock = threading.Lock()
        self.planned = PlannedWrites()
        self.held = HeldRecords(writers)

    def follows(self, write_: PendingWrite) -> bool:
        """Let a write wait that comes after one of its record that does."""
        if self._decided or not self._waiting.follows(write_.resource.name, write_.keys):
            return False
        self._waiting.put(write_)
        return True

    def admit(self, write_: PendingWrite, made: Plan) -> bool:
        """Let a write go on, wait, or end as rejected."""
        stream, outcome = write_.mapping.stream, made.outcome
        if write_.lost or write_.undo:
            return True  # it was admitted before its answer was lost, or takes back what was
        if self._decided:
            refusal = self._refused.get((outcome, None)) or self._refused.get((outcome, stream))
            if refusal:
                self._outcomes.end_write(write_, made, made.record, refusal=refusal)
            return not refusal
        if self._is_capped(outcome, stream):
            self._waiting.put(write_)
            return False
        if made.record is not None:
            with self._lock:
                self.planned.found[stream] += 1
        return True

    def found(self, stream: str, rows: int) -> None:
        """Count rows that found their records; what was decided is not decided again."""
        with self._lock:
            self.planned.found[stream] += 0 if self._decided else rows

    def _is_capped(self, outcome: Outcome, stream: str) -> bool:
        if outcome not in self._caps:
            return False
        _, cap = self._caps[outcome]
        return cap is not None or (outcome == "created" and not self._is_first_push(stream))

    def _is_first_push(self, stream: str) -> bool:
        entry = self._settings.streams.get(stream) or {}
        own = entry.get("first_push")
        return self._settings.first_push if own is None else bool(own)

    def decide(self) -> list[str]:
        """Refuse what is too much, and return what is wrong; nothing waits from here on."""
        self._decided = True
        problems = [
            problem
            for outcome, (name, cap) in self._caps.items()
            if cap and (problem := self._over(outcome, name, cap))
        ]
        by_stream = sorted(self.planned.created.items())
        return problems + [
            problem
            for (stream, resource), count in by_stream
            if not self._is_first_push(stream)
            and (problem := self._first_push(stream, resource, count))
        ]

    def _over(self, outcome: Outcome, name: str, cap: Cap) -> str:
        counts = self.planned.by_resource(outcome)
        most = cap.excess(counts, self.held.count)
        if most is None:
            return ""
        self._refused[outcome, None] = OVER.format(name, cap.text, outcome)
        total = sum(counts.values())
        return f"{counted(total, 'record')} would be {outcome}, and {name} is {most}: nothing was {outcome}."

    def _first_push(self, stream: str, resource: str, count: int) -> str:
        found = self.planned.found[stream]
        if count <= found or self.held.count(resource, count * FEW) >= count * FEW:
            return ""
        self._refused["created", stream] = FIRST_PUSH
        return (
            f"{safe_name(stream)}: {counted(count, 'record')} would be created, and only {found:,} of "
            "its rows found theirs: nothing was created. Look at the column of the key and at match; if "
            "the stream is new to this workspace, set first_push: true."
        )


def counted(number: int, what: str) -> str:
    """Say how many there are of something."""
    return f"{number:,} {what}{'s' if number != 1 else ''}"


class WriteCounter:
    """Counts what the rows that wait would do, in a dry run that ends before anything is written."""

    def __init__(self, caps: WriteCaps) -> None:
        self._planned = caps.planned
        self._held = caps.held
        self._lock = threading.Lock()

    def follows(self, write_: PendingWrite) -> bool:
        """Let nothing wait."""
        _ = write_
        return False

    def admit(self, write_: PendingWrite, made: Plan) -> bool:
        """Count a write; let it go on only where rows after it need a record that it creates."""
        stream, resource = write_.mapping.stream, write_.resource.name
        id_ = str((made.record or {}).get("id") or NEW)
        writes = made.outcome in {"created", "updated"}
        with self._lock:
            if made.outcome == "created":
                self._planned.created[stream, resource] += 1
            elif not id_.startswith(NEW):
                self._planned.found[stream] += 1
                if writes:
                    self._planned.updated[resource].add(id_)
            if writes:
                self._held.note(write_)
        return writes and id_.startswith(NEW)

    def found(self, stream: str, rows: int) -> None:
        """Count rows that found their records."""
        with self._lock:
            self._planned.found[stream] += rows
