"""Read the input line by line; a line that is no Singer message is rejected as one row."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from typing import IO, Any, cast

from vitally_api import Unreadable, VitallyError, decoded_or_none, sanitized

CHUNK = 1 << 16
TICK = 5.0
"""Seconds without input after which ``tick`` is called."""
NEEDED = {
    "SCHEMA": ("stream", "schema"),
    "RECORD": ("stream", "record"),
    "BATCH": ("stream", "encoding", "manifest"),
    "STATE": ("value",),
    "ACTIVATE_VERSION": ("stream",),
}
"""The members that each type of message must have."""
READ = ("jsonl", *(("parquet",) if find_spec("pyarrow") else ()))
"""The formats of a BATCH's files that the SDK reads."""
UNREADABLE: Mapping[type[Exception], str] = {
    UnicodeDecodeError: "it is not UTF-8",
    json.JSONDecodeError: "it is not JSON",
    ValueError: "it has an integer of thousands of digits",
    RecursionError: "it is nested too deeply",
    Unreadable: "it is nested too deeply",
}
"""Why a line cannot be read; the first that fits counts."""


class Unusable(Exception):
    """A line that is no message; the text says why, without its content. ``stream`` may be empty."""

    def __init__(self, reason: str, stream: str = "") -> None:
        super().__init__(reason)
        self.stream = stream


def _no_constant(name: str) -> None:
    raise Unusable(f"{name} is no number in JSON")


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


def _is_schema(schema: Any, keys: Any) -> bool:
    columns = schema.get("properties", {}) if isinstance(schema, dict) else None
    return isinstance(columns, dict) and (
        keys is None or (isinstance(keys, list) and all(isinstance(key, str) for key in keys))
    )


def _is_batch(encoding: Any, files: Any) -> bool:
    known = isinstance(encoding, dict) and encoding.get("format") in READ
    return known and isinstance(files, list) and all(isinstance(file, str) for file in files)


def waiting_input() -> IO[str] | None:
    """Return standard input if it is a file, or if a program writes to it within `TICK` seconds.

    Otherwise return None: whoever runs a check may have left it open without writing anything.
    """
    if sys.stdin is None or sys.stdin.closed:
        return None
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISREG(mode):
        return sys.stdin
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) or not hasattr(select, "poll"):
        return None
    return sys.stdin if _comes(sys.stdin) & select.POLLIN else None


def _comes(file: IO[Any]) -> int:
    """Wait up to `TICK` seconds for input; return the event of `select.poll`, 0 if none came."""
    poller = select.poll()
    poller.register(file, select.POLLIN)
    return next((event for _, event in poller.poll(TICK * 1000)), 0)


@dataclass
class Intake:
    """Yields the parsed messages of an input one by one.

    ``knows`` returns True if the SCHEMA of a stream has come. ``reject`` is called for a line that is
    no message, with its stream or an empty text, its number and the reason. ``tick`` is called every
    `TICK` seconds while no input comes.
    """

    file: IO[str] | None
    knows: Callable[[str], bool]
    reject: Callable[[str, int, str], None]
    tick: Callable[[], None]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Read to the end of the input."""
        for number, line in enumerate(self._lines(), 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not text.strip():
                continue
            try:
                yield self._message(text)
            except Unusable as unusable:
                reason = str(unusable)
                if not line.endswith(b"\n"):
                    reason = (
                        f"the input ends in the middle of it, as a tap's that is killed ({reason})"
                    )
                self.reject(unusable.stream, number, reason)

    def _message(self, line: bytes) -> dict[str, Any]:
        # Halves of characters cannot be sent, and NUL not be stored.
        odd = b"\\u0000" in line or b"\\ud" in line.lower()
        message = None if odd else decoded_or_none(line)
        return self._checked(self._patiently(line) if message is None else message)

    def _patiently(self, line: bytes) -> Any:
        """Decode a line that the strict decoder refuses; raise `Unusable` with the reason if it is bad."""
        try:
            return sanitized(_decoder.decode(line.decode()))
        except tuple(UNREADABLE) as error:
            why = next(why for kind, why in UNREADABLE.items() if isinstance(error, kind))
            raise Unusable(why) from None

    def _checked(self, message: Any) -> dict[str, Any]:
        """Return a message; raise `Unusable` for one that the SDK would fail on."""
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str) or kind not in NEEDED:
            raise Unusable("it is no Singer message")
        stream = message.get("stream", "")
        if not isinstance(stream, str) or any(name not in message for name in NEEDED[kind]):
            raise Unusable(f"it is a {kind} without {' and '.join(NEEDED[kind])}")
        if kind in {"RECORD", "BATCH"} and not self.knows(stream):
            raise Unusable(
                f"it is a {kind} before the SCHEMA of its stream: the tap is at fault", stream
            )
        if kind == "RECORD" and not isinstance(message["record"], dict):
            raise Unusable("its record is no object", stream)
        if kind == "SCHEMA" and not _is_schema(message["schema"], message.get("key_properties")):
            raise Unusable("its schema or its key_properties are not of the right type", stream)
        if kind == "BATCH" and not _is_batch(message["encoding"], message["manifest"]):
            raise Unusable(f"its files are in no format that is read ({', '.join(READ)})", stream)
        return cast("dict[str, Any]", message)

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines as bytes, so that a byte that is not UTF-8 affects its line alone."""
        if self.file is None:
            raise VitallyError("There is no input: standard input is closed.")
        held = getattr(self.file, "buffer", None)
        if held is None:
            yield from (line.encode("utf-8", "surrogatepass") for line in self.file)
            return
        rest: list[bytes] = []
        while True:
            # The main thread waits, so that nothing else has to know of threads.
            while hasattr(select, "poll") and not _comes(held):
                self.tick()
            chunk = held.read1(CHUNK)
            *whole, last = chunk.split(b"\n")
            for line in whole:
                yield b"".join((*rest, line, b"\n"))
                rest.clear()
            if last:
                rest.append(last)
            if not chunk:
                break
        if rest:
            yield b"".join(rest)
