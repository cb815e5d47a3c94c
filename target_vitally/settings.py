"""The target's settings as people meet them: one JSON schema, for checking, ``--about`` and the docs."""

from __future__ import annotations

from typing import Any

from target_vitally.mapping.entries import LINKS, MODES, UNKNOWN
from target_vitally.pipeline.settings import PROTECTED
from vitally_api import CONNECTION_SETTINGS


def _setting(kind: str, title: str, description: str, **more: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], "title": title, "description": description, **more}


_ENTRY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "resource": {"type": "string"},
        "mode": {"type": "string", "enum": list(MODES)},
        "match": {"type": "string"},
        "properties": {
            "type": "object",
            "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
        },
        "traits": {"type": ["object", "string"]},
        "unknown": {"type": "string", "enum": list(UNKNOWN)},
        "custom_object": {"type": "string"},
        "links": {"type": "string", "enum": list(LINKS)},
        "deleted": {"type": "string"},
        "copy": {"type": "boolean"},
    },
}

_WRITING: dict[str, dict[str, Any]] = {
    "streams": {
        "type": ["object", "null"],
        "title": "Streams",
        "description": (
            "What incoming streams mean, by their names: resource, mode, match, properties, traits, "
            "unknown, custom_object, links, deleted, copy. A stream named like a resource needs no entry."
        ),
        "additionalProperties": _ENTRY,
    },
    "mode": _setting(
        "string",
        "Mode",
        "What is done with the rows of streams that say nothing else; upsert if nothing is set.",
        enum=list(MODES),
    ),
    "load_method": _setting(
        "string",
        "Load method",
        "Meltano's name for mode: append-only is create, upsert is upsert, overwrite is refused.",
        enum=["append-only", "upsert", "overwrite"],
    ),
    "dry_run": _setting(
        "boolean",
        "Dry run",
        "Ask and compare as a real run does, write nothing, and show the plan.",
        default=False,
    ),
    "nulls": _setting(
        "string",
        "Nulls",
        "omit: a null says nothing; clear: a null empties the property or trait.",
        enum=["omit", "clear"],
        default="omit",
    ),
    "only_changed": _setting(
        "boolean",
        "Only changed",
        "Send only what Vitally does not hold already; false sends every row.",
        default=True,
    ),
    "deletes": _setting(
        "string",
        "Deletes",
        (
            "delete: rows with _sdc_deleted_at, with _deleted: true or of a stream in mode delete are "
            "deleted in Vitally; ignore: they are not."
        ),
        enum=["ignore", "delete"],
        default="ignore",
    ),
    "max_deletes": _setting(
        "integer",
        "Most deletes",
        "Records that a run may delete; if there are more, none is.",
        minimum=0,
        default=100,
    ),
    "delete_custom_objects": _setting(
        "boolean",
        "Delete custom objects",
        "Also delete whole custom objects, with all that is in them.",
        default=False,
    ),
}
_ENDING: dict[str, dict[str, Any]] = {
    "on_reject": _setting(
        "string",
        "On reject",
        (
            "hold: STATE stays before the first rejected row and everything else is written; continue: "
            "STATE goes on; stop: the run ends at once."
        ),
        enum=["hold", "continue", "stop"],
        default="hold",
    ),
    "max_rejects": _setting(
        "integer",
        "Most rejects",
        "Rejected rows with which a run under on_reject continue still succeeds.",
        minimum=0,
        default=0,
    ),
    "rejects_file": _setting(
        "string",
        "Rejects file",
        "Where rejected rows go, as a Singer stream: mend it and feed it back with --input.",
    ),
    "results_file": _setting(
        "string",
        "Results file",
        "Where the outcome of each row goes, as JSON lines: stream, key, id, outcome, requests.",
    ),
    "protected_traits": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "title": "Protected traits",
        "default": list(PROTECTED),
        "description": "Patterns of traits that another system owns, and that are never written.",
    },
    "batch_size_rows": _setting(
        "integer",
        "Rows of a batch",
        "Rows of one resource that are compared at once.",
        minimum=1,
        default=10_000,
    ),
    "plan_limit": _setting(
        "integer",
        "Plan limit",
        "Differences that a dry run shows for each stream.",
        minimum=0,
        default=20,
    ),
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{
            name: CONNECTION_SETTINGS[name]
            for name in ("api_key", "data_center", "subdomain", "api_url")
        },
        **_WRITING,
        **_ENDING,
        **{
            name: CONNECTION_SETTINGS[name]
            for name in ("concurrency", "max_requests_per_minute", "request_timeout", "user_agent")
        },
    },
    "required": ["api_key"],
}
