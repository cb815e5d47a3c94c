"""What the environment and the working folder's ``.env`` say, checked before the SDK reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dotenv import find_dotenv
from dotenv.main import DotEnv

from vitally_api import VitallyError, safe_name

CLOSE = 0.9
"""How alike a misspelt variable and a known one are; programs around this one set others, too."""
BOOLEANS = ("true", "false", "1", "0", "yes", "no", "on", "off")


def prefix_of(program: str) -> str:
    """Return what the names of a program's variables begin with."""
    return f"{program.upper().replace('-', '_')}_"


def load_env_file() -> None:
    """Take over the ``.env`` of the working folder, or of one above it.

    The SDK looks for one from its own folder upwards. What the environment has already stays.
    """
    found = find_dotenv(usecwd=True)
    try:
        if found:
            DotEnv(found, override=False).set_as_environment_variables()
    except ValueError:
        raise VitallyError(
            "The file .env holds something else than text in UTF-8: save it as that."
        ) from None


def problems_in_environment(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Return a line for each variable of a program that the SDK would fail on, or misread."""
    problems = []
    for setting, declared in schema["properties"].items():
        variable = f"{prefix_of(name)}{setting.upper()}"
        value, types = os.environ.get(variable), declared.get("type") or ()
        if value is None:
            continue
        if "boolean" in types and value.lower() not in BOOLEANS:
            problems.append(
                f"{variable} is {value!r}, which is neither yes nor no: write true or false, "
                "or leave it unset"
            )
        elif "boolean" not in types and not _readable(value, declared):
            problems.append(
                f"{variable} cannot be read: write whole numbers in digits, lists and objects as "
                "JSON, or leave it unset"
            )
    return problems


def _readable(value: str, declared: Mapping[str, Any]) -> bool:
    try:
        for kind in READERS.keys() & set(declared.get("type") or ()):
            READERS[kind](value)
            if kind == "array" and "string" not in declared.get("items", {}).get("type", ()):
                json.loads(value)  # the SDK takes what stands between commas for text alone
    except ValueError:
        return False
    return True


def _list(value: str) -> object:
    # Names between commas are what the SDK also takes for a list.
    if not value.strip():
        raise ValueError
    return json.loads(value) if value.lstrip().startswith("[") else value.split(",")


READERS: Mapping[str, Callable[[str], object]] = {
    "integer": int,
    "object": json.loads,
    "array": _list,
}


def misspelt_variables(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Return a line for each variable whose name is nearly that of a setting."""
    prefix = prefix_of(name)
    known = {f"{prefix}{setting.upper()}" for setting in schema["properties"]}
    unknown = (v for v in sorted(os.environ) if v.upper().startswith(prefix) and v not in known)
    return [
        f"{safe_name(variable)} in the environment has no effect: did you mean {near}?"
        for variable in unknown
        if (near := _nearest(variable.upper(), known, CLOSE))
    ]


def unknown_settings(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return a line for each setting that does not exist, with the name that may be meant."""
    known = list(schema["properties"])
    hints = {name: _nearest(str(name), known) for name in config if name not in known}
    return [
        f"There is no setting {str(name)[:60]!r}, and it has no effect"
        f"{f': did you mean {near}?' if near else '.'}"
        for name, near in hints.items()
    ]


def _nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    # Imported where it is needed: programs that nobody misspells start 1 ms earlier.
    from difflib import get_close_matches  # noqa: PLC0415

    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), None)
