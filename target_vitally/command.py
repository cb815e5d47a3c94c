"""Turn every failure of the target into one line of the log, without any data of rows."""

from __future__ import annotations

import traceback
from contextlib import AbstractContextManager

from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.singerlib.exceptions import InvalidInputLine

from singer_command import failures
from target_vitally.mapping.stream_mapping import MappingError
from target_vitally.pipeline.workers import RunAborted

READ_LINES = {"deserialize_json", "process_lines"}
"""Where the SDK reads the input."""
NO_MESSAGE = "A line of the input is no Singer message: look at what the tap writes."


def failures_in_one_line() -> AbstractContextManager[None]:
    """End every failure of the target in one line and with exit code 1, a signal with its own code."""
    return failures.failures_in_one_line("target-vitally", _own)


def _own(error: Exception) -> list[str]:
    match error:
        case MappingError():
            return error.problems
        case RunAborted():
            return [str(error)]
        case RecordsWithoutSchemaException():
            return ["The input has a RECORD before the SCHEMA of its stream: the tap is at fault."]
        case InvalidInputLine():
            return [NO_MESSAGE]
    frames = traceback.extract_tb(error.__traceback__)
    return [NO_MESSAGE] if any(frame.name in READ_LINES for frame in frames[-2:]) else []
