"""What an entry of ``custom_streams`` may hold, as a JSON schema; its descriptions are what mistakes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator

from tap_vitally.custom.templates import MOMENTS, NAME

HEADER = r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z"
SET_BY_THE_TAP = (
    "authorization", "proxy-authorization", "host", "content-length", "cookie", "connection",
    "transfer-encoding", "accept-encoding",
)  # fmt: skip
"""Headers that would change the key, the host or how a body is sent."""


def _takes(what: str, kind: str | list[str] = "string", **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": f"it takes {what}", **more}


def _map(what: str, value: Mapping[str, Any], names: str = r"\A.+\Z") -> dict[str, Any]:
    message = f"it takes {what}"
    return _takes(
        what,
        "object",
        additionalProperties=value,
        propertyNames={"pattern": names, "description": message},
    )


JSON_PATH = _takes("a JSONPath that begins with $, such as $.data[*]", pattern=r"\A\$")
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
        ),
        "params": _map(
            "an object of text, numbers, true or false",
            _takes("text, a number, true or false", ["string", "number", "boolean"]),
        ),
        "date_format": _takes("iso, epoch, epoch_ms or a pattern such as %Y-%m-%d"),
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
        "cursor": {
            "description": "it takes false, or an object of response and param",
            "anyOf": [
                {"const": False},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"response": JSON_PATH, "param": _takes("a name", minLength=1)},
                },
            ],
        },
        "values": _map(
            "an object of names and their values; the names are not now, start_date or bookmark",
            {
                "description": "it takes a list of values, or an object of file and column",
                "anyOf": [
                    {"type": "array", "minItems": 1, "items": SCALAR},
                    {
                        "type": "object",
                        "required": ["file", "column"],
                        "additionalProperties": False,
                        "properties": {"file": _takes("a path"), "column": _takes("a name")},
                    },
                ],
            },
            rf"\A(?!({'|'.join(MOMENTS)})\Z){NAME.pattern}\Z",
        ),
        "schema": _takes(
            "a JSON schema with properties",
            ["object", "null"],
            required=["properties"],
            properties={"properties": {"type": "object"}},
        ),
    },
}
_validator = Draft7Validator(ENTRY)


def mistakes_in(entry: Any) -> Iterator[tuple[str, str]]:
    """Find what is wrong with the form of an entry: the key, with dots, and what it takes.

    No message holds a value: that of a header is a secret.
    """
    for error in _validator.iter_errors(entry):
        key = ".".join(str(part)[:60] for part in error.absolute_path)
        if error.validator == "additionalProperties" and not error.absolute_path:
            for name in sorted(set(map(str, entry)) - set(ENTRY["properties"])):
                yield name[:60], f"there is no such key: it takes {', '.join(ENTRY['properties'])}"
        elif error.validator == "required" and not error.absolute_path:
            for name in ENTRY["required"]:
                if name not in entry:
                    yield name, f"it is missing: {ENTRY['properties'][name]['description']}"
        else:
            schema: Any = error.schema
            top = ENTRY["properties"].get(key.partition(".")[0], ENTRY)
            yield key, schema.get("description") or top["description"]
