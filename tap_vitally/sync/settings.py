"""The tap's settings: what a person writes, checked and made usable once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from vitally_api import SettingsError
from vitally_api.settings import ConnectionSettings, setting
from vitally_api.values import parse_moment

TEN_YEARS = 315_360_000


def _start_date(value: str) -> datetime | None:
    moment = parse_moment(value)
    if value and moment is None:
        msg = f"start_date is {value!r}, which is no date: write it as 2024-01-31T00:00:00Z"
        raise SettingsError([msg])
    return moment


@dataclass(frozen=True)
class Settings(ConnectionSettings):
    """The settings of a run of the tap."""

    start_date: datetime | None = setting(
        "Only records updated at or after this moment are read.", default=None, read=_start_date
    )
    account_status: Literal["active", "churned", "activeOrChurned"] = setting(
        "Which accounts are read.", default="activeOrChurned"
    )
    include_archived: bool = setting(
        "Also read archived (soft-deleted) records; their archivedAt is set.", default=True
    )
    survey_ids: tuple[str, ...] = setting(
        "Custom surveys to read, by the id in the survey's browser address: the API has "
        "no list of surveys.",
        default=(),
    )
    page_size: int = setting("Records per request.", default=100, minimum=1, maximum=100)
    lookback_seconds: int = setting(
        "How far behind the bookmark each run starts reading, in seconds; it never "
        "changes the bookmark.",
        title="Lookback",
        default=300,
        minimum=0,
        maximum=TEN_YEARS,
    )
    full_walk_days: int = setting(
        "Days after which streams below accounts and organizations read the lists of all of them "
        "again; in between, only of those that a change points at. 0: in every run.",
        default=7,
        minimum=0,
        maximum=3650,
    )
    full_read_hours: int = setting(
        "Hours after which accounts and organizations are read whole again, since health scores "
        "and counts move without updatedAt. 0: never.",
        default=24,
        minimum=0,
        maximum=87_600,
    )
    fail_on_skipped: bool = setting(
        "Fail at the end of a run that had to skip a resource or a record.", default=False
    )
    embedded_objects: Literal["full", "reference", "none"] = setting(
        "reference cuts accounts, organizations and users that are embedded in other "
        "records down to id, externalId and name; none leaves them out. Their ids stay.",
        default="full",
    )
    trait_columns: bool = setting(
        "A typed column for each custom field, beside traits, which stays; discovery then "
        "needs the key.",
        default=False,
    )
    custom_object_streams: bool = setting(
        "One stream per custom object in place of custom_object_instances; discovery then "
        "needs the key.",
        default=False,
    )
    lookups: Mapping[str, Any] = setting(
        "Read exactly these records, by stream or search, and move no bookmark; see the page on look-ups.",
        title="Look-ups",
        default={},
    )
    inventory_resources: tuple[str, ...] = setting(
        "Streams whose existing ids the stream inventory lists.", default=()
    )

    custom_streams: tuple[Any, ...] = setting(
        "Streams of your own for any endpoint below /resources, as a list of objects: see the page on "
        "custom streams.",
        default=(),
    )

    @property
    def lookback(self) -> timedelta:
        """The time before the bookmark at which a pass begins."""
        return timedelta(seconds=self.lookback_seconds)
