"""What a plan or a key does not give is left out, said once, and made up for when it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness.expectations import all_expected, expected, last_state, loaded, records_of
from harness.support import (
    Warehouse,
    config_for,
    read,
    run_in_process,
    run_tap,
    waits_pass_in_no_time,
)
from sandbox import STREAMS, Fault, Sandbox
from vitally_api import KeyRefused, VitallyError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.support import Row

StartSandbox = Callable[..., Sandbox]

BELOW_ORGANIZATIONS = {stream for stream in STREAMS if stream.startswith("organization_")}
BELOW_CUSTOM_OBJECTS = {"custom_object_fields", "custom_object_instances"}

GATED = {
    "admins": {"admins"},
    "customObjects": {"custom_objects", *BELOW_CUSTOM_OBJECTS},
    "meetings": {"meetings"},
    "organizations": {"organizations", *BELOW_ORGANIZATIONS},
    "projectTemplates": {"project_templates"},
    "surveys": {"survey_responses", "survey_questions"},
}
"""Resources that a plan may lack, with the streams that are then empty."""


def reached(state: Row | None) -> set[str]:
    """The streams of which STATE remembers how far they were read."""
    assert state
    return {
        stream
        for stream, entry in state["bookmarks"].items()
        if "replication_key_value" in entry or (entry.get("resume") or {}).get("newest")
    }


def skipped_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    return [line for line in lines if line.startswith("Skipped")]


def reasons(messages: list[Row]) -> dict[str, list[str]]:
    """What the summary of the run says was left out, by stream."""
    return {
        row["stream"]: row["skippedReasons"]
        for row in records_of(messages, "vitally_sync_runs")
        if row["skipped"]
    }


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("resource", GATED)
def test_missing_resource_costs_its_streams_only(
    resource: str, status: int, start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=10)
    world, missing = sandbox.world, GATED[resource]
    select = sorted({*missing, "accounts", "notes", "vitally_sync_runs"})
    config = config_for(sandbox.url, survey_ids=world.ids("surveys")[:1])
    world.delete("surveys", world.ids("surveys")[1])
    sandbox.refuse(resource, status)
    first = run_in_process(config, select=select)
    assert loaded(first).tables["notes"] == expected(world, "notes")
    assert {stream for stream, rows in loaded(first).tables.items() if not rows} == missing
    # One warning for each stream, and a place in the account.
    warnings = skipped_warnings(caplog)
    assert len(warnings) == len(missing)
    assert all(sum(f"'{stream}'" in line for line in warnings) == 1 for stream in missing)
    assert all(str(status) in line for line in warnings)
    assert reasons(first).keys() == missing
    # It comes back, and nothing of it is lost.
    sandbox.faults.clear()
    second = run_in_process(config, select=select, state=last_state(first))
    tables = loaded(first, second).tables
    for stream in missing:
        assert tables[stream] == expected(world, stream)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_missing_variant_costs_that_variant_only(
    status: int, start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=14)
    config = config_for(sandbox.url)
    table = expected(sandbox.world, "nps_responses")
    of_accounts = {key: row for key, row in table.items() if row["target"] == "accounts"}
    assert 0 < len(of_accounts) < len(table)
    sandbox.refuse("npsResponses?target=organization", status)
    select = ["nps_responses", "vitally_sync_runs"]
    first = run_in_process(config, select=select)
    assert loaded(first).tables["nps_responses"] == of_accounts
    (warning,) = skipped_warnings(caplog)
    assert "target=organization" in warning
    assert "target=organization" in reasons(first)["nps_responses"][0]
    # The bookmark that the other list has left must not hide old rows of this one.
    sandbox.faults.clear()
    second = run_in_process(config, select=select, state=last_state(first))
    assert loaded(first, second).tables["nps_responses"] == table


@pytest.mark.parametrize("status", [403, 404])
def test_resource_missing_below_every_parent_is_given_up(
    status: int, start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=30)
    world, stream = sandbox.world, "account_meetings"
    sandbox.refuse("accounts/*/meetings", status)
    config = config_for(sandbox.url)
    select = [stream, "account_notes", "vitally_sync_runs"]
    first = run_in_process(config, select=select)
    assert loaded(first).tables["account_notes"] == expected(world, "account_notes")
    warnings = skipped_warnings(caplog)
    assert "The first 10 accounts were all refused" in warnings[-1]
    assert len(warnings) == 10
    assert reasons(first).keys() == {stream}
    # Nothing was read, so nothing is done: when it comes back, all of it is wanted.
    assert stream not in reached(last_state(first))
    sandbox.faults.clear()
    second = run_in_process(config, select=select, state=last_state(first))
    assert loaded(first, second).tables[stream] == expected(world, stream)


def test_transcripts_are_asked_for_by_meeting_where_they_have_no_list(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=40)
    world, stream = sandbox.world, "meeting_transcripts"
    recorded = {row["meetingId"] for row in world.expected_rows(stream).values()}
    silent = [meeting for meeting in world.ids("meetings") if meeting not in recorded]
    assert {int(meeting[-4:], 16) % 5 for meeting in silent} == set(range(5)), (
        "all ways to say that there is none: 404, 204, nothing, null and {}"
    )
    config = config_for(sandbox.url, page_size=20)
    sandbox.refuse("meetingTranscripts", 404)
    select = [stream, "vitally_sync_runs"]
    first = run_in_process(config, select=select)
    assert loaded(first).tables[stream] == expected(world, stream)
    assert not skipped_warnings(caplog)
    assert not reasons(first)
    # Later only meetings that changed are asked.
    world.clock.advance(3600)
    meeting = world.create("meetings")["id"]
    world.create("meetingTranscripts", meetingId=meeting)
    sandbox.requests.clear()
    second = run_in_process(config, select=select, state=last_state(first))
    assert loaded(first, second).tables[stream] == expected(world, stream)
    asked = [entry.path for entry in sandbox.requests if entry.path.endswith("/transcript")]
    assert f"/resources/meetings/{meeting}/transcript" in asked
    assert len(asked) < len(world.ids("meetings")) / 2


def test_transcripts_are_skipped_where_there_are_no_meetings_either(
    start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=6)
    sandbox.refuse("meeting")
    messages = run_in_process(
        config_for(sandbox.url), select=["meeting_transcripts", "vitally_sync_runs"]
    )
    assert reasons(messages).keys() == {"meeting_transcripts"}
    assert len(skipped_warnings(caplog)) == 1


# As a process, for the exit code and what people see


@pytest.fixture(scope="module")
def refused_together() -> tuple[str, ...]:
    return (*GATED, "npsResponses?target=organization", "meetingTranscripts")


def test_a_run_that_skips_ends_well(
    tmp_path: Path, start_sandbox: StartSandbox, refused_together: tuple[str, ...]
) -> None:
    sandbox = start_sandbox(accounts=10)
    tables = all_expected(sandbox.world)
    for resource in refused_together:
        sandbox.refuse(resource)
    config = config_for(sandbox.url, survey_ids=sandbox.world.ids("surveys")[:1])
    run = run_tap(tmp_path, config, default_selection=True)
    assert run.returncode == 0, run.stderr
    gone = {stream for streams in GATED.values() for stream in streams} - BELOW_ORGANIZATIONS
    account = run.stderr.partition("The summary of this run:")[2]
    for stream in (*gone, "nps_responses"):
        assert f"skipped in {stream}: " in account
        assert run.stderr.count(f"Skipped in '{stream}'") == 1
    warehouse = loaded(run.messages)
    for stream in warehouse.tables.keys() - gone - {"nps_responses"}:
        assert warehouse.tables[stream] == tables[stream]
    assert not gone & reached(run.state)


def test_a_run_that_may_not_skip_fails_at_its_end(
    tmp_path: Path, start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=10)
    sandbox.refuse("meetings")
    config = config_for(sandbox.url, fail_on_skipped=True)
    run = run_tap(tmp_path, config, select=["meetings", "notes", "users"])
    assert run.returncode == 1
    errors = error_lines(run.stderr)
    assert len(errors) == 1
    assert "fail_on_skipped" in errors[0]
    # Everything else is there, with its bookmark.
    warehouse = loaded(run.messages)
    for stream in ("notes", "users"):
        assert warehouse.tables[stream] == expected(sandbox.world, stream)
    assert reached(run.state) == {"notes", "users"}


def test_a_wrong_key_ends_the_run(tmp_path: Path, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=4)
    config = config_for(sandbox.url, api_key="canary")
    run = run_tap(tmp_path, config, select=["notes"])
    assert run.returncode == 1
    (error,) = error_lines(run.stderr)
    assert "does not accept the API key" in error
    assert "canary" not in run.stderr + run.stdout
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("path", ["notes", "accounts/*/notes", "customObjects"])
def test_a_key_revoked_in_mid_run_ends_the_run(path: str, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=4)
    sandbox.faults.append(Fault("status", path=path, status=401))
    streams = ["notes", "account_notes", "custom_object_instances"]
    with pytest.raises(KeyRefused, match="does not accept the API key"):
        run_in_process(config_for(sandbox.url), select=streams)


def test_a_key_without_access_to_anything_ends_the_run(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=4)
    sandbox.faults.append(Fault("status", path="*", status=403))
    with pytest.raises(VitallyError, match="does not let this API key read it"):
        run_in_process(config_for(sandbox.url), select=["notes"])
    assert len(sandbox.requests) == 1


def error_lines(stderr: str) -> list[str]:
    """The lines for the operator; a traceback would be more than one line."""
    assert "Traceback" not in stderr
    return [line for line in stderr.splitlines() if "| ERROR " in line or "| CRITICAL" in line]


def test_a_list_that_was_never_read_stays_unread_when_all_are_refused(sandbox: Sandbox) -> None:
    """The bookmark was taken to stand for it, and what was older was never read."""
    warehouse = Warehouse()
    for refused in (["notes?archived=true"], ["notes?archived=true", "notes?archived=false"], []):
        sandbox.faults.clear()
        sandbox.faults.extend(Fault("status", path, status=403) for path in refused)
        messages = read(config_for(sandbox.url), select=["notes"], state=warehouse.state)
        warehouse.load(messages)
    assert warehouse.differences("notes", sandbox.world.expected_rows("notes")) == {}


@pytest.mark.parametrize("status", [402, 405, 410, 451])
def test_a_resource_that_is_not_offered_is_skipped(sandbox: Sandbox, status: int) -> None:
    sandbox.faults.append(Fault("status", "projects", status=status))
    warehouse = Warehouse()
    warehouse.load(read(config_for(sandbox.url), select=["notes", "projects", "users"]))
    for name in ("notes", "users"):
        assert warehouse.differences(name, sandbox.world.expected_rows(name)) == {}
    assert warehouse.tables["projects"] == {}


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Fault("status", "admins", status=400), 0),
        (Fault("html_200", "admins"), 0),
        (Fault("status", "admins", status=200, body='[{"id": "1"}]'), 1),
        (Fault("status", "admins", status=200, body='{"id": "1", "name": "one"}'), 1),
    ],
    ids=["400", "HTML", "bare list", "one alone"],
)
def test_the_list_of_admins_may_be_anything(sandbox: Sandbox, fault: Fault, found: int) -> None:
    """It is not documented, and selected by default: no run must end there."""
    sandbox.faults.append(fault)
    warehouse = Warehouse()
    with waits_pass_in_no_time():
        warehouse.load(read(config_for(sandbox.url), select=["admins", "notes"]))
    assert len(warehouse.tables["admins"]) == found
    assert warehouse.differences("notes", sandbox.world.expected_rows("notes")) == {}


def test_an_id_that_would_lead_elsewhere_is_skipped(sandbox: Sandbox) -> None:
    """``/accounts/../users`` is the list of all users."""
    sandbox.world.create("accounts", id="..")
    warehouse = Warehouse()
    warehouse.load(read(config_for(sandbox.url), select=["account_users", "vitally_sync_runs"]))
    assert all(key[0] != ".." for key in warehouse.tables["account_users"])
    assert not any(entry.path.endswith("/resources/users") for entry in sandbox.requests)
    (row,) = warehouse.tables["vitally_sync_runs"].values()
    assert row["skipped"] == 1


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_list_that_breaks_off_is_not_skipped(
    sandbox: Sandbox, status: int, concurrency: int
) -> None:
    """A page was refused again and again, and the run ended well with half of the list."""
    sandbox.faults.append(Fault("status", "users?from=?*", status=status, after=1))
    config = config_for(sandbox.url, page_size=2, concurrency=concurrency)
    with pytest.raises(VitallyError, match="run again"):
        read(config, select=["users"])
