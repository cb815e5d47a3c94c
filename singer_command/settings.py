"""The settings of a program: every problem with them in one line that says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import PluginBase

from singer_command.environment import (
    load_env_file,
    misspelt_variables,
    prefix_of,
    problems_in_environment,
)
from vitally_api import API_KEY_MISSING, SettingsError

KEYS = ("api_key", "analytics_api_key")


@contextmanager
def settings_problems_named(plugin: type[PluginBase], given: Mapping[str, Any]) -> Iterator[None]:
    """Build a plugin: what is wrong with its settings becomes one error, without the key.

    ``given`` are the arguments that it is built with.
    """
    declared = {
        **plugin.config_jsonschema,
        "properties": {**plugin.config_jsonschema["properties"]},
    }
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
            # Only what is in the environment is text that has to be made something else.
            problems = problems_in_environment(plugin.name, declared)
            if not problems:
                raise
        else:
            return
    for key in secrets:
        problems = [problem.replace(key, "***") for problem in problems]
    raise ConfigValidationError("; ".join(problems), errors=problems) from None


def _keys(program: str, config: Any) -> list[str]:
    """Return the keys, from wherever they are given, as they may stand in a message."""
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
    if problem == "'api_key' is a required property":
        return API_KEY_MISSING
    return problem
