"""The dbt package on an emulator of BigQuery: every model is that of DuckDB, row by row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dbt.conftest import BEGUN, HISTORY, NOW, VARIABLES
from tests.dbt.described import questions
from tests.dbt.odd_tables import SELECTED, OddTables
from tests.dbt.warehouses import as_of
from warehouses.conftest import SOURCES, Loaded, compared, differing
from warehouses.emulators import RAW, Emulator, Layout, emulator

HOME = '"vitally__{}".{}'
PLAIN = {
    "VARCHAR": ("STRING", "{}"),
    "TIMESTAMP": ("TIMESTAMP", "{} AT TIME ZONE 'UTC'"),
    "DOUBLE": ("FLOAT64", "{}"),
    "HUGEINT": ("INT64", "{}"),
    "BIGINT": ("INT64", "{}"),
    "BOOLEAN": ("BOOL", "{}"),
    "DECIMAL(18,3)": ("NUMERIC", "{}"),
}
REPEATED = Layout(
    {
        **PLAIN,
        "JSON": ("JSON", "{}"),
        "array": ("ARRAY<JSON>", "coalesce(CAST({} AS JSON[]), [])"),
    },
    quote="`",
    home=HOME,
)
"""As target-bigquery makes them with `denormalized`: createdAt, traits as JSON, arrays REPEATED."""
TEXT = Layout({**PLAIN, "JSON": ("STRING", "CAST({} AS VARCHAR)")}, str.lower, quote="`", home=HOME)
"""As loaders make them that know no JSON: createdat, objects and arrays as text."""
STRINGS = Layout(
    {
        **TEXT.values,
        "array": ("ARRAY<STRING>", "[json_extract_string(e, '$') FOR e IN CAST({} AS JSON[])]"),
    },
    str.lower,
    quote="`",
    home=HOME,
)
"""As pipelinewise-target-bigquery makes them: arrays REPEATED, with the text of each element."""
RECORDS = Layout(PLAIN, records="JSON", quote="`", home=HOME)
"""As target-bigquery makes them by default: whole records in one column of JSON."""


@pytest.fixture(
    scope="module", params=[REPEATED, TEXT, RECORDS], ids=["repeated", "text", "records"]
)
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


@pytest.fixture(scope="module")
def bigquery(
    layout: Layout, loaded: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    tables = layout.tables(loaded.path, loaded.tables)
    with emulator("bigquery", tmp_path_factory.mktemp("bigquery"), tables) as running:
        running.warehouse.dbt(*HISTORY, schema=RAW, variables={**VARIABLES, **as_of(BEGUN)})
        command = "build" if layout is REPEATED else "run"
        running.warehouse.dbt(command, schema=RAW, variables={**VARIABLES, **as_of(NOW)})
        yield running


def test_every_model_is_that_of_duckdb(loaded: Loaded, bigquery: Emulator, layout: Layout) -> None:
    # Nothing tells which traits whole records have as columns.
    assert differing(loaded, bigquery, without="trait_" if layout.records else "") == []


def test_every_question_has_the_same_answer(loaded: Loaded, bigquery: Emulator) -> None:
    for question in questions():
        wanted, found = compared(loaded, bigquery, question.rstrip().rstrip(";"))
        # All was loaded at once, so that no score differs from that of the first day.
        assert wanted or "health_change" in question, question
        assert found == wanted, question


def test_two_workspaces_are_those_of_duckdb(
    two_workspaces: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tables = STRINGS.tables(two_workspaces.path, two_workspaces.tables)
    with emulator("bigquery", tmp_path_factory.mktemp("workspaces"), tables) as running:
        variables = {**as_of(NOW), "vitally_sources": SOURCES}
        running.warehouse.dbt("run", schema=RAW, variables=variables)
        assert differing(two_workspaces, running) == []


@pytest.mark.parametrize("odd_layout", [REPEATED, TEXT], ids=["json", "text"])
def test_odd_values_are_those_of_duckdb(
    odd_layout: Layout, odd: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tables = odd_layout.tables(odd.path, odd.tables)
    with emulator("bigquery", tmp_path_factory.mktemp("odd"), tables) as running:
        OddTables(running.warehouse, RAW).dbt("run", "--select", *SELECTED)
        assert differing(odd, running) == []
