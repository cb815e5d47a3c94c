"""The shell around the tap: files in, failures out in one line."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)

from tap_vitally.files import parsed, text_of
from vitally_api import VitallyError, printable

logger = logging.getLogger("tap-vitally")

READS_CONFIG, MAPPER = "from_cli_args", ("mapper.py", "simpleeval.py")
"""Where the SDK reads the config file, and where it works out what stream maps say."""


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


def check_output() -> None:
    """Raise a `VitallyError` if the output is closed, whatever would be written to it."""
    if sys.stdout is None:
        msg = "Nobody can read what the tap writes: its standard output is closed."
        raise VitallyError(msg)


def _unforeseen(error: Exception) -> str:
    """Say where something went wrong that nobody thought of, or what plain mistake the SDK fell over."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if mistake := _mistake(error, frames):
        return mistake
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
    return (
        f"Something went wrong that should not: {kind} in {place}. Please report it, with what "
        "TAP_VITALLY_LOGLEVEL=DEBUG says."
    )


def _mistake(error: Exception, frames: traceback.StackSummary) -> str:
    """Name the mistake in a setting that makes the SDK fail in the middle of something; or nothing."""
    names = {frame.name for frame in frames}
    files = {Path(frame.filename).name for frame in frames}
    level = isinstance(error, ValueError) and "Unknown level" in str(error)
    found = (
        (
            READS_CONFIG in names,
            "The config file is not a JSON object: check the path given with --config.",
        ),
        (
            level or "setup_logging" in names,
            (
                "The log level is none: write DEBUG, INFO, WARNING or ERROR into "
                "TAP_VITALLY_LOGLEVEL or LOGLEVEL, and check SINGER_SDK_LOG_CONFIG."
            ),
        ),
        (
            isinstance(error, ImportError),
            f"A setting needs a package that is not installed: {getattr(error, 'name', '') or error}.",
        ),
        (
            "get_batch_config" in names or bool(files & {"batch.py", "_batch.py"}),
            "batch_config is not whole: it needs encoding.format and a storage.root of a known kind.",
        ),
        (
            "_flattening.py" in files,
            "flattening_max_key_length is too small for some properties: raise it, or leave it out.",
        ),
        (
            type(error).__module__.startswith("yaml"),
            "SINGER_SDK_LOG_CONFIG names a file that is no configuration of a log.",
        ),
        (
            "jsonschema.py" in files,
            "A setting has a shape that cannot even be checked: look at stream_maps first.",
        ),
        (
            bool(files & {*MAPPER}),
            (
                f"An expression in stream_maps fails on a record, with {type(error).__name__}: "
                "check what it does."
            ),
        ),
    )
    return next((told for fits, told in found if fits), "")


def read_state(file: IO[str] | None) -> dict[str, Any] | None:
    """Read STATE, in whatever it is wrapped, and leave out what cannot be the place of a stream."""
    if file is None:
        return None
    state = _unwrapped(_last_state(file))
    if not isinstance(state, dict) or not state.keys() <= {"bookmarks", "currently_syncing"}:
        msg = "The state file is not a JSON object: check the path given with --state."
        if isinstance(state, dict):
            msg = "The state file holds no STATE: it has no bookmarks. Check --state."
        raise VitallyError(msg)
    bookmarks = state.get("bookmarks")
    if bookmarks is not None and not isinstance(bookmarks, dict):
        msg = "The state file holds no STATE: its bookmarks are no object. Check --state."
        raise VitallyError(msg)
    places = {}
    for name, entry in (bookmarks or {}).items():
        if not isinstance(entry, dict) or entry.get("partitions"):
            logger.warning("STATE of '%s' is of another form, and is not used.", printable(name))
        if isinstance(entry, dict):
            # The streams have no partitions, and the SDK fails on what is none.
            places[name] = {key: value for key, value in entry.items() if key != "partitions"}
    return {"bookmarks": places}


def _last_state(file: IO[str]) -> Any:
    """Read a file of one value, or of one on each line, of which the last that may be STATE counts."""
    try:
        text = text_of(file)
    except ValueError:
        return None
    try:
        return parsed(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
    try:
        values = [parsed(line) for line in lines] if len(lines) > 1 else []
    except ValueError:
        return None
    messages = ("SCHEMA", "RECORD", "BATCH", "ACTIVATE_VERSION")
    may_be = [v for v in values if not (isinstance(v, dict) and v.get("type") in messages)]
    return may_be[-1] if may_be else None


def _unwrapped(state: Any) -> Any:
    """Take STATE out of a Singer message, or out of what runners keep it in."""
    while isinstance(state, dict) and "bookmarks" not in state:
        inner = next((state[k] for k in ("value", "singer_state") if k in state), None)
        if inner is None:
            break
        state = inner
    return state
