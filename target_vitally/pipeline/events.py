"""Events: rows that are sent once and can never be read back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from target_vitally.bulk.sender import Sender, Unit, message_id
from target_vitally.lookup.client import PAGE_SIZE
from target_vitally.lookup.index import LookupFailed
from target_vitally.lookup.references import References
from target_vitally.mapping.parse_row import ParsedRow
from target_vitally.mapping.rows import InputRow
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.row_parser import RowParser
from target_vitally.pipeline.settings import Settings
from vitally_api import Message, Refused, Unavailable, Unreadable, fits
from vitally_api.resources import LISTS

IDS = {
    "userExternalId": ("userId", "users"),
    "accountExternalId": ("accountId", "accounts"),
    "organizationExternalId": ("organizationId", "organizations"),
}
"""What a message calls the ids of a row, and the resources whose they are."""
OLD = timedelta(days=30)
"""How old an event may be until it is said that nobody knows whether Vitally takes it."""
MOST_KNOWN = 10_000
"""Different people and companies of events that are remembered, to be looked for at the end."""
LOOKUPS, SHARE = 4, 125
"""Requests that may be spent on looking for these: so many, or one for so many that were sent."""

TOO_LARGE = "it is larger than a request to the Analytics API may be"
BLOCKED = "Vitally takes no such messages in this workspace: {}"
LOST = "it is not known whether Vitally has accepted it; another run may send it again"
SOME_OLD = "%s: some events are older than %d days: look in Vitally whether it has taken them."
SOME_UNKNOWN = (
    "%s: %s events are about users, accounts or organizations that this workspace does not hold."
)
NOT_LOOKED = (
    "%s: it was not looked whether Vitally holds all that the events are about: they are too many."
)
"""What is said once."""


@dataclass(eq=False)
class _Event(Unit):
    row: InputRow | None = None


class Events:
    """Sends events, and counts those about somebody unknown to the workspace."""

    def __init__(
        self,
        settings: Settings,
        sender: Sender,
        references: References,
        parser: RowParser,
        outcomes: Outcomes,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._client = references.client
        self._references = references
        self._parser = parser
        self._outcomes = outcomes
        self._about: dict[str, Counter[frozenset[tuple[str, str]]] | None] = {}
        self._sent = 0

    def process(self, rows: Sequence[InputRow]) -> None:
        """Send the events of rows; each row ends here, unless the run does before."""
        units = [unit for row in rows if (unit := self._unit(row))]
        if self._settings.dry_run:
            for unit in units:
                unit.state = "accepted"
            self._end(units)
            return
        try:
            self._sender.send("track", units)
        finally:
            self._end(units)

    def _unit(self, row: InputRow) -> _Event | None:
        """Make the message of a row, or end the row."""
        parsed = self._parser.parse(row)
        if parsed is None:
            return None
        message = message_of_event(row, parsed)
        if reason := problem_of_event(message, parsed):
            self._outcomes.end([row], "rejected", reason)
            return None
        stream = row.mapping.stream
        if datetime.fromisoformat(message["timestamp"]) < datetime.now(UTC) - OLD:
            self._outcomes.warn_once(stream, "old events", SOME_OLD, stream, OLD.days)
        self._remember(stream, message)
        return _Event([message], self._client.metrics, row=row)

    def _end(self, units: Sequence[_Event]) -> None:
        blocked = self._sender.blocked.get("track")
        for unit in units:
            rows = [unit.row] if unit.row else []
            if unit.state == "accepted":
                self._sent += 1
                self._outcomes.end(rows, "accepted")
            elif unit.state == "sent":
                self._outcomes.end(rows, "uncertain", LOST, again=True)
            elif unit.state == "refused" or blocked:
                reason = BLOCKED.format(blocked) if blocked else unit.reason
                self._outcomes.end(rows, "rejected", reason)

    def _remember(self, stream: str, message: Message) -> None:
        about = self._about.setdefault(stream, Counter())
        if about is None:
            return
        about[frozenset((of, message[n]) for n, of in IDS.values() if n in message)] += 1
        if len(about) > MOST_KNOWN:
            self._about[stream] = None

    def finish(self) -> None:
        """Count the events about somebody unknown to the workspace, if that costs little."""
        wanted: dict[str, set[str]] = {}
        for about in self._about.values():
            for named in about or ():
                for of, id_ in named:
                    wanted.setdefault(of, set()).add(id_)
        spare = max(LOOKUPS, self._sent // 100 // SHARE)
        unknown: set[tuple[str, str]] = set()
        unlooked: set[str] = set()
        for of, ids in wanted.items():
            before = self._client.metrics.reads
            absent = self._absent(of, ids, spare)
            spare -= self._client.metrics.reads - before
            if absent is None:
                unlooked.add(of)
            unknown |= {(of, id_) for id_ in absent or ()}
        for stream, about in self._about.items():
            events = sum(n for named, n in (about or {}).items() if named & unknown)
            self._outcomes.count_unknown(stream, events)
            if events:
                self._outcomes.warn_once(stream, "unknown", SOME_UNKNOWN, stream, f"{events:,}")
            if about is None or any(of in unlooked for named in about for of, _ in named):
                self._outcomes.warn_once(stream, "not looked", NOT_LOOKED, stream)

    def _absent(self, of: str, ids: set[str], spare: int) -> set[str] | None:
        """Return the ids that no record has; None if it takes more requests to know that."""
        index = self._references.index(of)
        ids = {id_ for id_ in ids if not index.ids("externalId", id_)}
        if ids and spare <= 0:
            return None
        try:
            if len(ids) <= spare:
                index.find("externalId", ids)
                return {id_ for id_ in ids if not index.get("externalId", id_)}
            return self._not_listed(of, ids, spare)
        except (LookupFailed, Unavailable, Unreadable):
            return None
        except Refused as refused:
            if refused.key:
                raise
            return None

    def _not_listed(self, of: str, ids: set[str], spare: int) -> set[str] | None:
        """Read a list for so many pages; return what it lacks, None where it goes on."""
        api = LISTS[of]
        for query in api.variants.queries:
            asked = {"sortBy": "createdAt", **query}
            for page in self._client.pages(api.path, f"/resources{api.path}", asked):
                ids = ids - {str(record.get("externalId")) for record in page}
                spare -= 1
                if not ids or (spare <= 0 and len(page) >= PAGE_SIZE):
                    return None if ids else ids
        return ids


def message_of_event(row: InputRow, parsed: ParsedRow) -> Message:
    """Return a row as a message of type track."""
    said = parsed.properties
    ids = {name: said[column] for column, (name, _) in IDS.items() if said.get(column)}
    event = said.get("event") or row.mapping.fixed.get("event")
    message = {"type": "track", "event": event, "timestamp": said.get("timestamp"), **ids}
    message["properties"] = parsed.traits
    digits = _digits(row.record.get(row.mapping.properties.get("timestamp", "")))
    return {**message, "messageId": message_id(row.mapping.stream, message, digits)}


def _digits(value: Any) -> str:
    """Return the digits of a moment after its milliseconds, by which two events may be told apart."""
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
