"""Read the files of the command line, and turn every failure into one line of the log."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import IO, Any

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError

from singer_command import failures
from singer_command.files import parsed, text_of
from vitally_api import VitallyError, safe_name

logger = logging.getLogger("tap-vitally")


def failures_in_one_line() -> AbstractContextManager[None]:
    """End every failure of the tap in one line and with an exit code that is not 0."""
    return failures.failures_in_one_line(logger.name, _own)


def _own(error: Exception) -> list[str]:
    match error:
        case StreamMapConfigError() | MapExpressionError():
            return [f"stream_maps cannot be used: {error}. Map only selected streams."]
        case BrokenPipeError():
            return ["The target stopped reading before the end; its own log says why."]
    return []


def check_output() -> None:
    """Raise a `VitallyError` if the output is closed, whatever would be written to it."""
    if sys.stdout is None:
        raise VitallyError("Nobody can read what the tap writes: its standard output is closed.")


def read_state(file: IO[str] | None) -> dict[str, Any] | None:
    """Read STATE, also from a STATE message or a runner's file; drop entries that are not valid."""
    if file is None:
        return None
    state = _last_state(file)
    while isinstance(state, dict) and "bookmarks" not in state:
        # A Singer message, or what runners keep STATE in.
        inner = next((state[k] for k in ("value", "singer_state") if k in state), None)
        if inner is None:
            break
        state = inner
    if not isinstance(state, dict):
        raise VitallyError(
            "The state file is not a JSON object: check the path given with --state."
        )
    if not state.keys() <= {"bookmarks", "currently_syncing"}:
        raise VitallyError("The state file holds no STATE: it has no bookmarks. Check --state.")
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict | None):
        raise VitallyError(
            "The state file holds no STATE: its bookmarks are no object. Check --state."
        )
    places = {}
    for name, entry in (bookmarks or {}).items():
        if not isinstance(entry, dict) or entry.get("partitions"):
            logger.warning("STATE of '%s' is of another form, and is not used.", safe_name(name))
        if isinstance(entry, dict):
            # The streams have no partitions, and the SDK fails on anything else under that name.
            places[name] = {key: value for key, value in entry.items() if key != "partitions"}
    return {"bookmarks": places}


def _last_state(file: IO[str]) -> Any:
    """Return the value in a file; where each line has one, the last that may be STATE; else None."""
    try:
        text = text_of(file)
        try:
            return parsed(text)
        except ValueError:
            lines = [line for line in text.splitlines() if line.strip()]
        values = [parsed(line) for line in lines] if len(lines) > 1 else []
    except ValueError:
        return None
    messages = ("SCHEMA", "RECORD", "BATCH", "ACTIVATE_VERSION")
    may_be = [v for v in values if not (isinstance(v, dict) and v.get("type") in messages)]
    return may_be[-1] if may_be else None
