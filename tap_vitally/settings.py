"""The tap's settings as people meet them: one JSON schema, for checking, ``--about`` and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tap_vitally.streams import INVENTORIED
from tap_vitally.sync.lookups import CRITERIA, INSTANCES, LOOKUPS
from vitally_api import CONNECTION_SETTINGS

TEN_YEARS = 315_360_000


def _setting(kind: str, title: str, description: str, **more: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], "title": title, "description": description, **more}


def _list(*, of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": of}


TEXT = {"type": ["string"]}

_READING: dict[str, dict[str, Any]] = {
    "start_date": _setting(
        "string",
        "Start date",
        "Only records updated at or after this moment are read.",
        format="date-time",
    ),
    "account_status": _setting(
        "string",
        "Account status",
        "Which accounts are read.",
        enum=["active", "churned", "activeOrChurned"],
        default="activeOrChurned",
    ),
    "include_archived": _setting(
        "boolean",
        "Include archived",
        "Also read archived (soft-deleted) records; their archivedAt is set.",
        default=True,
    ),
    "survey_ids": {
        **_list(of=TEXT),
        "title": "Survey ids",
        "description": (
            "Custom surveys to read, by the id in the survey's browser address: the API has "
            "no list of surveys."
        ),
    },
    "page_size": _setting(
        "integer", "Page size", "Records per request.", minimum=1, maximum=100, default=100
    ),
    "lookback_seconds": _setting(
        "integer",
        "Lookback",
        (
            "How far behind the bookmark each run starts reading, in seconds; it never "
            "changes the bookmark."
        ),
        minimum=0,
        maximum=TEN_YEARS,
        default=300,
    ),
    "full_walk_days": _setting(
        "integer",
        "Full walk days",
        (
            "Days after which streams below accounts and organizations read the lists of all of them "
            "again; in between, only of those that a change points at. 0: in every run."
        ),
        minimum=0,
        maximum=3650,
        default=7,
    ),
    "full_read_hours": _setting(
        "integer",
        "Full read hours",
        (
            "Hours after which accounts and organizations are read whole again, since health scores "
            "and counts move without updatedAt. 0: never."
        ),
        minimum=0,
        maximum=87_600,
        default=24,
    ),
}
_MORE: dict[str, dict[str, Any]] = {
    "fail_on_skipped": _setting(
        "boolean",
        "Fail on skipped",
        "Fail at the end of a run that had to skip a resource or a record.",
        default=False,
    ),
    "embedded_objects": _setting(
        "string",
        "Embedded objects",
        (
            "reference cuts accounts, organizations and users that are embedded in other "
            "records down to id, externalId and name; none leaves them out. Their ids stay."
        ),
        enum=["full", "reference", "none"],
        default="full",
    ),
    "trait_columns": _setting(
        "boolean",
        "Trait columns",
        (
            "A typed column for each custom field, beside traits, which stays; discovery then "
            "needs the key."
        ),
        default=False,
    ),
    "custom_object_streams": _setting(
        "boolean",
        "Custom object streams",
        (
            "One stream per custom object in place of custom_object_instances; discovery then "
            "needs the key."
        ),
        default=False,
    ),
    "lookups": {
        "type": ["object", "null"],
        "properties": {
            **{
                name: {
                    **_list(of=TEXT),
                    "description": f"{lookup.takes} of records for the stream {lookup.stream}.",
                }
                for name, lookup in LOOKUPS.items()
            },
            INSTANCES: {
                **_list(of={"type": "object", "additionalProperties": TEXT}),
                "description": f"Objects of customObjectId and one of {', '.join(CRITERIA)}.",
            },
        },
        "title": "Look-ups",
        "description": (
            "Read exactly these records, by stream or search, and move no bookmark; see the README."
        ),
    },
    "inventory_resources": {
        **_list(of={**TEXT, "enum": list(INVENTORIED)}),
        "title": "Inventory resources",
        "description": "Streams whose existing ids the stream inventory lists.",
    },
}

_ADDRESS = ("api_key", "data_center", "subdomain", "api_url")
_PACE = ("concurrency", "max_requests_per_minute", "request_timeout")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{name: CONNECTION_SETTINGS[name] for name in _ADDRESS},
        **_READING,
        **{name: CONNECTION_SETTINGS[name] for name in _PACE},
        **_MORE,
        "user_agent": CONNECTION_SETTINGS["user_agent"],
    },
    "required": ["api_key"],
}

BATCHES = (
    "batch_config is set, so that records go into files: of the targets that were tried, only "
    "meltanolabs-target-postgres, meltanolabs-target-csv and target-universal-file load them, and "
    "target-s3-jsonl and target-sqlite end with exit code 0 and without a row. Nobody deletes the files."
)
NO_ACTIVATE_VERSION = (
    "emit_activate_version_messages is not offered: it makes targets delete what a run did not "
    "bring, and no run brings everything. Leave it out"
)
