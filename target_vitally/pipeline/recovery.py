"""Recover writes whose answers were lost: look for the record repeatedly, then send again.

A service may finish a request seconds after it, or a proxy before it, has given up answering. Sent
again too early, a create is there twice, and an update undoes one that came after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.rows import InputRow, LostWrite, PendingWrite
from target_vitally.pipeline.stage import Stage
from vitally_api import Budget, RateLimited, Refused, VitallyError, WriteOutcomeUnknown

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds between two looks, which grow from one to the next."""
SHORTEST_WAIT, BEYOND_TIMEOUT = 10.0, 5.0
"""Seconds in which a lost write may still be carried out: at the least, and beyond the timeout."""
PATIENCE = 300.0
"""Seconds in which a lost write is sent again."""
METHODS: Mapping[str, str] = {"created": "POST", "updated": "PUT", "deleted": "DELETE"}
MOST_ASIDE = 3
"""Writes that may fail for ever without a sign that others succeed."""
MOST_IN_A_ROW = 20
"""Writes that are lost one after the other before no more are sent until these were looked for."""
NO_KEY = (
    "%s: the answer to row %s was lost, and it has no key: look in Vitally whether it is there."
)


@dataclass
class Recovery(Stage):
    """Finds out which of the writes whose answers were lost were carried out."""

    budget: Budget

    def __post_init__(self) -> None:
        self._window = max(SHORTEST_WAIT, self.settings.request_timeout + BEYOND_TIMEOUT)
        self._late: dict[str, float] = {}
        self._aside: list[PendingWrite] = []
        self._in_a_row = 0

    def lose(self, write_: PendingWrite, made: Plan, failure: VitallyError) -> None:
        """Note that it is unknown whether a write was carried out.

        Raise the failure if it does not concern this row alone: a rate limit, or a server that is down.
        """
        certain = not isinstance(failure, WriteOutcomeUnknown)
        if certain and (isinstance(failure, RateLimited) or not self.references.client.answers()):
            raise failure
        now = self.budget.monotonic()
        self._in_a_row += 1
        lost = write_.lost
        if lost is None:
            method = METHODS.get(made.outcome, "PUT")
            kind = f"{method} {self.writer(write_).label}"
            lost = LostWrite(
                made, now + PATIENCE, kind, self.references.client.metrics.writes[kind]
            )
            write_.lost = lost
        lost.failure = failure
        lost.tries += 1
        # A second POST that is known to be an update may come soon, after a moment for the first.
        soon = min(FIRST_PAUSE * 2**lost.tries, LONGEST_PAUSE)
        lost.late = now + self._window
        lost.until = now + soon if write_.resource.upserts else lost.late
        if certain:
            # The client has repeated it, and come to the end of its patience.
            lost.until = lost.ends = now
            lost.writes = write_.retried_at[lost.kind] if write_.retried_at else 0

    @property
    def failing(self) -> bool:
        """True if so many consecutive writes were lost that no more should be sent for now."""
        return self._in_a_row >= MOST_IN_A_ROW

    def recover(self, lost: Sequence[PendingWrite]) -> list[PendingWrite]:
        """Look lost writes up until each is found or may be repeated; return those to send again."""
        again: list[PendingWrite] = []
        waiting = [write_ for write_ in lost if not self._has_no_key(write_)]
        pause = FIRST_PAUSE
        while waiting:
            soonest = min(write_.lost.until for write_ in waiting if write_.lost)
            rest = max(soonest - self.budget.monotonic(), 0.0)
            self.budget.sleep(min(pause, rest))
            pause = min(pause * 2, LONGEST_PAUSE)
            refused = self._look(waiting)
            now = self.budget.monotonic()
            if refused:  # nobody knows whether they are there, and they must not be sent again
                for write_ in waiting:
                    if write_.lost and now >= write_.lost.until:
                        self.outcomes.end_write(write_, Plan("uncertain", refused))
                waiting = [w for w in waiting if w.lost and now < w.lost.until]
                continue
            waiting = [write_ for write_ in waiting if not self._found(write_)]
            for write_ in waiting:
                if write_.lost and now >= write_.lost.ends and now >= write_.lost.until:
                    self.give_up(write_)
            again += [w for w in waiting if w.lost and w.lost.until <= now < w.lost.ends]
            waiting = [w for w in waiting if w.lost and now < w.lost.until]
        self._in_a_row = 0
        return again

    def _look(self, waiting: Sequence[PendingWrite]) -> str:
        """Read anew what lost writes may have changed; return why that is refused, or nothing."""
        try:
            self.writers[waiting[0].resource.name].find_again(waiting)
        except Refused as refused:
            return str(refused)
        return ""

    def _has_no_key(self, write_: PendingWrite) -> bool:
        """Record a lost write without a key as uncertain and return True; else return False.

        Without a key its record cannot be looked up.
        """
        if write_.key is not None or self.writer(write_).asks:
            return False
        self.outcomes.warn_once(write_.mapping.stream, NO_KEY, write_.rows[-1].number)
        reason = "the answer was lost, and there is no key to look it up by"
        self.outcomes.end_write(write_, Plan("uncertain", reason))
        return True

    def _found(self, write_: PendingWrite) -> bool:
        """Return True, and record the outcome, if a lost write needs no further request."""
        writer, lost = self.writer(write_), write_.lost
        try:
            made = writer.plan(write_, only_changed=self.settings.only_changed)
        except (LookupFailed, Refused) as failed:
            made = Plan("uncertain", str(failed))
        created = lost is not None and lost.plan.outcome == "created" and made.record is not None
        if created and made.outcome in {"updated", "ignored"} and not writer.in_parts(write_):
            made = Plan("created", record=made.record)
        elif made.outcome in {"created", "updated"}:
            return False
        self.outcomes.end_write(write_, made, made.record)
        self._in_a_row = 0
        if write_.resource.upserts:  # one of several tries was found, and others may come
            self.remember(write_)
        return True

    def remember(self, write_: PendingWrite) -> None:
        """Note until when a delayed earlier attempt of a write may still overwrite later writes."""
        self._in_a_row = 0
        late = self.budget.monotonic() + self._window if write_.retries else 0.0
        late = write_.lost.late if write_.lost else late
        if late:
            self._late |= dict.fromkeys(self.writer(write_).touched(write_), late)

    def wait_for_late(self, write_: PendingWrite) -> None:
        """Wait until no delayed earlier attempt can overwrite the write that is to be sent now."""
        for name in self.writer(write_).touched(write_):
            rest = self._late.get(name, 0.0) - self.budget.monotonic()
            if rest > 0:
                self.budget.sleep(rest)
            self._late.pop(name, None)

    def give_up(self, write_: PendingWrite) -> None:
        """Record a write that keeps failing as uncertain, once others of its kind have succeeded.

        Until then it is set aside. If more than `MOST_ASIDE` are, or no write of the run has succeeded,
        the server no longer takes writes: raise the failure.
        """
        self._aside.append(write_)
        self.end_aside()
        if len(self._aside) > (MOST_ASIDE if self.references.client.metrics.writes else 1):
            raise self._failure

    def end_aside(self, *, last: bool = False) -> None:
        """Record writes that were set aside as uncertain if others of their kind have succeeded since.

        With ``last``, at the end of the run, it is enough that any write succeeded; if none did, raise
        the failure.
        """
        waiting, self._aside = self._aside, []
        writes = self.references.client.metrics.writes
        for write_ in waiting:
            lost = write_.lost
            if lost and not (writes[lost.kind] > lost.writes or (last and writes)):
                self._aside.append(write_)
                continue
            reason = f"it failed again and again, while others succeeded: {lost and lost.failure}"
            self.outcomes.end_write(write_, Plan("uncertain", reason))
        if last and self._aside:
            raise self._failure

    @property
    def _failure(self) -> Exception:
        lost = self._aside[0].lost
        return lost.failure if lost else VitallyError()

    def rows(self) -> Iterator[InputRow]:
        """Yield the rows of the writes that were set aside."""
        for write_ in self._aside:
            yield from write_.rows
