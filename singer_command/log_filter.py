"""What of the SDK's own log a person wants to read: its warnings, and the rest when asked for."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import singer_sdk
from singer_sdk.metrics import METRICS_LOGGER_NAME
from typing_extensions import override

SDK = str(Path(singer_sdk.__file__).parent)
VALIDATES = "_validate_config"
"""Where the SDK warns of settings that discovery does not need; otherwise each problem is an error."""


class LogFilter(logging.Filter):
    """Holds back what the SDK logs at INFO, unless the level is DEBUG."""

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
    """Filter every handler of the log."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogFilter())
