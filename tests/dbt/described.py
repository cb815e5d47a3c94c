"""What the pages and the package's own descriptions say."""

from __future__ import annotations

import re

import yaml

from harness.support import ROOT
from tests.dbt.dbt_process import DBT


def questions() -> list[str]:
    """The queries of the page, in their order."""
    page = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    return re.findall(r"^```sql\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def described() -> dict[str, list[str]]:
    """The columns that are described, by model, in their order."""
    return {
        model["name"]: [column["name"] for column in model["columns"] if column["description"]]
        for file in (DBT / "models").rglob("*.yml")
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", ())
        if model["description"]
    }
