"""The tables that the loader wrote, and what they should hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import duckdb

from demo.processes import Row
from tap_vitally.streams import STREAMS

SHOWN: Final = {stream.name: stream for stream in STREAMS if stream.selected_by_default}
SYNC_RUNS: Final = "vitally_sync_runs"


def count(database: duckdb.DuckDBPyConnection, stream: str) -> int:
    """Count the rows of a table; no table is no rows."""
    try:
        found = database.execute(f'SELECT count(*) FROM "{stream}"').fetchone()  # noqa: S608
    except duckdb.CatalogException:
        return 0
    return int(found[0]) if found else 0


def columns_of(stream: str) -> dict[str, Row]:
    """Return what each column of a table is declared as; those of the loader are not among them."""
    return {name.lower(): how for name, how in SHOWN[stream].schema["properties"].items()}


def differences(
    database: duckdb.DuckDBPyConnection, stream: str, expected_rows: Sequence[Row]
) -> Iterator[str]:
    """Compare a table with the rows it should hold: one line for each that is wrong."""
    keys = SHOWN[stream].primary_keys
    kinds = columns_of(stream)
    try:
        cursor = database.execute(f'SELECT * FROM "{stream}"')  # noqa: S608
    except duckdb.CatalogException:
        cursor = database.execute("SELECT NULL WHERE false")
    columns = [column[0] for column in cursor.description or ()]
    found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    loaded = {tuple(row[key.lower()] for key in keys): row for row in found}
    wanted = {tuple(row[key] for key in keys): row for row in expected_rows}
    for key in loaded.keys() - wanted.keys():
        yield f"{stream} {'/'.join(key)} should not be there"
    for key, row in wanted.items():
        if key not in loaded:
            yield f"{stream} {'/'.join(key)} is missing"
            continue
        for name, value in row.items():
            column = name.lower()
            kind = kinds.get(column)
            if kind and from_duckdb(loaded[key][column], kind) != as_loaded(value, kind):
                yield f"{stream} {'/'.join(key)} has another {name}"


def from_duckdb(value: Any, declared: Mapping[str, Any]) -> Any:
    """Undo what the target did to a value to fit it into a column."""
    if isinstance(value, str) and {"array", "object"} & set(declared["type"]):
        return json.loads(value)
    return value


def as_loaded(value: Any, declared: Mapping[str, Any]) -> Any:
    """Do to a value what the target does: moments lose their zone, empty text is NULL."""
    if isinstance(value, str):
        if declared.get("format") == "date-time":
            moment = datetime.fromisoformat(value)
            return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
        return value or None
    return value
