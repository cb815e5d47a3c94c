"""The pages on loaders and sources agree with what is run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from field import pages
from field.loaders import LOADERS
from field.parts import differences
from field.programs import SHARED
from field.sources import SOURCES
from field.storage import Destination, collect
from harness.support import ROOT

EXAMPLES = yaml.safe_load((ROOT / "docs" / "examples" / "loaders.yml").read_text())["plugins"][
    "loaders"
]
REQUIREMENTS = ROOT / "requirements"


def requirements(name: str) -> str:
    folder = REQUIREMENTS if name in SHARED else REQUIREMENTS / "field"
    return (folder / f"{name}.txt").read_text()


@pytest.mark.parametrize("program", [*LOADERS, *SOURCES], ids=lambda program: program.name)
def test_each_program_has_an_environment_with_the_release_of_the_page(program: Any) -> None:
    part = "loaders" if program in LOADERS else "sources"
    _, found = pages.results(part)
    assert f"{program.package}=={found[program.name]['version']}\n" in requirements(
        program.environment
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_each_loader_to_paste_is_the_one_that_was_run(
    example: dict[str, Any], tmp_path: Path
) -> None:
    package, _, version = example["pip_url"].split()[0].partition("==")
    servers = cast("Any", SimpleNamespace(postgres_port=1, s3="http://127.0.0.1:1"))
    run = {loader.package: loader.settings(Destination(tmp_path, servers)) for loader in LOADERS}
    declared = {setting["name"] for setting in example["settings"]}
    assert example["config"].keys() <= declared
    if package not in run:
        assert package in {"meltanolabs-target-snowflake", "z3-target-bigquery"}  # named as not run
        return
    assert pages.results("loaders")[1][package]["version"] == version
    assert example["config"].keys() <= run[package].keys()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_each_loader_to_paste_has_the_settings_that_are_set(example: dict[str, Any]) -> None:
    """The SDK warns of a setting that it does not know, and goes on without it."""
    package, _, version = example["pip_url"].split()[0].partition("==")
    asked = pages.results("settings")[1].get(package)
    if asked is None:
        assert package in {
            "target-duckdb",
            "target-jsonl",
            "target-s3-jsonl",
        }  # no --about; they are run
        return
    assert asked["version"] == version
    assert {setting["name"] for setting in example["settings"]} <= set(asked["settings"])


def test_a_loader_that_loses_rows_is_shown_as_that() -> None:
    runs = json.loads(json.dumps(pages.results("loaders")[1]["target-jsonl"]["runs"]))
    runs["first"]["keys"] = "some"
    assert pages._loads(runs) == "**not all**"
    runs["first"]["exit code"] = 1
    assert pages._loads(runs) == "first: exit 1"


def test_a_difference_is_named_to_its_place() -> None:
    before = {"a": {"b": 1, "c": 2}}
    assert list(differences("x", before, {"a": {"b": 1}})) == ["x > a > c was 2, is None"]
    assert list(differences("x", before, before)) == []


def test_columns_are_known_however_they_are_spelled() -> None:
    schemas: dict[str, dict[str, Any]] = {"nps_responses": {"createdAt": {}, "id": {}}}
    for column in ("createdAt", "createdat", "created_at", "CREATEDAT"):
        rows = [("NPS_RESPONSES", [{column: 1, "_sdc_x": 2}])]
        loaded = collect(schemas, rows, {"NPS_RESPONSES": {column: "INT"}})
        assert loaded.rows == {"nps_responses": [{"createdAt": 1}]}
        assert loaded.columns == {"createdAt": column}
        assert loaded.types == {"nps_responses": {"createdAt": "INT"}}


def test_each_project_to_paste_was_run_and_brought_all() -> None:
    extractors = yaml.safe_load((ROOT / "docs" / "examples" / "extractors.yml").read_text())
    not_run = {"target-snowflake", "target-bigquery"}  # they say so
    names = {one["name"] for one in (*EXAMPLES, *extractors["plugins"]["extractors"])} - not_run
    _, found = pages.results("pasted")
    assert found.keys() == names
    for name, one in found.items():
        if name.startswith("target-"):
            assert one == {"exit code": 0, "found": "all"}
        else:
            runs = [one["first run"], one["second run"]]
            assert runs == [{"exit code": 0, "found": 2}, {"exit code": 0, "found": 0}]


def test_a_field_of_another_type_ends_some_loaders_and_that_is_said() -> None:
    runs = {
        name: {"exit code": code, "keys": "all", "changes": {}}
        for name, code in (("fields as columns", 0), ("other fields", 1))
    }
    assert pages._as_columns(runs) == "loads; exit 1 once a field has another type"
    runs["other fields"]["exit code"] = 0
    assert pages._as_columns(runs) == "all; none changed"
    runs["fields as columns"]["exit code"] = 2
    assert pages._as_columns(runs) == "exit 2"
