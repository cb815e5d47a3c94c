"""The dbt package built once for all tests: sandbox, tap, loader, dbt, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.postgres import postgres_in
from harness.support import catalog, config_for, run_tap
from sandbox import Clock, World, serve
from tests.dbt.answers import Truth
from tests.dbt.warehouses import Warehouse, as_of, duckdb_warehouse, postgres_warehouse

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
EVERYTHING, BARE = "everything", "bare"
"""Schemas: one with all that the package can use, one with what is selected by default."""


@dataclass(frozen=True)
class Built:
    """What there is to compare."""

    truth: Truth
    duckdb: Warehouse
    postgres: Warehouse
    gone: Mapping[str, str]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("dbt")
    world = World(seed=3, accounts=24, clock=Clock(START), sizes={"npsResponses": 72})
    streams = {
        entry["stream"]
        for entry in catalog()["streams"]
        if not re.match("(account|organization)_(?!conv|nps|health)", entry["stream"])
    }
    gone = {name: world.ids(name)[4] for name in ("conversations", "users")}
    with serve(world) as sandbox:
        full = config_for(
            sandbox.url,
            survey_ids=world.ids("surveys"),
            inventory_resources=["accounts", "users", "conversations"],
            trait_columns=True,
        )
        first = run_tap(folder, {**full, "embedded_objects": "reference"}, select=streams)
        bare = run_tap(folder, config_for(sandbox.url), default_selection=True)
        assert first.returncode == bare.returncode == 0, first.stderr + bare.stderr
    with postgres_in(tmp_path_factory.mktemp("postgres")) as address:
        built = Built(
            Truth(world), duckdb_warehouse(folder), postgres_warehouse(folder, address), gone
        )
        everything = _without(first.stdout, gone)
        variables = {
            **{f"vitally__using_{name}": True for name in OPTIONAL},
            **as_of(START),
            "vitally__traits": TRAITS,
        }

        def prepare(warehouse: Warehouse) -> None:
            warehouse.load(everything, EVERYTHING)
            warehouse.dbt("build", schema=EVERYTHING, variables=variables)

        with ThreadPoolExecutor() as pool:
            both = pool.map(prepare, (built.duckdb, built.postgres))
            list(both)
        built.duckdb.load(bare.stdout, BARE)
        built.duckdb.dbt("run", schema=BARE, variables=as_of(START))
        yield built


def _without(messages: str, gone: Mapping[str, str]) -> str:
    """What the tap wrote, but for the ids that an inventory would lack had they been deleted."""
    return "".join(
        f"{line}\n"
        for line in messages.splitlines()
        if not ('"stream":"inventory"' in line and any(key in line for key in gone.values()))
    )


@dataclass(frozen=True)
class Models:
    """The models in one schema of one database."""

    warehouse: Warehouse
    schema: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Put a query to them."""
        return self.warehouse.query(sql, self.schema)


@pytest.fixture(params=["duckdb", "postgres"])
def models(request: pytest.FixtureRequest, built: Built) -> Models:
    """The models of all that the package can use, in each database."""
    return Models(getattr(built, request.param), EVERYTHING)


@pytest.fixture
def bare(built: Built) -> Models:
    """The models of what the tap selects by default."""
    return Models(built.duckdb, BARE)


@pytest.fixture(params=["duckdb", "postgres", "bare"])
def all_models(request: pytest.FixtureRequest, built: Built) -> Models:
    """All of these."""
    if request.param == "bare":
        return Models(built.duckdb, BARE)
    return Models(getattr(built, request.param), EVERYTHING)
