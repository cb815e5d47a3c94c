"""The tap piped into the target copies a workspace, and a second copy has nothing to write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.support import Row, config_for
from sandbox import World, serve
from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import STREAMS
from tap_vitally.streams.customers import AccountsStream
from target_vitally.mapping.stream_mapping import MappingError, is_copy, map_stream
from target_vitally.resources import RESOURCES
from tests.whole.terminal import Terminal, shell

COPIED = ("organizations", "accounts", "users", "conversations", "notes", "tasks", "npsResponses")


def copy(terminal: Terminal) -> list[Row]:
    """Copy once more, and say what became of each row."""
    results = terminal.folder / "results.jsonl"
    results.unlink(missing_ok=True)
    terminal.run(shell("docs/writing.md", "tap-vitally --config source.json"))
    states = (terminal.folder / "states.jsonl").read_text().splitlines()
    assert json.loads(states[-1])["bookmarks"]["users"]
    return [json.loads(line) for line in results.read_text().splitlines()]


def by_external_id(world: World, table: str) -> dict[str, Row]:
    rows = world.tables[table].rows.values()
    return {row["externalId"]: row for row in rows if row["externalId"]}


def test_a_workspace_is_piped_into_another_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    source, other = World(seed=1, accounts=8), World.empty(seed=9)
    with serve(source) as full, serve(other) as empty:
        writing: Row = {
            "first_push": True,
            "results_file": "results.jsonl",
            "on_reject": "continue",
            "max_rejects": 100,
        }
        for name, config in (
            ("source", config_for(full.url)),
            ("copy", config_for(empty.url, **writing)),
        ):
            (tmp_path / f"{name}.json").write_text(json.dumps(config))
        first = copy(terminal)
        written = [entry for entry in empty.requests if entry.method != "GET"]
        assert len(written) >= sum(line["outcome"] == "created" for line in first) > 0
        empty.requests.clear()
        second = copy(terminal)
        again = [entry for entry in empty.requests if entry.method != "GET"]
    refused = [line for line in second if "Vitally refused" in line.get("reason", "")]
    assert len(again) == len(refused), "only what was refused before is sent once more"
    assert {line["outcome"] for line in second} == {"unchanged", "ignored", "rejected"}
    created = {(line["stream"], line["row"]) for line in first if line["outcome"] == "created"}
    unchanged = {(line["stream"], line["row"]) for line in second if line["outcome"] == "unchanged"}
    assert created == unchanged
    reported = {line["key"] for line in first if line["outcome"] == "rejected"}
    for table in COPIED:
        wanted = {
            key: row
            for key, row in by_external_id(source, table).items()
            if not row.get("archivedAt")
        }
        found = by_external_id(other, table)
        assert found
        assert not found.keys() - wanted.keys(), table
        assert not wanted.keys() - found.keys() - reported, table
        for name in ("name", "subject", "note", "score"):
            if name in wanted[next(iter(wanted))]:
                assert {key: row[name] for key, row in found.items()} == {
                    key: wanted[key][name] for key in found
                }


@pytest.mark.parametrize(
    "stream", [s for s in STREAMS if s.name in RESOURCES], ids=lambda s: s.name
)
def test_every_column_of_the_tap_is_known_to_the_target(stream: type[VitallyStream]) -> None:
    resource, columns = RESOURCES[stream.name], stream.schema["properties"]
    assert is_copy({}, columns)
    assert is_copy({}, {"id": columns["id"]})
    mapping = map_stream(stream.name, columns, {}, resource, "upsert", copy=True)
    assert mapping.unmapped(columns) == []
    assert mapping.warnings == ()


def test_columns_that_the_tap_adds_for_traits_are_left_out_of_a_copy() -> None:
    columns = [*AccountsStream.schema["properties"], "trait_tier"]
    accounts = RESOURCES["accounts"]
    mapping = map_stream("accounts", columns, {}, accounts, "upsert", copy=True)
    assert mapping.unmapped(columns) == []
    with pytest.raises(MappingError, match="trait_tier"):
        map_stream("accounts", ["externalId", "name", "trait_tier"], {}, accounts, "upsert")
