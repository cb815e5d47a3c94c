"""The properties of records as JSON schemas, and what ``streams.ini`` declares.

Free-form values keep whatever keys the workspace has: traits and embedded records differ from one
workspace to the next, so no member of them is declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

from tap_vitally.sync.coerce import COLUMN

Schema = dict[str, Any]

TYPES: dict[str, Schema] = {
    "text": {"type": "string"},
    "moment": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": ["string"]}},
    # Without ``properties``: flattening would put its declared members in place of the column, and as
    # there are none, the column would be gone.
    "object": {"type": "object", "additionalProperties": True},
    # With empty ``properties``: recursive type conformance fails on items without it.
    "objects": {
        "type": "array",
        "items": {"type": "object", "properties": {}, "additionalProperties": True},
    },
}
ABOUT, READ_WHOLE = "(about)", "(read whole)"

_streams = ConfigParser(delimiters="=", allow_no_value=True, interpolation=None)
_streams.optionxform = str  # type: ignore[assignment, method-assign]
_streams.read(Path(__file__).with_name("streams.ini"), encoding="utf-8")


def declared_here() -> dict[str, dict[str, Any]]:
    """Return the attributes of the streams that need no class of their own, by name."""
    return {
        name: {
            "name": name,
            "__doc__": entry[ABOUT].replace("\n", "\n\n", 1),
            "schema": record(name),
            "replication_key": None if READ_WHOLE in entry else "updatedAt",
        }
        for name, entry in _streams.items()
        if ABOUT in entry
    }


def record(stream: str, **keys: str) -> Schema:
    """Return the schema of a stream's records, behind further ``keys`` with their descriptions.

    A ``TypeError`` says what is missing in the file.
    """
    columns = {name: field("key", text) for name, text in keys.items()}
    try:
        for name, declared in _streams[stream].items():
            if name in {ABOUT, READ_WHOLE}:
                continue
            kind, _, text = (declared or _streams["shared"][name]).partition(": ")
            columns[name] = field(kind, text)
    except KeyError as missing:
        msg = f"[{stream}] in streams.ini: {missing} is not there, or is no type"
        raise TypeError(msg) from None
    return record_of(columns, [name for name, how in columns.items() if "null" not in how["type"]])


def record_of(columns: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    """Return the schema of a record, with a column for what the API sends beyond the others.

    It has no ``$schema``, which some targets do not expect.
    """
    beyond = "What the API sent beyond the columns, by name; null where there is nothing."
    return {
        "type": "object",
        "properties": {**columns, COLUMN: field("object", beyond)},
        "required": list(required),
        "additionalProperties": True,
    }


def field(kind: str, description: str) -> Schema:
    """Return the JSON schema of a property; all but a ``key``, or a ``key day``, may be null."""
    required = kind.startswith("key")
    declared = TYPES[(kind.removeprefix("key") if required else kind).strip() or "text"]
    type_ = [declared["type"]] if required else [declared["type"], "null"]
    return {**declared, "type": type_, "description": description}
