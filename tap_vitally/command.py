"""The shell around the tap: files in, failures out in one line."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)

from vitally_api import VitallyError

READS_CONFIG, MAPPER = "from_cli_args", ("mapper.py", "simpleeval.py")
"""Where the SDK reads the config file, and where it works out what stream maps say."""
READERS: Mapping[str, Callable[[str], object]] = {"integer": int, "object": json.loads}


@contextmanager
def failures_in_one_line(logger: logging.Logger) -> Iterator[None]:
    """End every failure in one line and with exit code 1."""
    try:
        yield
    except ConfigValidationError as error:
        problems = list(error.errors)
    except (StreamMapConfigError, MapExpressionError) as error:
        problems = [f"stream_maps cannot be used: {error}. Map only selected streams."]
    except VitallyError as failure:
        problems = [str(failure)]
    except BrokenPipeError:
        problems = ["The target stopped reading before the end; its own log says why."]
        # Python flushes stdout once more at exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    sys.exit(1)


def _unforeseen(error: Exception) -> str:
    """Say where something went wrong that nobody thought of."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name == READS_CONFIG for frame in frames):
        return "The config file is not a JSON object: check the path given with --config."
    if any(frame.filename.endswith(MAPPER) for frame in frames):
        return f"An expression in stream_maps fails on a record, with {kind}: check what it does."
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
    return (
        f"Something went wrong that should not: {kind} in {place}. Please report it, with what "
        "TAP_VITALLY_LOGLEVEL=DEBUG says."
    )


def problems_in_environment(name: str, schema: Mapping[str, Any]) -> list[str]:
    """Find the variables of a program that the SDK cannot read: it only says that there is one."""
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


def read_state(file: IO[str] | None) -> dict[str, Any] | None:
    """Read STATE, and leave out what cannot be the place of a stream."""
    state = _json(file, "state")
    if not state or "bookmarks" not in state:
        return state
    bookmarks = state["bookmarks"]
    entries = bookmarks.items() if isinstance(bookmarks, dict) else ()
    return {"bookmarks": {name: entry for name, entry in entries if isinstance(entry, dict)}}


def read_catalog(file: IO[str] | None) -> dict[str, Any] | None:
    """Read a catalog; raise a `VitallyError` for what is none."""
    catalog = _json(file, "catalog")
    if catalog is None:
        return None
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema"), dict)
        for entry in entries
    ):
        msg = "The catalog file holds no catalog: make one with --discover, and check --catalog."
        raise VitallyError(msg)
    return catalog


def _json(file: IO[str] | None, what: str) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        content = json.load(file)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        msg = f"The {what} file is not a JSON object: check the path given with --{what}."
        raise VitallyError(msg)
    return content
