"""One record's plan, carried out: sent once, looked up before it is sent again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from target_vitally.planning.plan import Plan, Word, plan
from target_vitally.planning.resource import Record
from target_vitally.writing.doors import Door
from target_vitally.writing.index import LookupFailed
from target_vitally.writing.outcomes import Row
from target_vitally.writing.recovery import Recovery
from target_vitally.writing.run import Halted, Run
from target_vitally.writing.wire import Declined
from target_vitally.writing.work import Work
from vitally_api import Refused, Unavailable, printable


class Writer:
    """Writes single records, on any thread."""

    def __init__(self, run: Run, put_off: Callable[[Work], None]) -> None:
        """``put_off`` takes what is to be tried once more at the end of the input."""
        self._run = run
        self._put_off = put_off
        self._new = itertools.count(1)
        self._recovery = Recovery(run, self)

    def write(self, work: Work) -> bool:
        """Take one record's rows to their end; return False where its answer was lost.

        `recover` is for those.
        """
        door = self._run.doors[work.resource.name]
        try:
            made = self.plan(door, work)
        except LookupFailed as failed:
            self.end(work, Plan("rejected", str(failed)), {})
            return True
        try:
            now = made.record or {}
            if made.word in {"created", "updated"}:
                if self._dry:
                    now = door.pretend(work, made, f"new:{next(self._new)}")
                else:
                    self._recovery.wait_for_late(door.lane(work))
                    made, now = self._send(door, work, made)
                    self._recovery.remember(door.lane(work), work)
        except Declined as declined:
            if work.hopeful:
                self._put_off(work)
            else:
                self.end(work, Plan("rejected", str(declined)), {})
        except Refused as refused:
            if refused.key:
                raise
            self.end(work, Plan("rejected", str(refused)), {})
        except Unavailable as failure:
            self._recovery.lose(work, made, failure)
            return False
        else:
            self.end(work, made, now)
        self._run.check()
        return True

    def recover(self, lost: Sequence[Work]) -> list[Work]:
        """Look for writes whose answers were lost; return those to be sent again."""
        return self._recovery.recover(lost)

    @property
    def failing(self) -> bool:
        """Whether nothing should be sent until what was lost has been looked for."""
        return self._recovery.failing

    def end_aside(self, *, last: bool = False) -> None:
        """End what was set aside, if others succeeded since; raise why it fails if it is the last time."""
        self._recovery.end_aside(last=last)

    @property
    def aside(self) -> Iterator[Row]:
        """The rows that wait for a sign that others succeed."""
        return self._recovery.rows()

    def settle(self, work: Work) -> bool:
        """Take rows to their end that need no request; tell whether these were such."""
        door = self._run.doors[work.resource.name]
        try:
            made = None if door.asks else self.plan(door, work)
        except LookupFailed as failed:
            made = Plan("rejected", str(failed))
        if made is None or made.word in {"created", "updated"}:
            return False
        self.end(work, made, made.record or {})
        return True

    def delete(self, work: Work, record: Record) -> None:
        """Delete one record."""
        door = self._run.doors[work.resource.name]
        try:
            if not self._dry:
                self._recovery.wait_for_late(door.lane(work))
            there = self._dry or door.delete(work, record)
        except Declined as declined:
            self.end(work, Plan("rejected", str(declined)), record)
        except Unavailable as failure:
            self._recovery.lose(work, Plan("deleted", record=record), failure)
            self._recovery.give_up(work)
        else:
            done: Word = "deleted" if there else "unchanged"
            self.end(work, Plan(done, "" if there else "it is not there"), record)

    @property
    def _dry(self) -> bool:
        return self._run.settings.dry_run

    def plan(self, door: Door, work: Work) -> Plan:
        """Compare rows with what is there, as far as it has been read."""
        return plan(
            work.resource,
            work.fitted.mode,
            work.fitted,
            work.body,
            door.present(work),
            only_changed=self._run.settings.only_changed,
            compare=door.compare,
            missing=str(work.missing or ""),
            exact=work.exact,
        )

    def _send(self, door: Door, work: Work, made: Plan) -> tuple[Plan, Record]:
        """Send once, or twice where a create is refused because there is such a record."""
        try:
            now = door.create(work, made) if made.word == "created" else door.update(work, made)
        except Declined as declined:
            if made.word != "created" or not door.is_double(declined):
                raise
            door.again([work])
            if not door.present(work):
                raise
            made = self.plan(door, work)
            if made.word != "updated":
                return made, made.record or {}
            now = door.update(work, made)
        self._tell_untaken(door, work, made, now)
        return made, now

    def _tell_untaken(self, door: Door, work: Work, made: Plan, now: Record) -> None:
        stream = work.meaning.stream
        for name in door.untaken(work.resource, made, now):
            self._run.outcomes.tell_once(
                stream,
                f"untaken {name}",
                "%s: Vitally did not take %s as it was sent: its answer shows something else.",
                stream,
                printable(name),
            )

    def end(self, work: Work, made: Plan, now: Record) -> None:
        """Let rows end; what was lost in between ends as what it was to be."""
        if work.lost and made.word in {"created", "updated", "unchanged"}:
            first = work.lost.plan
            made = Plan(first.word, body=first.body, changes=first.changes)
        requests = work.tally.requests
        for row in work.rows:
            self._run.outcomes.end(
                row,
                made.word,
                made.reason,
                key=work.key,
                id_=str(now.get("id") or ""),
                requests=requests,
                changes=made.changes if made.word == "updated" else None,
            )
            requests = 0
        self.stop_if_rejected(made.word)

    def stop_if_rejected(self, word: Word) -> None:
        """End the run at its first rejected row, where that is asked for."""
        if word == "rejected" and self._run.settings.on_reject == "stop":
            msg = "A row was rejected, and on_reject is stop: see the summary, and rejects_file."
            halted = Halted(msg)
            self._run.halt(halted)
            raise halted
