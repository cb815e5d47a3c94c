"""Write Singer messages in blocks of whole lines."""

from __future__ import annotations

import io
import select
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from singer_sdk.contrib.msgspec import MsgSpecWriter, encoder
from singer_sdk.singerlib.encoding.base import SingerMessageType
from singer_sdk.singerlib.encoding.simple import RecordMessage, SchemaMessage

from singer_command.files import write_whole
from tap_vitally.sync.batches import CompressedRecords

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding.simple import Message

BUFFER = 1 << 16


class MessageWriter(MsgSpecWriter):
    """Gathers records and writes them in blocks that end with a line.

    STATE and everything before it goes out at once: a target learns of a place in the data only
    when it has been given the data.

    ``busy`` says that a block is being written, and must be finished before the tap may end;
    ``exit_code`` is set to end the tap as soon as that block is out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines = bytearray()
        self.busy = False
        self.exit_code: int | None = None

    def write_message(self, message: Message) -> None:
        """Write a message, or keep it for the next block."""
        if isinstance(message, SchemaMessage):
            # A stream map adds it, and there are targets that refuse a schema with it.
            message.schema.pop("$schema", None)
        self._lines += self.format_message(message)
        if message.type is not SingerMessageType.RECORD or len(self._lines) >= BUFFER:
            self.flush()

    def write_records(self, stream: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a RECORD message for each record, the same lines as `write_message` would."""
        message = RecordMessage(stream, {}, time_extracted=datetime.now(UTC))
        start, _, end = bytes(self.format_message(message)).rpartition(b"{}")
        if isinstance(records, CompressedRecords):
            block: bytes | bytearray = b"".join(
                [part for line in records.lines for part in (start, line, end)]
            )
        else:
            # To encode lines and join them took half as long again. A signal may end this loop, so
            # that what is kept grows by whole lines, in one step.
            block = bytearray()
            for record in records:
                block += start
                encoder.encode_into(record, block, -1)
                block += end
        self._lines += block
        if len(self._lines) >= BUFFER:
            self.flush()

    def flush(self) -> None:
        """Write the current block; raise ``SystemExit`` if a signal asked the tap to end meanwhile."""
        self.busy = True
        try:
            write_whole(self._lines)
            self._lines.clear()
        finally:
            self.busy = False
        if self.exit_code is not None:
            raise SystemExit(self.exit_code)


def check_reader() -> None:
    """Raise a ``BrokenPipeError`` if nobody reads the tap's output any more."""
    if not hasattr(select, "poll"):
        return
    try:
        output = sys.stdout.fileno()
    except (io.UnsupportedOperation, ValueError):
        return
    poller = select.poll()
    poller.register(output, 0)
    if any(event & select.POLLERR for _, event in poller.poll(0)):
        raise BrokenPipeError
