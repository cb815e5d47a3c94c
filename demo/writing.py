"""The way back: what the warehouse has worked out becomes a trait in Vitally."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from demo.processes import ROOT, DemoError, Row, Vitally, logged, short

STREAM: Final = "last_touches"
TRAIT: Final = "days_since_last_touch"
QUERY: Final = f"""
SELECT account_id, {TRAIT}
FROM dbt_vitally.vitally__account_enhanced
WHERE NOT is_churned AND {TRAIT} IS NOT NULL
"""  # noqa: S608 - a constant
EVENTS: Final = "touches"
EVENT: Final = "Last touch"
EVENTS_QUERY: Final = """
SELECT accounts.externalid, strftime(enhanced.last_touch_at, '%Y-%m-%dT%H:%M:%SZ'), enhanced.last_touch_type
FROM dbt_vitally.vitally__account_enhanced AS enhanced
INNER JOIN accounts ON enhanced.account_id = accounts.id
WHERE enhanced.last_touch_at IS NOT NULL AND accounts.externalid IS NOT NULL
"""
STREAMS: Final = {
    STREAM: {
        "resource": "accounts",
        "match": "id",
        "properties": {"id": "account_id"},
        "traits": {TRAIT: TRAIT},
    },
    EVENTS: {"resource": "events", "event": EVENT, "event_properties": {"kind": "kind"}},
}
SETTINGS: Final = {"TARGET_VITALLY_STREAMS": json.dumps(STREAMS), "TARGET_VITALLY_PLAN_LIMIT": "3"}


@dataclass(frozen=True)
class Written:
    """What a run of the target came to."""

    summary: str
    outcomes: Mapping[str, str]
    """The outcome of each row, by its key."""
    writes: int
    """How many requests to write reached the sandbox."""

    @property
    def counts(self) -> dict[str, int]:
        """How many rows had each outcome."""
        return dict(Counter(self.outcomes.values()))


def work_out(database: Path, file: Path) -> dict[str, int]:
    """Put the query and leave its rows as a Singer stream in a file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows: list[tuple[str, int]] = connection.execute(QUERY).fetchall()
    if not rows:
        msg = "the query for the days since the last touch found nothing"
        raise DemoError(msg)
    lines = map(json.dumps, _messages(rows))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return dict(rows)


def work_out_events(database: Path, file: Path) -> int:
    """Leave the last touch of each account as an event in a file; return how many these are."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows: list[tuple[str, str, str]] = connection.execute(EVENTS_QUERY).fetchall()
    names = ("accountExternalId", "timestamp", "kind")
    about = {"properties": {name: {"type": "string"} for name in names}}
    messages: list[Row] = [
        {"type": "SCHEMA", "stream": EVENTS, "key_properties": [], "schema": about}
    ]
    messages += [
        {"type": "RECORD", "stream": EVENTS, "record": dict(zip(names, row, strict=True))}
        for row in sorted(rows)
    ]
    file.write_text("".join(f"{json.dumps(each)}\n" for each in messages), encoding="utf-8")
    return len(rows)


def _messages(rows: Sequence[tuple[str, int]]) -> Iterator[Row]:
    columns = {"account_id": {"type": "string"}, TRAIT: {"type": "integer"}}
    yield {
        "type": "SCHEMA",
        "stream": STREAM,
        "key_properties": ["account_id"],
        "schema": {"type": "object", "properties": columns},
    }
    for account, days in sorted(rows):
        yield {"type": "RECORD", "stream": STREAM, "record": {"account_id": account, TRAIT: days}}
    yield {"type": "STATE", "value": {"done": len(rows)}}


def write(vitally: Vitally, file: Path, folder: Path, log: Path, *, dry_run: bool) -> Written:
    """Run the target over the file, or show its plan."""
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    others = ("TARGET_VITALLY_",)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(others)},
        **SETTINGS,
        "TARGET_VITALLY_API_KEY": "sandbox",
        "TARGET_VITALLY_API_URL": vitally.url,
        "TARGET_VITALLY_ANALYTICS_API_KEY": "sandbox-analytics",
        "TARGET_VITALLY_ANALYTICS_URL": vitally.url,
        "TARGET_VITALLY_RESULTS_FILE": str(results),
        "TARGET_VITALLY_DRY_RUN": str(dry_run).lower(),
    }
    program = str(Path(sys.executable).with_name("target-vitally"))
    vitally.requests_made()
    command = [program, "--config=ENV", "--input", str(file)]
    code, said = logged(command, log, cwd=ROOT, env=environment)
    if code:
        msg = f"target-vitally ended with exit code {code}; all it said is in {short(log)}"
        raise DemoError(msg)
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    printed = [line for line in said.splitlines() if not re.match(r"\d{4}-|\{", line)]
    outcomes = {line["key"] or str(line["row"]): line["outcome"] for line in lines}
    return Written("\n".join(f"  {line}" for line in printed), outcomes, vitally.writes_made())


def check(plan: Written, first: Written, again: Written, wanted: Mapping[str, int]) -> None:
    """Hold the three runs against each other: a plan that is kept, and then nothing to do."""
    problems = {
        "the plan names other rows than the query": plan.outcomes.keys() != wanted.keys(),
        "the plan has nothing to do": set(plan.counts) != {"updated"},
        "the plan was written": plan.writes != 0,
        "the run did other things than the plan": first.outcomes != plan.outcomes,
        "the run sent more than one request for a row": first.writes != len(wanted),
        "there was something left to do": again.counts != {"unchanged": len(wanted)},
        "nothing was left to do, and something was written": again.writes != 0,
    }
    for problem, found in problems.items():
        if found:
            raise DemoError(problem)


def check_events(vitally: Vitally, runs: Sequence[Written], wanted: int) -> None:
    """Make sure that each event is there once, however often it was pushed."""
    problems = {
        "an event was not accepted": any(run.counts != {"accepted": wanted} for run in runs),
        "the events are not there once": vitally.events_tracked() != wanted,
    }
    for problem, found in problems.items():
        if found:
            raise DemoError(problem)


def check_read_back(database: Path, wanted: Mapping[str, int]) -> None:
    """Compare every value with what the tap has read back."""
    query = f"SELECT id, traits->>'{TRAIT}' FROM accounts"  # noqa: S608 - a constant
    with duckdb.connect(str(database), read_only=True) as connection:
        rows: list[tuple[str, Any]] = connection.execute(query).fetchall()
    found = {key: int(days) for key, days in rows if days is not None}
    wrong = sum(found.get(key) != wanted.get(key) for key in found | dict(wanted))
    if wrong:
        msg = f"{wrong} accounts were read back with another {TRAIT} than was written"
        raise DemoError(msg)
