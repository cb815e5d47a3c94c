"""The operator's settings, checked and made usable once at the start.

`vitally_api.Endpoint` reads those of the connection; docs/settings.md says what each means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tap_vitally.state.instants import parse_instant
from vitally_api import SettingsError


@dataclass(frozen=True)
class Settings:
    """What the readers of a run go by; the defaults are those of the JSON schema."""

    account_status: str = "activeOrChurned"
    include_archived: bool = True
    start_date: datetime | None = None
    survey_ids: tuple[str, ...] = ()
    page_size: int = 100
    lookback: timedelta = timedelta(seconds=300)
    full_walk_days: int = 7
    full_read_hours: int = 24
    concurrency: int = 8
    fail_on_skipped: bool = False
    embedded_objects: str = "full"
    lookups: Mapping[str, Any] = field(default_factory=dict)
    inventory_resources: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Check a configuration that already fits its JSON schema; raise `SettingsError`."""
        given = {
            name: config[name]
            for name in (
                "account_status",
                "include_archived",
                "page_size",
                "full_walk_days",
                "full_read_hours",
                "concurrency",
                "fail_on_skipped",
                "embedded_objects",
                "lookups",
            )
            if config.get(name) is not None
        }
        if config.get("lookback_seconds") is not None:
            given["lookback"] = timedelta(seconds=config["lookback_seconds"])
        return cls(
            start_date=_start_date(config.get("start_date")),
            survey_ids=tuple(config.get("survey_ids") or ()),
            inventory_resources=tuple(config.get("inventory_resources") or ()),
            **given,
        )


def _start_date(value: Any) -> datetime | None:
    moment = parse_instant(value)
    if value and moment is None:
        msg = f"start_date is {value!r}, which is no date: write it as 2024-01-31T00:00:00Z"
        raise SettingsError([msg])
    return moment
