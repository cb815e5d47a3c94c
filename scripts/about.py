"""What the programs say about themselves, in the form of Meltano."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parent.parent
TAP, TARGET = "tap_vitally", "target_vitally"

KINDS: Final[Mapping[str, str]] = {
    "array": "array",
    "boolean": "boolean",
    "integer": "integer",
    "number": "integer",
    "object": "object",
    "string": "string",
}
"""The kinds of Meltano by JSON type; not its decimals, which fail if the environment sets them."""


def meltano_setting(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting as a plugin of Meltano declares it."""
    kinds = [KINDS[kind] for kind in types_of(declared)]
    item: dict[str, Any] = {"name": name, "kind": kinds[0]}
    if "title" in declared:
        item["label"] = declared["title"]
    if declared.get("format") == "date-time":
        item["kind"] = "date_iso8601"
    if declared.get("secret"):
        item["sensitive"] = True
    if choices := [choice for choice in declared.get("enum", ()) if choice is not None]:
        item["kind"] = "options"
        item["options"] = [{"label": choice, "value": choice} for choice in choices]
    default = f" Default: {json.dumps(declared['default'])}." if "default" in declared else ""
    return {**item, "description": declared["description"] + default}


@cache
def about(form: str, program: str = TAP) -> str:
    """Ask a program about itself, as its users do."""
    command = [sys.executable, "-m", program, "--about", f"--format={form}"]
    return subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, check=True, cwd=ROOT, text=True
    ).stdout


def types_of(declared: Mapping[str, Any]) -> list[str]:
    """List the JSON types of a property, null left out."""
    types = declared.get("type") or [
        kind for choice in declared["anyOf"] for kind in types_of(choice)
    ]
    return [kind for kind in ([types] if isinstance(types, str) else types) if kind != "null"]
