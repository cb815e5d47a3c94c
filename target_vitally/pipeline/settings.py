"""What the writer goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from target_vitally.mapping.entries import Mode
from target_vitally.mapping.parse_row import Nulls
from vitally_api import SettingsError

PROTECTED = ("hspot.*", "sfdc.*", "stripe.*", "zendesk.*")
"""Traits that an integration writes over again."""
LOAD_METHODS: Mapping[str, Mode] = {"append-only": "create", "upsert": "upsert"}
OVERWRITE = (
    "load_method is overwrite, which would delete what the input does not have: use upsert, and mark "
    "rows to delete (see the setting deletes)"
)


@dataclass(frozen=True)
class Settings:
    """The settings of a run; their meaning is told where they are declared."""

    streams: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = "upsert"
    dry_run: bool = False
    nulls: Nulls = "omit"
    only_changed: bool = True
    deletes: bool = False
    max_deletes: int = 100
    delete_custom_objects: bool = False
    on_reject: Literal["hold", "continue", "stop"] = "hold"
    max_rejects: int = 0
    rejects_file: str = ""
    results_file: str = ""
    protected_traits: tuple[str, ...] = PROTECTED
    batch_size_rows: int = 10_000
    plan_limit: int = 20
    concurrency: int = 8

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read the settings; a `SettingsError` is raised for a way to load that is none here."""
        given = {name: value for name, value in config.items() if value is not None}
        method = given.get("load_method")
        if method == "overwrite":
            raise SettingsError([OVERWRITE])
        mode = given.get("mode") or LOAD_METHODS.get(str(method), "upsert")
        protected = given.get("protected_traits")
        usual = cls()
        return cls(
            streams=given.get("streams") or {},
            mode=cast("Mode", mode),
            dry_run=bool(given.get("dry_run")),
            nulls=given.get("nulls", "omit"),
            only_changed=given.get("only_changed", True),
            deletes=given.get("deletes", "ignore") == "delete",
            max_deletes=int(given.get("max_deletes", usual.max_deletes)),
            delete_custom_objects=bool(given.get("delete_custom_objects")),
            on_reject=given.get("on_reject", "hold"),
            max_rejects=int(given.get("max_rejects", 0)),
            rejects_file=str(given.get("rejects_file", "")),
            results_file=str(given.get("results_file", "")),
            protected_traits=PROTECTED if protected is None else tuple(protected),
            batch_size_rows=int(given.get("batch_size_rows", usual.batch_size_rows)),
            plan_limit=int(given.get("plan_limit", usual.plan_limit)),
            concurrency=int(given.get("concurrency", usual.concurrency)),
        )
