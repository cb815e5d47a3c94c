"""The definitions of tap and target that Meltano Hub takes, in its spelling."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

import yaml

from scripts.about import ROOT, TAP, TARGET, about, meltano_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN_FOR_LOADERS: Final = {"structured-logging"}
"""What Meltano knows of loaders, and the Hub does not yet."""
PREREQUISITES: Final = """\
- A REST API key of the workspace: **Settings > Integrations > Vitally REST API**.
- For the us data center, the subdomain: the first part of the address you log in at.
"""


def extractor() -> str:
    """Return the definition of the tap."""
    return _spelled(
        {
            **_common(TAP, "extractors", set()),
            "description": "Customer success platform",
            "select": _plugin("extractors", "tap-vitally")["select"],
        }
    )


def loader() -> str:
    """Return the definition of the target."""
    return _spelled(
        {
            **_common(TARGET, "loaders", UNKNOWN_FOR_LOADERS),
            "description": "Customer success platform",
        }
    )


def _common(program: str, kind: str, left_out: set[str]) -> dict[str, Any]:
    declared_by_program = json.loads(about("json", program))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project["urls"]["Repository"]
    name = declared_by_program["name"]
    settings = declared_by_program["settings"]["properties"]
    return {
        "capabilities": sorted(set(declared_by_program["capabilities"]) - left_out),
        "docs": project["urls"]["Documentation"],
        "domain_url": "https://www.vitally.io",
        "executable": name,
        "keywords": ["api", "customer success", "meltano_sdk", "vitally"],
        "label": "Vitally",
        "maintenance_status": "active",
        "name": name,
        "namespace": program,
        "pip_url": f"git+{repository}.git",
        "prereq": PREREQUISITES,
        "quality": "unknown",
        "repo": repository,
        "settings": [_setting(setting, how) for setting, how in settings.items()],
        "settings_group_validation": _plugin(kind, name)["settings_group_validation"],
        "variant": repository.split("/")[-2],
    }


def _plugin(kind: str, name: str) -> dict[str, Any]:
    """Find what the repository's own project declares."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    plugins: list[dict[str, Any]] = project["plugins"][kind]
    return next(plugin for plugin in plugins if plugin["name"] == name)


def _setting(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    item = meltano_setting(name, declared)
    item["description"] = declared["description"]
    if "default" in declared:
        item["value"] = declared["default"]
    if item.get("sensitive"):
        item["kind"] = "password"
    for option in item.get("options", ()):
        option["label"] = _label(option["value"])
    return item


def _label(value: str) -> str:
    """Write a value as people read it: ``activeOrChurned`` as ``Active or churned``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[-_]", " ", value)
    return words.upper() if len(words) == len("us") else words.capitalize()


def _spelled(definition: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(definition), allow_unicode=True, sort_keys=True, width=92)
