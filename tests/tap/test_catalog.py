"""What the tap offers: a snapshot for the reader of a change, and what must hold beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from jsonschema.validators import validator_for
from syrupy.extensions.json import JSONSnapshotExtension

from harness.support import ROOT, catalog
from tap_vitally.streams import STREAMS

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from harness.support import Row
    from tap_vitally.stream import VitallyStream


class Offer(NamedTuple):
    """A line of the table of streams."""

    path: str
    key: tuple[str, ...] = ("id",)
    replication_key: str | None = "updatedAt"
    by_default: bool = True


def child(path: str, parent: str) -> Offer:
    """A list below an account or an organization."""
    return Offer(path, (parent, "id"), by_default=False)


ACCOUNT, ORGANIZATION = "parentAccountId", "parentOrganizationId"

TABLE = {
    "accounts": Offer("/accounts"),
    "organizations": Offer("/organizations"),
    "users": Offer("/users"),
    "conversations": Offer("/conversations"),
    "admins": Offer("/admins", replication_key=None),
    "notes": Offer("/notes"),
    "tasks": Offer("/tasks"),
    "projects": Offer("/projects"),
    "meetings": Offer("/meetings"),
    "nps_responses": Offer("/npsResponses"),
    "note_categories": Offer("/noteCategories", replication_key=None),
    "task_categories": Offer("/taskCategories", replication_key=None),
    "project_categories": Offer("/projectCategories", replication_key=None),
    "project_templates": Offer("/projectTemplates", replication_key=None),
    "custom_fields": Offer("/customFields", ("model", "path"), None),
    "custom_objects": Offer("/customObjects", replication_key=None),
    "custom_object_fields": Offer("/customFields", ("customObjectId", "path"), None),
    "custom_object_instances": Offer("/customObjects/{customObjectId}/instances"),
    "meeting_transcripts": Offer("/meetingTranscripts", by_default=False),
    "messages": Offer(
        "/conversations/{conversationId}",
        replication_key="conversationUpdatedAt",
        by_default=False,
    ),
    "account_health_scores": Offer(
        "/accounts/{accountId}/healthScores", ("accountId", "observedOn"), None, by_default=False
    ),
    "account_users": child("/accounts/{parentAccountId}/users", ACCOUNT),
    "account_conversations": child("/accounts/{parentAccountId}/conversations", ACCOUNT),
    "account_notes": child("/accounts/{parentAccountId}/notes", ACCOUNT),
    "account_tasks": child("/accounts/{parentAccountId}/tasks", ACCOUNT),
    "account_projects": child("/accounts/{parentAccountId}/projects", ACCOUNT),
    "account_nps_responses": child("/accounts/{parentAccountId}/npsResponses", ACCOUNT),
    "account_meetings": child("/accounts/{parentAccountId}/meetings", ACCOUNT),
    "organization_accounts": child("/organizations/{parentOrganizationId}/accounts", ORGANIZATION),
    "organization_users": child("/organizations/{parentOrganizationId}/users", ORGANIZATION),
    "organization_conversations": child(
        "/organizations/{parentOrganizationId}/conversations", ORGANIZATION
    ),
    "organization_notes": child("/organizations/{parentOrganizationId}/notes", ORGANIZATION),
    "organization_tasks": child("/organizations/{parentOrganizationId}/tasks", ORGANIZATION),
    "organization_projects": child("/organizations/{parentOrganizationId}/projects", ORGANIZATION),
    "organization_nps_responses": child(
        "/organizations/{parentOrganizationId}/npsResponses", ORGANIZATION
    ),
    "organization_meetings": child("/organizations/{parentOrganizationId}/meetings", ORGANIZATION),
    "survey_responses": Offer("/surveys/{surveyId}/responses", replication_key=None),
    "survey_questions": Offer("/surveyQuestions/{questionId}", replication_key=None),
    "inventory": Offer("", ("resource", "id"), None, by_default=False),
    "inventory_runs": Offer("", ("resource", "startedAt"), None, by_default=False),
    "vitally_sync_runs": Offer("", ("startedAt", "stream"), None, by_default=False),
}

each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
each_name = pytest.mark.parametrize("name", TABLE)

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


def test_streams_are_those_of_the_table_with_the_account_of_the_run_last(
    discovered: dict[str, Row],
) -> None:
    assert discovered.keys() == TABLE.keys()
    assert list(discovered)[-1] == "vitally_sync_runs"


@each_name
def test_keys_replication_and_selection_are_those_of_the_table(
    name: str, discovered: dict[str, Row]
) -> None:
    entry, offer = discovered[name], TABLE[name]
    (root,) = [item["metadata"] for item in entry["metadata"] if not item["breadcrumb"]]
    assert entry["tap_stream_id"] == name
    assert tuple(entry["key_properties"]) == tuple(root["table-key-properties"]) == offer.key
    assert entry.get("replication_key") == offer.replication_key
    assert entry["replication_method"] == ("INCREMENTAL" if offer.replication_key else "FULL_TABLE")
    assert root["selected-by-default"] is offer.by_default


@each_stream
def test_paths_are_those_of_the_table(stream: type[VitallyStream]) -> None:
    assert stream.path == TABLE[stream.name].path


@each_name
def test_keys_cannot_be_deselected(name: str, discovered: dict[str, Row]) -> None:
    automatic = {
        item["breadcrumb"][-1]
        for item in discovered[name]["metadata"]
        if item["metadata"]["inclusion"] == "automatic"
    }
    offer = TABLE[name]
    assert automatic == {*offer.key, *([offer.replication_key] if offer.replication_key else [])}


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
    assert never_null == set(schema["required"]) == set(TABLE[name].key)


@each_name
def test_undeclared_members_pass(name: str, discovered: dict[str, Row]) -> None:
    def objects(declared: Any) -> list[Row]:
        found = [declared] if "object" in declared["type"] else []
        return [*found, *(objects(declared["items"]) if "items" in declared else [])]

    schema = discovered[name]["schema"]
    for declared in [schema, *(o for p in schema["properties"].values() for o in objects(p))]:
        assert declared["additionalProperties"] is True


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("spell", [str.lower, snake])
@each_name
def test_names_stay_different_in_sql(name: str, spell: Any, discovered: dict[str, Row]) -> None:
    columns = [spell(column) for column in discovered[name]["schema"]["properties"]]
    assert len(set(columns)) == len(columns)


@each_name
def test_replication_key_is_a_moment(name: str, discovered: dict[str, Row]) -> None:
    replication_key = TABLE[name].replication_key
    if replication_key:
        declared = discovered[name]["schema"]["properties"][replication_key]
        assert declared["format"] == "date-time"


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
