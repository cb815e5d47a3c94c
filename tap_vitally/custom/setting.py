"""The JSON schema of an entry of ``custom_streams``; its descriptions are the error messages."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from singer_sdk.helpers.jsonpath import extract_jsonpath

from tap_vitally.custom.templates import MOMENTS, NAME, Template

HEADER = r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z"
SET_BY_THE_TAP = (
    "authorization", "proxy-authorization", "host", "content-length", "cookie", "connection",
    "transfer-encoding", "accept-encoding",
)  # fmt: skip
"""Headers that an entry may not set: they change the key, the host, or how a body is sent."""
DOTS = {".", ".."}
"""Segments of a path that an HTTP client resolves, so that it would request another address."""


def _takes(what: str, kind: str | list[str] = "string", **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": f"it takes {what}", **more}


def _map(what: str, value: Mapping[str, Any], names: str = r"\A.+\Z") -> dict[str, Any]:
    names_too = {"pattern": names, "description": f"it takes {what}"}
    return _takes(what, "object", additionalProperties=value, propertyNames=names_too)


JSON_PATH = _takes("a JSONPath that begins with $, such as $.data[*]", format="json path")
SCALAR = _takes("text or a number, and nothing empty", ["string", "number"], pattern=r"\S")

ENTRY: dict[str, Any] = {
    "type": "object",
    "description": "it takes an object",
    "required": ["name", "path"],
    "additionalProperties": False,
    "properties": {
        "name": _takes(
            "a name in lower case, such as account_subscriptions", pattern=r"\A[a-z][a-z0-9_]*\Z"
        ),
        "path": _takes(
            "a path below /resources that begins with /; a query belongs into params",
            pattern=r"\A/(?!/)[^?#\\\s]*\Z",
            format="template",
        ),
        "params": _map(
            "an object of text, numbers, true or false",
            _takes(
                "text, a number, true or false", ["string", "number", "boolean"], format="template"
            ),
        ),
        "date_format": _takes(
            "iso, epoch, epoch_ms or a pattern such as %Y-%m-%d", format="date format"
        ),
        "records_path": JSON_PATH,
        "metadata": _map("an object of columns and JSONPaths", JSON_PATH, rf"\A{NAME.pattern}\Z"),
        "headers": _map(
            "an object of headers that the tap does not set itself",
            _takes("text in ASCII without a line break", pattern=r"\A[!-~]([ -~]*[!-~])?\Z"),
            rf"(?i)\A(?!({'|'.join(SET_BY_THE_TAP)})\Z){HEADER[2:]}",
        ),
        "primary_keys": _takes(
            "a list of properties, each once; [] for none",
            "array",
            items=_takes("the name of a property", minLength=1),
            uniqueItems=True,
        ),
        "replication_key": _takes("the name of a property", ["string", "null"], minLength=1),
        "order": _takes("newest_first or unknown", enum=["newest_first", "unknown"]),
        "cursor": _takes(
            "false, or an object of response and param",
            ["boolean", "object"],
            **{"not": {"const": True}},
            properties={"response": JSON_PATH, "param": _takes("a name", minLength=1)},
            additionalProperties=False,
        ),
        "values": _map(
            "an object of names and their values; the names are not now, start_date or bookmark",
            _takes(
                "a list of values, or an object of file and column",
                ["array", "object"],
                minItems=1,
                items=SCALAR,
                required=["file", "column"],
                properties={"file": _takes("a path"), "column": _takes("a name")},
                additionalProperties=False,
                format="values",
            ),
            rf"\A(?!({'|'.join(MOMENTS)})\Z){NAME.pattern}\Z",
        ),
        "schema": _takes(
            "a JSON schema with properties",
            ["object", "null"],
            required=["properties"],
            properties={"properties": {"type": "object"}},
            format="json schema",
        ),
    },
}
_formats = FormatChecker(formats=())
_validator = Draft7Validator(ENTRY, format_checker=_formats)

Mistake = tuple[tuple[str, ...], str]
"""The path of a key in an entry, and a message."""


def mistakes_in(entry: Any) -> Iterator[Mistake]:
    """Yield the mistakes in an entry; no message contains a value, since headers may be secret."""
    for error in _validator.iter_errors(entry):
        path = tuple(str(part)[:60] for part in error.absolute_path)
        if error.validator == "additionalProperties" and not path:
            for name in sorted(set(map(str, entry)) - set(ENTRY["properties"])):
                yield (
                    (name[:60],),
                    f"there is no such key: it takes {', '.join(ENTRY['properties'])}",
                )
        elif error.validator == "required" and not path:
            for name in ENTRY["required"]:
                if name not in entry:
                    yield (name,), f"it is missing: {ENTRY['properties'][name]['description']}"
        else:
            schema: Any = error.schema
            top = ENTRY["properties"].get(path[0], ENTRY) if path else ENTRY
            yield path, str(error.cause or schema.get("description") or top["description"])


def text_of(value: Any) -> str:
    """Return the text of a parameter for a query, booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def values_of(given: Any) -> tuple[str, ...]:
    """Return the values of a list, or of a column of a CSV file; raise a `ValueError` if there are none."""
    if not isinstance(given, dict):
        return tuple(dict.fromkeys(map(str, given)))
    try:
        with Path(given["file"]).open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if given["column"] not in (rows.fieldnames or ()):
                raise ValueError("the file has no column of this name in its first line")
            texts = ((row[given["column"]] or "").strip() for row in rows)
            found = tuple(dict.fromkeys(filter(None, texts)))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ValueError("the file cannot be read as CSV in UTF-8") from None
    if not found:
        raise ValueError("the column of the file holds no value")
    return found


# Each returns True, False for what the description says, or raises a `ValueError` that says more. Values
# of another type are found by their type.


@_formats.checks("template", raises=ValueError)
def _is_template(value: Any) -> bool:
    return not isinstance(value, str) or Template(value).placeholders is not None


@_formats.checks("date format")
def _is_date_format(value: Any) -> bool:
    try:
        written = datetime(2026, 1, 31, tzinfo=UTC).strftime(str(value))
    except ValueError:
        return False
    is_pattern = "%" in str(value) and bool(written) and "%" not in written
    return is_pattern or value in ("iso", "epoch", "epoch_ms")


@_formats.checks("json path")
def _is_json_path(value: Any) -> bool:
    try:
        list(extract_jsonpath(value, {}))
    except Exception:  # noqa: BLE001 - whatever the parsers below the SDK raise
        return False
    return str(value).startswith("$")


@_formats.checks("values", raises=ValueError)
def _are_segments(value: Any) -> bool:
    right = isinstance(value, list)
    if isinstance(value, dict):
        right = all(isinstance(value.get(name), str) for name in ("file", "column"))
    if right and DOTS & set(values_of(value)):
        raise ValueError(". and .. cannot be part of an address")
    return True


@_formats.checks("json schema", raises=ValueError)
def _is_json_schema(value: Any) -> bool:
    try:
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            Draft7Validator.check_schema(value)
    except SchemaError:
        raise ValueError("it is no JSON schema (Draft 7)") from None
    return True
