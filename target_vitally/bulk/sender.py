"""Send messages a hundred at once; halve a refused request until the bad messages are found."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from target_vitally.mapping.rows import PendingWrite
from vitally_api import (
    Analytics,
    KeyRefused,
    Message,
    Refused,
    RequestMetrics,
    VitallyError,
    encoded,
    in_requests,
)
from vitally_api.statuses import StatusClass, classify

SAME_WORDS = 3
"""Single messages refused with the same text, none accepted, after which a type may be blocked."""

State = Literal["waiting", "sent", "accepted", "refused", "seen"]


@dataclass(eq=False)
class Unit:
    """The messages of one write, all of one type, which are accepted or refused together.

    ``state`` is ``sent`` while it is unknown if they were accepted, ``seen`` once a record was read that
    shows them applied. ``reason`` is the text of the refusal. ``counts`` counts the requests, each for
    the first write in it.
    """

    messages: list[Message]
    counts: RequestMetrics
    write_: PendingWrite
    state: State = "waiting"
    reason: str = ""


def message_id(*content: Any) -> str:
    """Return a digest that is the same if the message is sent again, in any order of its members."""
    return hashlib.sha256(encoded(_ordered(content))).hexdigest()[:40]


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass
class Sender:
    """Sends messages on all threads of a run, one type at a time.

    ``blocked`` has the types that the workspace refuses altogether, with the text of the refusal.
    """

    analytics: Analytics
    map_concurrently: Callable[..., None]
    blocked: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: set[str] = set()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._units: list[Unit] = []
        self._date: datetime | None = None

    def send(self, kind: str, units: Sequence[Unit]) -> datetime | None:
        """Send units of one type; afterwards each is accepted or refused, or waiting if its type is blocked.

        Requests go one by one until the first is accepted, so that a blocked type is found out once.
        Return the server's time at the first request that was accepted; None if none was.
        """
        self._units, self._date = list(units), None
        requests = list(in_requests(self._units, lambda unit: unit.messages))
        send = partial(self._send, kind)
        while requests and kind not in self._accepted and kind not in self.blocked:
            send(requests.pop(0))
        if kind not in self.blocked and requests:
            self.map_concurrently(send, requests)
        if kind in self.blocked:
            for unit in self._units:  # no unit is at fault, those that were tried included
                unit.state = "waiting"
        self._units = []
        return self._date

    def _send(self, kind: str, units: Sequence[Unit], *, bad: bool = False) -> bool:
        """Send units, in halves if they are refused; return True if all were accepted.

        ``bad`` is True if one of them is known to be refused, since the other half was accepted.
        """
        units = [unit for unit in units if unit.state == "waiting"]
        if not units or kind in self.blocked:
            return not units
        if not bad or len(units) == 1:
            refusal = self._post(kind, units)
            if not refusal:
                return True
            if len(units) == 1:
                self._refuse(kind, units[0], refusal)
                return False
        middle = len(units) // 2
        first = self._send(kind, units[:middle])
        self._send(kind, units[middle:], bad=first)
        return False

    def _post(self, kind: str, units: Sequence[Unit]) -> str:
        """Send units in one request; return the text of the refusal, empty if they were accepted."""
        for unit in units:
            unit.state = "sent"
        try:
            date = self.analytics.send([m for u in units for m in u.messages], units[0].counts)
        except (KeyRefused, Refused) as refused:
            for unit in units:
                unit.state = "waiting"
            # Another key, address or plan is needed: no message is at fault.
            if (
                isinstance(refused, KeyRefused)
                or classify(refused.status) is not StatusClass.REFUSED
            ):
                raise VitallyError(str(refused)) from None
            return str(refused)
        for unit in units:
            unit.state = "accepted"
        with self._lock:
            self._accepted.add(kind)
            self._date = self._date or date
        return ""

    def _refuse(self, kind: str, unit: Unit, words: str) -> None:
        unit.state, unit.reason = "refused", words
        with self._lock:
            self._refusals[kind, words] += 1
            suspicious = self._refusals[kind, words] == SAME_WORDS and kind not in self._accepted
        if suspicious and self._all_refused(kind, words):
            self.blocked[kind] = words

    def _all_refused(self, kind: str, words: str) -> bool:
        """Return True if units from other parts of the list are refused with the same text, too.

        Perhaps only the first rows of a table are bad. No other request is in progress, since none of
        the type was accepted.
        """
        rest = [unit for unit in self._units if unit.state == "waiting"]
        for parts in range(1, SAME_WORDS + 1):
            if not rest:
                break
            unit = rest.pop(len(rest) // parts if parts > 1 else -1)
            refusal = self._post(kind, [unit])
            if not refusal:
                return False
            unit.state, unit.reason = "refused", refusal
            if refusal != words:
                return False
        return True
