"""Inputs of every shape: changed schemas, huge records, versions, copies of the tap's own rows."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from singer_sdk import Target

from harness.target import Row, messages, schema, write
from harness.workspace import Workspace
from sandbox import Sandbox
from tap_vitally.tap import TapVitally
from target_vitally.resources import RESOURCES
from target_vitally.sdk_sink import SeamTarget
from target_vitally.target import TargetVitally


def test_a_schema_may_change_in_mid_stream(here: Workspace) -> None:
    here.put("accounts", externalId="1", name="A", traits={"plan": "gold", "seats": 1})
    streams = {"accounts": {"resource": "accounts", "unknown": "traits"}}
    first = messages(accounts=[{"externalId": "1", "plan": "gold"}])
    then = messages(accounts=[{"externalId": "1", "plan": "gold", "seats": 2}])
    found = write(here, [*first, *then], streams=streams, batch_size_rows=1)
    assert found.words == ["unchanged", "updated"]
    assert here.rows("accounts")[0]["traits"] == {"plan": "gold", "seats": 2}


def test_versions_delete_nothing(here: Workspace) -> None:
    here.put("accounts", externalId="1", name="A")
    said = messages(accounts=[{"externalId": "2", "name": "B"}])
    said.insert(1, {"type": "ACTIVATE_VERSION", "stream": "accounts", "version": 1})
    said.insert(0, {"type": "ACTIVATE_VERSION", "stream": "unknown", "version": 1})
    assert write(here, said, deletes="delete").words == ["created"]
    assert len(here.rows("accounts")) == 2


def test_a_record_of_two_megabytes_is_written(here: Workspace) -> None:
    here.put("accounts", externalId="a", name="A")
    rows = [
        {
            "externalId": "n",
            "note": f"<p>{'word ' * 400_000}</p>",
            "noteDate": "2026-01-01",
            "accountExternalId": "a",
        }
    ]
    assert write(here, messages(notes=rows)).words == ["created"]
    assert write(here, messages(notes=rows)).words == ["unchanged"]


def test_rows_may_come_in_files(here: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl.gz"
    with gzip.open(file, "wt") as lines:
        lines.write('{"externalId": "1", "name": "A"}\n{"externalId": "2", "name": "poison"}\n')
    said = messages(accounts=[{"externalId": "3", "name": "C"}])
    said[0]["key_properties"] = ["externalId"]
    batch = {
        "type": "BATCH",
        "stream": "accounts",
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "manifest": [file.as_uri()],
    }
    found = write(here, [*said[:2], batch, said[2]])
    assert found.words == ["created", "created", "rejected"]
    assert {line["key_columns"]["externalId"] for line in found.results} == {"1", "2", "3"}
    assert found.rejects[0] == said[0]


def test_text_that_cannot_be_sent_is_mended(here: Workspace) -> None:
    said = "\n".join(
        [
            json.dumps(schema("accounts", [{"externalId": 1, "name": 1}])),
            (
                r'{"type": "RECORD", "stream": "accounts", "record": {"externalId": "1", "name": "'
                r'half \ud83d and \u0000 nothing"}}'
            ),
        ]
    )
    assert write(here, said + "\n").words == ["created"]
    assert here.rows("accounts")[0]["name"] == "half ? and  nothing"


def test_streams_are_mapped_and_rejects_are_as_they_came(here: Workspace) -> None:
    maps = {
        "crm": {
            "externalId": "str(no)",
            "name": "title",
            "__else__": None,
            "__alias__": "accounts",
            "__key_properties__": ["externalId"],
        }
    }
    rows: list[Row] = [{"no": 1, "title": "A"}, {"no": 2, "title": "poison"}]
    said: list[Row] = [
        {
            "type": "SCHEMA",
            "stream": "crm",
            "schema": {"properties": {"no": {"type": "integer"}, "title": {"type": "string"}}},
            "key_properties": ["no"],
        }
    ]
    said += [{"type": "RECORD", "stream": "crm", "record": row} for row in rows]
    found = write(here, said, stream_maps=maps)
    assert found.words == ["created", "rejected"], found
    assert found.rejects[1]["stream"] == "crm"
    assert found.rejects[1]["record"].items() >= rows[1].items()


def test_protected_traits_are_told_once_and_the_rest_is_written(
    here: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"externalId": str(n), "name": "A", "traits": {"hspot.x": n}} for n in range(3)]
    write(here, messages(accounts=rows))
    assert all(row["traits"] == {} for row in here.rows("accounts"))
    assert caplog.text.count("the trait hspot.x belongs") == 1


def test_a_list_is_read_by_the_page_where_that_costs_less(here: Workspace) -> None:
    for number in range(1000):
        here.put("accounts", externalId=str(number), name="A")
    rows = [{"externalId": str(n), "name": "A" if n % 100 else "B"} for n in range(1000)]
    found = write(here, messages(accounts=rows), batch_size_rows=300)
    assert found.words.count("updated") == 10
    assert len(here.log) == 10 + 10
    here.log.clear()
    write(here, messages(accounts=rows[:5]))
    assert len(here.log) == 5


def test_rows_wait_over_batches_for_their_parents(here: Workspace) -> None:
    users = [
        {"externalId": f"u{n}", "accountExternalId": "a", "joinDate": "2026-01-01"}
        for n in range(9)
    ]
    said = [*messages(users=users), *messages(accounts=[{"externalId": "a", "name": "A"}])]
    assert write(here, said, batch_size_rows=2).words == ["created"] * 10


def test_a_resource_that_the_key_may_not_read_rejects_its_rows_alone(here: Workspace) -> None:
    here.fault = lambda _method, path, _count: "403" if path.startswith("notes") else ""
    here.put("accounts", externalId="a", name="A")
    note = {"externalId": "n", "note": "x", "noteDate": "2026-01-01", "accountExternalId": "a"}
    said = messages(notes=[note], accounts=[{"externalId": "b", "name": "B"}])
    assert write(here, said).words == ["rejected", "created"]


def test_state_goes_out_as_batches_end_and_a_dead_network_keeps_the_rest(here: Workspace) -> None:
    said = [schema("accounts", [{"externalId": 1, "name": 1}])]
    for number in range(4):
        record = {"externalId": str(number), "name": "A"}
        said += [{"type": "RECORD", "stream": "accounts", "record": record}]
        said += [{"type": "STATE", "value": number}]
    here.fault = lambda _method, path, _count: "cut" if path == "accounts/2" else ""
    found = write(here, said, batch_size_rows=1)
    assert found.words == ["created", "created", "not reached"]
    assert found.states[-1] == 1
    assert "connection" in found.failure


def test_a_workspace_is_copied_from_the_tap(
    here: Workspace, start_sandbox: Callable[..., Sandbox]
) -> None:
    source = start_sandbox(accounts=4)
    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as said:
        tap = TapVitally(config={"api_key": source.key, "api_url": source.url})
        with tap.shutdown:
            tap.sync_all()
    copied = said.buffer.getvalue().decode()
    tables = source.world.tables
    for name in ("admins", "taskCategories", "noteCategories", "projectTemplates"):
        for row in tables[name].rows.values():
            here.put(name, **{n: row[n] for n in ("name", "email") if n in row})
    first = write(here, copied)
    total = {outcome: first.words.count(outcome) for outcome in set(first.words)}
    assert total.get("created", 0) > 20, (total, first.reasons[:2000])
    for name in ("organizations", "accounts"):
        wanted = {r["externalId"] for r in tables[name].rows.values() if r["externalId"]}
        assert {r["externalId"] for r in here.rows(name)} == wanted
    here.log.clear()
    write(here, copied)
    assert here.writes() == []


def test_the_seam_replaces_what_it_means_to_replace() -> None:
    for name in (
        "_process_record_message",
        "_process_state_message",
        "_process_activate_version_message",
        "_handle_max_record_age",
        "process_endofpipe",
        "append_builtin_config",
    ):
        assert name in vars(SeamTarget)
        assert hasattr(Target, name), f"the SDK has moved {name}"
    assert "_handle_termination" in vars(TargetVitally)
    assert hasattr(Target, "_handle_termination")


def test_every_declaration_is_whole() -> None:
    for resource in RESOURCES.values():
        names = {prop.name for prop in resource.properties}
        assert not names & resource.read_only, resource.name
        assert all(name in names for group in resource.one_of for name in group), resource.name


def settings_of(**config: Any) -> dict[str, Any]:
    return {"api_key": "k", "api_url": "http://127.0.0.1:1", **config}


@pytest.mark.parametrize(("method", "mode"), [("append-only", "create"), ("upsert", "upsert")])
def test_load_methods_are_modes(method: str, mode: str) -> None:
    assert TargetVitally(config=settings_of(load_method=method)).settings.mode == mode
    both = settings_of(load_method=method, mode="update")
    assert TargetVitally(config=both).settings.mode == "update"


@pytest.mark.parametrize(
    ("stream", "row", "outcome"),
    [
        ("accounts", {"externalId": "a-7", "traits": "{"}, "rejected"),
        ("accounts", {"externalId": "a-7", "colour": 1}, "rejected"),
        ("accounts", {"externalId": "a-7", "_deleted": True}, "ignored"),
        ("users", {"externalId": "a-7", "accountExternalId": "none"}, "rejected"),
        ("admins", {"externalId": "a-7"}, "ignored"),
    ],
    ids=str,
)
def test_a_row_that_is_not_written_is_known_by_its_key(
    here: Workspace, caplog: pytest.LogCaptureFixture, stream: str, row: Row, outcome: str
) -> None:
    columns = [{name: value for name, value in row.items() if name != "colour"}]
    said = [
        schema(stream, columns, ["externalId"]),
        {"type": "RECORD", "stream": stream, "record": row},
    ]
    found = write(here, said)
    assert found.words == [outcome]
    assert found.results[0]["key_columns"] == {"externalId": "a-7"}
    if stream != "admins":
        assert found.results[0]["key"] == "a-7"
        assert "row 1 (a-7)" in caplog.text
    if outcome == "rejected":
        assert found.rejects[1]["record"]["externalId"] == "a-7"
        assert found.rejects[1]["record"]["_rejected"] == found.reasons
