"""What a warehouse should hold: the sandbox's truth, in the words in which the tap promises it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.support import Warehouse, plain, with_moments
from sandbox import STREAMS
from tap_vitally.streams import STREAMS as TAP_STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.support import Key, Row
    from sandbox import Entry, World

COLUMNS = {stream.name: list(stream.schema["properties"]) for stream in TAP_STREAMS}
Tables = dict[str, dict["Key", "Row"]]


def expected(world: World, stream: str) -> dict[Key, Row]:
    """The rows of one stream at this moment, as a target would read them."""
    expected_rows = {
        tuple(str(part) for part in key): row for key, row in world.expected_rows(stream).items()
    }
    if stream == "survey_responses":
        expected_rows = {key: _with_one_user(row) for key, row in expected_rows.items()}
    if stream == "account_health_scores":
        expected_rows = dict(
            _snapshot(world, row["accountId"], row["answer"]) for row in expected_rows.values()
        )
    return {
        key: plain(complete(stream, with_moments(_with_links(row))))
        for key, row in expected_rows.items()
    }


def complete(stream: str, row: Row) -> Row:
    """Every declared property in its order, and the others together: the promise of every record."""
    declared = COLUMNS[stream]
    others = {name: value for name, value in row.items() if name not in declared}
    others = {name: value for name, value in others.items() if value is not None}
    held = {name: value for name, value in row.items() if name in declared}
    return {**dict.fromkeys(declared), **held, "additionalProperties": others or None}


def all_expected(world: World) -> Tables:
    """The rows of all streams at this moment."""
    with world.lock:
        return {stream: expected(world, stream) for stream in STREAMS}


def _with_links(row: Row) -> Row:
    """The API sends copies of what a row is linked to; the tap promises the ids, too."""
    copies = {
        "accountIds": ("accounts", "customers"),
        "organizationIds": ("organizations",),
        "userIds": ("users",),
        "adminIds": ("admins",),
    }
    for name, places in copies.items():
        held = [copy["id"] for place in places for copy in row.get(place) or ()]
        if row.get(name) is None and any(place in row for place in places):
            row = {**row, name: list(dict.fromkeys(held))}
    return row


def _with_one_user(response: Row) -> Row:
    """The API spells a respondent in two ways; the tap promises one."""
    user = response.get("userId") or response.get("userID")
    return {name: value for name, value in response.items() if name != "userID"} | {"userId": user}


def _snapshot(world: World, account: str, answer: Any) -> tuple[Key, Row]:
    """A health score is dated by the server, and its parts are brought into one envelope."""
    now = world.clock.now()
    day = now.date().isoformat()
    row = {
        "accountId": account,
        "observedOn": day,
        "observedAt": now.replace(microsecond=0).isoformat(timespec="milliseconds")[:-6] + "Z",
        "breakdown": {"results": answer} if isinstance(answer, list) else answer,
    }
    return (account, day), row


def records_of(messages: Iterable[Row], stream: str) -> list[Row]:
    """The records of one stream among Singer messages."""
    return [
        message["record"]
        for message in messages
        if message["type"] == "RECORD" and message["stream"] == stream
    ]


def last_state(messages: Iterable[Row]) -> Row:
    """The last STATE among Singer messages."""
    states: list[Row] = [message["value"] for message in messages if message["type"] == "STATE"]
    return states[-1]


def loaded(*runs: Iterable[Row]) -> Warehouse:
    """What a warehouse holds after some runs."""
    warehouse = Warehouse()
    for messages in runs:
        warehouse.load(messages)
    return warehouse


def resource_of(entry: Entry) -> str:
    """The path of a request with the ids cut out: ``accounts/notes``."""
    parts = entry.path.removeprefix("/resources/").split("/")
    return "/".join(part for part in parts if not re.fullmatch("[0-9a-f-]{36}", part))
