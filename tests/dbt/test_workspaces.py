# ruff: noqa: S608 - the names in the queries are of ours
"""Several workspaces in one build, on both databases."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.dbt.conftest import NOW, Built, Models
from tests.dbt.described import described
from tests.dbt.odd_tables import add_unlike_traits
from tests.dbt.warehouses import ODD_SCHEMA, Warehouse, as_of, by_sort

pytestmark = pytest.mark.timeout(900)  # the first test waits until all is built on both databases
SOURCES = [{"schema": "north"}, {"schema": "south", "name": "the south"}]
UNLIKE = {
    "source_relation",
    "account_health_id",
    "loaded_at",
    "accounts_read_at",
    "health_score_as_of",
}
"""When a row was stored differs, and a row of the history is named for its workspace."""


@pytest.fixture(scope="module")
def both(built: Built) -> dict[str, Warehouse]:
    """Load two workspaces that hold the same ids, one without its tasks, and build them at once."""
    lines = built.bare_messages.splitlines(keepends=True)
    without = "".join(line for line in lines if json.loads(line).get("stream") != "tasks")

    def prepare(warehouse: Warehouse) -> None:
        for source, messages in zip(SOURCES, (built.bare_messages, without), strict=True):
            warehouse.load(messages, source["schema"])
        add_unlike_traits(warehouse, "north", "south")
        variables = {**as_of(NOW), "vitally_sources": SOURCES}
        warehouse.dbt("run", schema=ODD_SCHEMA, variables=variables)

    found = [built.duckdb, built.postgres]
    with ThreadPoolExecutor() as pool:
        list(pool.map(prepare, found))
    return {warehouse.name: warehouse for warehouse in found}


@pytest.fixture(params=["duckdb", "postgres"])
def workspaces(request: pytest.FixtureRequest, both: dict[str, Warehouse]) -> Warehouse:
    return both[request.param]


def test_a_workspace_among_several_is_what_it_is_alone(workspaces: Warehouse, bare: Models) -> None:
    for model, columns in described().items():
        sql = f"SELECT {', '.join(name for name in columns if name not in UNLIKE)} FROM {model}"
        alone = alike(bare.query(sql))
        north, south = (
            alike(workspaces.query(f"{sql} WHERE source_relation = '{name}'", ODD_SCHEMA))
            for name in ("north", "the south")
        )
        assert north == alone, model
        assert len(south) == len(alone) or "task" in model or "records" in model, model


def alike(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in a common order, and JSON by value: 0.10 is 0.1, and 1e30 its thirty digits."""
    return by_sort([tuple(map(parsed, row)) for row in rows])


def parsed(value: Any) -> Any:
    """Return what a text of JSON says, a structure in the same way, and another value as it is."""
    text = json.dumps(value) if isinstance(value, dict | list) else value
    try:
        return json.loads(text, parse_int=float) if isinstance(text, str) else value
    except ValueError:
        return value


def test_what_was_not_read_of_one_workspace_is_null_there_alone(workspaces: Warehouse) -> None:
    columns = "source_relation, count(open_tasks_count), count(active_users_count)"
    sql = f"SELECT {columns} FROM vitally__account_enhanced GROUP BY 1 ORDER BY 1"
    north, south = workspaces.query(sql, ODD_SCHEMA)
    assert (north[0], *south) == ("north", "the south", 0, north[1])
    assert north[1] == north[2] != 0


def test_a_trait_of_two_types_is_text(workspaces: Warehouse) -> None:
    sql = "SELECT DISTINCT source_relation, trait_paid, trait_terms FROM vitally__account_enhanced"
    assert set(workspaces.query(sql, ODD_SCHEMA)) == {
        ("north", "true", "[30]"),
        ("the south", "perhaps", "at once"),
    }
