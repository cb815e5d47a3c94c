"""The dbt package on emulators of Snowflake and BigQuery: every model is that of DuckDB, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dbt.conftest import BEGUN, HISTORY, NOW, VARIABLES
from tests.dbt.described import questions
from tests.dbt.odd_tables import SELECTED, OddTables
from tests.dbt.warehouses import as_of
from warehouses.conftest import SOURCES, Loaded, compared, differing
from warehouses.emulators import RAW, Emulator, Layout, emulator
from warehouses.layouts import QUOTED, RECORDS, REPEATED, STRINGS, TEXT, UPPER

LAYOUTS = {
    "snowflake-upper": UPPER,
    "snowflake-quoted": QUOTED,
    "bigquery-repeated": REPEATED,
    "bigquery-text": TEXT,
    "bigquery-records": RECORDS,
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    return LAYOUTS[request.param]


@pytest.fixture(scope="module")
def built(
    layout: Layout, loaded: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    with emulator(layout, tmp_path_factory.mktemp("days"), loaded.path, loaded.tables) as running:
        running.warehouse.dbt(*HISTORY, schema=RAW, variables={**VARIABLES, **as_of(BEGUN)})
        # The tests of the package look at the models, which are the same of all layouts.
        command = "run" if layout in (TEXT, RECORDS) else "build"
        running.warehouse.dbt(command, schema=RAW, variables={**VARIABLES, **as_of(NOW)})
        yield running


def test_every_model_is_that_of_duckdb(loaded: Loaded, built: Emulator, layout: Layout) -> None:
    # Nothing tells which traits whole records have as columns.
    assert differing(loaded, built, without="trait_" if layout.records else "") == []


def test_every_question_has_the_same_answer(loaded: Loaded, built: Emulator) -> None:
    for question in questions():
        wanted, found = compared(loaded, built, question.rstrip().rstrip(";"))
        # All was loaded at once, so that no score differs from that of the first day.
        assert wanted or "health_change" in question, question
        assert found == wanted, question


@pytest.mark.parametrize("made", [UPPER, STRINGS], ids=["snowflake", "bigquery"])
def test_two_workspaces_are_those_of_duckdb(
    made: Layout, two_workspaces: Loaded, tmp_path: Path
) -> None:
    with emulator(made, tmp_path, two_workspaces.path, two_workspaces.tables) as running:
        variables = {**as_of(NOW), "vitally_sources": SOURCES}
        running.warehouse.dbt("run", schema=RAW, variables=variables)
        assert differing(two_workspaces, running) == []


@pytest.mark.parametrize(
    "made",
    [UPPER, QUOTED, REPEATED, TEXT],
    ids=["snowflake-upper", "snowflake-quoted", "bigquery-repeated", "bigquery-text"],
)
def test_odd_values_are_those_of_duckdb(made: Layout, odd: Loaded, tmp_path: Path) -> None:
    with emulator(made, tmp_path, odd.path, odd.tables) as running:
        OddTables(running.warehouse, RAW).dbt("run", "--select", *SELECTED)
        assert differing(odd, running) == []
