"""Lists below accounts and organizations, at the cost of what changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from harness.expectations import expected, records_of
from harness.support import Row, Warehouse, catalog_of, config_for, run_in_process
from sandbox import Fault, scenarios
from tap_vitally.report import table
from tap_vitally.sync.summary import StreamMetrics
from tests.whole.test_children import NESTED
from tests.whole.workspaces import frozen
from vitally_api import VitallyError

if TYPE_CHECKING:
    from sandbox import Sandbox

DAY = 86400
KINDS = ("users", "conversations", "notes", "tasks", "projects", "npsResponses", "meetings")


class Pipeline:
    """A workspace, its tables, and the runs between them."""

    def __init__(self, sandbox: Sandbox, *streams: str, **settings: Any) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.streams = streams
        self.config = config_for(sandbox.url, lookback_seconds=0, **settings)
        self.warehouse = Warehouse()
        for _ in range(2):
            self.run()
            self.later()

    def run(self, **settings: Any) -> list[str]:
        """Run the tap; return the paths that it asked for, without the probe."""
        self.sandbox.requests.clear()
        entries = catalog_of((*self.streams, "vitally_sync_runs"))
        messages = run_in_process(
            {**self.config, **settings}, state=self.warehouse.state, entries=entries
        )
        self.warehouse.load(messages)
        return [entry.path.removeprefix("/resources/") for entry in self.sandbox.requests][1:]

    def later(self, seconds: float = 3600) -> None:
        self.world.clock.advance(seconds)

    def is_true(self) -> None:
        for stream in self.streams:
            found, expected_rows = (
                self.warehouse.tables.get(stream, {}),
                expected(self.world, stream),
            )
            assert {key: found.get(key) for key in expected_rows} == expected_rows, stream

    def reported(self, stream: str) -> Row:
        """What the last run tells of a stream."""
        runs = self.warehouse.tables["vitally_sync_runs"].values()
        return max((run for run in runs if run["stream"] == stream), key=lambda r: r["startedAt"])


@contextmanager
def pipeline(*streams: str, accounts: int = 20, **settings: Any) -> Iterator[Pipeline]:
    with frozen(accounts=accounts) as sandbox:
        yield Pipeline(sandbox, *streams, **settings)


def below(paths: list[str]) -> list[str]:
    """The lists of single parents among what was asked for."""
    return [path for path in paths if path.count("/") == 2]


# Who is walked


def test_without_a_change_only_the_list_of_all_is_read() -> None:
    with pipeline("account_notes") as pipe:
        assert pipe.run() == ["accounts", "notes", "notes"]
        reported = pipe.reported("account_notes")
        assert (reported["parentsWalked"], reported["parentsKnown"]) == (0, 20)
        assert reported["fullWalkAt"] == "2026-03-04T05:06:07.000Z"
        pipe.is_true()


def test_a_changed_note_has_the_list_read_that_it_is_in() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        scenarios.edit(pipe.world, "notes", note["id"])
        assert below(pipe.run()) == [f"accounts/{note['accountId']}/notes"]
        pipe.is_true()


def test_all_lists_below_are_true_when_rows_of_each_kind_have_changed() -> None:
    with pipeline(*NESTED, accounts=30) as pipe:
        walk_of_all = len(below(pipe.run(full_walk_days=0)))
        pipe.later()
        for kind in KINDS:
            for key in pipe.world.ids(kind)[:3]:
                scenarios.edit(pipe.world, kind, key)
        assert len(below(pipe.run())) < walk_of_all / 3
        pipe.is_true()
        pipe.later()
        assert below(pipe.run()) == []


def test_a_row_that_moves_is_found_below_its_new_parent() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        new = next(key for key in pipe.world.ids("accounts") if key != note["accountId"])
        pipe.world.update("notes", note["id"], accountId=new)
        assert f"accounts/{new}/notes" in below(pipe.run())
        pipe.is_true()


@pytest.mark.parametrize("change", ["archive", "unarchive"])
def test_a_row_that_is_archived_or_restored_is_found(change: str) -> None:
    with pipeline("account_notes", "organization_notes") as pipe:
        archived = change == "unarchive"
        for row in list(pipe.world.tables["notes"].rows.values()):
            if bool(row["archivedAt"]) == archived:
                getattr(pipe.world, change)("notes", row["id"])
        pipe.run()
        pipe.is_true()


def test_a_row_on_an_organization_points_at_its_accounts() -> None:
    with pipeline("account_tasks") as pipe:
        account = next(
            r for r in pipe.world.tables["accounts"].rows.values() if r["organizationId"]
        )
        of = account["organizationId"]
        pipe.world.create("tasks", accountId=None, organizationId=of)
        asked = {path.split("/")[1] for path in below(pipe.run())}
        rows = pipe.world.tables["accounts"].rows.values()
        assert asked == {row["id"] for row in rows if row["organizationId"] == of}


def test_a_row_on_an_account_points_at_its_organization() -> None:
    with pipeline("organization_tasks", "organization_projects") as pipe:
        account = next(
            r for r in pipe.world.tables["accounts"].rows.values() if r["organizationId"]
        )
        for kind in ("tasks", "projects"):
            pipe.world.create(kind, accountId=account["id"], organizationId=None)
        asked = {path.split("/")[1] for path in below(pipe.run())}
        assert asked == {account["organizationId"]}
        pipe.is_true()


def test_a_new_parent_is_read_to_its_end() -> None:
    with pipeline("account_notes", "organization_accounts") as pipe:
        scenarios.add(pipe.world, "accounts")
        scenarios.add(pipe.world, "organizations")
        pipe.run()
        assert pipe.reported("account_notes")["parentsWalked"] == 1
        pipe.is_true()


def test_a_parent_that_could_not_be_read_is_read_by_the_next_run() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        scenarios.edit(pipe.world, "notes", note["id"])
        path = f"accounts/{note['accountId']}/notes"
        pipe.sandbox.faults.append(Fault("status", path, status=403))
        pipe.run()
        pipe.sandbox.faults.clear()
        pipe.later()
        assert set(below(pipe.run())) == {path}
        pipe.is_true()


def test_parents_that_the_settings_left_out_are_read_when_they_come_back() -> None:
    with pipeline("account_notes", account_status="active") as pipe:
        active = pipe.reported("account_notes")["parentsKnown"]
        gone = next(r for r in pipe.world.tables["accounts"].rows.values() if r["churnedAt"])
        pipe.world.update("accounts", gone["id"], churnedAt=None)
        assert set(below(pipe.run())) == {f"accounts/{gone['id']}/notes"}
        pipe.later()
        pipe.run(account_status="activeOrChurned")
        assert pipe.reported("account_notes")["parentsWalked"] == 20 > active
        pipe.is_true()


# Parents that a row does not name


def test_a_conversation_is_looked_up_once_for_all_that_ask() -> None:
    streams = ("account_conversations", "organization_conversations", "messages")
    with pipeline(*streams) as pipe:
        changed = pipe.world.ids("conversations")[:3]
        for key in changed:
            pipe.world.add_message(key)
        asked = [path for path in pipe.run() if path.startswith("conversations/")]
        # The stream messages reads what is at its very bookmark once more.
        assert {f"conversations/{key}" for key in changed} <= set(asked)
        assert len(asked) == len(set(asked)) <= 4
        pipe.is_true()


def test_the_user_of_a_response_is_looked_up_once() -> None:
    with pipeline("account_nps_responses", "organization_nps_responses") as pipe:
        rows = pipe.world.tables["npsResponses"].rows.values()
        user = next(row["userId"] for row in rows if row["userId"])
        own = [row["id"] for row in rows if row["userId"] == user]
        for key in own:
            scenarios.edit(pipe.world, "npsResponses", key)
        asked = [path for path in pipe.run() if path.startswith("users/")]
        assert asked == [f"users/{user}"]
        pipe.is_true()


@pytest.mark.parametrize("body", ["", "null", "{}", '{"message": "no"}', '{"error": "no"}'])
@pytest.mark.parametrize("status", [200, 403, 422])
def test_a_user_who_is_not_shown_hides_no_changed_response(status: int, body: str) -> None:
    with pipeline("account_nps_responses", accounts=5) as pipe:
        rows = pipe.world.tables["npsResponses"].rows.values()
        user = next(row["userId"] for row in rows if row["userId"])
        for key in [row["id"] for row in rows if row["userId"] == user]:
            scenarios.edit(pipe.world, "npsResponses", key)
        hidden = Fault("status", f"users/{user}", status=status, body=body)
        pipe.sandbox.faults.append(hidden)
        assert f"users/{user}" in pipe.run()
        pipe.is_true()


def test_a_user_that_is_gone_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with pipeline("account_nps_responses") as pipe:
        response = pipe.world.ids("npsResponses")[0]
        pipe.world.delete("users", pipe.world.row("npsResponses", response)["userId"])
        scenarios.edit(pipe.world, "npsResponses", response)
        assert below(pipe.run()) == []
        assert not [line for line in caplog.messages if "all accounts" in line]


def test_a_row_that_names_nobody_has_all_walked() -> None:
    with pipeline("account_projects") as pipe:
        pipe.world.create("projects", accountId=None, organizationId=None)
        pipe.run()
        reported = pipe.reported("account_projects")
        assert reported["parentsWalked"] == reported["parentsKnown"] == 20
        assert reported["fullWalkAt"] == "2026-03-04T07:06:07.000Z"
        pipe.is_true()


def test_what_costs_more_than_to_read_all_is_not_looked_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with pipeline("account_conversations", accounts=6) as pipe:
        for key in pipe.world.ids("conversations"):
            scenarios.edit(pipe.world, "conversations", key)
        asked = pipe.run()
        assert not [path for path in asked if path.startswith("conversations/")]
        assert len(below(asked)) == 6
        line = next(line for line in caplog.messages if "all accounts" in line)
        assert "takes 6 requests" in line
        assert "would have to be looked up" in line
        pipe.is_true()


# One list for all


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_list_is_read_once_for_its_own_stream_and_those_below(concurrency: int) -> None:
    streams = ("notes", "account_notes", "organization_notes")
    with pipeline(*streams, concurrency=concurrency) as pipe:
        scenarios.edit(pipe.world, "notes", pipe.world.ids("notes")[0])
        asked = pipe.run()
        assert asked.count("notes") == 2
        pipe.is_true()


def test_a_list_is_read_from_the_earliest_start_and_only_what_is_wanted_is_written() -> None:
    with pipeline("account_notes") as pipe:
        first = pipe.warehouse.state
        assert first
        pipe.streams = ("notes", "account_notes")
        pipe.run()
        pipe.later()
        notes = {r["accountId"]: r["id"] for r in pipe.world.tables["notes"].rows.values()}
        early, late = [key for account, key in notes.items() if account][:2]
        scenarios.edit(pipe.world, "notes", early)
        pipe.later()
        pipe.run()
        pipe.later()
        scenarios.edit(pipe.world, "notes", late)
        state = pipe.warehouse.state
        assert state
        alone = records_of(run_in_process(pipe.config, state=state, select=["notes"]), "notes")
        # The stream below stayed behind.
        state["bookmarks"]["account_notes"] = first["bookmarks"]["account_notes"]
        before = pipe.warehouse.counts["notes"]
        pipe.run()
        assert pipe.warehouse.counts["notes"] - before == len(alone)
        assert pipe.reported("account_notes")["parentsWalked"] == 2
        pipe.is_true()


# Walks of all


def test_a_walk_of_all_finds_what_no_row_named() -> None:
    with pipeline("account_nps_responses") as pipe:
        response = pipe.world.ids("npsResponses")[0]
        pipe.world.delete("users", pipe.world.row("npsResponses", response)["userId"])
        scenarios.edit(pipe.world, "npsResponses", response)
        pipe.run()
        pipe.later(7 * DAY)
        pipe.run()
        reported = pipe.reported("account_nps_responses")
        assert reported["parentsWalked"] == reported["parentsKnown"] == 20
        assert reported["fullWalkAt"] == reported["startedAt"]
        pipe.is_true()
        pipe.later()
        assert below(pipe.run()) == []


def test_zero_days_walk_all_in_every_run() -> None:
    with pipeline("account_notes", full_walk_days=0) as pipe:
        assert len(below(pipe.run())) == 2 * 20


def test_an_empty_table_is_not_walked_in_every_run() -> None:
    with frozen(accounts=5) as sandbox:
        for key in list(sandbox.world.ids("meetings")):
            sandbox.world.delete("meetings", key)
        pipe = Pipeline(sandbox, "account_meetings")
        assert below(pipe.run()) == []


def test_a_refused_list_of_all_has_all_walked() -> None:
    with pipeline("account_notes") as pipe:
        note = next(r for r in pipe.world.tables["notes"].rows.values() if r["accountId"])
        scenarios.edit(pipe.world, "notes", note["id"])
        pipe.sandbox.faults.append(Fault("status", "notes", status=403))
        assert len(below(pipe.run())) == 2 * 20
        pipe.is_true()


def test_a_walk_of_some_that_was_interrupted_begins_again() -> None:
    with pipeline("account_notes", concurrency=1) as pipe:
        for key in pipe.world.ids("notes")[:8]:
            scenarios.edit(pipe.world, "notes", key)
        before = pipe.warehouse.state
        pipe.sandbox.faults.append(Fault("status", "accounts/*", status=401, after=3))
        with pytest.raises(VitallyError):
            pipe.run()
        assert pipe.warehouse.state == before
        pipe.sandbox.faults.clear()
        pipe.run()
        pipe.is_true()


def test_state_stays_small() -> None:
    with pipeline(*NESTED, accounts=30) as pipe:
        assert pipe.warehouse.state
        for name in NESTED:
            scan = pipe.warehouse.state["bookmarks"][name]["walk"]
            assert scan.keys() == {"full", "rows", "parents"}
            assert len(scan["rows"]["seen"]) <= 400


def test_the_summary_says_who_was_walked_and_why() -> None:
    metrics = StreamMetrics(parents_known=5000, full_walk_at="2026-11-20T01:02:03.000Z")
    metrics.scanned.update({"named": 8, "new": 3, "retry": 1})
    assert (
        "parents read in account_notes: 12 of 5,000 (8 named, 3 new, 1 retry), all of them last on "
        "2026-11-20"
    ) in table({"account_notes": metrics})
    nobody = StreamMetrics(parents_known=60, full_walk_at="2026-11-20T01:02:03.000Z")
    reported = "parents read in account_notes: 0 of 60, all of them last on 2026-11-20"
    assert reported in table({"account_notes": nobody})
    assert "parents read" not in table({"notes": StreamMetrics()})
