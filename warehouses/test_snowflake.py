"""The dbt package on an emulator of Snowflake: every model is that of DuckDB, row by row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dbt.conftest import BEGUN, HISTORY, NOW, VARIABLES
from tests.dbt.described import questions
from tests.dbt.odd_tables import SELECTED, OddTables
from tests.dbt.warehouses import as_of
from warehouses.conftest import SOURCES, Loaded, compared, differing
from warehouses.emulators import RAW, Emulator, Layout, emulator

HOME = "VITALLY.{}.{}"
OF_A_COLUMN = {
    "JSON": ("VARIANT", "{}"),
    "TIMESTAMP": ("TIMESTAMP_NTZ", "{}"),
    "DOUBLE": ("FLOAT", "{}"),
    "HUGEINT": ("NUMBER(38,0)", "{}"),
}
UPPER = Layout(OF_A_COLUMN, str.upper, home=HOME)
"""As target-snowflake makes them: CREATEDAT, with what is an object or array as VARIANT."""
QUOTED = Layout(
    {
        **OF_A_COLUMN,
        "JSON": ("VARCHAR", "CAST({} AS VARCHAR)"),
        "TIMESTAMP": ("TIMESTAMP_TZ", "{} AT TIME ZONE 'UTC'"),
    },
    home=HOME,
)
"""As other loaders and settings make them: "createdAt", with JSON as text and moments with a zone."""


@pytest.fixture(scope="module", params=[UPPER, QUOTED], ids=["upper", "quoted"])
def snowflake(
    request: pytest.FixtureRequest, loaded: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    tables = request.param.tables(loaded.path, loaded.tables)
    with emulator("snowflake", tmp_path_factory.mktemp("snowflake"), tables) as running:
        running.warehouse.dbt(*HISTORY, schema=RAW, variables={**VARIABLES, **as_of(BEGUN)})
        running.warehouse.dbt("build", schema=RAW, variables={**VARIABLES, **as_of(NOW)})
        yield running


def test_every_model_is_that_of_duckdb(loaded: Loaded, snowflake: Emulator) -> None:
    assert differing(loaded, snowflake) == []


def test_every_question_has_the_same_answer(loaded: Loaded, snowflake: Emulator) -> None:
    for question in questions():
        wanted, found = compared(loaded, snowflake, question.rstrip().rstrip(";"))
        # All was loaded at once, so that no score differs from that of the first day.
        assert wanted or "health_change" in question, question
        assert found == wanted, question


def test_two_workspaces_are_those_of_duckdb(
    two_workspaces: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tables = UPPER.tables(two_workspaces.path, two_workspaces.tables)
    with emulator("snowflake", tmp_path_factory.mktemp("workspaces"), tables) as running:
        variables = {**as_of(NOW), "vitally_sources": SOURCES}
        running.warehouse.dbt("run", schema=RAW, variables=variables)
        assert differing(two_workspaces, running) == []


@pytest.mark.parametrize("layout", [UPPER, QUOTED], ids=["upper", "quoted"])
def test_odd_values_are_those_of_duckdb(
    layout: Layout, odd: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tables = layout.tables(odd.path, odd.tables)
    with emulator("snowflake", tmp_path_factory.mktemp("odd"), tables) as running:
        OddTables(running.warehouse, RAW).dbt("run", "--select", *SELECTED)
        assert differing(odd, running) == []
