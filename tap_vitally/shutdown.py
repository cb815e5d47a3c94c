"""End a run on signals and errors, with STATE written last; tune memory while it runs."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from tap_vitally.sync.run import Run
from tap_vitally.writer import MessageWriter
from vitally_api import VitallyError

TERMINATION_SECONDS = 4.0
"""A target that has stopped reading must not keep the tap from ending."""
GC_THRESHOLD = 100_000
M_ARENA_MAX = -8

logger = logging.getLogger("tap-vitally")


@dataclass
class Shutdown:
    """A context for a run, which stops its threads at the end.

    ``settle`` writes STATE for all records that were written, ``summarise`` logs the summary.
    """

    run: Run
    writer: MessageWriter
    settle: Callable[[], None]
    summarise: Callable[[], None]
    _signalled: bool = False
    _left: bool = False

    def __enter__(self) -> Self:
        """Tune Python for many threads, and for records without reference cycles."""
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        # One heap for all threads: by itself glibc gives each its own. In it glibc learns to keep
        # blocks of the size of a page, without which a run takes a fifth more for page faults.
        with suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
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
        if self.writer.busy:
            self.writer.exit_code = code
        elif not self._left:
            raise SystemExit(code)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Stop the workers in any case; after a signal, write STATE first."""
        self._left = True
        try:
            if isinstance(error, SystemExit):
                logger.warning("Ended by a signal: the next run goes on from the last STATE.")
                self.writer.exit_code = None
                self.settle()
            elif isinstance(error, VitallyError):
                # The summary counts what is held back as written, and so it is.
                self.writer.flush()
        finally:
            self.run.stop()
            # A run that could not begin has its one line to say, and no table of zeros above it.
            if error is None or any(each.pages for each in self.run.metrics_by_stream().values()):
                self.summarise()
