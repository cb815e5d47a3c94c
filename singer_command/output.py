"""Standard output as Singer wants it, and the signals that end a program: the same for tap and target."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


def write_whole(data: bytes | bytearray) -> None:
    """Write all of some bytes to standard output."""
    output = getattr(sys.stdout, "buffer", None)
    if output is None:
        sys.stdout.write(data.decode())
        return
    with memoryview(data) as rest:
        written = 0
        while written < len(rest):
            # Unbuffered, as Python may be told to be, it writes what fits into the pipe: 64 kB.
            written += output.write(rest[written:]) or 0
    output.flush()


def end_on_hangup(handler: Callable[[int, FrameType | None], None]) -> None:
    """End as on SIGTERM when the terminal goes; one that is to be ignored (``nohup``) still is."""
    hangup = getattr(signal, "SIGHUP", None)
    main = threading.current_thread() is threading.main_thread()
    if hangup is not None and main and signal.getsignal(hangup) == signal.SIG_DFL:
        signal.signal(hangup, handler)
