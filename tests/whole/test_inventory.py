"""What was deleted for good: one query that finds all of it, and never anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import duckdb
import pytest

from harness.expectations import loaded
from harness.fuzzer import Fuzzer
from harness.run_attempts import Attempt, PlannedFault
from harness.support import ROOT, config_for, read
from sandbox import Fault
from tap_vitally.streams import INVENTORIED
from tests.whole.workspaces import frozen

DELETED = (ROOT / "docs" / "sql" / "deleted.sql").read_text()

RESOURCES = ("accounts", "conversations", "notes", "nps_responses", "users")
COLUMNS = {
    "inventory": ("resource", "id", "seenAt"),
    "inventory_runs": ("resource", "startedAt", "finishedAt", "count"),
}


@pytest.fixture
def fuzzer() -> Iterator[Callable[..., Fuzzer]]:
    opened: list[Fuzzer] = []

    def start(resource: str, **how: Any) -> Fuzzer:
        how = {"inventory": (resource,), "page_size": 2, **how}
        opened.append(Fuzzer(streams=(resource,), **how))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


StartFuzzer = Callable[..., Fuzzer]


def deleted(fuzzer: Fuzzer) -> set[str]:
    """Run the query on the fuzzer's warehouse, loaded into a database."""
    (table,) = fuzzer.streams
    columns = {table: ("id", "createdAt"), **COLUMNS}
    with duckdb.connect() as database:
        for name, parts in columns.items():
            kinds = ", ".join(f'"{part}" {kind_of(part)}' for part in parts)
            database.execute(f'CREATE TABLE "{name}" ({kinds})')
            rows = fuzzer.warehouse.tables.get(name, {}).values()
            # A column at a time: row by row it took 5 s in all.
            values = [[row.get(part) for row in rows] for part in parts]
            unnested = ", ".join(f"unnest(?::{kind_of(part)}[])" for part in parts)
            database.execute(f'INSERT INTO "{name}" SELECT {unnested}', values)
        query = DELETED.replace("accounts", table).rstrip(";\n")
        found = database.execute(f"SELECT id FROM ({query})").fetchall()  # noqa: S608
    return {row[0] for row in found}


def kind_of(column: str) -> str:
    if column == "count":
        return "BIGINT"
    return "TIMESTAMPTZ" if column.endswith("At") else "VARCHAR"


def gone(fuzzer: Fuzzer) -> set[str]:
    """What the target holds and the workspace does not."""
    (table,) = fuzzer.streams
    held = {key[0] for key in fuzzer.warehouse.tables.get(table, {})}
    return held - {key[0] for key in fuzzer.world.expected_rows(table)}


def resource_of(fuzzer: Fuzzer) -> str:
    return {"nps_responses": "npsResponses"}.get(fuzzer.streams[0], fuzzer.streams[0])


@pytest.mark.parametrize("resource", RESOURCES)
def test_exactly_what_was_deleted_is_found(fuzzer: StartFuzzer, resource: str) -> None:
    some = fuzzer(resource)
    assert some.run(Attempt())
    assert deleted(some) == set()
    ids = some.world.ids(resource_of(some))
    for key in (ids[0], ids[-1]):
        some.world.delete(resource_of(some), key)
        some.live(5)
        assert deleted(some) == set()
        assert some.run(Attempt())
        # The first list that lacks it may be short by mistake.
        assert key not in deleted(some)
    for _ in range(2):
        some.live(5)
        assert some.run(Attempt())
        assert deleted(some) == gone(some)
    assert len(gone(some)) == 2


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_list_that_is_short_or_empty_proves_nothing(fuzzer: StartFuzzer, resource: str) -> None:
    some = fuzzer(resource)
    assert some.run(Attempt())
    runs = some.warehouse.tables["inventory_runs"]
    ids = some.warehouse.tables["inventory"]
    (whole,) = runs.values()
    for day, share in enumerate((0.5, 0, 0, 0.5), 2):
        # A list that came to its end, and lacks much of what is there.
        at = f"2030-01-0{day}T00:00:00.000Z"
        count = int(whole["count"] * share)
        runs[resource, at] = {**whole, "startedAt": at, "finishedAt": at, "count": count}
        for key in sorted(ids)[:count]:
            ids[key] = {**ids[key], "seenAt": at}
        assert deleted(some) == set()


