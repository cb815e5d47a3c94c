"""Writes whose answers were lost: looked for, again and again, before they are sent once more.

A service may finish a request seconds after it, or a proxy before it, has given up answering. Sent
again too early, a create is there twice, and a change undoes one that came after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.pipeline.index import LookupFailed
from target_vitally.pipeline.outcomes import InputRow
from target_vitally.pipeline.resource_writer import ResourceWriter
from target_vitally.pipeline.run import Run
from target_vitally.pipeline.work import Lost, PendingWrite
from vitally_api import RateLimited, VitallyError, WriteOutcomeUnknown

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

    def plan(self, writer: ResourceWriter, write_: PendingWrite, /) -> Plan:
        """Compare rows with what is there."""

    def end(self, write_: PendingWrite, made: Plan, now: Record, /) -> None:
        """Let rows end."""


class Recovery:
    """Finds out what became of lost writes."""

    def __init__(self, run: Run, ends: Ends) -> None:
        self._run = run
        self._ends = ends
        self._late: dict[str, float] = {}
        self._aside: list[PendingWrite] = []
        self._in_a_row = 0
        self._window = max(SHORTEST_WAIT, run.request_timeout + BEYOND_TIMEOUT)

    def lose(self, write_: PendingWrite, made: Plan, failure: VitallyError) -> None:
        """Remember that nobody knows whether a write was carried out.

        The failure is raised where it is not the row's: a rate limit, a server that answers nothing.
        """
        certain = not isinstance(failure, WriteOutcomeUnknown)
        if certain and (isinstance(failure, RateLimited) or not self._run.wire.answers()):
            raise failure
        now = self._run.budget.monotonic()
        self._in_a_row += 1
        if write_.lost is None:
            method = METHODS.get(made.outcome, "PUT")
            kind = f"{method} {self._run.writers[write_.resource.name].label}"
            write_.lost = Lost(made, now + PATIENCE, kind, self._run.metrics.writes[kind])
        lost = write_.lost
        lost.failure = failure
        lost.tries += 1
        # A second POST that is known to be an update may come soon, after a moment for the first.
        soon = min(FIRST_PAUSE * 2**lost.tries, LONGEST_PAUSE)
        lost.late = now + self._window
        lost.until = now + soon if write_.resource.upserts else lost.late
        if certain:
            # The client has repeated it, and come to the end of its patience.
            lost.until = lost.ends = now
            lost.writes = write_.metrics.retried_at[lost.kind]

    @property
    def failing(self) -> bool:
        """Whether so many writes were lost, one after the other, that more would be, too."""
        return self._in_a_row >= MOST_IN_A_ROW

    def recover(self, lost: Sequence[PendingWrite]) -> list[PendingWrite]:
        """Look for lost writes, all together, until each is found; return those to be sent again."""
        again: list[PendingWrite] = []
        waiting = [write_ for write_ in lost if not self._hopeless(write_)]
        pause = FIRST_PAUSE
        while waiting:
            soonest = min(write_.lost.until for write_ in waiting if write_.lost)
            rest = max(soonest - self._run.budget.monotonic(), 0.0)
            self._run.budget.sleep(min(pause, rest))
            pause = min(pause * 2, LONGEST_PAUSE)
            self._run.writers[waiting[0].resource.name].again(waiting)
            now = self._run.budget.monotonic()
            waiting = [write_ for write_ in waiting if not self._found(write_)]
            for write_ in waiting:
                if write_.lost and now >= write_.lost.ends and now >= write_.lost.until:
                    self.give_up(write_)
            again += [w for w in waiting if w.lost and w.lost.until <= now < w.lost.ends]
            waiting = [w for w in waiting if w.lost and now < w.lost.until]
        self._in_a_row = 0
        return again

    def _hopeless(self, write_: PendingWrite) -> bool:
        """End a write that cannot be looked for: it has no key."""
        if write_.key is not None or self._run.writers[write_.resource.name].asks:
            return False
        self._run.outcomes.warn_once(
            write_.mapping.stream,
            f"uncertain row {write_.last.number}",
            "%s: the answer to row %s was lost, and it has no key: look in Vitally whether it is there.",
            write_.mapping.stream,
            write_.last.number,
        )
        reason = "the answer was lost, and there is no key to look it up by"
        self._ends.end(write_, Plan("uncertain", reason), {})
        return True

    def _found(self, write_: PendingWrite) -> bool:
        """Let rows end whose write was carried out, or can be no more; tell whether that is so."""
        writer, lost = self._run.writers[write_.resource.name], write_.lost
        try:
            made = self._ends.plan(writer, write_)
        except LookupFailed as failed:
            made = Plan("uncertain", str(failed))
        created = lost is not None and lost.plan.outcome == "created" and made.record is not None
        if created and made.outcome in {"updated", "ignored"} and not writer.in_parts(write_):
            made = Plan("created", record=made.record)
        elif made.outcome in {"created", "updated"}:
            return False
        self._ends.end(write_, made, made.record or {})
        self._in_a_row = 0
        if write_.resource.upserts:  # one of several tries was found, and others may come
            self.remember(writer.queue(write_), write_)
        return True

    def remember(self, queue: str, write_: PendingWrite) -> None:
        """Keep until when an earlier try of a write may still be carried out, which would undo others."""
        self._in_a_row = 0
        if write_.lost:
            self._late[queue] = write_.lost.late
        elif write_.metrics.retries:
            self._late[queue] = self._run.budget.monotonic() + self._window

    def wait_for_late(self, queue: str) -> None:
        """Let nothing be written into a record while an earlier write may come after it."""
        rest = self._late.get(queue, 0.0) - self._run.budget.monotonic()
        if rest > 0:
            self._run.budget.sleep(rest)
        self._late.pop(queue, None)

    def give_up(self, write_: PendingWrite) -> None:
        """End a write that fails for ever as uncertain, if others of its kind succeed meanwhile.

        Without a sign of that it waits for one. When more wait than `MOST_ASIDE`, or no write of the
        run has succeeded at all, that is taken for a server that does not take writes any more.
        """
        self._aside.append(write_)
        self.end_aside()
        if len(self._aside) > (MOST_ASIDE if self._run.metrics.writes else 1):
            raise self._failure

    def end_aside(self, *, last: bool = False) -> None:
        """End what was set aside as uncertain, if others of its kind succeeded since it was lost.

        The ``last`` time it is enough that any write succeeded; if none did, its failure is raised.
        """
        waiting, self._aside = self._aside, []
        writes = self._run.metrics.writes
        for write_ in waiting:
            lost = write_.lost
            if lost and not (writes[lost.kind] > lost.writes or (last and writes)):
                self._aside.append(write_)
                continue
            reason = f"it failed again and again, while others succeeded: {lost and lost.failure}"
            self._ends.end(write_, Plan("uncertain", reason), {})
        if last and self._aside:
            raise self._failure

    @property
    def _failure(self) -> VitallyError:
        lost = self._aside[0].lost
        return lost.failure if lost else VitallyError()

    def rows(self) -> Iterator[InputRow]:
        """Give the rows that were set aside."""
        for write_ in self._aside:
            yield from write_.rows
