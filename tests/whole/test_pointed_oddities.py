"""Lists below accounts and organizations, where rows, parents and runners are not as one would like."""

from __future__ import annotations

from sandbox import Fault, life
from tests.whole.test_merged_state import merged
from tests.whole.test_pointed_walks import below, pipeline


def test_a_parent_that_was_read_is_not_retried_though_the_runner_merges_state() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        life.edit(pipe.world, "notes", note["id"])
        pipe.sandbox.faults.append(
            Fault("status", f"accounts/{note['accountId']}/notes", status=403)
        )
        asked = []
        for _ in range(3):
            old = pipe.warehouse.state
            asked.append(len(set(below(pipe.run()))))
            pipe.warehouse.state = merged(old, pipe.warehouse.state)
            pipe.sandbox.faults.clear()
            pipe.later()
        assert asked == [1, 1, 0]
