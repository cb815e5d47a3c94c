"""A dry run over the rows that wait: what they would do is counted before any of it is done."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from target_vitally.lookup.custom_fields import CustomFields
from target_vitally.lookup.references import References
from target_vitally.mapping.cap import Cap
from target_vitally.mapping.links import ExactLinks
from target_vitally.mapping.resource import Resource
from target_vitally.mapping.rows import InputRow
from target_vitally.pipeline.batches import Batches
from target_vitally.pipeline.caps import WriteCaps, WriteCounter
from target_vitally.pipeline.deletes import Deletes
from target_vitally.pipeline.execute import Executor
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.overflow import WaitingRows
from target_vitally.pipeline.recovery import Recovery
from target_vitally.pipeline.settings import Settings
from target_vitally.pipeline.state_tracker import StateTracker
from target_vitally.pipeline.undo_file import UndoFile
from target_vitally.pipeline.workers import Workers
from target_vitally.writers.base import NEW, ResourceWriter

COUNTED = f"{NEW}counted-"
"""What the ids begin with of records that were only created to be counted."""


class CountingRun:
    """Plans rows with stages of its own, and leaves nothing behind but the counts."""

    def __init__(  # noqa: PLR0913, PLR0917 - what the real stages look with
        self,
        settings: Settings,
        writers: Mapping[str, ResourceWriter],
        references: References,
        fields: CustomFields,
        workers: Workers,
        recovery: Recovery,
        exact: ExactLinks,
        caps: WriteCaps,
    ) -> None:
        without_files = settings.only_looking()
        self._writers = writers = {name: _apart(writer) for name, writer in writers.items()}
        outcomes = _Unrecorded(without_files, StateTracker(lambda _: None))
        waiting = WaitingRows(settings.batch_size_rows, references.store)
        self._executor = Executor(
            without_files,
            writers,
            workers,
            outcomes,
            recovery,
            waiting,
            UndoFile(
                "",
                dry_run=True,
                messages=writers["messages"].resource,
                warn_once=outcomes.warn_once,
            ),
            WriteCounter(caps),
            COUNTED,
        )
        self._deletes = Deletes(Cap(""), writers, references, outcomes)
        self._batches = Batches(
            without_files,
            writers,
            references,
            fields,
            outcomes,
            self._deletes,
            self._executor,
            waiting,
            exact,
        )

    def count(self, rows: Iterable[tuple[Resource, Sequence[InputRow]]]) -> None:
        """Plan rows, which come in batches of one resource, parents first."""
        try:
            for resource, batch in rows:
                self._batches.process(resource, batch, last=True)
            self._deletes.carry_out(self._executor, lambda _: 0)
        finally:
            for writer in self._writers.values():
                for index in writer.touched_lists.values():
                    index.drop_planned(COUNTED)


def _apart(writer: ResourceWriter) -> ResourceWriter:
    """Return a writer that knows the same, and that may simulate without the other's notice."""
    made = copy.copy(writer)
    for name, value in vars(writer).items():
        if isinstance(
            value, dict | list | set
        ):  # what it would have done, in whatever it keeps that
            setattr(made, name, copy.copy(value))
    made.touched_lists = {}
    made.simulated = writer.simulated.apart()
    return made


class _Unrecorded(Outcomes):
    """Outcomes that nobody is told."""

    @override
    def end_write(self, *args: Any, **kwargs: Any) -> None:
        """Record nothing."""

    @override
    def end(self, *args: Any, **kwargs: Any) -> None:
        """Record nothing."""

    @override
    def warn_once(self, *args: Any, **kwargs: Any) -> None:
        """Leave it to the run that writes."""
