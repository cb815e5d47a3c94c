"""One record's plan, carried out: sent once, looked up before it is sent again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from target_vitally.planning.plan import Plan, Word, plan
from target_vitally.planning.resource import Record
from target_vitally.writing.doors import Door
from target_vitally.writing.run import Halted, Run
from target_vitally.writing.wire import Declined
from target_vitally.writing.work import Work
from vitally_api import Refused, Uncertain, printable

PATIENCE = 300.0
"""Seconds in which a write is tried again after looks that did not find it."""
LONGEST_PAUSE = 30.0


class Lost(Exception):
    """A write that may have been carried out, and of which nobody can find out."""


class Writer:
    """Writes single records, on any thread."""

    patience = PATIENCE

    def __init__(self, run: Run, put_off: Callable[[Work], None]) -> None:
        """``put_off`` takes what is to be tried once more at the end of the input."""
        self._run = run
        self._put_off = put_off
        self._new = itertools.count(1)

    def write(self, work: Work) -> None:
        """Take one record's rows to their end."""
        door = self._run.doors[work.resource.name]
        try:
            made = self._plan(door, work)
            now = made.record or {}
            word: Word = made.word
            if word in {"created", "updated"}:
                if self._dry:
                    now = door.pretend(work, made, f"new:{next(self._new)}")
                else:
                    made, now = self._do(door, work, made)
                word = made.word
        except Declined as declined:
            if work.hopeful:
                self._put_off(work)
            else:
                self._end(work, Plan("rejected", str(declined)), {})
        except Refused as refused:
            if refused.key:
                raise
            self._end(work, Plan("rejected", str(refused)), {})
        except Lost:
            reason = "the answer was lost, and there is no key to look it up by"
            self._tell_uncertain(work)
            self._end(work, Plan("uncertain", reason), {})
        else:
            self._end(work, made, now)
        self._run.check()

    def settle(self, work: Work) -> bool:
        """Take rows to their end that need no request; tell whether these were such."""
        door = self._run.doors[work.resource.name]
        made = None if door.asks else self._plan(door, work)
        if made is None or made.word in {"created", "updated"}:
            return False
        self._end(work, made, made.record or {})
        return True

    def delete(self, work: Work, record: Record) -> None:
        """Delete one record."""
        door = self._run.doors[work.resource.name]
        try:
            there = self._dry or door.delete(work, record)
        except Declined as declined:
            self._end(work, Plan("rejected", str(declined)), record)
        else:
            done: Word = "deleted" if there else "unchanged"
            self._end(work, Plan(done, "" if there else "it is not there"), record)

    @property
    def _dry(self) -> bool:
        return self._run.settings.dry_run

    def _plan(self, door: Door, work: Work) -> Plan:
        return plan(
            work.resource,
            work.fitted.mode,
            work.fitted,
            work.body,
            door.present(work),
            only_changed=self._run.settings.only_changed,
            compare=door.compare,
            missing=str(work.missing or ""),
        )

    def _do(  # noqa: C901 - what may follow from a write, in one place
        self, door: Door, work: Work, made: Plan
    ) -> tuple[Plan, Record]:
        """Send, until it is known what became of it."""
        began: float | None = None
        first = made
        for tried in itertools.count():
            try:
                now = door.create(work, made) if made.word == "created" else door.update(work, made)
            except Uncertain as uncertain:
                if work.key is None and not door.asks:
                    raise Lost from uncertain
                began = time.monotonic() if began is None else began
                # What timed out may still be under way: give it a moment before the look.
                self._run.budget.sleep(min(0.1 * 2**tried, LONGEST_PAUSE))
                found = door.again(work)
                if found and first.word == "created":
                    return Plan("created", body=first.body), found[0]
                made = self._plan(door, work)
                if made.word == "unchanged":
                    return Plan(
                        first.word, body=first.body, changes=first.changes
                    ), made.record or {}
                if made.word not in {"created", "updated"}:
                    return made, made.record or {}
                if time.monotonic() - began > self.patience:
                    raise
            except Declined as declined:
                if made.word != "created" or not door.is_double(declined):
                    raise
                if not door.again(work):
                    raise
                made = self._plan(door, work)
                if made.word != "updated":
                    return made, made.record or {}
            else:
                self._tell_untaken(door, work, made, now)
                return Plan(made.word, body=made.body, changes=made.changes or first.changes), now
        raise AssertionError

    def _tell_untaken(self, door: Door, work: Work, made: Plan, now: Record) -> None:
        stream = work.meaning.stream
        for name in door.untaken(made, now):
            self._run.outcomes.tell_once(
                stream,
                f"untaken {name}",
                "%s: Vitally did not take %s as it was sent: its answer shows something else.",
                stream,
                printable(name),
            )

    def _tell_uncertain(self, work: Work) -> None:
        where = f"row {work.last.number}"
        stream = work.meaning.stream
        self._run.outcomes.tell_once(
            stream,
            f"uncertain {where}",
            "%s: the answer to %s was lost, and it has no key: look in Vitally whether it is there.",
            stream,
            where,
        )

    def _end(self, work: Work, made: Plan, now: Record) -> None:
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
