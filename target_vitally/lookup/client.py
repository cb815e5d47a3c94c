"""Requests about records: one record, a page of a list, one write."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from vitally_api import (
    MOST_EMPTY_PAGES,
    Answer,
    CursorRefused,
    Cursors,
    PageDecoder,
    Refused,
    Unavailable,
    Unreadable,
    Vitally,
    VitallyError,
    error_text,
    objects_at,
    single,
)
from vitally_api.statuses import CURSOR_REFUSED, GONE

Data = TypeVar("Data")
ABSENT = re.compile(r"\bnot (?:be )?found\b|\bdoes(?: not|n't) exist\b|\bno such\b", re.IGNORECASE)
"""What the text of an error says about a record that is not there."""
PAGE_SIZE = 100
"""Records of a page, the most that Vitally gives."""


class WriteRejected(VitallyError):
    """Vitally refused a write; the message says why."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RunMetrics:
    """Counts what all threads of a run send.

    ``reads`` and ``writes``, by method and label, were answered with data: that tells a bad row from a
    dead server.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.values: dict[str, float] = {"requests": 0, "retries": 0, "waited": 0.0}
        self.reads = 0
        self.writes: Counter[str] = Counter()

    def add(self, **counts: float) -> None:
        """Count requests, retries and seconds waited."""
        with self._lock:
            for name, value in counts.items():
                self.values[name] = self.values.get(name, 0) + value


class _WriteMetrics:
    """Counts requests for one write as well as for the run."""

    def __init__(self, run: RunMetrics, write_: PendingWrite) -> None:
        self._run = run
        self._write = write_

    def add(self, **counts: float) -> None:
        self._write.requests += int(counts.get("requests", 0))
        if counts.get("retries"):
            if self._write.retried_at is None:
                self._write.retried_at = self._run.writes.copy()
            self._write.retries += 1
        self._run.add(**counts)


def segment(text: str) -> str:
    """Return text as one part of a path; raise `Refused` for one that would be another path.

    ``requests`` undoes ``%2E``, and ``/conversations/../messages`` is ``/messages``.
    """
    if text in {"", ".", ".."}:
        raise Refused("an id that is empty, . or .. cannot stand in an address", 400)
    return quote(text, safe="")


def found_records(body: Any) -> list[Record]:
    """Return the records that a search has found, perhaps none; raise `Unreadable` for another answer.

    A status 200 with an error or nothing in it must not make a record that is there seem absent.
    """
    if body is None or body == {}:
        raise Unreadable("there is nothing in it")
    return _with_ids(single(body))


def found_one(body: Any) -> list[Record]:
    """Return the record that a search for one has found, which may be an empty object for none."""
    return [] if body == {} else found_records(body)


def one_record(body: Any) -> list[Record]:
    """Return the record in the answer to a request for one, or nothing if the answer says that it is absent.

    Status 404 says so; that ``error`` says so with status 200 is not ruled out (API notes on writing,
    look-ups). Raise `Unreadable` for any other answer without a record.
    """
    if _is_error(body) and ABSENT.search(error_text(body)):
        return []
    found = found_records(body)
    if not found:
        raise Unreadable("there is no record in it")
    return found


def _with_ids(found: list[Any]) -> list[Record]:
    if not all(isinstance(record, dict) and record.get("id") for record in found):
        raise Unreadable("it holds something else than records: an id is missing")
    return found


def _is_error(body: Any) -> bool:
    return bool(isinstance(body, dict) and body.get("error") and "id" not in body)


class RecordClient:
    """Reads and writes records of one workspace; requests may be counted for one write, too."""

    def __init__(self, vitally: Vitally) -> None:
        self._vitally = vitally
        self.metrics = RunMetrics()
        self.clock: datetime | None = None
        """The server's time at the first answer."""
        self.date: datetime | None = None
        """... and at the last."""

    def counted_for(self, write_: PendingWrite | None) -> RunMetrics | _WriteMetrics:
        """Return the counter for requests of a write; that of the run if there is no write."""
        return self.metrics if write_ is None else _WriteMetrics(self.metrics, write_)

    def records(  # noqa: PLR0913 - one request, described by its parts
        self,
        path: str,
        label: str,
        query: Mapping[str, str] | None = None,
        write_: PendingWrite | None = None,
        *,
        parse: Callable[[Any], list[Record]] = one_record,
        absent: Collection[int] = GONE,
    ) -> list[Record]:
        """Return what is at an address: one record, or those that a search finds, or none.

        ``absent`` are the statuses that say that there is none.
        """
        counts = self.counted_for(write_)
        try:
            answer = self._vitally.get(path, query or {}, parse, counts, label=label)
        except Refused as refused:
            if refused.status not in absent:
                raise
            self.metrics.reads += 1
            return []
        return self._read(answer)

    def _read(self, answer: Answer[Data]) -> Data:
        self.metrics.reads += 1
        self._note(answer.date)
        return answer.data

    def _note(self, date: datetime | None) -> None:
        self.clock, self.date = self.clock or date, date or self.date

    def answers(self) -> bool:
        """Send one request without retries; return True if the server answers it."""
        once = replace(self._vitally.policy, patience=0.0, first_patience=0.0)
        one = {"limit": "1"}
        try:
            self._vitally.get("/accounts", one, found_records, self.metrics, policy=once)
        except (Refused, Unreadable):
            return True
        except Unavailable:
            return False
        return True

    def pages(
        self,
        path: str,
        label: str,
        query: Mapping[str, str] | None = None,
        write_: PendingWrite | None = None,
        decode: PageDecoder | None = None,
    ) -> Iterator[list[Record]]:
        """Yield a list page by page; if a cursor is refused, read the list once more from its start.

        ``decode`` is a faster decoder. Records may come twice. Raise `CursorRefused` if a cursor is
        refused again.
        """
        cursors, again = Cursors(), False
        counts = self.counted_for(write_)
        while not cursors.finished and not cursors.endless:
            asked = {"limit": str(PAGE_SIZE), **(query or {})}
            if cursors.current is not None:
                asked["from"] = cursors.current

            def parse(body: Any, at: Cursors = cursors) -> tuple[list[Record], str | None]:
                return _with_ids(objects_at(body, "$.results[*]")), at.following(body)

            try:
                answer = self._vitally.get(path, asked, parse, counts, label=label, decode=decode)
            except Refused as refused:
                if cursors.current is None or refused.status not in CURSOR_REFUSED:
                    raise
                if again:
                    raise CursorRefused(str(refused), refused.status) from None
                cursors, again = Cursors(), True
                continue
            rows, following = self._read(answer)
            cursors.advance(following, len(rows))
            yield rows
        if cursors.endless:
            raise Unreadable(
                f"Vitally sent {MOST_EMPTY_PAGES:,} empty pages in a row, each pointing to another, "
                f"at {label}. If it goes on, tell Vitally's support."
            )

    def rows(self, path: str, label: str, query: Mapping[str, str]) -> list[Record]:
        """Return all rows of a list without pages."""

        def parse(body: Any) -> list[Record]:
            return objects_at(body, "$[*]")

        return self._vitally.get(path, query, parse, self.metrics, label=label).data

    def write(  # noqa: PLR0913, PLR0917 - one request, described by its parts
        self,
        method: str,
        path: str,
        label: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        write_: PendingWrite | None = None,
    ) -> Record:
        """Send a write, and return the record in the answer, which may be empty.

        Raise `WriteRejected` if Vitally refuses it, `WriteOutcomeUnknown` if that is unknown.
        """
        counts = self.counted_for(write_)
        try:
            answer: Answer[Any] = self._vitally.send(
                method, path, query, body, counts=counts, label=label
            )
        except Refused as refused:
            raise WriteRejected(str(refused), refused.status) from None
        self._note(answer.date)
        data: Any = answer.data
        if _is_error(data):
            text = error_text(data, self._vitally.endpoint.secrets)
            raise WriteRejected(
                f"Vitally did not take it: {text or 'an error, without a word why'}", 400
            )
        self.metrics.writes[f"{method} {label}"] += 1
        if not isinstance(data, dict):
            return {}
        inner = data.get("data")
        return inner if isinstance(inner, dict) and "id" not in data else data
