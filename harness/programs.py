"""Finding the programs that have an environment of their own; the Makefile installs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.support import ROOT


def program(name: str, environment: str | None = None) -> Path:
    """Find a program, such as ``target-duckdb``.

    ``TARGET_DUCKDB`` names it, if that is set; otherwise it is where the Makefile puts it.
    """
    variable = name.upper().replace("-", "_")
    installed = ROOT / ".venvs" / (environment or name) / "bin" / name
    path = Path(os.environ.get(variable) or installed)
    if not path.exists():
        pytest.fail(f"{name} is not at {path}: run the tests with `make test`, which installs it.")
    return path
