"""What became of each row: counts for the summary, lines for the results, the rejected to mend."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from target_vitally.planning.compare import Changes
from target_vitally.planning.fit import Key
from target_vitally.planning.meaning import REJECTED, Meaning
from target_vitally.planning.plan import NO_RECORD, Word
from target_vitally.planning.resource import Record
from target_vitally.writing.ledger import Ledger
from target_vitally.writing.settings import Settings
from vitally_api import encoded, printable

logger = logging.getLogger("target-vitally")

MOST_REASONS = 10
"""Different reasons that the summary tells of a stream."""
MATCHED: tuple[Word, ...] = ("created", "updated", "unchanged", "deleted", "uncertain")


@dataclass(frozen=True)
class Origin:
    """The stream as it came, for rows that go back: before anything was mapped."""

    stream: str
    schema: Mapping[str, Any]
    key_properties: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """A row that was read; ``raw`` is what came in, if it was mapped into something else."""

    number: int
    meaning: Meaning
    origin: Origin
    record: Record
    raw: Record | None = None


@dataclass
class Counts:
    """What became of the rows of one stream."""

    read: int = 0
    words: Counter[Word] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    shown: list[str] = field(default_factory=list)
    unmatched: int = 0
    """Rows that could only update, and whose record is not there."""

    @property
    def matched_none(self) -> bool:
        """Whether there were such rows, and no row that had a record."""
        return self.unmatched > 0 and not any(self.words[word] for word in MATCHED)


class Outcomes:
    """Takes in what became of rows, from any thread."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._lock = threading.RLock()
        self._told: set[tuple[str, str]] = set()
        self._schemas: dict[str, Origin] = {}
        self.streams: dict[str, Counts] = {}
        self.total: Counter[Word] = Counter()
        self._open: set[int] = set()
        self._results = _opened(settings.results_file)
        self._rejects = _opened(settings.rejects_file)

    def read(self, row: Row) -> None:
        """Count a row that was read."""
        with self._lock:
            self.counts(row.meaning.stream).read += 1
            self._open.add(row.number)

    def ignore(self, stream: str, number: int, reason: str) -> None:
        """Count a row of a stream that is not written."""
        with self._lock:
            self.counts(stream).read += 1
            self.counts(stream).reasons[f"ignored: {reason}"] += 1
            self.counts(stream).words["ignored"] += 1
            self.total["ignored"] += 1
            if self._results is not None:
                line = {"stream": stream, "row": number, "key": None, "id": None}
                more = {"outcome": "ignored", "requests": 0, "reason": reason}
                self._results.write(encoded({**line, **more}) + b"\n")
        self._ledger.end(number)

    def counts(self, stream: str) -> Counts:
        """Give the counts of a stream."""
        return self.streams.setdefault(stream, Counts())

    def end(  # noqa: PLR0913 - a line of the results, by its parts
        self,
        row: Row,
        word: Word,
        reason: str = "",
        *,
        key: Key | None = None,
        id_: str = "",
        requests: int = 0,
        changes: Changes | None = None,
    ) -> None:
        """Take in what became of a row."""
        stream = row.meaning.stream
        with self._lock:
            if row.number not in self._open:
                return
            self._open.remove(row.number)
            counts = self.counts(stream)
            counts.words[word] += 1
            counts.requests += requests
            counts.unmatched += word == "ignored" and reason.startswith(NO_RECORD)
            self.total[word] += 1
            told = f"{word}: {reason}"
            if reason and (told in counts.reasons or len(counts.reasons) < MOST_REASONS):
                counts.reasons[told] += 1
            for name in changes or {}:
                counts.differing[name] += 1
            if changes and len(counts.shown) < self._settings.plan_limit:
                counts.shown.append(f"row {row.number}: {', '.join(map(printable, changes))}")
            self._result(row, word, reason, key, id_, requests, changes)
            if word == "rejected":
                self._reject(row, reason)
            held = word == "rejected" and self._settings.on_reject == "hold"
        if word != "not reached" and not held:
            self._ledger.end(row.number)

    def _result(  # noqa: PLR0913, PLR0917 - a line of the results, by its parts
        self,
        row: Row,
        word: Word,
        reason: str,
        key: Key | None,
        id_: str,
        requests: int,
        changes: Changes | None,
    ) -> None:
        if self._results is None:
            return
        line: dict[str, Any] = {
            "stream": row.meaning.stream,
            "row": row.number,
            "key": key.value if key else None,
            "id": id_ or None,
            "outcome": word,
            "requests": requests,
        }
        if reason:
            line["reason"] = reason
        if changes and self._settings.dry_run:
            line["changes"] = {
                name: {"old": old, "new": new} for name, (old, new) in changes.items()
            }
        self._results.write(encoded(line) + b"\n")

    def _reject(self, row: Row, reason: str) -> None:
        if self._rejects is None:
            return
        origin = row.origin
        if self._schemas.get(origin.stream) != origin:
            self._schemas[origin.stream] = origin
            schema = {
                "type": "SCHEMA",
                "stream": origin.stream,
                "schema": origin.schema,
                "key_properties": list(origin.key_properties),
            }
            self._rejects.write(encoded(schema) + b"\n")
        record = {**(row.raw or row.record), REJECTED: reason}
        line = {"type": "RECORD", "stream": origin.stream, "record": record}
        self._rejects.write(encoded(line) + b"\n")

    def tell_once(self, stream: str, what: str, message: str, *args: Any) -> None:
        """Warn of something the first time that it is met in a stream."""
        with self._lock:
            if (stream, what) in self._told:
                return
            self._told.add((stream, what))
        logger.warning(message, *args)

    @property
    def unmatched(self) -> list[str]:
        """The streams of which no row matched a record that it was to update."""
        return [name for name, counts in self.streams.items() if counts.matched_none]

    @property
    def failing(self) -> bool:
        """Whether what was rejected or is uncertain makes the run fail."""
        rejected = self.total["rejected"]
        allowed = self._settings.max_rejects if self._settings.on_reject == "continue" else 0
        return rejected > allowed or self.total["uncertain"] > 0

    def flush(self) -> None:
        """Bring the files up to date."""
        with self._lock:
            for file in (self._results, self._rejects):
                if file is not None:
                    file.flush()

    def close(self) -> None:
        """Close the files."""
        for file in (self._results, self._rejects):
            if file is not None:
                file.close()


def _opened(path: str) -> IO[bytes] | None:
    return Path(path).open("wb") if path else None
