"""What of the SDK's own talk a person wants to read: its warnings, and the rest when asked for."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import singer_sdk
from singer_sdk.metrics import METRICS_LOGGER_NAME
from typing_extensions import override

SDK = str(Path(singer_sdk.__file__).parent)
VALIDATES = "_validate_config"
"""Where the SDK warns of settings that discovery does without; where they matter, each problem is told."""


class LogFilter(logging.Filter):
    """Lets pass from the SDK what is worth a warning; all of it at DEBUG."""

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
    """Make the log one for people, wherever it goes."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogFilter())