def test_ids_that_were_lost_delete_nothing(fuzzer: StartFuzzer) -> None:
    """The table of the lists' ends is there, and that of the ids was dropped."""
    some = fuzzer("users")
    for _ in range(3):
        some.live(5)
        assert some.run(Attempt())
    some.warehouse.tables["inventory"].clear()
    assert deleted(some) == set()


def test_without_a_list_nothing_is_deleted(fuzzer: StartFuzzer) -> None:
    never = fuzzer("notes")
    never.run(Attempt(ends_by="kill", after="requests", at=2))
    assert deleted(never) == set()


@pytest.mark.parametrize("ends_by", ["kill", "term"])
@pytest.mark.parametrize("resource", ["accounts", "notes"])
def test_a_broken_run_proves_nothing(fuzzer: StartFuzzer, resource: str, ends_by: Any) -> None:
    """Wherever a run is broken off, the query says what it said before, or what is true."""
    some = fuzzer(resource)
    assert some.run(Attempt())
    some.world.delete(resource, some.world.ids(resource)[1])
    for _ in range(2):
        some.live(5)
        assert some.run(Attempt())
    known = deleted(some)
    assert len(known) == 1
    some.world.delete(resource, some.world.ids(resource)[1])
    for at in range(1, 16):
        some.live(5)
        complete = some.run(Attempt(ends_by=ends_by, after="requests", at=at))
        assert deleted(some) == known or (deleted(some) == gone(some) and at > 3)
        if complete:
            break
    for _ in range(2):
        some.finish()
    assert deleted(some) == gone(some)
    assert len(gone(some)) == 2


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_failed_list_proves_nothing(fuzzer: StartFuzzer, concurrency: int) -> None:
    some = fuzzer("notes")
    assert some.run(Attempt())
    some.live(5)
    broken = PlannedFault("status", "notes?archived=true", times=None, status=500)
    assert not some.run(Attempt(concurrency=concurrency, planned_faults=(broken,)))
    assert deleted(some) == set()


@pytest.mark.parametrize("seed", range(3))
def test_what_moves_between_lists_is_not_taken_for_deleted(fuzzer: StartFuzzer, seed: int) -> None:
    """Notes are archived and brought back while they are listed, each of them once or twice."""
    some = fuzzer("notes", seed=seed)
    random = Random(seed)
    world = some.world
    waiting: list[str] = []

    def change(_: int) -> None:
        world.create("notes")
        if waiting:
            key = waiting.pop()
            archived = world.row("notes", key)["archivedAt"]
            (world.unarchive if archived else world.archive)("notes", key)

    some.change = change  # type: ignore[assignment,method-assign]
    for _ in range(3):
        some.live(5)
        waiting = random.sample(2 * world.ids("notes")[:9], 18)
        changes = tuple((number, number) for number in range(1, 19))
        assert some.run(Attempt(pace=0.4, changes=changes))
        assert deleted(some) == set()


def test_what_is_created_while_streams_are_read_is_in_the_next_list(fuzzer: StartFuzzer) -> None:
    """It was in the list and not in the table, as if the warehouse had lost it."""
    some = fuzzer("accounts")
    before = set(some.world.ids("accounts"))
    some.change = lambda _: some.world.create("accounts")  # type: ignore[assignment,method-assign]
    assert some.run(Attempt(pace=2.0, changes=tuple((number, number) for number in range(1, 9))))
    created = set(some.world.ids("accounts")) - before
    (start,) = (row["startedAt"] for row in some.warehouse.tables["inventory_runs"].values())
    late = {key for key in created if some.world.row("accounts", key)["createdAt"] > start}
    assert late
    assert {key[1] for key in some.warehouse.tables["inventory"]} == before | (created - late)
    some.change = lambda _: None  # type: ignore[assignment,method-assign]
    some.live(5)
    assert some.run(Attempt())
    listed = {key[1] for key in some.warehouse.tables["inventory"]}
    assert listed == before | created == {key[0] for key in some.warehouse.tables["accounts"]}


