"""The dbt package on an emulator of BigQuery: every model is that of DuckDB, row by row."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.dbt.conftest import BEGUN, HISTORY, NOW, VARIABLES
from tests.dbt.described import questions
from tests.dbt.warehouses import as_of
from warehouses.conftest import Loaded, compared
from warehouses.emulators import RAW, Emulator, emulator

PLAIN = {
    "VARCHAR": ("STRING", "{}"),
    "TIMESTAMP": ("TIMESTAMP", "{} AT TIME ZONE 'UTC'"),
    "DOUBLE": ("FLOAT64", "{}"),
    "HUGEINT": ("INT64", "{}"),
    "BOOLEAN": ("BOOL", "{}"),
}
REPEATED = {
    **PLAIN,
    "JSON": ("JSON", "{}"),
    "array": ("ARRAY<JSON>", "coalesce(CAST({} AS JSON[]), [])"),
}
"""As target-bigquery makes them with `denormalized`: createdAt, traits as JSON, arrays REPEATED."""


def tables_for(loaded: Loaded, types: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return what the emulator needs to have the tables of DuckDB with columns of these types."""
    create, fill = [f"CREATE SCHEMA {RAW}"], []
    for table, columns in loaded.tables.items():
        made, read = [], []
        for column in columns:
            type_, value = types["array" if column.is_array else column.type]
            name = column.name if types is REPEATED else column.name.lower()
            made.append(f"`{name}` {type_}")
            read.append(value.format(f'"{column.name.lower()}"'))
        create.append(f"CREATE TABLE {RAW}.{table} ({', '.join(made)})")
        fill.append(
            f'INSERT INTO "vitally__{RAW}".{table} SELECT {", ".join(read)} FROM load.{RAW}.{table}'
        )
    return {"file": str(loaded.path), "create": create, "fill": fill}


@pytest.fixture(scope="module")
def bigquery(loaded: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    tables = tables_for(loaded, REPEATED)
    with emulator("bigquery", tmp_path_factory.mktemp("bigquery"), tables) as running:
        running.warehouse.dbt(*HISTORY, schema=RAW, variables={**VARIABLES, **as_of(BEGUN)})
        running.warehouse.dbt("run", schema=RAW, variables={**VARIABLES, **as_of(NOW)})
        yield running


def test_every_model_is_that_of_duckdb(loaded: Loaded, bigquery: Emulator) -> None:
    differing = [
        model
        for model in loaded.models()
        if operator.ne(*compared(loaded, bigquery, f"SELECT * FROM {model}"))
    ]
    assert differing == []


def test_every_question_has_the_same_answer(loaded: Loaded, bigquery: Emulator) -> None:
    for question in questions():
        wanted, found = compared(loaded, bigquery, question.rstrip().rstrip(";"))
        # All was loaded at once, so that no score differs from that of the first day.
        assert wanted or "health_change" in question, question
        assert found == wanted, question
