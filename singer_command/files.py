"""Read files in any Unicode encoding, write to standard output, and end on SIGHUP."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import IO, Any


def text_of(file: IO[str]) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32; raise a ``ValueError`` if it is none."""
    held = getattr(file, "buffer", None)
    if held is None:
        return file.read().removeprefix("\ufeff")
    raw: bytes = held.read()
    return raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff")


def parsed(text: str) -> Any:
    """Parse JSON; raise a ``ValueError`` if it is not valid or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError from None


def write_whole(data: bytes | bytearray) -> None:
    """Write bytes to standard output completely, and flush it."""
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
    """Handle SIGHUP, when the terminal is closed, like SIGTERM, unless it is ignored as by ``nohup``."""
    hangup = getattr(signal, "SIGHUP", None)
    main = threading.current_thread() is threading.main_thread()
    if hangup is not None and main and signal.getsignal(hangup) == signal.SIG_DFL:
        signal.signal(hangup, handler)
