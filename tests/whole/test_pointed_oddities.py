"""Lists below accounts and organizations, where rows, parents and runners are not as one would like."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Fault, scenarios
from tap_vitally.sync.workspace import Workspace
from tests.whole.test_merged_state import merged
from tests.whole.test_pointed_walks import Pipeline, below, pipeline
from tests.whole.workspaces import frozen


def test_archived_rows_are_below_their_parents_also_where_they_are_not_wanted() -> None:
    streams = ("account_projects", "organization_meetings")
    with pipeline(*streams, include_archived=False) as pipe:
        for kind in ("projects", "meetings"):
            rows = pipe.world.tables[kind].rows.values()
            pipe.world.archive(kind, next(row["id"] for row in rows if not row["archivedAt"]))
        pipe.run()
        pipe.is_true()


@pytest.mark.parametrize("status", ["activeOrChurned", "active"])
def test_parents_without_a_moment_of_change_are_not_walked_in_every_run(status: str) -> None:
    with frozen(accounts=20) as sandbox:
        accounts = sandbox.world.tables["accounts"].rows
        for row in accounts.values():
            row["updatedAt"] = None
        pipe = Pipeline(sandbox, "account_notes", account_status=status)
        assert below(pipe.run()) == []
        pipe.later()
        scenarios.add(pipe.world, "accounts")
        gone = next(row for row in accounts.values() if row["churnedAt"])
        gone.update(churnedAt=None)
        pipe.run()
        assert pipe.reported("account_notes")["parentsWalked"] == (2 if status == "active" else 1)


def test_start_date_holds_for_the_parents_that_are_walked() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        pipe.world.create("notes", accountId=note["accountId"])
        pipe.later()
        start = pipe.world.clock.now().isoformat()
        scenarios.edit(pipe.world, "notes", note["id"])
        before = pipe.warehouse.counts["account_notes"]
        pipe.run(start_date=start)
        assert pipe.warehouse.counts["account_notes"] == before + 1


def test_an_account_without_a_moment_of_change_is_found_in_its_organization() -> None:
    with frozen(accounts=20) as sandbox:
        accounts = sandbox.world.tables["accounts"].rows
        for row in accounts.values():
            row["updatedAt"] = None
        pipe = Pipeline(sandbox, "organization_accounts", "account_notes")
        changed = next(row for row in accounts.values() if row["organizationId"])
        changed.update(name="Renamed")
        asked = below(pipe.run())
        assert asked == [f"organizations/{changed['organizationId']}/accounts"]
        pipe.is_true()


def test_a_parent_that_was_read_is_not_retried_though_the_runner_merges_state() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        scenarios.edit(pipe.world, "notes", note["id"])
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


def test_a_conversation_that_moves_after_its_messages_were_read_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pipeline("account_conversations", "messages", concurrency=1) as pipe:
        world, table = pipe.world, pipe.world.tables["conversations"]
        accounts = world.ids("accounts")
        key = world.ids("conversations")[0]
        new = next(account for account in accounts if account not in table.links(key))
        note = Workspace.remember_linked_ids

        def moving(workspace: Workspace, path: str, record: Any) -> None:
            note(workspace, path, record)
            if path == f"/conversations/{key}" and new not in table.links(key):
                pipe.later(1)
                others = [link for link in table.links(key) if link not in accounts]
                table.put(key, world.update("conversations", key, subject="Moved"), (new, *others))

        monkeypatch.setattr(Workspace, "remember_linked_ids", moving)
        world.add_message(key)
        assert f"accounts/{new}/conversations" in below(pipe.run())
        pipe.later()
        pipe.run()
        pipe.is_true()


def test_an_organization_beside_its_account_has_no_other_accounts_read() -> None:
    with pipeline("account_notes") as pipe:
        accounts = pipe.world.tables["accounts"].rows.values()
        account = next(row for row in accounts if row["organizationId"])
        of = account["organizationId"]
        other = next(key for key in pipe.world.ids("organizations") if key != of)
        for organization, more in ((of, False), (other, True)):
            note = pipe.world.create("notes", accountId=account["id"], organizationId=organization)
            note.update(account=None, organization=None)
            asked = {path.split("/")[1] for path in below(pipe.run())}
            also = {row["id"] for row in accounts if row["organizationId"] == other and more}
            assert asked == {account["id"], *also}
            pipe.later()


@pytest.mark.parametrize("kind", ["status", "html_200"])
def test_a_conversation_that_cannot_be_looked_up_has_all_walked(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_vitally.sync.list_client.PARENT_PATIENCE", 0.1)
    with pipeline("account_conversations") as pipe:
        key = pipe.world.ids("conversations")[0]
        scenarios.edit(pipe.world, "conversations", key)
        pipe.sandbox.faults.append(Fault(kind, f"conversations/{key}", status=500))
        pipe.run()
        assert pipe.reported("account_conversations")["parentsWalked"] == 20
        pipe.is_true()
