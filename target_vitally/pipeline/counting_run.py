"""A dry run over the rows that wait, to count the creates and updates before the first is sent."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from target_vitally.mapping.cap import Cap
from target_vitally.mapping.resource import Resource
from target_vitally.mapping.rows import InputRow
from target_vitally.pipeline.batches import Batches
from target_vitally.pipeline.outcomes import Outcomes
from target_vitally.pipeline.state_tracker import StateTracker
from target_vitally.pipeline.waiting_rows import WaitingRows
from target_vitally.writers.base import NEW, ResourceWriter

COUNTED = f"{NEW}counted-"
"""The prefix of ids that stand for records which this dry run would create."""


def count_writes(batches: Batches, rows: Iterable[tuple[Resource, Sequence[InputRow]]]) -> None:
    """Process rows without writing, so that `WriteCaps` counts them; keep nothing else.

    ``rows`` come in batches of one resource, parents first.
    """
    settings = replace(batches.settings.only_looking(), max_deletes=Cap(""))
    outcomes = _Unrecorded(settings, StateTracker(lambda _: None))
    writers = {name: _apart(writer) for name, writer in batches.writers.items()}
    shared: dict[str, Any] = {"settings": settings, "outcomes": outcomes, "writers": writers}
    undo_file = replace(batches.executor.undo_file, **shared)
    executor = replace(
        batches.executor,
        **shared,
        waiting=WaitingRows(batches.executor.waiting.store),
        undo_file=undo_file,
        channel=None,
        new=COUNTED,
    )
    counting = replace(batches, **shared, executor=executor)
    try:
        for resource, batch in rows:
            counting.process(resource, batch, last=True)
        counting.deletes.carry_out(executor)
    finally:
        for writer in writers.values():
            for index in writer.touched_lists:
                index.drop_planned(COUNTED)


def _apart(writer: ResourceWriter) -> ResourceWriter:
    """Return a copy of a writer that has simulated records of its own."""
    made = copy.copy(writer)
    for name, value in vars(writer).items():
        if isinstance(value, dict | list | set):  # what it would have done, wherever it keeps that
            setattr(made, name, copy.copy(value))
    made.touched_lists = set()
    made.simulated = writer.simulated.apart()
    return made


class _Unrecorded(Outcomes):
    """Records no outcomes."""

    @override
    def end_write(self, *args: Any, **kwargs: Any) -> None:
        """Record nothing."""

    @override
    def end(self, *args: Any, **kwargs: Any) -> None:
        """Record nothing."""

    @override
    def warn_once(self, *args: Any, **kwargs: Any) -> None:
        """Log nothing: the run that writes will."""
