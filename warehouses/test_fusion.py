"""The dbt package on Fusion, the dbt written anew: the models are those of dbt, row by row."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from tests.dbt.conftest import BEGUN, HISTORY, NOW, VARIABLES
from tests.dbt.dbt_process import DBT
from tests.dbt.warehouses import as_of
from warehouses.conftest import Loaded, sorted_rows
from warehouses.emulators import RAW, environment, qualified


def test_every_model_is_that_of_dbt(loaded: Loaded, tmp_path: Path) -> None:
    programs = environment("dbt-fusion")
    path = shutil.copy(loaded.path, tmp_path)
    # Fusion loads libduckdb.so. The library in the wheel of DuckDB can be that, if it finds Python.
    (library,) = programs.parent.glob("lib/python*/site-packages/_duckdb*.so")
    (tmp_path / "libduckdb.so").symlink_to(library)
    python = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    process = {
        **os.environ,
        "VITALLY_DUCKDB_PATH": str(path),
        "VITALLY_DBT_SCHEMA": "fusion",
        "LD_LIBRARY_PATH": str(tmp_path),
        "LD_PRELOAD": str(python),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    folders = ("--project-dir", DBT, "--profiles-dir", DBT)
    for command, day in ((HISTORY, BEGUN), (("build",), NOW)):
        variables = {"vitally_schema": RAW, **VARIABLES, **as_of(day)}
        done = subprocess.run(
            [programs / "dbt", *command, *folders, "--vars", json.dumps(variables)],
            env=process,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "deprecated" not in done.stdout.lower(), done.stdout
    built = Loaded(loaded.warehouse, Path(path), {})
    models = loaded.models()
    assert models
    for model in models:
        sql = qualified(f"SELECT * FROM {model}", RAW)
        found = built.rows(sql.replace(f"dbt_{RAW}_", "fusion_"))
        assert sorted_rows(*found) == sorted_rows(*loaded.rows(sql)), model
