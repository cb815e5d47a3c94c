"""Streams that are read per parent: each record under its own parent, whatever one of them does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import pytest

from harness.expectations import expected, last_state, loaded, records_of
from harness.support import config_for, run_in_process, run_tap
from sandbox import STREAMS, Entry, Fault, Sandbox
from sandbox.faults import OddAnswer
from tap_vitally.state import parent_scan
from tap_vitally.tap import TapVitally
from tests.whole.lists import SORTED
from vitally_api import Policy, VitallyError

if TYPE_CHECKING:
    from pathlib import Path

StartSandbox = Callable[..., Sandbox]

BELOW_ACCOUNTS = [s for s in STREAMS if s.startswith("account_") and s != "account_health_scores"]
BELOW_ORGANIZATIONS = [stream for stream in STREAMS if stream.startswith("organization_")]
NESTED = BELOW_ACCOUNTS + BELOW_ORGANIZATIONS


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a failing parent up at once: how long the tap waits is shown elsewhere."""
    monkeypatch.setattr(TapVitally, "policy", Policy(patience=0, unreadable_tries=1))


def test_there_are_children() -> None:
    below = [name.partition("/")[0] for name in SORTED if "/" in name]
    assert len(BELOW_ACCOUNTS) == below.count("accounts")
    assert len(BELOW_ORGANIZATIONS) == below.count("organizations")


def lists_asked(sandbox: Sandbox) -> Counter[str]:
    return Counter(entry.path.removeprefix("/resources/") for entry in sandbox.requests)


# Where the parents come from


@pytest.mark.parametrize("stream", ["account_notes", "organization_accounts", "messages"])
def test_child_without_its_parent_emits_nothing_of_the_parent(
    stream: str, start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=10)
    messages = run_in_process(config_for(sandbox.url), select=[stream])
    assert {message["stream"] for message in messages if "stream" in message} == {stream}
    assert loaded(messages).tables[stream] == expected(sandbox.world, stream)


def test_parents_are_listed_once_for_all_streams_below(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=10)
    messages = run_in_process(config_for(sandbox.url, page_size=5), select=NESTED)
    for stream in NESTED:
        assert loaded(messages).tables[stream] == expected(sandbox.world, stream)
    asked = lists_asked(sandbox)
    assert asked["accounts"] == 1 + 2  # a probe, and ten rows by five
    assert asked["organizations"] == 1
    assert all(
        "sortBy=createdAt" in entry.query
        for entry in sandbox.requests[1:]
        if entry.path in {"/resources/accounts", "/resources/organizations"}
    )


@pytest.mark.parametrize("children_selected", [True, False])
def test_parents_stay_incremental(
    children_selected: bool,
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=10)
    world = sandbox.world
    config = config_for(sandbox.url, lookback_seconds=0)
    select = ["accounts", *(["account_notes"] if children_selected else [])]
    first = run_in_process(config, select=select)
    world.clock.advance(3600)
    changed = world.ids("accounts")[3]
    world.update("accounts", changed, name="Changed")
    second = run_in_process(config, select=select, state=last_state(first))
    before = last_state(first)["bookmarks"]["accounts"]["replication_key_value"]
    brought = records_of(second, "accounts")
    assert changed in {row["id"] for row in brought}
    # What bears the bookmark's very moment comes again; nothing older does.
    assert all(row["updatedAt"] >= before for row in brought)
    assert len(brought) < len(world.ids("accounts"))
    assert last_state(second)["bookmarks"]["accounts"]["replication_key_value"] > before


@pytest.mark.parametrize(
    ("streams", "sizes"),
    [
        (BELOW_ORGANIZATIONS, {"organizations": 0}),
        ([*BELOW_ACCOUNTS, "account_health_scores"], {"accounts": 0, "organizations": 0}),
        (["messages"], {"conversations": 0}),
        (["custom_object_instances", "custom_object_fields"], {"customObjects": 0}),
        (["survey_responses", "survey_questions"], {}),
    ],
)
def test_without_parents_there_is_nothing_to_ask(
    streams: list[str], sizes: dict[str, int], start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=4, sizes=sizes)
    messages = run_in_process(config_for(sandbox.url), select=streams)
    warehouse = loaded(messages)
    assert warehouse.schemas.keys() == set(streams)
    assert not warehouse.counts
    listings = {entry.path.count("/") for entry in sandbox.requests}
    assert listings == {2}, "only lists of parents, and the probe"


def test_parents_that_appear_in_mid_run_come_with_the_next(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=10)
    world = sandbox.world
    stream = "account_notes"
    born: list[str] = []

    def bear(entry: Entry) -> None:
        if entry.path.endswith("/notes") and len(born) < 3:
            born.append(world.create("accounts")["id"])
            world.create("notes", accountId=born[-1])

    sandbox.before_request = bear
    config = config_for(sandbox.url, page_size=3)
    first = run_in_process(config, select=[stream])
    sandbox.before_request = None
    assert len(born) == 3
    second = run_in_process(config, select=[stream], state=last_state(first))
    assert loaded(first, second).tables[stream] == expected(world, stream)
    assert {row["parentAccountId"] for row in records_of(second, stream)} >= set(born)


