"""Check settings and environment variables; report each problem in one line that says what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dotenv import find_dotenv
from dotenv.main import DotEnv
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import PluginBase

from vitally_api import API_KEY_MISSING, SettingsError, VitallyError, safe_name

KEYS = ("api_key", "analytics_api_key")
CLOSE = 0.9
"""The similarity from which a variable counts as misspelt; other programs have similar names, too."""
BOOLEANS = ("true", "false", "1", "0", "yes", "no", "on", "off")


def prefix_of(program: str) -> str:
    """Return the prefix of a program's environment variables: ``TAP_VITALLY_``."""
    return f"{program.upper().replace('-', '_')}_"


@contextmanager
def settings_problems_named(plugin: type[PluginBase], given: Mapping[str, Any]) -> Iterator[None]:
    """Report all problems while a plugin is built in the block as one error, with keys masked.

    ``given`` are the arguments of the plugin. Raise `ConfigValidationError`.
    """
    schema = plugin.config_jsonschema
    declared = {**schema, "properties": {**schema["properties"]}}
    plugin.append_builtin_config(declared)
    problems: list[str] = []
    if given.get("parse_env_config"):
        load_env_file()
        problems = problems_in_environment(plugin.name, declared)
        for line in misspelt_variables(plugin.name, declared):
            plugin.logger.warning("%s", line)
    secrets = _keys(plugin.name, given.get("config"))
    if not problems:
        try:
            yield
        except SettingsError as error:
            problems = error.problems
        except ConfigValidationError as error:
            problems = [_reworded(problem) for problem in error.errors]
        except ValueError:
            # The SDK has read another .env, the one above its own folder: all there is text.
            problems = problems_in_environment(plugin.name, declared)
            if not problems:
                raise
        else:
            return
    for key in secrets:
        problems = [problem.replace(key, "***") for problem in problems]
    raise ConfigValidationError("; ".join(problems), errors=problems) from None


def _keys(program: str, config: Any) -> list[str]:
    given = config if isinstance(config, dict) else {}
    found = [str(given.get(name) or "") for name in KEYS]
    found += [os.environ.get(f"{prefix_of(program)}{name.upper()}", "") for name in KEYS]
    return [key for text in found if (key := text.removeprefix("Basic ").strip())]


def _reworded(problem: str) -> str:
    for name in KEYS:
        if f"config['{name}']" in problem:
            return f"{name} is not text: put it in quotes"
    if "config['custom_streams']" in problem:
        return "custom_streams: it takes a list of streams"
    return API_KEY_MISSING if problem == "'api_key' is a required property" else problem


def load_env_file() -> None:
    """Load the ``.env`` of the working folder, or of a folder above it.

    The SDK searches from its own folder upwards. Variables that are set already keep their values.
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
    """Return a line for each environment variable that the SDK would fail on or misread."""
    variables = {
        f"{prefix_of(name)}{each.upper()}": how for each, how in schema["properties"].items()
    }
    return [
        f"{variable} {problem}, or leave it unset"
        for variable, declared in variables.items()
        if variable in os.environ and (problem := _unreadable(os.environ[variable], declared))
    ]


def _unreadable(value: str, declared: Mapping[str, Any]) -> str:
    types = declared.get("type") or ()
    if "boolean" in types:
        wrong = f"is {value!r}, which is neither yes nor no: write true or false"
        return "" if value.lower() in BOOLEANS else wrong
    # Names between commas are what the SDK also takes for a list, of text alone.
    in_commas = "array" in types and "string" in declared.get("items", {}).get("type", ())
    try:
        if "integer" in types:
            int(value)
        if {"array", "object"} & set(types) and (not in_commas or value.strip()[:1] in {"", "["}):
            json.loads(value)
    except ValueError:
        return "cannot be read: write whole numbers in digits, lists and objects as JSON"
    return ""


def misspelt_variables(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Return a line for each environment variable with a name similar to a setting's."""
    prefix = prefix_of(name)
    known = {f"{prefix}{setting.upper()}" for setting in schema["properties"]}
    unknown = (v for v in sorted(os.environ) if v.upper().startswith(prefix) and v not in known)
    return [
        f"{safe_name(variable)} in the environment has no effect: did you mean {near}?"
        for variable in unknown
        if (near := _nearest(variable.upper(), known, CLOSE))
    ]


def unknown_settings(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return a line for each unknown setting, with a similar known name if there is one."""
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
