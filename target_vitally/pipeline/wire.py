"""Requests as the writer needs them: one record, a page of a list, one write."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from target_vitally.mapping.resource import Record
from vitally_api import (
    CURSOR_REFUSED,
    Answer,
    CursorRefused,
    Cursors,
    Refused,
    Unavailable,
    Unreadable,
    Vitally,
    VitallyError,
    error_text,
    objects_at,
    single,
)

PAGE = 100
"""Records of a page, the most that Vitally gives."""
GONE = frozenset({404, 410})


class WriteRejected(VitallyError):
    """Vitally did not take a write; the message says why."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TotalMetrics:
    """Counts what all threads of a run send.

    ``reads`` and, by method and label, ``writes`` are how many were answered with data so far: what
    others get tells a bad row from a dead server.
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


class WriteMetrics:
    """Counts the requests of one row, and passes them on to those of the run.

    ``retried_at`` is which writes of the run had been answered when one of these was tried again for
    the first time.
    """

    def __init__(self, of: TotalMetrics | None = None) -> None:
        self.requests = self.retries = 0
        self.retried_at: Counter[str] = Counter()
        self._of = of or TotalMetrics()

    def add(self, **counts: float) -> None:
        """Count requests, retries and seconds waited."""
        self.requests += int(counts.get("requests", 0))
        if counts.get("retries"):
            self.retried_at = self.retried_at if self.retries else self._of.writes.copy()
            self.retries += 1
        self._of.add(**counts)


def segment(text: str) -> str:
    """Make one part of a path of any text; `Refused` is raised for one that would be another path.

    ``requests`` undoes ``%2E``, and ``/conversations/../messages`` is ``/messages``.
    """
    if text in {"", ".", ".."}:
        msg = "an id that is empty, . or .. cannot stand in an address"
        raise Refused(msg, 400)
    return quote(text, safe="")


def found(body: Any) -> list[Record]:
    """Take an error in place of a record for none, as one client of many years does.

    Of nothing at all nobody knows what it means, and a record that is there must not seem absent.
    """
    if body is None:
        msg = "there is nothing in it"
        raise Unreadable(msg)
    if isinstance(body, dict) and body.get("error") and "id" not in body:
        return []
    return single(body)


class Wire:
    """Reads and writes records of one workspace."""

    def __init__(self, vitally: Vitally, metrics: TotalMetrics) -> None:
        self._vitally = vitally
        self.metrics = metrics
        self.clock: datetime | None = None

    def records(
        self,
        path: str,
        label: str,
        query: Mapping[str, str] | None = None,
        counts: Any = None,
        *,
        parse: Callable[[Any], list[Record]] = found,
    ) -> list[Record]:
        """Read what is at an address: one record, or those that a search finds; none if there is none."""
        try:
            answer = self._vitally.get(
                path, query or {}, parse, counts or self.metrics, label=label
            )
        except Refused as refused:
            if refused.status in GONE:
                self.metrics.reads += 1
                return []
            raise
        self.metrics.reads += 1
        self._clock(answer.date)
        return answer.data

    def answers(self) -> bool:
        """Ask once, without patience, whether the server answers anything at all."""
        policy = replace(self._vitally.policy, patience=0.0, first_patience=0.0)
        with suppress(Refused, Unreadable):
            try:
                self._vitally.get("/accounts", {"limit": "1"}, found, self.metrics, policy=policy)
            except Unavailable:
                return False
        return True

    def pages(
        self, path: str, label: str, query: Mapping[str, str] | None = None, counts: Any = None
    ) -> Iterator[list[Record]]:
        """Read a list page by page; begin again, once, where its cursor has become old.

        Pages may then come twice. `CursorRefused` is raised where the second pass ends like that, too.
        """
        cursors, again = Cursors(), False
        while not cursors.finished and not cursors.endless:
            asked = {"limit": str(PAGE), **(query or {})}
            if cursors.current is not None:
                asked["from"] = cursors.current

            def parse(body: Any, at: Cursors = cursors) -> tuple[list[Record], str | None]:
                rows = objects_at(body, "$.results[*]")
                return rows, at.following(body)

            try:
                answer = self._vitally.get(path, asked, parse, counts or self.metrics, label=label)
            except Refused as refused:
                if cursors.current is None or refused.status not in CURSOR_REFUSED:
                    raise
                if again:
                    raise CursorRefused(str(refused), refused.status) from None
                cursors, again = Cursors(), True
                continue
            self.metrics.reads += 1
            self._clock(answer.date)
            rows, following = answer.data
            cursors.advance(following, len(rows))
            yield rows

    def rows(self, path: str, label: str, query: Mapping[str, str]) -> list[Record]:
        """Read a list that comes whole."""

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
        counts: Any = None,
    ) -> Record:
        """Write; the answer is the record as it is now, as far as Vitally tells.

        `WriteRejected` is raised where Vitally does not take it, `Uncertain` where nobody knows.
        """
        try:
            answer: Answer[Any] = self._vitally.send(
                method, path, query, body, counts=counts or self.metrics, label=label
            )
        except Refused as refused:
            if refused.key:
                raise
            raise WriteRejected(str(refused), refused.status) from None
        self._clock(answer.date)
        data = answer.data
        if isinstance(data, dict) and data.get("error") and "id" not in data:
            text = error_text(data) or "an error, without a word why"
            msg = f"Vitally did not take it: {text}"
            raise WriteRejected(msg, 400)
        self.metrics.writes[f"{method} {label}"] += 1
        if isinstance(data, dict) and isinstance(data.get("data"), dict) and "id" not in data:
            data = data["data"]
        return data if isinstance(data, dict) else {}

    def _clock(self, date: datetime | None) -> None:
        if self.clock is None:
            self.clock = date
