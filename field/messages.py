"""What a tap has written: its schemas, the newest record of each key, the newest STATE."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Final

from field.programs import Row

Key = tuple[str, ...]
exact: Final = partial(json.loads, parse_float=Decimal)
"""Decode JSON and keep every digit of a number."""


@dataclass
class Written:
    """The messages of one run of a tap, or of several after each other."""

    schemas: dict[str, Row] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    records: dict[str, dict[Key, Row]] = field(default_factory=dict)
    state: Row | None = None
    rows: int = 0

    def add(self, lines: Iterable[str | bytes]) -> Written:
        """Add messages, a line each, and return the same object."""
        for line in lines:
            message = exact(line)
            stream = message.get("stream", "")
            match message["type"]:
                case "SCHEMA":
                    self.schemas[stream] = message["schema"]["properties"]
                    self.keys[stream] = tuple(message["key_properties"])
                    self.records.setdefault(stream, {})
                case "RECORD":
                    record = message["record"]
                    self.records[stream][self.key(stream, record)] = record
                    self.rows += 1
                case "STATE":
                    self.state = message["value"]
        return self

    def key(self, stream: str, record: Row) -> Key:
        """Return the key of a record, as text; all of it where the stream has none."""
        if not self.keys[stream]:
            return (str(record),)
        return tuple(str(record.get(name)) for name in self.keys[stream])

    @property
    def total(self) -> int:
        """How many keys there are."""
        return sum(map(len, self.records.values()))


def kind(declared: Row) -> str:
    """Return the format of a property, or else its type."""
    types = declared.get("type", "string")
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return str(declared.get("format") or names[0])
