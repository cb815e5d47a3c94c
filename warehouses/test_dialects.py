"""What the package writes for warehouses without an emulator is SQL of theirs: it is parsed, and not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from harness.programs import program
from tests.dbt.conftest import NOW, VARIABLES
from tests.dbt.dbt_process import DBT
from tests.dbt.warehouses import as_of
from warehouses.conftest import Loaded
from warehouses.emulators import RAW, environment

PARENTS = {"redshift": ["redshift", "postgres"], "databricks": ["databricks", "spark"]}
"""Whose versions of a macro an adapter takes, before the default."""
SQLGLOT = """
import sys, pathlib, sqlglot
for file in sorted(pathlib.Path(sys.argv[2]).rglob("*.sql")):
    try:
        sqlglot.parse_one(file.read_text(), read=sys.argv[1])
    except sqlglot.ParseError as error:
        print(file.name, str(error)[:500])
"""


@pytest.fixture(scope="module", params=PARENTS)
def compiled(
    request: pytest.FixtureRequest, loaded: Loaded, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Compile the models with the macros of a dialect in place of DuckDB's; return where they are."""
    project = tmp_path_factory.mktemp(request.param) / "dbt"
    shutil.copytree(DBT, project)
    versions = defaultdict(set)
    files = list((project / "macros").rglob("*.sql"))
    for file in files:
        for warehouse, name in re.findall(r"macro (\w+?)__(\w+)\(", file.read_text()):
            versions[name].add(warehouse)
    for file in files:
        text = file.read_text()
        for name, known in versions.items():
            ours = next((each for each in PARENTS[request.param] if each in known), "default")
            text = text.replace(f"macro duckdb__{name}(", f"macro unused__{name}(")
            text = text.replace(f"macro {ours}__{name}(", f"macro duckdb__{name}(")
        file.write_text(text)
    variables = {**VARIABLES, **as_of(NOW)}
    loaded.warehouse.dbt("compile", schema=RAW, variables=variables, project=project)
    written = loaded.warehouse.folder / "target-duckdb" / "compiled" / "vitally" / "models"
    for tests in [*written.rglob("*.yml")]:
        shutil.rmtree(tests)
    return request.param, written.rename(project.parent / "models")


def test_sqlglot_parses_every_model(compiled: tuple[str, Path]) -> None:
    dialect, models = compiled
    done = subprocess.run(
        [environment("dbt-snowflake") / "python", "-c", SQLGLOT, dialect, models],
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(models.rglob("*.sql"))
    assert done.stdout == ""


def test_sqlfluff_parses_every_model(compiled: tuple[str, Path]) -> None:
    """But for the few of more than 20,000 characters, with which it would be busy for minutes."""
    dialect, models = compiled
    done = subprocess.run(
        [program("sqlfluff", "dbt"), "parse", "--dialect", dialect, "--templater", "raw", models],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unparsable" not in done.stdout.lower(), done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_dialects_lack_is_made_up_for(compiled: tuple[str, Path]) -> None:
    """Databricks joins texts in no order, and Redshift makes integers of averages of integers."""
    dialect, models = compiled
    accounts = next(models.rglob("vitally__account_enhanced.sql")).read_text()
    order = {
        "redshift": "order by segment_name",
        "databricks": "sort_array(collect_list(segment_name))",
    }
    assert order[dialect] in accounts
    averages = re.findall(
        r"avg\((cast|\w+)", next(models.rglob("vitally__team_member_metrics.sql")).read_text()
    )
    assert averages == ["health_score", "cast"]