def test_more_parents_than_may_wait_stay_small(tmp_path: Path, start_sandbox: StartSandbox) -> None:
    accounts, page_size = 1200, 100
    few = ("users", "conversations", "projects", "meetings", "tasks", "npsResponses", "instances")
    sizes = {"notes": 400, "organizations": 5, **dict.fromkeys(few, 5)}
    sandbox = start_sandbox(accounts=accounts, sizes=sizes)
    config = config_for(sandbox.url)
    run = run_tap(tmp_path, config, select=["accounts", "account_notes"])
    assert run.returncode == 0, run.stderr
    warehouse = loaded(run.messages)
    for stream in ("accounts", "account_notes"):
        assert warehouse.tables[stream] == expected(sandbox.world, stream)
    kinds = Counter(
        (message["type"], message["stream"])
        for message in run.messages
        if message["type"] == "SCHEMA"
    )
    assert kinds == {("SCHEMA", "accounts"): 1, ("SCHEMA", "account_notes"): 1}
    states = [line for line in run.stdout.splitlines() if line.startswith('{"type":"STATE"')]
    assert states
    assert sum(map(len, states)) < 100_000
    assert len(run.stderr.splitlines()) < 200
    asked = lists_asked(sandbox)
    pages = accounts // page_size
    # A probe, the list, and the list of the parents.
    assert asked.pop("accounts") == 1 + pages + pages
    assert len(asked) == accounts
    assert set(asked.values()) == {2}, "one request for each account and variant"


# When a parent cannot be read


def path_of_one(stream: str, world: Any) -> tuple[str, str]:
    """A parent that has something below it, and where that is read."""
    table = expected(world, stream)
    if stream == "messages":
        parent = next(iter(table.values()))["conversationId"]
        return parent, f"conversations/{parent}"
    if stream == "custom_object_instances":
        parent = next(iter(table.values()))["customObjectId"]
        return parent, f"customObjects/{parent}/instances"
    parent = next(iter(table))[0]
    return parent, f"accounts/{parent}/notes"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", get_args(OddAnswer))
@pytest.mark.parametrize("stream", ["account_notes", "messages", "custom_object_instances"])
def test_odd_answer_costs_one_parent_and_one_run(
    stream: str, kind: Any, start_sandbox: StartSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(accounts=10)
    world = sandbox.world
    parent, path = path_of_one(stream, world)
    sandbox.odd(path, kind)
    config = config_for(sandbox.url)
    first = run_in_process(config, select=[stream, "vitally_sync_runs"])
    table = expected(world, stream)
    added = {"messages": "conversationId", "custom_object_instances": "customObjectId"}.get(
        stream, "parentAccountId"
    )
    others = {key: row for key, row in table.items() if row[added] != parent}
    assert 0 < len(others) < len(table)
    assert loaded(first).tables[stream] == others
    (account,) = records_of(first, "vitally_sync_runs")
    assert account["skipped"] >= 1
    assert parent in "".join(account["skippedReasons"])
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert [line for line in warnings if line.startswith("Skipped") and parent in line]
    # An hour later nobody has touched these rows, and all is well again.
    world.clock.advance(3600)
    sandbox.faults.clear()
    second = run_in_process(config, select=[stream], state=last_state(first))
    assert loaded(first, second).tables[stream] == table
    assert not last_state(second)["bookmarks"][stream].get("skipped")


@pytest.mark.usefixtures("impatient")
def test_a_parent_is_tried_again_until_it_can_be_read(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=10)
    world, stream = sandbox.world, "account_notes"
    parent, path = path_of_one(stream, world)
    config = config_for(sandbox.url)
    sandbox.odd(path, "500")
    runs = [run_in_process(config, select=[stream])]
    for _ in range(2):
        world.clock.advance(3600)
        runs.append(run_in_process(config, select=[stream], state=last_state(runs[-1])))
        assert last_state(runs[-1])["bookmarks"][stream]["skipped"] == [parent]
    sandbox.faults.clear()
    runs.append(run_in_process(config, select=[stream], state=last_state(runs[-1])))
    assert loaded(*runs).tables[stream] == expected(world, stream)


@pytest.mark.usefixtures("impatient")
def test_an_outage_is_not_taken_for_one_bad_parent(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=10)
    _, path = path_of_one("account_notes", sandbox.world)
    # The parent fails, and then so does everything else: this must not count as a skipped parent.
    sandbox.faults.append(Fault("status", path=path, status=503))
    sandbox.faults.append(Fault("status", path="accounts?limit=1", after=1, status=401))
    with pytest.raises(Exception, match="API key"):
        run_in_process(config_for(sandbox.url), select=["account_notes"])


@pytest.mark.usefixtures("impatient")
def test_too_many_bad_parents_are_no_accident(
    start_sandbox: StartSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent_scan, "MOST_SKIPPED", 3)
    monkeypatch.setattr("tap_vitally.sync.contexts.MOST_SKIPPED", 3)
    sandbox = start_sandbox(accounts=10)
    sandbox.odd("accounts/*/notes", "error_body")
    with pytest.raises(VitallyError, match="More than 3 accounts could not be read"):
        run_in_process(config_for(sandbox.url, concurrency=1), select=["account_notes"])


def test_health_scores_of_any_shape_become_dated_rows(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=20)
    messages = run_in_process(config_for(sandbox.url), select=["account_health_scores"])
    rows = loaded(messages).tables["account_health_scores"]
    shapes = {tuple(row["breakdown"]) for row in rows.values()}
    assert shapes == {("overall", "components"), ("results",), ("data",)}
    without = [
        a for a in sandbox.world.ids("accounts") if sandbox.world.rows.health_scores(a) is None
    ]
    assert without
    assert {account for account, _ in rows}.isdisjoint(without)
