"""How a run ends: signals, STATE last; and how it uses memory until then."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import threading
from contextlib import suppress
from typing import Protocol, Self

from tap_vitally.sync.run import Run
from tap_vitally.writer import MessageWriter
from vitally_api import VitallyError

TERMINATION_SECONDS = 4.0
"""A target that has stopped reading must not keep the tap from ending."""
GC_THRESHOLD = 100_000
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BLOCK = 1 << 16
"""Bytes from which on a block of memory goes back to the system as soon as it is free."""


class ShutdownTarget(Protocol):
    """The part of the tap that is ended."""

    @property
    def run(self) -> Run:
        """The run that is stopped."""

    @property
    def writer(self) -> MessageWriter:
        """The writer, which may be in the middle of a line."""

    @property
    def logger(self) -> logging.Logger:
        """The tap's log."""

    def write_last_state(self) -> None:
        """Write what is known to be done."""

    def log_summary(self) -> None:
        """Log what the run did."""


class Shutdown:
    """A context in which a run is read, and after which nothing of it is left."""

    def __init__(self, tap: ShutdownTarget) -> None:
        self._tap = tap
        self._signalled = self._left = False

    def __enter__(self) -> Self:
        """Adapt to many threads, large bodies and records without cycles."""
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        # By itself glibc learns to keep blocks of the size of a page, in a heap for each thread:
        # these two calls take a tenth off the peak.
        with suppress(AttributeError, OSError, TypeError):
            glibc = ctypes.CDLL(None)
            glibc.mallopt(M_ARENA_MAX, 1)
            glibc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        return self

    def on_signal(self, signum: int) -> None:
        """End on SIGTERM or SIGINT between two lines of output, with the code that shells know it by.

        Another one within the same moments changes nothing: it cost 19 of 30 runs their summary.
        """
        if self._signalled:
            return
        self._signalled = True
        code = 128 + signum
        last_resort = threading.Timer(TERMINATION_SECONDS, os._exit, (code,))
        last_resort.daemon = True
        last_resort.start()
        if self._tap.writer.busy:
            self._tap.writer.exit_code = code
        elif not self._left:
            raise SystemExit(code)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Stop the workers whatever happens; on a signal, write STATE first."""
        tap, self._left = self._tap, True
        try:
            if isinstance(error, SystemExit):
                tap.logger.warning("Ended by a signal: the next run goes on from the last STATE.")
                tap.writer.exit_code = None
                tap.write_last_state()
            elif isinstance(error, VitallyError):
                # The summary counts what is held back as written, and so it is.
                tap.writer.flush()
        finally:
            tap.run.stop()
            # A run that could not begin has its one line to say, and no table of zeros above it.
            if error is None or any(
                metrics.pages for metrics in tap.run.metrics_by_stream().values()
            ):
                tap.log_summary()
