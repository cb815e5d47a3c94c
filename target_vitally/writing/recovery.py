"""Writes whose answers were lost: looked for, again and again, before they are sent once more.

A service may finish a request seconds after it, or a proxy before it, has given up answering. Sent
again too early, a create is there twice, and a change undoes one that came after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from target_vitally.planning.plan import Plan
from target_vitally.planning.resource import Record
from target_vitally.writing.doors import Door
from target_vitally.writing.index import LookupFailed
from target_vitally.writing.outcomes import Row
from target_vitally.writing.run import Run
from target_vitally.writing.work import Lost, Work
from vitally_api import Uncertain, VitallyError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds between two looks, which grow from one to the next."""
SHORTEST_WAIT, BEYOND_TIMEOUT = 10.0, 5.0
"""Seconds in which a lost write may still be carried out: the timeout and so many more, or so many."""
PATIENCE = 300.0
"""Seconds in which a lost write is sent again."""
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
        """Remember that nobody knows whether a write was carried out."""
        now = self._run.budget.monotonic()
        self._in_a_row += 1
        lost = work.lost = work.lost or Lost(made, now + PATIENCE, self._run.totals.writes)
        lost.failure = failure
        lost.tries += 1
        # A second POST that is known to be an update may come soon, after a moment for the first.
        soon = min(FIRST_PAUSE * 2**lost.tries, LONGEST_PAUSE)
        lost.until = now + (soon if work.resource.upserts else self._window)
        if not isinstance(failure, Uncertain):
            # The client has repeated it, and come to the end of its patience.
            lost.until = lost.ends = now
            lost.writes = work.tally.retried_at

    @property
    def failing(self) -> bool:
        """Whether so many writes were lost, one after the other, that more would be, too."""
        return self._in_a_row >= MOST_IN_A_ROW

    def recover(self, lanes: Sequence[list[Work]]) -> list[list[Work]]:
        """Look for the first write of each lane until it is found or may be sent again, all together.

        Return what is left to do of the lanes.
        """
        left: list[list[Work]] = []
        waiting = [lane for lane in lanes if not self._hopeless(lane)]
        pause = FIRST_PAUSE
        while waiting:
            soonest = min(self._until(lane) for lane in waiting) - self._run.budget.monotonic()
            self._run.budget.sleep(min(pause, max(soonest, 0.0)))
            pause = min(pause * 2, LONGEST_PAUSE)
            first = waiting[0][0]
            self._run.doors[first.resource.name].again([lane[0] for lane in waiting])
            now = self._run.budget.monotonic()
            still = []
            for lane in waiting:
                if self._found(lane[0]):
                    left += [lane[1:]] if lane[1:] else []
                elif now < self._until(lane):
                    still.append(lane)
                elif self._exhausted(lane[0], now):
                    self.give_up(lane)
                else:
                    left.append(lane)
            waiting = still
        self._in_a_row = 0
        return left

    def _hopeless(self, lane: list[Work]) -> bool:
        """End a write that cannot be looked for: it has no key."""
        work = lane[0]
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

    @staticmethod
    def _until(lane: Sequence[Work]) -> float:
        return lane[0].lost.until if lane[0].lost else 0.0

    @staticmethod
    def _exhausted(work: Work, now: float) -> bool:
        return work.lost is None or now >= work.lost.ends

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
        self.remember(door.lane(work), work)
        return True

    def remember(self, lane: str, work: Work) -> None:
        """Keep until when an earlier try of a write may still be carried out, which would undo others."""
        self._in_a_row = 0
        if work.lost or work.tally.retries:
            self._late[lane] = self._run.budget.monotonic() + self._window

    def wait_for_late(self, lane: str) -> None:
        """Let nothing be written into a record while an earlier write may come after it."""
        rest = self._late.get(lane, 0.0) - self._run.budget.monotonic()
        if rest > 0:
            self._run.budget.sleep(rest)
        self._late.pop(lane, None)

    def give_up(self, lane: Sequence[Work]) -> None:
        """End a write that fails for ever as uncertain, if others succeed meanwhile.

        Without such a sign it waits for one; a second one without a sign is taken for a dead server.
        """
        lost = lane[0].lost
        if lost is None:
            return
        if self._aside and not self._others_succeeded(lost):
            raise lost.failure
        for work in lane:
            work.lost = lost
        self._aside += lane
        self.end_aside()

    def _others_succeeded(self, lost: Lost) -> bool:
        return self._run.totals.writes > lost.writes

    def end_aside(self, *, last: bool = False) -> None:
        """End what was set aside as uncertain, if others succeeded since it was lost.

        If it is the ``last`` time and there is no such sign, its failure is raised.
        """
        waiting, self._aside = self._aside, []
        for work in waiting:
            if work.lost and not self._others_succeeded(work.lost):
                self._aside.append(work)
                if last:
                    raise work.lost.failure
                continue
            reason = f"it failed again and again, while others succeeded: {work.lost and work.lost.failure}"
            self._ends.end(work, Plan("uncertain", reason), {})

    def rows(self) -> Iterator[Row]:
        """Give the rows that were set aside."""
        for work in self._aside:
            yield from work.rows
