# ruff: noqa: S608 - the names in the statements are of ours
"""Two loaders that append: one column of text for each property, or one of JSON for all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.support import Row
from tests.dbt.warehouses import Warehouse
from tests.dbt.workspace import DAYS, EMPTY, Workspace


@dataclass(frozen=True)
class Loader:
    """Appends the versions of rows on each day."""

    is_records: bool
    """Whole records in one column of JSON, or a column of text for each property in snake_case."""

    def load(self, warehouse: Warehouse, schema: str, workspace: Workspace, day: int) -> None:
        """Make the tables on the first day, and append what is new or changed on the second."""
        is_first = day == 0
        if is_first:
            warehouse.write(f'CREATE SCHEMA "{schema}"', [()])
        whole = (workspace.first, workspace.rows)[day]
        tables: dict[str, Sequence[Row]] = {
            name: list(rows.values()) for name, rows in whole.items()
        }
        tables |= workspace.inventory[day]
        for name, rows in tables.items():
            columns = list({column: None for row in rows for column in row})
            if is_first:
                self._create(warehouse, schema, name, columns)
            changed = [row for row in rows if is_first or self._is_news(name, row, workspace)]
            if changed:
                self._append(warehouse, f'"{schema}".{name}', columns, changed, day)
        for name, names in EMPTY.items() if is_first else ():
            self._create(warehouse, schema, name, names)

    @staticmethod
    def _is_news(name: str, row: Row, workspace: Workspace) -> bool:
        before = workspace.first.get(name, {}).get(row["id"]) if "id" in row else None
        return before != row

    def _create(self, warehouse: Warehouse, schema: str, name: str, columns: Sequence[str]) -> None:
        json_type = "jsonb" if warehouse.name == "postgres" else "json"
        made = ", ".join(
            ["_sdc_sequence bigint", f"data {json_type}"]
            if self.is_records
            else ["_airbyte_extracted_at timestamp", *(f'"{snake(each)}" text' for each in columns)]
        )
        warehouse.write(f'CREATE TABLE "{schema}".{name} ({made})', [()])

    def _append(
        self,
        warehouse: Warehouse,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        day: int,
    ) -> None:
        if self.is_records:
            values: list[tuple[Any, ...]] = [(day, json.dumps(row)) for row in rows]
        else:
            values = [(DAYS[day], *(text(row.get(each)) for each in columns)) for row in rows]
        warehouse.write(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in values[0])})", values)


def snake(name: str) -> str:
    """A property as Airbyte's and other loaders spell it."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def text(value: Any) -> str | None:
    """A value as a loader without types stores it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


VARIABLES: Mapping[str, Any] = {
    "vitally__traits": {"accounts": ["plan", {"path": "seats", "type": "number"}]}
}
