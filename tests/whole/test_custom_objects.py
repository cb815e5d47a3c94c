"""The setting `custom_object_streams`: one stream for each kind of custom object."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness.expectations import expected, last_state, loaded
from harness.support import (
    Result,
    catalog,
    config_for,
    run_command,
    run_in_process,
    run_tap,
)
from sandbox import Sandbox
from tap_vitally.streams import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

    from harness.expectations import Tables
    from harness.support import Key, Row

StartSandbox = Callable[..., Sandbox]

GENERIC = "custom_object_instances"
STATIC = {stream.name for stream in STREAMS}


def config_of(sandbox: Sandbox, **settings: object) -> Row:
    return config_for(sandbox.url, custom_object_streams=True, **settings)


def discover(folder: Path, config: Row) -> Result:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return run_command([sys.executable, "-m", "tap_vitally", "--config", str(path), "--discover"])


def rename(sandbox: Sandbox, *names: str | None) -> dict[str, str]:
    """Give the custom objects names; the result has their ids by these names, in that order."""
    ids = sorted(sandbox.world.ids("customObjects"))
    for object_id, name in zip(ids, names, strict=True):
        sandbox.world.update("customObjects", object_id, name=name)
    return dict(zip(map(str, names), ids, strict=True))


def read(config: Row, state: Row | None = None) -> tuple[Tables, Row]:
    """The tables of the streams that the setting adds, and the last STATE."""
    streams = {entry["stream"] for entry in catalog(config=config)["streams"]}
    assert STATIC - streams == {GENERIC}
    messages = run_in_process(config, select=streams - STATIC, state=state)
    return loaded(messages).tables, last_state(messages)


def instances(sandbox: Sandbox, object_id: str) -> dict[Key, Row]:
    rows = expected(sandbox.world, GENERIC)
    return {key: row for key, row in rows.items() if row["customObjectId"] == object_id}


def test_each_object_has_a_stream_in_place_of_the_generic_one(
    start_sandbox: StartSandbox,
) -> None:
    sandbox = start_sandbox(accounts=6)
    tables, _ = read(config_of(sandbox))
    names = {
        row["name"]: row["id"] for row in sandbox.world.expected_rows("custom_objects").values()
    }
    assert tables == {
        "custom_object_feature_request": instances(sandbox, names["featureRequest"]),
        "custom_object_opportunity": instances(sandbox, names["Opportunity"]),
        "custom_object_customer_goals": instances(sandbox, names["customerGoals"]),
    }
    assert all(tables.values())


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("featureRequest", "feature_request"),
        ("Feature Request", "feature_request"),
        ("NPS-Survey 2.0", "nps_survey_2_0"),
        ("__Größe & Söhne__", "gr_e_s_hne"),
        ('drop table "users"; --', "drop_table_users"),
        ("../../etc", "etc"),
    ],
)
def test_names_are_made_safe(given: str, safe: str, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=2, sizes={"customObjects": 1})
    rename(sandbox, given)
    tables, _ = read(config_of(sandbox))
    assert list(tables) == [f"custom_object_{safe}"]


@pytest.mark.parametrize("name", ["", None, "日本", "!!"])
def test_an_object_without_a_usable_name_goes_by_its_id(
    name: str | None, start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=2, sizes={"customObjects": 1})
    (object_id,) = rename(sandbox, name).values()
    tables, _ = read(config_of(sandbox))
    assert list(tables) == [f"custom_object_{object_id[:8]}"]


@pytest.mark.parametrize(
    "names",
    [
        ("goal", "goal", "Goal"),
        ("a b", "a-b", "aB"),
        ("fields", "instances", "Fields"),
    ],
)
def test_names_that_would_clash_are_told_apart(
    names: tuple[str, ...], start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=6)
    ids = sorted(sandbox.world.ids("customObjects"))
    for object_id, name in zip(ids, names, strict=True):
        sandbox.world.update("customObjects", object_id, name=name)
    tables, _ = read(config_of(sandbox))
    assert len(tables) == 3
    by_object = {next(iter(rows.values()))["customObjectId"]: name for name, rows in tables.items()}
    assert sorted(by_object) == ids
    for object_id, name in by_object.items():
        assert tables[name] == instances(sandbox, object_id)
    again, _ = read(config_of(sandbox))
    assert list(again) == list(tables)


def test_bookmark_survives_a_new_name(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=6, sizes={"customObjects": 1})
    (object_id,) = sandbox.world.ids("customObjects")
    rename(sandbox, "before")
    config = config_of(sandbox)
    _, state = read(config)
    assert state["bookmarks"][f"custom_object_{object_id}"]["replication_key_value"]
    assert "custom_object_before" not in state["bookmarks"]
    sandbox.world.clock.advance(3600)
    rename(sandbox, "after")
    changed = sandbox.world.ids("instances")[0]
    sandbox.world.update("instances", changed, name="changed")
    tables, later = read(config, state)
    (rows,) = tables.values()
    assert list(tables) == ["custom_object_after"]
    assert (changed,) in rows
    assert len(rows) < len(sandbox.world.ids("instances"))
    before, after = (
        s["bookmarks"][f"custom_object_{object_id}"]["replication_key_value"]
        for s in (state, later)
    )
    assert before < after


def test_a_new_object_is_read_whole(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=6)
    config = config_of(sandbox)
    _, state = read(config)
    added = sandbox.world.create("customObjects", name="added")["id"]
    sandbox.world.create("instances", customObjectId=added)
    sandbox.world.clock.advance(3600)
    tables, _ = read(config, state)
    assert tables["custom_object_added"] == instances(sandbox, added)


def test_discovery_lists_them(tmp_path: Path, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=2)
    run = discover(tmp_path, config_of(sandbox))
    assert run.returncode == 0, run.stderr
    entries = {entry["stream"]: entry for entry in json.loads(run.stdout)["streams"]}
    assert STATIC - {GENERIC} == entries.keys() & STATIC
    entry = entries["custom_object_opportunity"]
    assert entry["key_properties"] == ["id"]
    assert entry["replication_key"] == "updatedAt"
    assert entry["metadata"][-1]["metadata"]["selected-by-default"] is True


@pytest.mark.parametrize(
    ("kind", "reported"), [("key", "401"), ("plan", "403"), ("settings", "sub")]
)
def test_discovery_without_them_leaves_the_others_and_says_so(
    kind: str, reported: str, tmp_path: Path, start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=2)
    config = config_of(sandbox)
    if kind == "plan":
        sandbox.refuse("customObjects")
    else:
        config = config | {"api_key": "canary"}
    if kind == "settings":
        del config["api_url"]
    run = discover(tmp_path, config)
    assert run.returncode == 0, run.stderr
    assert {entry["stream"] for entry in json.loads(run.stdout)["streams"]} == STATIC
    (error,) = [line for line in run.stderr.splitlines() if "| ERROR " in line]
    assert "workspace could not be asked for what it defines" in error
    assert reported in error
    assert "Traceback" not in run.stderr
    assert "canary" not in run.stderr


def test_a_run_without_them_fails(tmp_path: Path, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=2)
    sandbox.refuse("customObjects")
    run = run_tap(tmp_path, config_of(sandbox), default_selection=True)
    assert run.returncode == 1
    (error,) = [line for line in run.stderr.splitlines() if "| ERROR " in line]
    assert "403 Forbidden at /resources/customObjects" in error
    assert "Traceback" not in run.stderr
    assert not run.stdout
