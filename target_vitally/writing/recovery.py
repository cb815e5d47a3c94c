"""Writes whose answers were lost: looked for, again and again, before they are sent once more.

A service may finish a request seconds after it, or a proxy before it, has given up answering. Sent
again too early, a create is there twice, and a change undoes one that came after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from target_vitally.planning.plan import Plan
from target_vitally.planning.resource import Record
from target_vitally.writing.doors import Door
from target_vitally.writing.index import LookupFailed
from target_vitally.writing.outcomes import Row
from target_vitally.writing.run import Run
from target_vitally.writing.work import Lost, Work
from vitally_api import RateLimited, Uncertain, VitallyError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds between two looks, which grow from one to the next."""
SHORTEST_WAIT, BEYOND_TIMEOUT = 10.0, 5.0
"""Seconds in which a lost write may still be carried out: the timeout and so many more, or so many."""
PATIENCE = 300.0
"""Seconds in which a lost write is sent again."""
METHODS: Mapping[str, str] = {"created": "POST", "updated": "PUT", "deleted": "DELETE"}
MOST_ASIDE = 3
"""Writes that may fail for ever without a sign that others succeed."""
MOST_IN_A_ROW = 20
"""Writes that are lost one after the other before no more are sent until these were looked for."""


class Ends(Protocol):
    """What plans writes, and lets rows end."""

    def plan(self, door: Door, work: Work, /) -> Plan:
        """Compare rows with what is there."""

    def end(self, work: Work, made: Plan, now: Record, /) -> None:
        """Let rows end."""


class Recovery:
    """Finds out what became of lost writes."""

    def __init__(self, run: Run, ends: Ends) -> None:
        self._run = run
        self._ends = ends
        self._late: dict[str, float] = {}
        self._aside: list[Work] = []
        self._in_a_row = 0
        self._window = max(SHORTEST_WAIT, run.request_timeout + BEYOND_TIMEOUT)

    def lose(self, work: Work, made: Plan, failure: VitallyError) -> None:
        """Remember that nobody knows whether a write was carried out.

        The failure is raised where it is not the row's: a rate limit, a server that answers nothing.
        """
        certain = not isinstance(failure, Uncertain)
        if certain and (isinstance(failure, RateLimited) or not self._run.wire.answers()):
            raise failure
        now = self._run.budget.monotonic()
        self._in_a_row += 1
        if work.lost is None:
            method = METHODS.get(made.word, "PUT")
            kind = f"{method} {self._run.doors[work.resource.name].label}"
            work.lost = Lost(made, now + PATIENCE, kind, self._run.totals.writes[kind])
        lost = work.lost
        lost.failure = failure
        lost.tries += 1
        # A second POST that is known to be an update may come soon, after a moment for the first.
        soon = min(FIRST_PAUSE * 2**lost.tries, LONGEST_PAUSE)
        lost.late = now + self._window
        lost.until = now + soon if work.resource.upserts else lost.late
        if certain:
            # The client has repeated it, and come to the end of its patience.
            lost.until = lost.ends = now
            lost.writes = work.tally.retried_at[lost.kind]

    @property
    def failing(self) -> bool:
        """Whether so many writes were lost, one after the other, that more would be, too."""
        return self._in_a_row >= MOST_IN_A_ROW

    def recover(self, lost: Sequence[Work]) -> list[Work]:
        """Look for lost writes, all together, until each is found; return those to be sent again."""
        again: list[Work] = []
        waiting = [work for work in lost if not self._hopeless(work)]
        pause = FIRST_PAUSE
        while waiting:
            soonest = min(work.lost.until for work in waiting if work.lost)
            rest = max(soonest - self._run.budget.monotonic(), 0.0)
            self._run.budget.sleep(min(pause, rest))
            pause = min(pause * 2, LONGEST_PAUSE)
            self._run.doors[waiting[0].resource.name].again(waiting)
            now = self._run.budget.monotonic()
            waiting = [work for work in waiting if not self._found(work)]
            for work in waiting:
                if work.lost and now >= work.lost.ends and now >= work.lost.until:
                    self.give_up(work)
            again += [w for w in waiting if w.lost and w.lost.until <= now < w.lost.ends]
            waiting = [w for w in waiting if w.lost and now < w.lost.until]
        self._in_a_row = 0
        return again

    def _hopeless(self, work: Work) -> bool:
        """End a write that cannot be looked for: it has no key."""
        if work.key is not None or self._run.doors[work.resource.name].asks:
            return False
        self._run.outcomes.tell_once(
            work.meaning.stream,
            f"uncertain row {work.last.number}",
            "%s: the answer to row %s was lost, and it has no key: look in Vitally whether it is there.",
            work.meaning.stream,
            work.last.number,
        )
        reason = "the answer was lost, and there is no key to look it up by"
        self._ends.end(work, Plan("uncertain", reason), {})
        return True

    def _found(self, work: Work) -> bool:
        """Let rows end whose write was carried out, or can be no more; tell whether that is so."""
        door, lost = self._run.doors[work.resource.name], work.lost
        try:
            made = self._ends.plan(door, work)
        except LookupFailed as failed:
            made = Plan("uncertain", str(failed))
        created = lost is not None and lost.plan.word == "created" and made.record is not None
        if created and made.word in {"updated", "ignored"} and not door.in_parts(work):
            made = Plan("created", record=made.record)
        elif made.word in {"created", "updated"}:
            return False
        self._ends.end(work, made, made.record or {})
        self._in_a_row = 0
        if work.resource.upserts:  # one of several tries was found, and others may come
            self.remember(door.lane(work), work)
        return True

    def remember(self, lane: str, work: Work) -> None:
        """Keep until when an earlier try of a write may still be carried out, which would undo others."""
        self._in_a_row = 0
        if work.lost:
            self._late[lane] = work.lost.late
        elif work.tally.retries:
            self._late[lane] = self._run.budget.monotonic() + self._window

    def wait_for_late(self, lane: str) -> None:
        """Let nothing be written into a record while an earlier write may come after it."""
        rest = self._late.get(lane, 0.0) - self._run.budget.monotonic()
        if rest > 0:
            self._run.budget.sleep(rest)
        self._late.pop(lane, None)

    def give_up(self, work: Work) -> None:
        """End a write that fails for ever as uncertain, if others of its kind succeed meanwhile.

        Without a sign of that it waits for one. When more wait than `MOST_ASIDE`, or no write of the
        run has succeeded at all, that is taken for a server that does not take writes any more.
        """
        self._aside.append(work)
        self.end_aside()
        if len(self._aside) > (MOST_ASIDE if self._run.totals.writes else 1):
            raise self._failure

    def end_aside(self, *, last: bool = False) -> None:
        """End what was set aside as uncertain, if others of its kind succeeded since it was lost.

        The ``last`` time it is enough that any write succeeded; if none did, its failure is raised.
        """
        waiting, self._aside = self._aside, []
        writes = self._run.totals.writes
        for work in waiting:
            lost = work.lost
            if lost and not (writes[lost.kind] > lost.writes or (last and writes)):
                self._aside.append(work)
                continue
            reason = f"it failed again and again, while others succeeded: {lost and lost.failure}"
            self._ends.end(work, Plan("uncertain", reason), {})
        if last and self._aside:
            raise self._failure

    @property
    def _failure(self) -> VitallyError:
        lost = self._aside[0].lost
        return lost.failure if lost else VitallyError()

    def rows(self) -> Iterator[Row]:
        """Give the rows that were set aside."""
        for work in self._aside:
            yield from work.rows
