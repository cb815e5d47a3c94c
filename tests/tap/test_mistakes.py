"""Plain mistakes in settings, files and the environment are named, and nothing is misread in silence."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from harness.support import Row, catalog, config_for, run_command, run_tap
from sandbox import Sandbox
from singer_command.settings import (
    load_env_file,
    misspelt_variables,
    problems_in_environment,
    unknown_settings,
)
from tap_vitally.catalog import read_catalog
from tap_vitally.command import read_state
from tap_vitally.settings import SCHEMA
from tap_vitally.tap import TapVitally
from tap_vitally.unmatched_selections import unset_in_maps
from vitally_api import VitallyError

STATE: Row = {"bookmarks": {"users": {"replication_key": "updatedAt"}}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(STATE),
        "\ufeff" + json.dumps(STATE),
        json.dumps({"type": "STATE", "value": STATE}),
        json.dumps({"value": STATE}),
        json.dumps({"singer_state": STATE}),
        json.dumps({"completed": 1, "singer_state": STATE}),
        json.dumps({"bookmarks": {}}) + "\n" + json.dumps(STATE) + "\n\n",
        '{"bookmarks": {"users": {"replication_key": "updatedAt", "partitions": null}, "x": 5}}',
    ],
)
def test_state_is_found_in_whatever_it_is_wrapped(text: str) -> None:
    assert read_state(io.StringIO(text)) == STATE


def test_state_is_read_in_the_encoding_of_windows_and_out_of_a_targets_log() -> None:
    message = json.dumps({"type": "STATE", "value": STATE})
    lines = ['{"type": "RECORD"}', message, '{"type": "RECORD"}']
    raw = "\n".join(lines).encode("utf-16")
    assert read_state(io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8")) == STATE


@pytest.mark.parametrize("raw", [b'{"bookmarks": {"\xff": {}}}', b"[" * 100_000])
def test_what_no_program_can_read_is_refused(raw: bytes) -> None:
    for read in (read_state, read_catalog):
        with pytest.raises(VitallyError, match="is not a JSON object"):
            read(io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))


@pytest.mark.parametrize("entry", ["2024-01-01", 5, {"partitions": [{"context": {}}]}])
def test_a_place_in_another_form_is_told(entry: Any, caplog: pytest.LogCaptureFixture) -> None:
    read_state(io.StringIO(json.dumps({"bookmarks": {"users": entry}})))
    assert "STATE of 'users' is of another form, and is not used." in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "[]", "5", "null", "{", '{"users": {}}', '{"bookmarks": []}', '{"value": 5}', '"x"'],
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(VitallyError, match="The state file"):
        read_state(io.StringIO(text))


def test_an_empty_state_is_one() -> None:
    assert read_state(io.StringIO("{}")) == {"bookmarks": {}}


@pytest.mark.parametrize("value", ["", "y", "t", "true ", "null", "2", "wahr"])
@pytest.mark.parametrize("name", ["INCLUDE_ARCHIVED", "FAIL_ON_SKIPPED"])
def test_a_word_that_is_neither_yes_nor_no_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"TAP_VITALLY_{name}", value)
    (problem,) = problems_in_environment("tap-vitally", SCHEMA)
    assert problem.startswith(f"TAP_VITALLY_{name} is {value!r}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAGE_SIZE", ""),
        ("PAGE_SIZE", "1.5"),
        ("SURVEY_IDS", " "),
        ("LOOKUPS", "x"),
        ("LOOKUPS", ""),
    ],
)
def test_a_value_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"TAP_VITALLY_{name}", value)
    (problem,) = problems_in_environment("tap-vitally", SCHEMA)
    assert problem.startswith(f"TAP_VITALLY_{name} cannot be read")


@pytest.mark.parametrize("value", ["true", "FALSE", "1", "0", "Yes", "no", "on", "off"])
def test_the_usual_words_are_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TAP_VITALLY_INCLUDE_ARCHIVED", value)
    assert problems_in_environment("tap-vitally", SCHEMA) == []


def test_a_misspelt_setting_is_named_with_what_may_be_meant() -> None:
    reported = unknown_settings({"strat_date": 1, "lookup": {}, "zzz": 1, "api_key": "x"}, SCHEMA)
    assert [line.partition("'")[2].partition("'")[0] for line in reported] == [
        "strat_date",
        "lookup",
        "zzz",
    ]
    assert "did you mean start_date?" in reported[0]
    assert "did you mean lookups?" in reported[1]


@pytest.mark.parametrize("salt", [None, "", " ", "$MASKING_SALT", "${MASKING_SALT}"])
def test_a_salt_that_is_missing_is_named_with_what_needs_it(salt: str | None) -> None:
    maps = {
        "users": {"email": "sha256(config['salt'] + email) if email else None", "name": "__NULL__"},
        "admins": {"email": 'config["salt"]', "name": None, "__filter__": "id != '('"},
        "notes": None,
    }
    config = {"stream_maps": maps, "stream_map_config": {"salt": salt} if salt is not None else {}}
    (reported,) = unset_in_maps(config)
    assert "has no salt" in reported
    assert "users.email, admins.email" in reported
    assert unset_in_maps({**config, "stream_map_config": {"salt": "long and secret"}}) == []


@pytest.mark.parametrize("how", ["(", "config", "config[0]", "_['salt']", "config.get('salt')", 5])
def test_expressions_that_need_no_salt_are_left_alone(how: object) -> None:
    config: Row = {"stream_maps": {"users": {"email": how}}, "stream_map_config": {"0": 1}}
    assert unset_in_maps(config) == []


def test_the_env_file_of_the_working_folder_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"TAP_VITALLY_API_KEY=sandbox\nTAP_VITALLY_API_URL={sandbox.url}\n"
    )
    program = Path(sys.executable).parent / "tap-vitally"
    done = subprocess.run(
        [str(program), "--config=ENV", "--test"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert f"The connection to {sandbox.url} works" in done.stdout


def test_a_method_in_root_metadata_is_taken() -> None:
    found = catalog(["accounts"])
    for entry in found["streams"]:
        entry.pop("replication_method", None)
        for item in entry["metadata"]:
            if item["breadcrumb"] == []:
                item["metadata"].pop("forced-replication-method", None)
                item["metadata"]["replication-method"] = "FULL_TABLE"
    tap = TapVitally(
        config=config_for("http://127.0.0.1:9"),
        catalog=read_catalog(io.StringIO(json.dumps(found))),
    )
    assert tap.streams["accounts"].replication_method == "FULL_TABLE"


def test_masks_that_hit_nothing_are_named() -> None:
    found = catalog(["users"])
    found["streams"].append(
        {
            "tap_stream_id": "people",
            "stream": "people",
            "schema": {"type": "object", "properties": {}},
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
    )
    maps = {"user": {"email": None}, "users": {"Email": "'x'", "phone": "__NULL__"}}
    tap = TapVitally(
        config=config_for("http://127.0.0.1:9", stream_maps=maps),
        catalog=found,
        setup_mapper=False,
    )
    reported = sorted(tap.unmatched_selections())
    assert [line.partition(",")[0].partition(" beside")[0] for line in reported] == [
        "The catalog selects 'people'",
        "stream_maps adds users.Email",
        "stream_maps names 'user'",
        "stream_maps removes users.phone",
    ]


@pytest.mark.parametrize(
    ("maps", "reported"),
    [
        ({"*": {"email": None}}, []),
        ({"*": {"nope": None}}, ["stream_maps removes *.nope, which is no property."]),
        ({"copy": {"__source__": "users", "id": "id"}}, []),
        (
            {"users": {"__source__": "user", "email": None}},
            ["stream_maps names 'user', which is no stream."],
        ),
    ],
)
def test_a_mask_for_several_streams_is_told_once_if_it_hits_none(
    maps: Row, reported: list[str]
) -> None:
    config = config_for("http://127.0.0.1:9", stream_maps=maps)
    tap = TapVitally(config=config, catalog=catalog(["users"]), setup_mapper=False)
    assert tap.unmatched_selections() == reported


@pytest.mark.parametrize(
    ("variable", "reference_model"),
    [
        ("TAP_VITALLY_INCLUDE_ARCHIVE", ["TAP_VITALLY_INCLUDE_ARCHIVED"]),
        ("TAP_VITALLY_INCLUDE_ARCHIVED", []),
        ("TAP_VITALLY_LOGLEVEL", []),
        ("TAP_VITALLY__SELECT", []),
    ],
)
def test_a_misspelt_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, reference_model: list[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    reported = misspelt_variables("tap-vitally", SCHEMA)
    assert [line.rpartition("mean ")[2].rstrip("?") for line in reported] == reference_model


def test_settings_of_the_sdk_are_read_as_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_VITALLY_FLATTENING_ENABLED", "y")
    with pytest.raises(ConfigValidationError, match="TAP_VITALLY_FLATTENING_ENABLED is 'y'"):
        TapVitally(config=config_for("http://127.0.0.1:9"), parse_env_config=True)


@pytest.mark.parametrize("raw", [b"A=a\0b\n", "A=b".encode("utf-16")])
def test_an_env_file_that_is_no_text_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    (tmp_path / ".env").write_bytes(raw)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VitallyError, match=r"\.env holds something else"):
        load_env_file()


def test_activate_version_is_refused_with_a_reason() -> None:
    with pytest.raises(Exception, match="emit_activate_version_messages is not offered"):
        TapVitally(config=config_for("http://127.0.0.1:9", emit_activate_version_messages=True))


@pytest.mark.parametrize("name", ["createdAt", "lastSeenTimestamp", "noSuchThing"])
def test_a_replication_key_of_a_catalog_is_not_taken(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    found = catalog(["users"])
    for entry in found["streams"]:
        if entry["stream"] == "users":
            entry["replication_key"] = name
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(found))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(config_for(sandbox.url)))
    program = [sys.executable, "-m", "tap_vitally", "--config", str(config)]
    done = run_command([*program, "--catalog", str(file)])
    assert done.returncode == 0
    assert "another replication key for 'users'" in done.stderr
    state = [line for line in done.stdout.splitlines() if '"STATE"' in line][-1]
    assert json.loads(state)["value"]["bookmarks"]["users"]["replication_key"] == "updatedAt"


UNHEARD = """
from tap_vitally.__main__ import main
from tap_vitally.tap import TapVitally
from vitally_api import Policy
TapVitally.policy = Policy(first_patience=1)
main()
"""


def test_nobody_listening_is_told_in_a_few_lines(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(config_for("http://127.0.0.1:9")))
    done = run_command([sys.executable, "-c", UNHEARD, "--config", str(config)])
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) <= 25
    first = next(line for line in lines if "WARNING" in line or "ERROR" in line)
    assert "http://127.0.0.1:9" in first
    assert "summary" not in done.stderr


@pytest.mark.parametrize(
    "maps", [{"*": {"updatedAt": "__NULL__"}}, {"notes": {"note": "__NULL__"}}]
)
def test_stream_maps_work_with_any_selection(sandbox: Sandbox, tmp_path: Path, maps: Row) -> None:
    config = config_for(sandbox.url, stream_maps=maps)
    result = run_tap(tmp_path, config, select=["accounts"])
    assert result.returncode == 0, result.stderr
    records = [m["record"] for m in result.messages if m["type"] == "RECORD"]
    assert records
    assert all(("updatedAt" in record) == ("*" not in maps) for record in records)


MISTAKES: dict[str, tuple[Row, dict[str, str], str]] = {
    "else": ({"stream_maps": {"__else__": 5}}, {}, "look at stream_maps first"),
    "flattening": (
        {"flattening_enabled": True, "flattening_max_depth": 3, "flattening_max_key_length": 10},
        {},
        "flattening_max_key_length is too small",
    ),
    "half a batch": ({"batch_config": {"storage": {"root": "file:///x"}}}, {}, "is not whole"),
    "extra": (
        {"batch_config": {"encoding": {"format": "parquet"}, "storage": {"root": "file:///x"}}},
        {},
        "needs a package that is not installed",
    ),
    "level": ({}, {"TAP_VITALLY_LOGLEVEL": "loud"}, "The log level is none"),
    "log file": ({}, {"SINGER_SDK_LOG_CONFIG": "broken.yml"}, "no configuration of a log"),
    "expression": ({"stream_maps": {"accounts": {"name": "1/0"}}}, {}, "ZeroDivisionError"),
    "blank key": ({"api_key": " "}, {}, "api_key is missing"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_plain_mistake_is_named(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    settings, env, reported = MISTAKES[name]
    broken = tmp_path / "broken.yml"
    broken.write_text("{")
    env = {key: value.replace("broken.yml", str(broken)) for key, value in env.items()}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**config_for(sandbox.url), **settings}))
    program = [sys.executable, "-m", "tap_vitally", "--config", str(config)]
    result = run_command(program, env=env)
    assert result.returncode == 1
    assert reported in result.stderr
    assert "Something went wrong" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_key_that_an_older_catalog_lacks_is_written_all_the_same(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    found = catalog(["accounts"])
    for entry in found["streams"]:
        if entry["stream"] == "accounts":
            del entry["schema"]["properties"]["id"], entry["schema"]["properties"]["mrr"]
            entry["key_properties"] = []
    file, config = tmp_path / "catalog.json", tmp_path / "config.json"
    file.write_text(json.dumps(found))
    config.write_text(json.dumps(config_for(sandbox.url)))
    program = [sys.executable, "-m", "tap_vitally", "--config", str(config)]
    done = run_command([*program, "--catalog", str(file)])
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    (schema,) = (m for m in messages if m["type"] == "SCHEMA")
    assert schema["key_properties"] == ["id"]
    assert "id" in schema["schema"]["properties"]
    records = [m["record"] for m in messages if m["type"] == "RECORD"]
    assert records
    assert all(record.keys() <= schema["schema"]["properties"].keys() for record in records)
    assert "'mrr' is not in the catalog: left out" in done.stderr
