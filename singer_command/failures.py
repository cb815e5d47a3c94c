"""Log failures in one line that says what to do, and keep the SDK's own INFO lines out of the log."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import singer_sdk
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.metrics import METRICS_LOGGER_NAME
from typing_extensions import override

from singer_command.settings import prefix_of
from vitally_api import SettingsError, VitallyError

SDK = str(Path(singer_sdk.__file__).parent)
READS_CONFIG = "from_cli_args"
"""The SDK's function that reads the config file."""
VALIDATES = "_validate_config"
"""The SDK's function that warns of settings; discovery needs none, and elsewhere they are errors."""
_BATCHES = "batch_config is not whole: it needs encoding.format and a storage.root of a known kind."
_EXPRESSION = "An expression in stream_maps fails on a record, with {kind}: check what it does."
MISTAKES = {
    "batch.py": _BATCHES,
    "_batch.py": _BATCHES,
    "_flattening.py": (
        "flattening_max_key_length is too small for some properties: raise it, or leave it out."
    ),
    "jsonschema.py": "A setting has a shape that cannot even be checked: look at stream_maps first.",
    "mapper.py": _EXPRESSION,
    "simpleeval.py": _EXPRESSION,
}
"""The mistake in a setting, by the file of the SDK that fails on it during a run."""
OF_OTHERS = {"jsonschema.py", "simpleeval.py"}
"""The files in `MISTAKES` that belong to libraries of the SDK."""

Own = Callable[[Exception], list[str]]
"""Returns a line for each problem of a failure that only one program knows; else an empty list."""


@contextmanager
def failures_in_one_line(program: str, own: Own = lambda _: []) -> Iterator[None]:
    """Turn any exception into a log line for each problem, and exit with its ``exit_code`` or 1."""
    logger = logging.getLogger(program)
    try:
        yield
    except Exception as error:  # noqa: BLE001 - its message may hold a customer's data
        if isinstance(error, BrokenPipeError):
            # Python flushes stdout once more at exit, and would complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        problems = own(error) or _foreseen(error)
        if not problems:
            problems = [_unforeseen(error, program)]
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.debug("Where it happened:\n%s", where)
        for problem in problems:
            logger.error("%s", problem)  # noqa: TRY400 - no traceback for the operator
        sys.exit(getattr(error, "exit_code", 1))


def _foreseen(error: Exception) -> list[str]:  # noqa: PLR0911 - a table of failures
    match error:
        case ConfigValidationError():
            return list(error.errors)
        case SettingsError():
            return error.problems
        case StreamMapConfigError() | MapExpressionError():
            return [f"stream_maps cannot be used: {error}."]
        case VitallyError():
            return [str(error)]
        case BrokenPipeError():
            return ["Who reads the output stopped before its end; its own log says why."]
        case OSError():
            what = error.strerror or error
            where = f": {error.filename}" if error.filename else ""
            return [f"A file could not be read or written: {what}{where}"]
    return []


def _unforeseen(error: Exception, program: str) -> str:
    """Return a message for an unexpected exception, or for the mistake in a setting that caused it."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    log_level = f"{prefix_of(program)}LOGLEVEL"
    if mistake := _mistake(error, frames, log_level):
        return mistake
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
    return (
        f"Something went wrong that should not: {kind} in {place}. Please report it, with what "
        f"{log_level}=DEBUG says."
    )


def _mistake(error: Exception, frames: traceback.StackSummary, log_level: str) -> str:
    """Return the mistake in a setting that made the SDK fail during a run; empty if none is known."""
    if any(frame.name == READS_CONFIG for frame in frames):
        return "The config file is not a JSON object: check the path given with --config."
    if "Unknown level" in str(error):
        return (
            "The log level is none: write DEBUG, INFO, WARNING or ERROR into "
            f"{log_level} or LOGLEVEL, and check SINGER_SDK_LOG_CONFIG."
        )
    if isinstance(error, ImportError):
        return f"A setting needs a package that is not installed: {error.name or error}."
    if type(error).__module__.startswith("yaml"):
        return "SINGER_SDK_LOG_CONFIG names a file that is no configuration of a log."
    # The program may have a file of the same name as the SDK: batch.py.
    paths = [Path(frame.filename) for frame in frames]
    files = {path.name for path in paths if path.is_relative_to(SDK) or path.name in OF_OTHERS}
    found = next((message for file, message in MISTAKES.items() if file in files), "")
    return found.format(kind=type(error).__name__)


class LogFilter(logging.Filter):
    """Drops what the SDK logs at INFO, unless the level is DEBUG."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if record.funcName == VALIDATES and record.levelno == logging.WARNING:
            return False
        if record.levelno != logging.INFO or not record.pathname.startswith(SDK):
            return True
        # Meltano asks for the metrics in every run: they were 88 of 152 lines, and said nothing that the
        # summary does not. They stay for a configuration that an operator wrote.
        own = "SINGER_SDK_LOG_CONFIG" in os.environ and "MELTANO_PROJECT_ROOT" not in os.environ
        asked = record.name == METRICS_LOGGER_NAME and own
        return asked or logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def filter_log() -> None:
    """Add `LogFilter` to all handlers of the root logger."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogFilter())
