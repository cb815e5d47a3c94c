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
"""How alike two names are of which one is taken for a slip; programs around this one set others, too."""
WORDS = ("true", "false", "1", "0", "yes", "no", "on", "off")


def prefix_of(program: str) -> str:
    """Say what the names of a program's variables begin with."""
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
        msg = "The file .env holds something else than text in UTF-8: save it as that."
        raise VitallyError(msg) from None


def problems_in_environment(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Find the variables of a program that the SDK would fail on, or take for something else."""
    problems = []
    for setting, declared in schema["properties"].items():
        variable = f"{prefix_of(name)}{setting.upper()}"
        value = os.environ.get(variable)
        if value is None:
            continue
        types = declared.get("type") or ()
        if "boolean" in types:
            if value.lower() not in WORDS:
                problems.append(
                    f"{variable} is {value!r}, which is neither yes nor no: write true or false, "
                    "or leave it unset"
                )
        elif any(_fails(read, value) for kind, read in READERS.items() if kind in types):
            problems.append(
                f"{variable} cannot be read: write whole numbers in digits, lists and objects as "
                "JSON, or leave it unset"
            )
    return problems


def _nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Find the name that is most like another one; None if none is."""
    # Imported where a slip is looked for: programs that nobody misspells start 1 ms earlier.
    from difflib import get_close_matches  # noqa: PLC0415

    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def misspelt_variables(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Name the variables that look like one of a program's, and are none."""
    prefix = prefix_of(name)
    known = {f"{prefix}{setting.upper()}" for setting in schema["properties"]}
    told = []
    for variable in sorted(os.environ):
        unknown = variable.upper().startswith(prefix) and variable not in known
        if unknown and (near := _nearest(variable.upper(), known, CLOSE)):
            told.append(
                f"{safe_name(variable)} in the environment has no effect: did you mean {near}?"
            )
    return told


def unknown_settings(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Name the settings that nothing knows, with what may have been meant."""
    known = list(schema["properties"])
    told = []
    for name in config:
        if name not in known:
            near = _nearest(str(name), known)
            hint = f": did you mean {near}?" if near else "."
            told.append(f"There is no setting {str(name)[:60]!r}, and it has no effect{hint}")
    return told


def _fails(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return True
    return False


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