def test_without_the_servers_clock_nothing_is_proved(fuzzer: StartFuzzer) -> None:
    """This machine's clock may be behind the server's, and make what is there look old."""
    some = fuzzer("notes", clock_off=600.0)
    assert some.run(Attempt())
    some.live(5)
    some.run(Attempt(planned_faults=(PlannedFault("no_date", times=None),)))
    assert deleted(some) == set()


def test_lists_are_counted_and_dated(fuzzer: StartFuzzer) -> None:
    some = fuzzer("accounts")
    some.clock._start = datetime(2026, 5, 1, tzinfo=UTC)
    some.clock.offset = 0
    assert some.run(Attempt())
    runs = list(some.warehouse.tables["inventory_runs"].values())
    seen = list(some.warehouse.tables["inventory"].values())
    assert [run["resource"] for run in runs] == ["accounts"]
    assert runs[0]["count"] == len(seen) == len(some.world.ids("accounts"))
    assert {row["seenAt"] for row in seen} == {runs[0]["startedAt"]} == {"2026-05-01T00:00:00.000Z"}
    assert runs[0]["finishedAt"] >= runs[0]["startedAt"]


def test_the_setting_names_what_may_be_listed() -> None:
    """What is only archived by a deletion can be listed too; the query is the same."""
    assert set(RESOURCES) <= set(INVENTORIED)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_resource_that_is_refused_costs_its_own_list_only(
    fuzzer: StartFuzzer, concurrency: int
) -> None:
    """A list read ahead was counted as finished though its ids were never written."""
    some = fuzzer("nps_responses", inventory=("notes", "nps_responses"))
    assert some.run(Attempt())
    some.live(5)
    # Notes have more pages, so their refusal comes when the other list has long been read.
    refused = PlannedFault("status", "notes?archived=true", times=None, status=403)
    some.run(Attempt(concurrency=concurrency, planned_faults=(refused,)))
    assert deleted(some) == set()
    runs = [row["resource"] for row in some.warehouse.tables["inventory_runs"].values()]
    assert runs.count("notes") == 1
    assert runs.count("nps_responses") == 2


def test_a_list_with_records_without_ids_proves_nothing() -> None:
    with frozen(accounts=3) as sandbox:
        for _ in range(10):
            sandbox.world.create("users", name="N")
        here = config_for(sandbox.url, inventory_resources=["users"], page_size=5)
        runs = ["inventory", "inventory_runs"]
        whole = loaded(read(here, select=runs)).tables
        assert len(whole["inventory_runs"]) == 1
        body = '{"results": [{"name": "N"}], "next": null}'
        last = Fault("status", "users?from=*", status=200, body=body, after=1)
        sandbox.faults.append(last)
        cut = loaded(read(here, select=runs)).tables
        assert 0 < len(cut["inventory"]) < len(whole["inventory"])
        assert "inventory_runs" not in cut or not cut["inventory_runs"]


def test_what_the_settings_leave_out_is_listed_all_the_same(fuzzer: StartFuzzer) -> None:
    some = fuzzer("accounts")
    some.world.churn(some.world.ids("accounts")[0])
    config = {**some.config, "account_status": "active", "include_archived": False}
    listed = loaded(read(config, select=["inventory", "inventory_runs"]))
    assert {key[1] for key in listed.tables["inventory"]} == set(some.world.ids("accounts"))
