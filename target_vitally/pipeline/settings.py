"""The target's settings: what a person writes, checked and made usable once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from target_vitally.mapping.cap import Cap
from target_vitally.mapping.entries import ENTRY, Channel, Mode
from target_vitally.mapping.parse_row import Nulls
from vitally_api import SettingsError
from vitally_api.settings import ConnectionSettings, read_settings, schema_of, setting

LOAD_METHODS: Mapping[str, Mode] = {"append-only": "create", "upsert": "upsert"}
OVERWRITE = (
    "load_method is overwrite, which would delete what the input does not have: use upsert, and mark "
    "rows to delete (see the setting deletes)"
)
# Not "integer": the SDK would take "10%" in the environment for one.
CAP: dict[str, Any] = {"type": ["string", "number", "null"], "read": Cap.read}
MAX_DELETES = "100, 10%"
CAPS = ("max_creates", "max_updates", "max_deletes")
WRONG_CAP = "{} is neither a number of records (100), nor a share (10%), nor both (100, 10%)"


@dataclass(frozen=True)
class Settings(ConnectionSettings):
    """The settings of a run."""

    streams: Mapping[str, Any] = setting(
        "What incoming streams mean, by their names: resource, mode, match, properties, traits, "
        "unknown, custom_object, links, deleted, copy, first_push, channel, event, event_properties. A "
        "stream named like a resource needs no entry.",
        default={},
        additionalProperties=ENTRY,
    )
    mode: Mode = setting(
        "What is done with the rows of streams that say nothing else; upsert if nothing is set.",
        default="upsert",
        written=None,  # or else load_method would never count
    )
    load_method: Literal["", "append-only", "upsert", "overwrite"] = setting(
        "Meltano's name for mode: append-only is create, upsert is upsert, overwrite is refused.",
        default="",
        enum=["append-only", "upsert", "overwrite"],
    )
    dry_run: bool = setting(
        "Ask and compare as a real run does, write nothing, and show the plan.",
        default=False,
    )
    nulls: Nulls = setting(
        "omit: a null says nothing; clear: a null empties the property or trait.",
        default="omit",
    )
    only_changed: bool = setting(
        "Send only what Vitally does not hold already; false sends every row.",
        default=True,
    )
    deletes: bool = setting(
        "delete: rows with _sdc_deleted_at, with _deleted: true or of a stream in mode delete are "
        "deleted in Vitally; ignore: they are not.",
        default=False,
        type=["string", "null"],
        enum=["ignore", "delete"],
        written="ignore",
        read="delete".__eq__,
    )
    max_creates: Cap | None = setting(
        "Records that a run may create: a number, a share of those that Vitally holds (10%) or both "
        "(100, 10%: the smaller counts). If there would be more, none is created.",
        title="Most creates",
        default=None,
        **CAP,
    )
    max_updates: Cap | None = setting(
        "Records that a run may update, written like max_creates. If there would be more, none is.",
        title="Most updates",
        default=None,
        **CAP,
    )
    max_deletes: Cap = setting(
        "Records that a run may delete, and links that it may take away, written like max_creates. "
        "If there would be more, none is deleted.",
        title="Most deletes",
        default=Cap.read(MAX_DELETES),
        written=MAX_DELETES,
        **CAP,
    )
    first_push: bool = setting(
        "true: a stream may create more records than it finds in Vitally, as the first push of a table "
        "does. Without it such a stream creates none. Also in streams, for one of them.",
        default=False,
    )
    delete_custom_objects: bool = setting(
        "Also delete whole custom objects, with all that is in them.",
        default=False,
    )
    on_reject: Literal["hold", "continue", "stop"] = setting(
        "hold: STATE stays before the first rejected row and everything else is written; continue: "
        "STATE goes on; stop: the run ends at once.",
        default="hold",
    )
    max_rejects: int = setting(
        "Rejected rows with which a run under on_reject continue still succeeds.",
        title="Most rejects",
        default=0,
        minimum=0,
    )
    rejects_file: str = setting(
        "Where rejected rows go, as a Singer stream: mend it and feed it back with --input.",
        default="",
    )
    undo_file: str = setting(
        "Where what takes the run back goes, as a Singer stream: feed it back with --input.",
        default="",
    )
    results_file: str = setting(
        "Where the outcome of each row goes, as JSON lines: stream, key, id, outcome, requests.",
        default="",
    )
    protected_traits: tuple[str, ...] = setting(
        "Patterns of traits that another system owns, and that are never written.",
        default=("hspot.*", "sfdc.*", "stripe.*", "zendesk.*"),
        items={"type": "string"},
    )
    batch_size_rows: int = setting(
        "Rows of one resource that are compared at once.",
        title="Rows of a batch",
        default=10_000,
        minimum=1,
    )
    analytics_api_key: str = setting(
        "Token of the Analytics API, from Settings > Integrations > Vitally Analytics API. Needed for "
        "events, unlinks and channel bulk or auto only.",
        title="Analytics API key",
        default="",
        secret=True,
        writeOnly=True,
    )
    analytics_url: str = setting(
        "Address of the Analytics API without /analytics; in the us data center it follows from "
        "subdomain. https, or http to this machine.",
        title="Analytics API address",
        default="",
    )
    channel: Channel = setting(
        "rest: a request for each row that differs; bulk: a hundred rows a request through the "
        "Analytics API, which are then looked for; auto: bulk where a batch has more than bulk_from "
        "rows to write.",
        default="rest",
    )
    bulk_from: int = setting(
        "Rows of a batch to write up to which channel auto takes REST.",
        default=200,
        minimum=0,
    )
    verify_seconds: float = setting(
        "How long rows sent in bulk are looked for; 0: not at all, and their outcome is accepted.",
        title="Seconds to verify",
        default=300,
        minimum=0,
    )
    plan_limit: int = setting(
        "Records that a plan shows of each stream and action; the others are counted.",
        default=20,
        minimum=0,
    )
    plan_file: str = setting(
        "Where the plan of a dry run goes, or what a run did: plan.html, plan.csv or plan.jsonl.",
        default="",
    )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read a configuration that fits the JSON schema; raise `SettingsError` with all problems."""
        method = config.get("load_method")
        if method == "overwrite":
            raise SettingsError([OVERWRITE])
        given = {name: value for name, value in config.items() if name not in CAPS or value != ""}
        problems = [WRONG_CAP.format(name) for name in CAPS if not _is_cap(given.get(name))]
        if problems:
            raise SettingsError(problems)
        mode = config.get("mode") or LOAD_METHODS.get(str(method))
        return read_settings(cls, {**given, "mode": mode})

    @property
    def files(self) -> Mapping[str, str]:
        """The paths of the files that a run writes, by setting."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: path for name, path in named.items() if name.endswith("_file") and path}

    def only_looking(self) -> Settings:
        """Return settings for a dry run that writes nothing, neither to Vitally nor to files."""
        nothing: dict[str, Any] = dict.fromkeys(self.files, "")
        return replace(self, dry_run=True, **nothing)


def _is_cap(value: Any) -> bool:
    try:
        return value is None or bool(Cap.read(value))
    except ValueError:
        return False


SCHEMA = schema_of(Settings)
