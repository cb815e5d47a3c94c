"""The dbt package built once for all tests: sandbox, tap, loader, dbt, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.postgres import running_postgres
from harness.support import Result, Row, catalog, config_for, run_tap
from sandbox import Clock, World, serve
from tap_vitally.streams import INVENTORIED
from tests.dbt.answers import ExpectedData
from tests.dbt.warehouses import SCHEMA, Warehouse, as_of, duckdb_warehouse, postgres_warehouse

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
OPTIONAL = (
    "messages",
    "account_conversations",
    "organization_conversations",
    "account_nps_responses",
    "organization_nps_responses",
    "account_health_scores",
    "inventory",
    "vitally_sync_runs",
)
TRAITS = {
    "accounts": [
        "vitally.custom.tier",
        {"path": "sfdc.Renew_Date__c", "name": "renewal_date", "type": "date"},
        {"path": "hspot.contract_start_date", "name": "contract_start_at", "type": "timestamp"},
        {"path": "usage_mrr", "type": "number"},
        {"path": "beta", "type": "boolean"},
    ]
}
VARIABLES = {
    **{f"vitally__using_{name}": True for name in OPTIONAL},
    "vitally__traits": TRAITS,
    "vitally__history_gap_days": 30,
}
HISTORY = ("run", "--select", "+vitally__account_health_daily")
DAY_OF_HISTORY = ("run", "--select", "vitally__account_health_daily")
NOW = START + timedelta(days=2)
BEGUN = NOW - timedelta(days=30)
"""When dbt ran first: what it keeps of that day is the history."""
DAY = 86_400
RESOURCES = {"nps_responses": "npsResponses"}
"""What the sandbox calls a resource, where the stream has another name."""


@dataclass(frozen=True)
class Built:
    """What there is to compare."""

    first: ExpectedData
    """What was true on the first day, when the late scores were read."""
    expected_rows: ExpectedData
    duckdb: Warehouse
    postgres: Warehouse
    bare: Warehouse
    """A DuckDB with what the tap selects by default, and nothing else."""
    bare_messages: str
    """What was loaded into it."""
    gone: Mapping[str, str]
    """One record of each stream that was deleted on the second day."""


@dataclass(frozen=True)
class ThreeDays:
    """What the tap has read on three days, and what was true then.

    On the first, dbt runs before the health scores are read; on the second, records are deleted and
    only lists of ids and scores are read; on the third, everything is, the scores again after the
    rest. Scores move between the reading of accounts and that of scores.
    """

    first: ExpectedData
    expected_rows: ExpectedData
    gone: Mapping[str, str]
    one: str
    """What was read on the first day, before dbt ran."""
    late: str
    """What was read after that, and on the second day."""
    last: str
    """What was read on the third."""
    bare: str
    """What is selected by default, on the third."""


def three_days(folder: Path) -> ThreeDays:
    """Read a sandbox on three days."""
    world = World(seed=3, accounts=24, clock=Clock(START), sizes={"npsResponses": 72})
    world.update("accounts", world.ids("accounts")[7], churnedAt="2026-05-01T00:00:00.000Z")
    streams = {
        entry["stream"]
        for entry in catalog()["streams"]
        if not re.match("(account|organization)_(?!conv|nps)", entry["stream"])
    }
    scores, lists = {"account_health_scores"}, {"inventory", "inventory_runs"}
    with serve(world) as sandbox:
        full = config_for(
            sandbox.url,
            survey_ids=world.ids("surveys"),
            inventory_resources=list(INVENTORIED),
            trait_columns=True,
            embedded_objects="reference",
        )

        def read(select: set[str], state: Row | None = None) -> Result:
            done = run_tap(folder, full, select=select, state=state)
            assert done.returncode == 0, done.stderr
            return done

        before = ExpectedData(world, BEGUN)
        one = read(streams)
        _move_scores(world, 0)
        late = read(scores).stdout
        first = ExpectedData(world)
        world.clock.advance(DAY)
        gone = {stream: _delete(world, stream) for stream in INVENTORIED}
        late += read(lists).stdout
        world.clock.advance(DAY)
        more, less, gone_soon, alone = world.ids("accounts")[:4]
        world.update("accounts", more, mrr=5000)
        world.update("accounts", less, mrr=1.5)
        world.update("accounts", alone, csmId=None)
        world.update("accounts", gone_soon, churnedAt="2026-03-05T00:00:00.000Z")
        last = read(streams, one.state).stdout
        _move_scores(world, 1)
        last += read(scores).stdout
        bare = run_tap(folder, config_for(sandbox.url), default_selection=True)
        assert bare.returncode == 0, bare.stderr
    expected_rows = ExpectedData(world)
    expected_rows.before = before
    return ThreeDays(first, expected_rows, gone, one.stdout, late, last, bare.stdout)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build the models on both databases, after three days."""
    folder = tmp_path_factory.mktemp("dbt")
    days = three_days(folder)
    with running_postgres() as address:
        built = Built(
            days.first,
            days.expected_rows,
            duckdb_warehouse(folder),
            postgres_warehouse(folder, address),
            duckdb_warehouse(tmp_path_factory.mktemp("bare")),
            days.bare,
            days.gone,
        )

        def prepare(warehouse: Warehouse) -> None:
            warehouse.load(days.one, SCHEMA)
            for day, command in ((BEGUN, HISTORY), (START, DAY_OF_HISTORY)):
                warehouse.dbt(*command, schema=SCHEMA, variables={**VARIABLES, **as_of(day)})
            if warehouse is built.postgres:
                # As the table was made before it had these columns.
                with psycopg.connect(address) as connection:
                    connection.execute(
                        "ALTER TABLE dbt_vitally_vitally.vitally__account_health_daily"
                        " DROP COLUMN health_score_as_of, DROP COLUMN breakdown_at,"
                        " DROP COLUMN source_relation, DROP COLUMN accounts_read_at"
                    )
            warehouse.load(days.late, SCHEMA)
            warehouse.load(days.last, SCHEMA)
            # The demo builds with all tests on DuckDB.
            how = "run" if warehouse is built.duckdb else "build"
            warehouse.dbt(how, schema=SCHEMA, variables={**VARIABLES, **as_of(NOW)})

        with ThreadPoolExecutor() as pool:
            both = pool.map(prepare, (built.duckdb, built.postgres))
            list(both)
        built.bare.load(days.bare, SCHEMA)
        built.bare.dbt("run", schema=SCHEMA, variables=as_of(NOW))
        yield built


