"""The dbt package on an emulator of Snowflake: every model is that of DuckDB, row by row."""

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

UPPER = {
    "JSON": ("VARIANT", "{}"),
    "TIMESTAMP": ("TIMESTAMP_NTZ", "{}"),
    "DOUBLE": ("FLOAT", "{}"),
    "HUGEINT": ("NUMBER(38,0)", "{}"),
}
"""As target-snowflake makes them: CREATEDAT, with what is an object or array as VARIANT."""
QUOTED = {
    **UPPER,
    "JSON": ("VARCHAR", "CAST({} AS VARCHAR)"),
    "TIMESTAMP": ("TIMESTAMP_TZ", "{} AT TIME ZONE 'UTC'"),
}
"""As other loaders and settings make them: "createdAt", with JSON as text and moments with a zone."""


def tables_for(loaded: Loaded, types: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return what the emulator needs to have the tables of DuckDB with columns of these types."""
    create, fill = [f"CREATE SCHEMA {RAW}"], []
    for table, columns in loaded.tables.items():
        made, read = [], []
        for column in columns:
            type_, value = types.get(column.type, (column.type, "{}"))
            name = column.name.upper() if types is UPPER else column.name
            made.append(f'"{name}" {type_}')
            read.append(value.format(f'"{column.name.lower()}"'))
        create.append(f"CREATE TABLE {RAW}.{table} ({', '.join(made)})")
        fill.append(
            f"INSERT INTO VITALLY.{RAW.upper()}.{table.upper()}"
            f" SELECT {', '.join(read)} FROM load.{RAW}.{table}"
        )
    return {"file": str(loaded.path), "create": create, "fill": fill}


@pytest.fixture(scope="module", params=["upper", "quoted"])
def snowflake(
    request: pytest.FixtureRequest, loaded: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    tables = tables_for(loaded, UPPER if request.param == "upper" else QUOTED)
    with emulator("snowflake", tmp_path_factory.mktemp(request.param), tables) as running:
        running.warehouse.dbt(*HISTORY, schema=RAW, variables={**VARIABLES, **as_of(BEGUN)})
        running.warehouse.dbt("build", schema=RAW, variables={**VARIABLES, **as_of(NOW)})
        yield running


def test_every_model_is_that_of_duckdb(loaded: Loaded, snowflake: Emulator) -> None:
    differing = [
        model
        for model in loaded.models()
        if operator.ne(*compared(loaded, snowflake, f"SELECT * FROM {model}"))
    ]
    assert differing == []


def test_every_question_has_the_same_answer(loaded: Loaded, snowflake: Emulator) -> None:
    for question in questions():
        wanted, found = compared(loaded, snowflake, question.rstrip().rstrip(";"))
        # All was loaded at once, so that no score differs from that of the first day.
        assert wanted or "health_change" in question, question
        assert found == wanted, question
