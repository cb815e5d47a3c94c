"""What the tap offers: a snapshot for the reader of a change, and what must hold beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema.validators import validator_for
from syrupy.extensions.json import JSONSnapshotExtension

from harness.support import ROOT, catalog
from tap_vitally.streams import STREAMS

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from harness.support import Row
    from tap_vitally.sdk_stream import VitallyStream


each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
each_name = pytest.mark.parametrize("name", [stream.name for stream in STREAMS])

DISCOVER_WITHOUT_NETWORK = """
import os, sys

def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        os.write(2, f"{event} {arguments}".encode())
        os._exit(99)

sys.addaudithook(refuse)
from tap_vitally.tap import TapVitally
TapVitally.cli(["--discover"])
"""


@pytest.fixture(scope="module")
def discovered() -> dict[str, Row]:
    """The catalog's entries, as the command prints them with no setting and no network."""
    done = subprocess.run(
        [sys.executable, "-c", DISCOVER_WITHOUT_NETWORK],
        capture_output=True,
        cwd=ROOT,
        env={},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return {entry["stream"]: entry for entry in json.loads(done.stdout)["streams"]}


@pytest.fixture
def one_file_each(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


@each_name
def test_snapshot(name: str, discovered: dict[str, Row], one_file_each: SnapshotAssertion) -> None:
    assert discovered[name] == one_file_each


def test_the_guard_against_the_network_is_awake() -> None:
    code = DISCOVER_WITHOUT_NETWORK.rpartition("from tap_vitally")[0]
    code += "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 99


def test_every_stream_is_offered_with_the_summary_of_the_run_last(
    discovered: dict[str, Row],
) -> None:
    assert discovered.keys() == {stream.name for stream in STREAMS}
    assert list(discovered)[-1] == "vitally_sync_runs"


@each_stream
def test_an_entry_says_of_keys_and_selection_what_the_stream_declares(
    stream: type[VitallyStream], discovered: dict[str, Row]
) -> None:
    entry = discovered[stream.name]
    (root,) = [item["metadata"] for item in entry["metadata"] if not item["breadcrumb"]]
    assert entry["tap_stream_id"] == stream.name
    assert entry["key_properties"] == root["table-key-properties"] == list(stream.primary_keys)
    assert entry.get("replication_key") == stream.replication_key
    incremental = stream.replication_key is not None
    assert entry["replication_method"] == ("INCREMENTAL" if incremental else "FULL_TABLE")
    assert root["selected-by-default"] is stream.selected_by_default


@each_name
def test_keys_cannot_be_deselected(name: str, discovered: dict[str, Row]) -> None:
    entry = discovered[name]
    automatic = {
        item["breadcrumb"][-1]
        for item in entry["metadata"]
        if item["metadata"]["inclusion"] == "automatic"
    }
    assert automatic == {*entry["key_properties"], entry.get("replication_key")} - {None}


@each_name
def test_schema_is_valid_and_describes_every_property(
    name: str, discovered: dict[str, Row]
) -> None:
    schema = discovered[name]["schema"]
    validator_for(schema).check_schema(schema)
    for declared in schema["properties"].values():
        assert re.fullmatch(r".{10,}\.", declared["description"]), declared


@each_name
def test_only_keys_are_never_null(name: str, discovered: dict[str, Row]) -> None:
    schema = discovered[name]["schema"]
    never_null = {
        property_name
        for property_name, declared in schema["properties"].items()
        if "null" not in declared["type"]
    }
    assert never_null == set(schema["required"]) == set(discovered[name]["key_properties"])


@each_name
def test_undeclared_members_pass(name: str, discovered: dict[str, Row]) -> None:
    def objects(declared: Any) -> list[Row]:
        found = [declared] if "object" in declared["type"] else []
        return [*found, *(objects(declared["items"]) if "items" in declared else [])]

    schema = discovered[name]["schema"]
    for declared in [schema, *(o for p in schema["properties"].values() for o in objects(p))]:
        assert declared["additionalProperties"] is True


@each_name
def test_what_the_api_sends_beyond_the_columns_has_one_in_every_stream(
    name: str, discovered: dict[str, Row]
) -> None:
    schema = discovered[name]["schema"]
    column = schema["properties"]["additionalProperties"]
    assert column["type"] == ["object", "null"]
    assert "properties" not in column
    assert "$schema" not in json.dumps(discovered[name])


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("spell", [str.lower, snake])
@each_name
def test_names_stay_different_in_sql(name: str, spell: Any, discovered: dict[str, Row]) -> None:
    columns = [spell(column) for column in discovered[name]["schema"]["properties"]]
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("name", [s.name for s in STREAMS if s.replication_key])
def test_replication_key_is_a_moment(name: str, discovered: dict[str, Row]) -> None:
    entry = discovered[name]
    assert entry["schema"]["properties"][entry["replication_key"]]["format"] == "date-time"


def test_settings_do_not_change_the_catalog(discovered: dict[str, Row]) -> None:
    configured = catalog(
        discovered,
        {
            "api_key": "sandbox",
            "api_url": "http://127.0.0.1:9",
            "include_archived": False,
            "embedded_objects": "reference",
            "survey_ids": ["1"],
            "inventory_resources": ["accounts"],
        },
    )
    schemas = {entry["stream"]: entry["schema"] for entry in configured["streams"]}
    assert schemas == {name: entry["schema"] for name, entry in discovered.items()}
