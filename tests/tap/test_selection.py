"""What was asked for and is not there: named, and a run that has nothing to read fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.support import catalog, config_for, run_tap
from sandbox import Sandbox
from tap_vitally.tap import TapVitally


def test_a_property_that_a_catalog_selects_and_no_schema_has_is_named() -> None:
    found = catalog(["users"])
    (users,) = (each for each in found["streams"] if each["tap_stream_id"] == "users")
    users["metadata"].append({"breadcrumb": ["properties", "mail"], "metadata": {"selected": True}})
    tap = TapVitally(config=config_for("http://127.0.0.1:9"), catalog=found, setup_mapper=False)
    assert tap.unmatched_selections() == ["The catalog selects 'users.mail', which is no property."]


@pytest.mark.parametrize(
    ("patterns", "reported"),
    [
        (["*.*"], []),
        (["users", "users.*", "!users.traits", "acc*.id", "users.traits.plan"], []),
        (["acounts.*", "users.*"], ["select names 'acounts.*', which matches no stream."]),
        (["users.mail"], ["select names 'users.mail', which matches no property."]),
        (["*.*", "!users.mail"], ["select names '!users.mail', which matches no property."]),
        (["*.*", "!acounts.*"], ["select names '!acounts.*', which matches no stream."]),
    ],
)
def test_patterns_of_select_that_match_nothing_are_named(
    patterns: list[str], reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps(patterns))
    config = config_for("http://127.0.0.1:9")
    tap = TapVitally(config=config, catalog=catalog(["users"]), setup_mapper=False)
    assert tap.unmatched_selections() == reported


@pytest.mark.parametrize("asked", ["", "*.*", "[", "3", "null"])
def test_a_selection_that_cannot_be_read_is_nobodys_business(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", asked)
    tap = TapVitally(config=config_for("http://127.0.0.1:9"), catalog=catalog(["users"]))
    assert tap.unmatched_selections() == []


def test_a_run_without_a_stream_fails_before_it_asks_anything(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    env = {"MELTANO_EXTRACT__SELECT": '["acounts.*"]'}
    done = run_tap(tmp_path, config_for(sandbox.url), select=[], env=env)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "No stream is selected" in last
    assert "Meltano was asked to select acounts.*." in last
    assert sandbox.requests == []


def test_batches_are_warned_of_with_the_targets_that_load_them(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    config = config_for(sandbox.url, batch_config=batches)
    done = run_tap(tmp_path, config, select=["admins"])
    assert done.returncode == 0
    assert "only meltanolabs-target-postgres, meltanolabs-target-csv and" in done.stderr
    assert "Nobody deletes the files." in done.stderr
