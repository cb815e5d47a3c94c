"""One record's plan, carried out: sent once, looked up before it is sent again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from target_vitally.mapping.plan import Outcome, Plan, plan
from target_vitally.mapping.resource import Record
from target_vitally.pipeline.index import LookupFailed
from target_vitally.pipeline.outcomes import InputRow
from target_vitally.pipeline.recovery import Recovery
from target_vitally.pipeline.resource_writer import ResourceWriter
from target_vitally.pipeline.run import Run, RunAborted
from target_vitally.pipeline.wire import WriteRejected
from target_vitally.pipeline.work import PendingWrite
from vitally_api import Refused, Unavailable, safe_name


class Writer:
    """Writes single records, on any thread."""

    def __init__(self, run: Run, put_off: Callable[[PendingWrite], None]) -> None:
        """``put_off`` takes what is to be tried once more at the end of the input."""
        self._run = run
        self._put_off = put_off
        self._new = itertools.count(1)
        self._recovery = Recovery(run, self)

    def write(self, write_: PendingWrite) -> bool:
        """Take one record's rows to their end; return False where its answer was lost.

        `recover` is for those.
        """
        writer = self._run.writers[write_.resource.name]
        try:
            made = self.plan(writer, write_)
        except LookupFailed as failed:
            self.end(write_, Plan("rejected", str(failed)), {})
            return True
        try:
            now = made.record or {}
            if made.outcome in {"created", "updated"}:
                if self._dry:
                    now = writer.simulate(write_, made, f"new:{next(self._new)}")
                else:
                    self._recovery.wait_for_late(writer.queue(write_))
                    made, now = self._send(writer, write_, made)
                    self._recovery.remember(writer.queue(write_), write_)
        except WriteRejected as declined:
            if write_.retry_at_end:
                self._put_off(write_)
            else:
                self.end(write_, Plan("rejected", str(declined)), {})
        except Refused as refused:
            if refused.key:
                raise
            self.end(write_, Plan("rejected", str(refused)), {})
        except Unavailable as failure:
            self._recovery.lose(write_, made, failure)
            return False
        else:
            self.end(write_, made, now)
        self._run.check()
        return True

    def recover(self, lost: Sequence[PendingWrite]) -> list[PendingWrite]:
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
    def aside(self) -> Iterator[InputRow]:
        """The rows that wait for a sign that others succeed."""
        return self._recovery.rows()

    def settle(self, write_: PendingWrite) -> bool:
        """Take rows to their end that need no request; tell whether these were such."""
        writer = self._run.writers[write_.resource.name]
        try:
            made = None if writer.asks else self.plan(writer, write_)
        except LookupFailed as failed:
            made = Plan("rejected", str(failed))
        if made is None or made.outcome in {"created", "updated"}:
            return False
        self.end(write_, made, made.record or {})
        return True

    def delete(self, write_: PendingWrite, record: Record) -> None:
        """Delete one record."""
        writer = self._run.writers[write_.resource.name]
        try:
            if not self._dry:
                self._recovery.wait_for_late(writer.queue(write_))
            there = self._dry or writer.delete(write_, record)
        except WriteRejected as declined:
            self.end(write_, Plan("rejected", str(declined)), record)
        except Unavailable as failure:
            self._recovery.lose(write_, Plan("deleted", record=record), failure)
            self._recovery.give_up(write_)
        else:
            done: Outcome = "deleted" if there else "unchanged"
            self.end(write_, Plan(done, "" if there else "it is not there"), record)

    @property
    def _dry(self) -> bool:
        return self._run.settings.dry_run

    def plan(self, writer: ResourceWriter, write_: PendingWrite) -> Plan:
        """Compare rows with what is there, as far as it has been read."""
        return plan(
            write_.resource,
            write_.parsed.mode,
            write_.parsed,
            write_.body,
            writer.present(write_),
            only_changed=self._run.settings.only_changed,
            compare=writer.compare,
            missing=str(write_.missing or ""),
            exact=write_.exact,
        )

    def _send(
        self, writer: ResourceWriter, write_: PendingWrite, made: Plan
    ) -> tuple[Plan, Record]:
        """Send once, or twice where a create is refused because there is such a record."""
        try:
            now = (
                writer.create(write_, made)
                if made.outcome == "created"
                else writer.update(write_, made)
            )
        except WriteRejected as declined:
            if made.outcome != "created" or not writer.is_double(declined):
                raise
            writer.again([write_])
            if not writer.present(write_):
                raise
            made = self.plan(writer, write_)
            if made.outcome != "updated":
                return made, made.record or {}
            now = writer.update(write_, made)
        self._warn_not_applied(writer, write_, made, now)
        return made, now

    def _warn_not_applied(
        self, writer: ResourceWriter, write_: PendingWrite, made: Plan, now: Record
    ) -> None:
        stream = write_.mapping.stream
        for name in writer.not_applied(write_.resource, made, now):
            self._run.outcomes.warn_once(
                stream,
                f"untaken {name}",
                "%s: Vitally did not take %s as it was sent: its answer shows something else.",
                stream,
                safe_name(name),
            )

    def end(self, write_: PendingWrite, made: Plan, now: Record) -> None:
        """Let rows end; what was lost in between ends as what it was to be."""
        if write_.lost and made.outcome in {"created", "updated", "unchanged"}:
            first = write_.lost.plan
            made = Plan(first.outcome, body=first.body, changes=first.changes)
        requests = write_.metrics.requests
        for row in write_.rows:
            self._run.outcomes.end(
                row,
                made.outcome,
                made.reason,
                key=write_.key,
                id_=str(now.get("id") or ""),
                requests=requests,
                changes=made.changes if made.outcome == "updated" else None,
            )
            requests = 0
        self.stop_if_rejected(made.outcome)

    def stop_if_rejected(self, outcome: Outcome) -> None:
        """End the run at its first rejected row, where that is asked for."""
        if outcome == "rejected" and self._run.settings.on_reject == "stop":
            msg = "A row was rejected, and on_reject is stop: see the summary, and rejects_file."
            halted = RunAborted(msg)
            self._run.abort(halted)
            raise halted