def has_overall(account: str) -> bool:
    """Return True if the sandbox's breakdown of an account holds its overall score."""
    return int(account[-4:], 16) % 5 == 0


def _move_scores(world: World, turn: int) -> None:
    """Let the scores of accounts with an overall score in the breakdown fall, and rise again."""
    moved = [key for key in world.ids("accounts") if has_overall(key)]
    assert len(moved) > 1
    for number, key in enumerate(moved):
        world.set_health(key, 0.5 if (number + turn) % 2 else 9.5)


def _delete(world: World, stream: str) -> str:
    """Delete a record that counts: one that is open, overdue or at risk, where there is one."""
    expected_rows = ExpectedData(world)
    telling = {
        "tasks": [
            task["id"] for task in expected_rows.live("tasks") if expected_rows.is_overdue(task)
        ],
        "accounts": [
            key for key, account in expected_rows.accounts.items() if expected_rows.at_risk(account)
        ],
        "projects": [
            row["id"] for row in expected_rows.live("projects") if not expected_rows.is_done(row)
        ],
        "notes": [row["id"] for row in expected_rows.live("notes") if row["accountId"]],
        "meetings": [row["id"] for row in expected_rows.live("meetings")],
    }
    resource = RESOURCES.get(stream, stream)
    key: str = telling.get(stream, world.ids(resource)[4:])[0]
    world.delete(resource, key)
    return key


@dataclass(frozen=True)
class Models:
    """The models in one database."""

    warehouse: Warehouse
    is_bare: bool = False

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Put a query to them."""
        return self.warehouse.query(sql, SCHEMA)


@pytest.fixture(params=["duckdb", "postgres"])
def models(request: pytest.FixtureRequest, built: Built) -> Models:
    """The models of all that the package can use, in each database."""
    return Models(getattr(built, request.param))


@pytest.fixture
def bare(built: Built) -> Models:
    """The models of what the tap selects by default."""
    return Models(built.bare, is_bare=True)


@pytest.fixture(params=["duckdb", "postgres", "bare"])
def all_models(request: pytest.FixtureRequest, built: Built) -> Models:
    """All of these."""
    return Models(getattr(built, request.param), is_bare=request.param == "bare")
