"""The JSON schema of the tap's settings, with the names of look-ups and streams that it takes."""

from __future__ import annotations

from typing import Any

from tap_vitally.streams import INVENTORIED
from tap_vitally.sync.lookups import CRITERIA, INSTANCES, LOOKUPS
from tap_vitally.sync.settings import Settings
from vitally_api.settings import schema_of

TEXT = {"type": ["string"]}


def _list(of: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": of, "description": description}


SCHEMA = schema_of(Settings)
SCHEMA["properties"]["lookups"]["properties"] = {
    **{
        name: _list(TEXT, f"{lookup.takes} of records for the stream {lookup.stream}.")
        for name, lookup in LOOKUPS.items()
    },
    INSTANCES: _list(
        {"type": "object", "additionalProperties": TEXT},
        f"Objects of customObjectId and one of {', '.join(CRITERIA)}.",
    ),
}
SCHEMA["properties"]["inventory_resources"]["items"] = {**TEXT, "enum": list(INVENTORIED)}
# The form is checked by `tap_vitally.custom`, which names entry and key and shows no value.
SCHEMA["properties"]["custom_streams"]["items"] = {}

BATCHES = (
    "batch_config is set, so that records go into files: of the targets that were tried, only "
    "meltanolabs-target-postgres, meltanolabs-target-csv and target-universal-file load them, and "
    "target-s3-jsonl and target-sqlite end with exit code 0 and without a row. Nobody deletes the files."
)
NO_ACTIVATE_VERSION = (
    "emit_activate_version_messages is not offered: it makes targets delete what a run did not "
    "bring, and no run brings everything. Leave it out"
)
