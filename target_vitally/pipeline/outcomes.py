"""Record the outcome of each row: for the summary, ``results_file`` and ``rejects_file``."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from target_vitally.mapping.parse_row import Key, key_of
from target_vitally.mapping.plan import NO_RECORD, Changes, Outcome, Plan
from target_vitally.mapping.planned_change import planned_change
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import InputRow, Origin, PendingWrite
from target_vitally.mapping.stream_mapping import REJECTED
from target_vitally.pipeline.plan_file import PlannedChanges, remove_old
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.state_tracker import StateTracker
from target_vitally.pipeline.workers import RunAborted
from vitally_api import VitallyError, encoded, safe_name

logger = logging.getLogger("target-vitally")

MOST_REASONS = 10
"""Different reasons that the summary has of a stream."""
MOST_EXAMPLES = 3
"""Rows that are named for each reason."""
WRITTEN: tuple[Outcome, ...] = ("created", "updated", "deleted", "uncertain", "accepted")
MATCHED: tuple[Outcome, ...] = (*WRITTEN, "unchanged")
NO_STREAM = "(no stream)"
"""The stream under which lines are counted that name none."""
STOP = "A row was rejected, and on_reject is stop: see the summary, and rejects_file."
NO_ROOM = (
    "{} cannot be written any more ({}): the run ends here. What was written is in the summary, and "
    "what is missing in the file is named above it."
)


@dataclass
class StreamOutcomes:
    """Counts the outcomes of the rows of one stream.

    ``examples`` has the first rows of each reason: their numbers, and their ids if these are no personal
    data. ``unmatched`` counts updates whose record does not exist, ``unknown`` events whose user, account
    or organization does not exist. ``ways`` counts the rows sent in bulk and by REST, with the reason.
    """

    read: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)
    unmatched: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    unknown: int = 0

    def count(self, outcome: Outcome, reason: str = "", name: str = "") -> None:
        """Count an outcome and its reason; keep ``name`` as an example if it is among the first rows."""
        self.outcomes[outcome] += 1
        if not reason:
            return
        self.unmatched += outcome == "ignored" and reason.startswith(NO_RECORD)
        reason = f"{outcome}: {reason}"
        if reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] += 1
            named = self.examples.setdefault(reason, [])
            if len(named) < MOST_EXAMPLES:
                named.append(name)

    def reason_lines(self) -> list[str]:
        """Return a line for each reason with example rows, the most frequent reason first."""
        return [
            f"{reason} ({count:,}): {', '.join(named)}{', ...' if count > len(named) else ''}"
            for reason, count in self.reasons.most_common()
            for named in (self.examples[reason],)
        ]

    @property
    def matched_none(self) -> bool:
        """True if rows were to update records and none of these exists."""
        return self.unmatched > 0 and not any(self.outcomes[outcome] for outcome in MATCHED)


class Outcomes:
    """Records the outcomes of rows; may be called from any thread."""

    def __init__(self, settings: Settings, state_tracker: StateTracker) -> None:
        self.settings = settings
        self._state_tracker = state_tracker
        self._lock = threading.RLock()
        self._warned: set[str] = set()
        self._schemas: dict[str, Origin] = {}
        self.streams: dict[str, StreamOutcomes] = {}
        self.total: Counter[Outcome] = Counter()
        # A byte for each row, at its number.
        self._open = bytearray()
        remove_old(settings.plan_file)
        self.planned = PlannedChanges(settings.plan_limit, values=bool(settings.plan_file))
        self._results = _opened(settings.results_file)
        self._rejects = _opened(settings.rejects_file)
        self._broken = False

    def read(self, row: InputRow) -> None:
        """Count a row that was read."""
        with self._lock:
            self._of(row.mapping.stream).read += 1
            self._open.extend(bytes(row.number - len(self._open)))
            self._open.append(1)

    def ignore(self, stream: str, number: int, reason: str, key_columns: Record) -> None:
        """Record a row of a stream that is not written as ignored."""
        self._end_without_row(stream, "ignored", reason, {"row": number}, key_columns)
        self._state_tracker.end(number)

    def reject_line(self, stream: str, number: int, line: int, reason: str) -> None:
        """Record a line of the input that is no row as rejected; it holds STATE as any rejected row does."""
        self._end_without_row(stream, "rejected", reason, {"row": number, "line": line}, {})
        if self.settings.on_reject == "hold":
            self._state_tracker.reject(number)
        else:
            self._state_tracker.end(number)
        self._stop_if("rejected")

    def _end_without_row(
        self,
        stream: str,
        outcome: Outcome,
        reason: str,
        place: Mapping[str, int],
        key_columns: Record,
    ) -> None:
        with self._lock:
            counts = self._of(stream)
            counts.read += 1
            self.total[outcome] += 1
            name, number = list(place.items())[-1]
            counts.count(outcome, reason, f"{name} {number:,}")
            known = {"key_columns": key_columns, "key": None, "id": None}
            ended = {"outcome": outcome, "requests": 0, "reason": reason}
            self._write(self._results, {"stream": stream, **place, **known, **ended})

    def _of(self, stream: str) -> StreamOutcomes:
        return self.streams.get(stream) or self.streams.setdefault(stream, StreamOutcomes())

    def end_write(
        self, write_: PendingWrite, made: Plan, record: Record | None = None, *, refusal: str = ""
    ) -> None:
        """Record the outcome of a write for all of its rows.

        A write whose answer was lost, and which was found to be carried out, gets its first plan's outcome.
        ``refusal`` is the limit, such as ``max_creates``, for which it was rejected with all others.
        """
        if write_.lost and made.outcome in {"created", "updated", "unchanged"}:
            first = write_.lost.plan
            made = Plan(first.outcome, body=first.body, changes=first.changes)
        if self.settings.dry_run or self.settings.plan_file:
            change = planned_change(write_, made, record, refusal)
            if change is not None:
                self.planned.add(change, _key_or_row(write_, record))
        self.end(
            write_.rows,
            "rejected" if refusal else made.outcome,
            refusal or made.reason,
            key=write_.key,
            id_=str((record or {}).get("id") or ""),
            requests=write_.requests,
            changes=made.changes if made.outcome in {"updated", "accepted"} else None,
            refused=bool(refusal),
        )

    def end_uncertain(self, write_: PendingWrite, reason: str) -> None:
        """Record a write as uncertain that another run may safely send again."""
        key, requests = write_.key, write_.requests
        self.end(write_.rows, "uncertain", reason, key=key, requests=requests, again=True)

    def end(  # noqa: PLR0913 - a line of the results, by its parts
        self,
        rows: Iterable[InputRow],
        outcome: Outcome,
        reason: str = "",
        *,
        key: Key | None = None,
        id_: str = "",
        requests: int = 0,
        changes: Changes | None = None,
        stops: bool = True,
        refused: bool = False,
        again: bool = False,
    ) -> None:
        """Record the outcome of rows that were written together; rows that already have one keep it.

        ``again`` marks uncertain rows that another run may send again: like rejected rows they hold STATE
        and go into ``rejects_file``. Rows ``refused`` by a limit hold STATE whatever ``on_reject`` is. Under
        ``on_reject: stop``, raise `RunAborted` for other rejected rows, unless ``stops`` is False.
        """
        held = refused or (outcome == "rejected" and self.settings.on_reject == "hold")
        held |= again and self.settings.on_reject != "continue"
        for row in rows:
            with self._lock:
                if not self._open[row.number]:
                    continue
                self._open[row.number] = 0
                known = key
                if key is None and outcome in {"rejected", "ignored"}:
                    known = key_of(row.mapping, row.record)
                counts = self._of(row.mapping.stream)
                counts.count(outcome, reason, _name(row, known, id_) if reason else "")
                counts.requests += requests
                self.total[outcome] += 1
                if changes:
                    counts.differing.update(changes.keys())
                if self._results is not None or self._broken:
                    self._result(row, outcome, reason, known, id_, requests, changes)
                if outcome == "rejected" or again:
                    self._reject(row, reason)
            requests = 0
            if held:
                self._state_tracker.reject(row.number)
            elif outcome != "not reached":
                self._state_tracker.end(row.number)
        if stops and not refused:
            self._stop_if(outcome)

    def _stop_if(self, outcome: Outcome) -> None:
        if outcome == "rejected" and self.settings.on_reject == "stop":
            raise RunAborted(STOP)

    def _result(  # noqa: PLR0913, PLR0917 - a line of the results, by its parts
        self,
        row: InputRow,
        outcome: Outcome,
        reason: str,
        key: Key | None,
        id_: str,
        requests: int,
        changes: Changes | None,
    ) -> None:
        came = row.raw or row.record
        line: dict[str, Any] = {
            "stream": row.mapping.stream,
            "row": row.number,
            "key_columns": key_columns_of(row.origin, came),
            "key": key.value if key else None,
            "id": id_ or None,
            "outcome": outcome,
            "requests": requests,
        }
        if reason:
            line["reason"] = reason
        if changes and self.settings.dry_run:
            line["changes"] = {
                name: {"old": old, "new": new} for name, (old, new) in changes.items()
            }
        try:
            self._write(self._results, line)
        finally:
            if self._broken and outcome in WRITTEN:  # there are few: the run is ending
                stream = safe_name(row.mapping.stream)
                logger.warning("%s: %s was %s.", stream, _name(row, key, id_), outcome)

    def _write(self, file: IO[bytes] | None, line: Any) -> None:
        """Write a line; on the first error close both files and raise `VitallyError`."""
        if file is None:
            return
        try:
            file.write(encoded(line) + b"\n")
        except OSError as error:
            self._broken = True
            name = "results_file" if file is self._results else "rejects_file"
            self.close()
            self._results = self._rejects = None
            raise VitallyError(NO_ROOM.format(name, error.strerror)) from None

    def _reject(self, row: InputRow, reason: str) -> None:
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
            self._write(self._rejects, schema)
        record = {**(row.raw or row.record), REJECTED: reason}
        line = {"type": "RECORD", "stream": origin.stream, "record": record}
        self._write(self._rejects, line)

    def warn_once(self, stream: str, message: str, *args: Any) -> None:
        """Log a warning that begins with the stream; the same line is logged once in a run."""
        line = message % (stream, *args)
        with self._lock:
            if line in self._warned:
                return
            self._warned.add(line)
        logger.warning("%s", line)

    def count_ways(self, write_: PendingWrite, way: str) -> None:
        """Count the rows of a write under ``way``: in bulk, or by REST and for which reason."""
        with self._lock:
            for row in write_.rows:
                self._of(row.mapping.stream).ways[way] += 1

    def count_unknown(self, stream: str, events: int) -> None:
        """Count events whose user, account or organization is not in the workspace."""
        with self._lock:
            self._of(stream).unknown += events

    @property
    def unended(self) -> bool:
        """True if some row that was read has no outcome yet."""
        return 1 in self._open

    @property
    def unmatched(self) -> list[str]:
        """The names of streams that only update, if no row of theirs matched a record."""
        return [name for name, counts in self.streams.items() if counts.matched_none]

    @property
    def failing(self) -> bool:
        """True if so many rows were rejected or uncertain that the run fails."""
        rejected = self.total["rejected"]
        allowed = self.settings.max_rejects if self.settings.on_reject == "continue" else 0
        return rejected > allowed or self.total["uncertain"] > 0

    def close(self) -> None:
        """Close the files."""
        for file in (self._results, self._rejects):
            if file is not None:
                with suppress(OSError):
                    file.close()


def key_columns_of(origin: Origin, record: Record) -> Record:
    """Return the key columns of a row, as its SCHEMA's ``key_properties`` name them."""
    return {name: record.get(name) for name in origin.key_properties}


def _key_or_row(write_: PendingWrite, record: Record | None) -> str:
    """Return a name of a write's record for the log: its key or id, or else the row's number."""
    row, id_ = write_.rows[-1], str((record or {}).get("id") or "")
    known = _known(write_.key, "" if id_.startswith("new:") else id_)
    return known or f"row {row.number:,}"


def _known(key: Key | None, id_: str) -> str:
    """Return a key or id that may be logged; empty for e-mails and trait values, as personal data."""
    known = key.value if key and key.by in {"id", "externalId"} else id_
    # The id of a link is those of its user and account, with a slash between them.
    return "/".join(map(safe_name, known.split("/", 1))) if "@" not in known else ""


def _name(row: InputRow, key: Key | None, id_: str) -> str:
    """Return a name of a row for the log: its number, and its key or id unless that is personal data."""
    known = _known(key, id_)
    return f"row {row.number:,} ({known})" if known else f"row {row.number:,}"


def _opened(path: str) -> IO[bytes] | None:
    # Unbuffered: on a full disk nothing is lost but the line that did not fit.
    return Path(path).open("wb", buffering=0) if path else None
