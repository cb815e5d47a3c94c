"""Emulators of warehouses: started on loopback, filled as a loader would, read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.support import ROOT
from tests.dbt.warehouses import SCHEMAS, Warehouse

HERE = Path(__file__).parent
RAW = "raw"
"""The schema of the loader's tables."""


@dataclass(frozen=True)
class Column:
    """A column of a table that a loader has made."""

    name: str
    """As the tap calls it: createdAt."""
    type: str
    """What DuckDB calls its type."""
    is_array: bool


Tables = Mapping[str, Sequence[Column]]


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    port: int
    warehouse: Warehouse

    def rows(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Return the columns and the rows of a query."""
        answer = requests.get(
            f"http://127.0.0.1:{self.port}/rows", params={"sql": sql}, timeout=120
        )
        assert answer.ok, f"{sql}\n{answer.text[-2000:]}"
        found = answer.json()
        return [name.lower() for name in found["columns"]], found["rows"]


def environment(name: str) -> Path:
    """Return the folder of the programs of an environment of its own, which `make warehouses` installs."""
    folder = Path(os.environ.get("WAREHOUSES") or ROOT / ".venvs") / name / "bin"
    if not folder.exists():
        pytest.fail(f"There is no {folder}: run these tests with `make warehouses`.")
    return folder


@contextmanager
def emulator(name: str, folder: Path, tables: Any) -> Iterator[Emulator]:
    """Run an emulator with tables until the block ends."""
    programs = environment(f"dbt-{name}")
    given = folder / "tables.json"
    given.write_text(json.dumps(tables))
    log = folder / "emulator.log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [programs / "python", HERE / f"{name}_server.py", given],
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as server,
    ):
        assert server.stdout
        port = server.stdout.readline().strip()
        assert port, log.read_text()
        try:
            yield Emulator(
                int(port),
                Warehouse(
                    name,
                    "",
                    {},
                    {"EMULATOR_PORT": port},
                    lambda _sql, _schemas: [],
                    lambda _sql, _rows: None,
                    folder,
                    programs / "dbt",
                    HERE,
                ),
            )
        finally:
            server.terminate()


def qualified(sql: str, schema: str) -> str:
    """Return a query with the schemas of models before their names."""
    homes = {"": SCHEMAS[0], "stg_": SCHEMAS[1], "int_": SCHEMAS[2]}
    return re.sub(
        r"\b((stg_|int_|)vitally__\w+)",
        lambda found: f"dbt_{schema}_{homes[found[2]]}.{found[1]}",
        sql,
    )
