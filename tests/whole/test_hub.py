"""The definitions for Meltano Hub have the fields and values that it takes, and Meltano reads them.

That they are up to date is checked with everything else that `make docs` writes.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from harness.support import ROOT, Row
from tap_vitally.settings import SCHEMA
from tap_vitally.streams import STREAMS

FILES = {"extractors": "tap-vitally", "loaders": "target-vitally"}

NEEDED = {"name", "namespace", "variant", "label", "quality"}
TEXTS = {
    "definition",
    "description",
    "docs",
    "domain_url",
    "executable",
    "label",
    "logo_url",
    "maintenance_status",
    "name",
    "namespace",
    "next_steps",
    "pip_url",
    "prereq",
    "quality",
    "repo",
    "settings_preamble",
    "usage",
    "variant",
}
LISTS = {"capabilities", "keywords", "settings", "settings_group_validation"}
OF_A_KIND = {
    "extractors": {"select", "metadata", "schema"},
    "loaders": {"dialect", "target_schema"},
}
CHOICES = {
    "maintenance_status": {"active", "beta", "development", "inactive", "unknown"},
    "quality": {"gold", "silver", "bronze", "unknown"},
}
CAPABILITIES = {
    "extractors": {
        "about",
        "batch",
        "catalog",
        "discover",
        "log-based",
        "properties",
        "schema-flattening",
        "state",
        "stream-maps",
        "structured-logging",
        "test",
    },
    "loaders": {
        "about",
        "batch",
        "datatype-failsafe",
        "hard-delete",
        "schema-flattening",
        "soft-delete",
        "stream-maps",
        "target-schema",
        "validate-records",
    },
}
SETTING_TEXTS = {"description", "docs", "documentation", "env", "kind", "label", "name"}
SETTING_OTHERS = {"aliases", "hidden", "options", "placeholder", "sensitive", "tooltip", "value"}
KINDS: dict[str, type] = {
    "array": list,
    "boolean": bool,
    "date_iso8601": str,
    "integer": int,
    "object": dict,
    "options": str,
    "password": str,
    "string": str,
}
"""The kinds in use, of those that the Hub takes, and what a default of each is."""


@pytest.fixture(params=FILES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def definition(kind: str) -> Row:
    text = (ROOT / "hub" / kind / f"{FILES[kind]}.yml").read_text(encoding="utf-8")
    found: Row = yaml.safe_load(text)
    return found


def test_the_fields_are_those_of_the_hub(kind: str) -> None:
    found = definition(kind)
    assert found.keys() >= NEEDED
    assert found.keys() <= TEXTS | LISTS | OF_A_KIND[kind]
    for name in found.keys() & TEXTS:
        assert isinstance(found[name], str)
        assert found[name].strip()
    for name, choices in CHOICES.items():
        assert found[name] in choices
    assert found["name"] == FILES[kind]
    assert found["namespace"] == FILES[kind].replace("-", "_")
    assert found["keywords"]
    assert all(isinstance(word, str) for word in found["keywords"])
    for name in ("docs", "domain_url", "repo"):
        assert found[name].startswith("https://")
    assert found["pip_url"] == f"git+{found['repo']}.git"


def test_the_capabilities_are_those_of_the_hub(kind: str) -> None:
    found = definition(kind)["capabilities"]
    assert found == sorted(set(found) & CAPABILITIES[kind])


def test_the_settings_are_spelled_as_the_hub_spells_them(kind: str) -> None:
    settings = definition(kind)["settings"]
    for setting in settings:
        assert setting.keys() <= SETTING_TEXTS | SETTING_OTHERS
        assert all(isinstance(setting[name], str) for name in ("name", "label", "description"))
        assert isinstance(setting.get("value", KINDS[setting["kind"]]()), KINDS[setting["kind"]])
        for option in setting.get("options", ()):
            assert option.keys() == {"label", "value"}
            assert option["label"] != option["value"]
            assert all(isinstance(text, str) for text in option.values())
        if "options" in setting:
            values = {option["value"] for option in setting["options"]}
            assert setting["kind"] == "options"
            assert setting.get("value", next(iter(values))) in values
    assert len({setting["name"] for setting in settings}) == len(settings)


def test_the_keys_are_passwords_and_nothing_else_is(kind: str) -> None:
    settings = definition(kind)["settings"]
    secret = [(s["name"], s.get("sensitive")) for s in settings if s["kind"] == "password"]
    keys = {"extractors": ["api_key"], "loaders": ["analytics_api_key", "api_key"]}[kind]
    assert sorted(secret) == [(name, True) for name in keys]
    assert sorted(s["name"] for s in settings if s.get("sensitive")) == keys


def test_what_has_to_be_set_are_settings(kind: str) -> None:
    found = definition(kind)
    names = {setting["name"] for setting in found["settings"]}
    groups: list[Any] = found["settings_group_validation"]
    assert groups
    for group in groups:
        assert "api_key" in group
        assert set(group) <= names


def test_every_setting_of_the_tap_is_there() -> None:
    names = {setting["name"] for setting in definition("extractors")["settings"]}
    assert names >= SCHEMA["properties"].keys()


def test_the_streams_selected_are_those_by_default() -> None:
    patterns = definition("extractors")["select"]
    selected = {
        stream.name
        for stream in STREAMS
        if any(fnmatchcase(f"{stream.name}.id", pattern) for pattern in patterns)
    }
    assert selected == {stream.name for stream in STREAMS if stream.selected_by_default}
