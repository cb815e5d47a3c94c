"""Events: rows that are sent once and can never be read back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from target_vitally.bulk.sender import Sender, Unit, message_id
from target_vitally.lookup.client import PAGE_SIZE
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.parse_row import ParsedRow
from target_vitally.mapping.rows import InputRow, PendingWrite
from target_vitally.pipeline.row_parser import RowParser
from target_vitally.pipeline.stage import Stage
from vitally_api import Message, Refused, Unavailable, Unreadable, fits

IDS = {
    "userExternalId": ("userId", "users"),
    "accountExternalId": ("accountId", "accounts"),
    "organizationExternalId": ("organizationId", "organizations"),
}
"""By column of a row: what a message calls this id, and the resource that has it."""
OLD = timedelta(days=30)
"""Age from which on a warning says that Vitally may not take an event."""
MOST_KNOWN = 10_000
"""Different people and companies of events that are remembered, to be looked for at the end."""
LOOKUPS, SHARE = 4, 125
"""Requests that may be spent on looking for these: so many, or one for so many that were sent."""

TOO_LARGE = "it is larger than a request to the Analytics API may be"
BLOCKED = "Vitally takes no messages of type track in this workspace: {}"
LOST = "it is not known whether Vitally has accepted it; another run may send it again"
SOME_OLD = "%s: some events are older than %d days: look in Vitally whether it has taken them."
SOME_UNKNOWN = (
    "%s: %s events are about users, accounts or organizations that this workspace does not hold."
)
NOT_LOOKED = (
    "%s: it was not checked whether this workspace has the users, accounts and organizations of all "
    "events: they are too many, or their list is not shown."
)
"""Warnings, each logged once for a stream."""


@dataclass
class Events(Stage):
    """Sends events, and counts those whose user, account or organization the workspace lacks."""

    sender: Sender
    parser: RowParser

    def __post_init__(self) -> None:
        self._about: dict[str, Counter[frozenset[tuple[str, str]]] | None] = {}
        self._sent = 0

    def process(self, rows: Sequence[InputRow]) -> None:
        """Send rows as events and record their outcomes, also if sending fails."""
        units = [unit for row in rows if (unit := self._unit(row))]
        if self.settings.dry_run:
            for unit in units:
                unit.state = "accepted"
            self._end(units)
            return
        try:
            self.sender.send("track", units)
        finally:
            self._end(units)

    def _unit(self, row: InputRow) -> Unit | None:
        """Make a message of a row; reject the row and return None if that is impossible."""
        parsed = self.parser.parse(row)
        if parsed is None:
            return None
        message = message_of_event(row, parsed)
        if reason := problem_of_event(message, parsed):
            self.outcomes.end([row], "rejected", reason)
            return None
        stream = row.mapping.stream
        if datetime.fromisoformat(message["timestamp"]) < datetime.now(UTC) - OLD:
            self.outcomes.warn_once(stream, SOME_OLD, OLD.days)
        self._remember(stream, message)
        write_ = PendingWrite(parsed, [row])
        return Unit([message], self.references.client.counted_for(write_), write_)

    def _end(self, units: Sequence[Unit]) -> None:
        blocked = self.sender.blocked.get("track")
        for unit in units:
            rows, requests = unit.write_.rows, unit.write_.requests
            if unit.state == "accepted":
                self._sent += 1
                self.outcomes.end(rows, "accepted", requests=requests)
            elif unit.state == "sent":
                self.outcomes.end(rows, "uncertain", LOST, requests=requests, again=True)
            elif unit.state == "refused" or blocked:
                reason = BLOCKED.format(blocked) if blocked else unit.reason
                self.outcomes.end(rows, "rejected", reason, requests=requests)

    def _remember(self, stream: str, message: Message) -> None:
        about = self._about.setdefault(stream, Counter())
        if about is None:
            return
        about[frozenset((of, message[n]) for n, of in IDS.values() if n in message)] += 1
        if len(about) > MOST_KNOWN:
            self._about[stream] = None

    def finish(self) -> None:
        """Count the events whose user, account or organization the workspace lacks.

        Give up with a warning if that takes too many requests (see `LOOKUPS`).
        """
        wanted: dict[str, set[str]] = {}
        for about in self._about.values():
            for of, id_ in chain.from_iterable(about or ()):
                wanted.setdefault(of, set()).add(id_)
        spare = max(LOOKUPS, self._sent // 100 // SHARE)
        metrics = self.references.client.metrics
        absent: dict[str, set[str] | None] = {}
        for of, ids in wanted.items():
            before = metrics.reads
            absent[of] = self._absent(of, ids, spare)
            spare -= metrics.reads - before
        for stream, about in self._about.items():
            events = sum(
                number
                for named, number in (about or {}).items()
                if any(id_ in (absent[of] or ()) for of, id_ in named)
            )
            self.outcomes.count_unknown(stream, events)
            if events:
                self.outcomes.warn_once(stream, SOME_UNKNOWN, f"{events:,}")
            if about is None or any(absent[of] is None for of, _ in chain.from_iterable(about)):
                self.outcomes.warn_once(stream, NOT_LOOKED)

    def _absent(self, of: str, ids: set[str], spare: int) -> set[str] | None:
        """Return the ids that no record has; None if ``spare`` requests are not enough to find out."""
        index = self.references.index(of)
        most = index.listed + PAGE_SIZE * spare
        try:
            ids = {id_ for id_ in ids if not index.ids("externalId", id_)}
            if len(ids) <= spare:
                index.find("externalId", ids)
                return {id_ for id_ in ids if not index.get("externalId", id_)}
            while ids and index.listed < most and index.read_on():
                ids = {id_ for id_ in ids if not index.ids("externalId", id_)}
        except (LookupFailed, Unavailable, Unreadable, Refused):
            return None
        return ids if index.complete or not ids else None


def message_of_event(row: InputRow, parsed: ParsedRow) -> Message:
    """Return a row as a message of type ``track``, as the Analytics API takes it."""
    said = parsed.properties
    ids = {name: said[column] for column, (name, _) in IDS.items() if said.get(column)}
    event = said.get("event") or row.mapping.fixed.get("event")
    message = {"type": "track", "event": event, "timestamp": said.get("timestamp"), **ids}
    message["properties"] = parsed.traits
    digits = _digits(row.record.get(row.mapping.properties.get("timestamp", "")))
    return {**message, "messageId": message_id(row.mapping.stream, message, digits)}


def _digits(value: Any) -> str:
    """Return the digits of a timestamp beyond its milliseconds; only these may tell two events apart."""
    found = re.search(r"[.,]\d{3}(\d+)", value) if isinstance(value, str) else None
    return found[1].rstrip("0") if found else ""


def problem_of_event(message: Message, parsed: ParsedRow) -> str:
    """Return why an event cannot be sent, or nothing."""
    if parsed.delete:
        return "an event cannot be deleted"
    lacking = [name for name in ("event", "timestamp") if not message[name]]
    if not any(name in message for name, _ in IDS.values()):
        lacking.append(" or ".join(IDS))
    if lacking:
        return f"it takes {', '.join(lacking)}"
    return "" if fits([message]) else TOO_LARGE
