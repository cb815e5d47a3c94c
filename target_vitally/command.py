"""The shell around the target: failures out in one line, without a row's data."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    RecordsWithoutSchemaException,
    StreamMapConfigError,
)
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_vitally.planning.meaning import Misunderstood
from target_vitally.writing.run import Halted
from vitally_api import API_KEY_MISSING, SettingsError, VitallyError

READS_CONFIG, MAPPER = "from_cli_args", ("mapper.py", "simpleeval.py")
"""Where the SDK reads the config file, and where it works out what stream maps say."""
READERS: Mapping[str, Callable[[str], object]] = {
    "integer": int,
    "object": json.loads,
    "array": str,
}


@contextmanager
def failures_in_one_line(  # noqa: C901 - a table of failures
    logger: logging.Logger,
) -> Iterator[None]:
    """End every failure in one line and with exit code 1, a signal with its own code."""
    code = 1
    try:
        yield
    except (ConfigValidationError, SettingsError, Misunderstood) as error:
        problems = list(getattr(error, "errors", None) or getattr(error, "problems", []))
    except (StreamMapConfigError, MapExpressionError) as error:
        problems = [f"stream_maps cannot be used: {error}."]
    except RecordsWithoutSchemaException:
        problems = ["The input has a RECORD before the SCHEMA of its stream: the tap is at fault."]
    except InvalidInputLine:
        problems = ["A line of the input is no Singer message: look at what the tap writes."]
    except Halted as halted:
        problems = [str(halted)]
        code = 128 + halted.signal if halted.signal else 1
    except VitallyError as failure:
        problems = [str(failure)]
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else error.strerror or error
        problems = [f"A file could not be read or written: {what}"]
    except Exception as error:  # noqa: BLE001 - its message may hold a customer's data
        problems = [_unforeseen(error)]
        logger.debug("Where it happened:\n%s", "".join(traceback.format_tb(error.__traceback__)))
    else:
        return
    for problem in problems:
        logger.error("%s", problem)
    sys.exit(code)


def _unforeseen(error: Exception) -> str:
    """Say where something went wrong that nobody thought of."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name == READS_CONFIG for frame in frames):
        return "The config file is not a JSON object: check the path given with --config."
    if any(frame.name == "setup_logging" for frame in frames) or "Unknown level" in str(error):
        return (
            "The log level is none: write DEBUG, INFO, WARNING or ERROR into TARGET_VITALLY_LOGLEVEL "
            "or LOGLEVEL, and check SINGER_SDK_LOG_CONFIG."
        )
    if any(frame.filename.endswith(MAPPER) for frame in frames):
        return f"An expression in stream_maps fails on a record, with {kind}: check what it does."
    if any(frame.name in {"deserialize_json", "process_lines"} for frame in frames[-2:]):
        return "A line of the input is no Singer message: look at what the tap writes."
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
    return (
        f"Something went wrong that should not: {kind} in {place}. Please report it, with what "
        "TARGET_VITALLY_LOGLEVEL=DEBUG says."
    )


@contextmanager
def settings_problems_named(
    secrets: list[str], name: str, schema: Mapping[str, Any]
) -> Iterator[None]:
    """Make every problem with the settings one line that says what to do, without the key."""
    try:
        yield
    except SettingsError as error:
        problems = error.problems
    except ConfigValidationError as error:
        problems = [_reworded(problem) for problem in error.errors]
    except ValueError as error:
        problems = _problems_in_environment(name, schema)
        if not problems:
            raise error from None
    else:
        return
    for key in (secret.removeprefix("Basic ").strip() for secret in secrets if secret):
        problems = [problem.replace(key, "***") for problem in problems]
    msg = "; ".join(problems)
    raise ConfigValidationError(msg, errors=problems) from None


def _reworded(problem: str) -> str:
    if "config['api_key']" in problem:
        return "api_key is not text: put it in quotes"
    if problem == "'api_key' is a required property":
        return API_KEY_MISSING
    return problem


def _problems_in_environment(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Find the variables that the SDK cannot read: it only says that there is one."""
    problems = []
    for setting, declared in schema["properties"].items():
        variable = f"{name.upper().replace('-', '_')}_{setting.upper()}"
        read = next((READERS[kind] for kind in READERS if kind in declared["type"]), str)
        try:
            read(os.environ.get(variable, "0"))
        except ValueError:
            problems.append(
                f"{variable} cannot be read: write whole numbers in digits, objects as JSON, or "
                "leave it unset"
            )
    return problems
