# ruff: noqa: S608 - the names in the queries are of ours
"""A workspace of odd links, dates and names, as two other loaders leave it, against a plain recomputation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.postgres import running_postgres
from tests.dbt.conftest import HISTORY
from tests.dbt.loader import VARIABLES, Loader
from tests.dbt.recomputed import Recomputed
from tests.dbt.recomputed_more import MODELS
from tests.dbt.warehouses import (
    ODD_SCHEMA,
    Warehouse,
    as_of,
    by_sort,
    duckdb_warehouse,
    even,
    postgres_warehouse,
)
from tests.dbt.workspace import DAYS, Workspace, make_workspace

pytestmark = pytest.mark.timeout(900)  # the first test waits until all is built on both databases


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return make_workspace(seed=20)


@pytest.fixture(scope="module")
def both(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Warehouse]]:
    """Load and build on two days: text in columns on DuckDB, and whole records as JSON on PostgreSQL."""
    with running_postgres() as address:
        found = [
            duckdb_warehouse(tmp_path_factory.mktemp("duckdb")),
            postgres_warehouse(tmp_path_factory.mktemp("models"), address),
        ]

        def prepare(warehouse: Warehouse) -> None:
            loader = Loader(is_records=warehouse.name == "postgres")
            for day, now in enumerate(DAYS):
                loader.load(warehouse, ODD_SCHEMA, workspace, day)
                # On DuckDB dbt makes all tables anew, so that only the history asks for the first day.
                is_part = warehouse.name == "duckdb" and now == DAYS[0]
                command = HISTORY if is_part else ("run",)
                variables = {**VARIABLES, **as_of(now)}
                warehouse.dbt(*command, schema=ODD_SCHEMA, variables=variables)

        with ThreadPoolExecutor() as pool:
            list(pool.map(prepare, found))
        yield {warehouse.name: warehouse for warehouse in found}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["duckdb", "postgres"])
def test_a_model_is_what_the_records_say(
    name: str, model: str, both: dict[str, Warehouse], workspace: Workspace
) -> None:
    wanted = list(MODELS[model](Recomputed(workspace, 1)))
    found = both[name].query(f"SELECT {', '.join(wanted[0])} FROM vitally__{model}", ODD_SCHEMA)
    assert by_sort(found) == by_sort([tuple(map(even, row.values())) for row in wanted])
