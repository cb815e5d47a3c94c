"""The changes of a run, by what is done and by stream: the first of each are kept, all are counted."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO

from target_vitally.mapping.planned_change import ACTIONS, UNLINKED, PlannedChange
from vitally_api import encoded, safe_name

IN_MEMORY = 1 << 20
"""Bytes of the changes of one part beyond which they are kept in a temporary file."""
MOST_LOGGED = 100
"""Changes of one part that the log names, however many the file has."""


def _spooled() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="target-vitally-")


@dataclass
class Part:
    """Changes of one kind and stream; ``refused`` says why they are not carried out."""

    action: str
    stream: str
    refused: str
    count: int = 0
    kept: int = 0
    lines: list[str] = field(default_factory=list)
    """What the log says of those that are kept: their keys and properties, no values."""
    _file: IO[bytes] = field(default_factory=_spooled)

    @property
    def rest(self) -> int:
        """How many are not kept."""
        return self.count - self.kept

    def keep(self, change: PlannedChange) -> None:
        """Keep a change."""
        line = [change.name, change.key, [[n, *both] for n, both in change.values.items()]]
        self._file.write(encoded(line) + b"\n")

    def changes(self) -> Iterator[PlannedChange]:
        """Yield the changes that are kept."""
        self._file.seek(0)
        for line in self._file:
            name, key, values = json.loads(line, parse_float=Decimal)
            old_and_new = {prop: (old, new) for prop, old, new in values}
            yield PlannedChange(
                self.action,  # type: ignore[arg-type]
                self.stream,
                name,
                key,
                old_and_new,
                self.refused,
            )

    def close(self) -> None:
        """Delete what is kept."""
        self._file.close()


class PlannedChanges:
    """Keeps at most ``limit`` changes of each part, with their values if those are wanted."""

    def __init__(self, limit: int, *, values: bool) -> None:
        self._limit = limit
        self._values = values
        self._lock = threading.Lock()
        self._parts: dict[tuple[str, str, str], Part] = {}
        self.requests = 0
        """How many requests to write it takes to carry them out."""

    def add(self, change: PlannedChange, displayed: str) -> None:
        """Take in a change; ``displayed`` is what the log may call its record."""
        with self._lock:
            names = (change.action, change.stream, change.refused)
            part = self._parts.get(names) or self._parts.setdefault(names, Part(*names))
            part.count += 1
            self.requests += 0 if change.refused else change.requests
            if part.kept >= self._limit:
                return
            part.kept += 1
            if len(part.lines) < MOST_LOGGED:
                properties = ", ".join(map(logged_name, change.values))
                part.lines.append(f"{displayed}: {properties}" if properties else displayed)
            if self._values:
                part.keep(change)

    @property
    def parts(self) -> list[Part]:
        """All parts, in the order in which they are shown."""
        by_name = sorted(self._parts.values(), key=lambda part: (part.stream, part.refused))
        return [part for action in ACTIONS for part in by_name if part.action == action]

    def counts(self) -> dict[str, Counter[str]]:
        """Return how many records each stream changes, by action; those that are refused are apart."""
        found: dict[str, Counter[str]] = {}
        for part in self.parts:
            of_stream = found.setdefault(part.stream, Counter())
            of_stream["refused" if part.refused else part.action] += part.count
        return dict(sorted(found.items()))

    def close(self) -> None:
        """Delete what is kept."""
        for part in self._parts.values():
            part.close()


def logged_name(name: str) -> str:
    """Return the name of a property as the log has it."""
    rest = name.removeprefix(UNLINKED)
    return f"{name[: len(name) - len(rest)]}{safe_name(rest)}"
