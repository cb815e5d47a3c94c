"""What the page on coverage promises is there, and each trigger it names can be seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.support import ROOT, Row, Warehouse, catalog, config_for, run_in_process
from sandbox import Sandbox, World
from tap_vitally.sync.lookups import INSTANCES, LOOKUPS
from tap_vitally.tap import TapVitally
from vitally_api.values import parse_moment

PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
SETTINGS: Row = TapVitally.config_jsonschema["properties"]

CHANGES: dict[str, Callable[[World, str], Any]] = {
    "Created": lambda world, resource: world.create(resource, **NEW.get(resource, {})),
    "Updated": lambda world, resource: changed(world, resource, world.update),
    "Archived": lambda world, resource: changed(world, resource, world.archive),
    "Completed": lambda world, resource: world.complete(unlike(world, resource, "completedAt")),
    "Deactivated": lambda world, resource: world.deactivate(
        unlike(world, resource, "deactivatedAt")
    ),
}
"""How each kind of trigger is provoked."""

NEW: dict[str, Row] = {"tasks": {"completedAt": None}}
"""What a new row must not be, so that it is nothing but new."""

RESOURCES = {
    "Organization": "organizations",
    "Account": "accounts",
    "User": "users",
    "Note": "notes",
    "Project": "projects",
    "NPS Response": "npsResponses",
    "Task": "tasks",
}


@dataclass(frozen=True)
class Line:
    """A line of one of the page's tables."""

    name: str
    streams: list[str]
    last: str

    @property
    def codes(self) -> list[str]:
        """What is named in the last column."""
        return codes(self.last)


def codes(text: str) -> list[str]:
    """What is set as code in a text."""
    return re.findall(r"`([^`]+)`", text)


def table(title: str) -> list[Line]:
    """The table below a heading that starts so."""
    part = PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \| (.*?) \|(.*)\|$", part, re.MULTILINE)
    return [Line(name, codes(streams), last.strip()) for name, streams, last in rows[2:]]


ENDPOINTS = table("Endpoints")
ACTIONS = table("Reading actions")
TRIGGERS = table("Triggers")


def changed(world: World, resource: str, change: Callable[..., Any]) -> Any:
    """Change the row that was changed longest ago."""
    moments = {key: world.row(resource, key)["updatedAt"] for key in world.ids(resource)}
    return change(resource, min(moments, key=lambda key: moments[key] or "never"))


def unlike(world: World, resource: str, field: str) -> str:
    """The oldest row that has nothing in a field."""
    return next(key for key in world.ids(resource) if world.row(resource, key)[field] is None)


def test_the_tables_are_complete() -> None:
    assert (len(ENDPOINTS), len(ACTIONS), len(TRIGGERS)) == (42, 14, 18)
    for lines in (ENDPOINTS, ACTIONS, TRIGGERS):
        assert len({line.name for line in lines}) == len(lines)


def test_what_is_named_exists() -> None:
    entries = {entry["stream"]: entry["schema"]["properties"] for entry in catalog()["streams"]}
    properties = {f"{stream}.{name}" for stream, names in entries.items() for name in names}
    settings = {*SETTINGS, *(f"lookups.{key}" for key in SETTINGS["lookups"]["properties"])}
    lines = [*ENDPOINTS, *ACTIONS, *TRIGGERS]
    assert all(line.streams for line in lines)
    assert {name for line in lines for name in line.streams} <= {*entries, *properties}
    assert {name for line in [*ENDPOINTS, *ACTIONS] for name in line.codes} <= settings
    assert {f"{line.streams[0]}.{name}" for line in TRIGGERS for name in line.codes} <= properties


def test_every_stream_that_is_named_gives_its_records(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = start_sandbox(accounts=10)
    named = {name.partition(".")[0] for line in [*ENDPOINTS, *ACTIONS] for name in line.streams}
    warehouse = Warehouse()
    warehouse.load(run_in_process(config_for(sandbox.url), select=named))
    assert {name: len(rows) for name, rows in warehouse.tables.items()} == {
        name: len(sandbox.world.expected_rows(name)) for name in named
    }
    assert all(warehouse.tables.values())


def test_every_lookup_that_is_named_finds_its_record(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = start_sandbox(accounts=10)
    lines = [line for line in [*ENDPOINTS, *ACTIONS] if "lookups." in line.last]
    wanted = {
        key: next(
            row
            for row in sandbox.world.expected_rows(stream_of(key)).values()
            if asked_for(key, row)
        )
        for line in lines
        for key in (named.partition(".")[2] for named in line.codes)
    }
    assert wanted.keys() == {*LOOKUPS, INSTANCES}
    lookups = {key: [asked_for(key, row)] for key, row in wanted.items()}
    warehouse = Warehouse()
    warehouse.load(run_in_process(config_for(sandbox.url, lookups=lookups), select=streams(lines)))
    for key, row in wanted.items():
        found = warehouse.tables[stream_of(key)].values()
        identity = "accountId" if key == "account_health_scores" else "id"
        assert row[identity] in {record[identity] for record in found}, key


def streams(lines: Iterable[Line]) -> set[str]:
    return {name.partition(".")[0] for line in lines for name in line.streams}


def stream_of(key: str) -> str:
    return LOOKUPS[key].stream if key in LOOKUPS else key


def asked_for(key: str, row: Row) -> Any:
    """What a person who looks for a row has in hand."""
    if key == INSTANCES:
        return {"customObjectId": row["customObjectId"], "id": row["id"]}
    if key.endswith("_emails"):
        return row["email"]
    if key == "user_external_ids":
        return row["externalId"]
    return row["accountId"] if key == "account_health_scores" else row["id"]


def test_every_trigger_is_seen_by_its_rule(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox(accounts=20)
    world = sandbox.world
    select = {*streams(TRIGGERS), "vitally_sync_runs"}
    first = run_in_process(config_for(sandbox.url), select=select)
    warehouse = Warehouse()
    warehouse.load(first)
    account = next(iter(warehouse.tables["vitally_sync_runs"].values()))
    last_run = parse_moment(account["startedAt"])

    provoked: dict[str, set[str]] = {}
    for line in TRIGGERS:
        kind, _, event = line.name.rpartition(" ")
        row = CHANGES[event](world, RESOURCES[kind])
        provoked[line.name] = {row["id"]}
    for name, ids in provoked.items():
        # Whatever happens to a row that was there is an update of it, too.
        kind, _, event = name.rpartition(" ")
        if event not in {"Created", "Updated"}:
            provoked[f"{kind} Updated"] |= ids

    second = run_in_process(config_for(sandbox.url), select=select, state=warehouse.state)
    assert len(second) < len(first)
    seen = {
        line.name: {
            message["record"]["id"]
            for message in second
            if message["type"] == "RECORD"
            and message["stream"] == line.streams[0]
            and obeys(message["record"], line.last, last_run)
        }
        for line in TRIGGERS
    }
    assert seen == provoked


def obeys(record: Row, rule: str, last_run: Any) -> bool:
    """Apply a rule as the page writes it: `property` since, `property` before."""
    conditions = re.findall(r"`(\w+)` (since|before)", rule)
    assert conditions
    moments = {name: parse_moment(record[name]) for name, _ in conditions}
    return all(
        (moment := moments[name]) is not None and (moment >= last_run) == (when == "since")
        for name, when in conditions
    )
