"""What is measured of the Analytics API, case by case."""

from __future__ import annotations

import json
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.bench import Bench, Line, requests, said, wall
from benchmarks.contestants import CONCURRENCY
from benchmarks.processes import Output, Sandbox, Usage, run
from benchmarks.writing import PROGRAMS, TARGET, users, with_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sandbox-analytics"
WINDOW = 60
REST_LIMIT, ANALYTICS_LIMIT = 600, 300
"""Requests a window of the two APIs."""
PEOPLE = 300
"""Users that events are about."""
numbers = count(1)


def push(bench: Bench, server: Sandbox, table: Path, **more: Any) -> Usage:
    """Let the target write a table, through a channel."""
    settings: dict[str, Any] = {"api_key": "sandbox", "api_url": server.url, "first_push": True}
    settings |= {"analytics_api_key": KEY, "analytics_url": server.url, "concurrency": CONCURRENCY}
    config = bench.folder / "bulk.json"
    config.write_text(json.dumps(settings | more), encoding="utf-8")
    server.control("DELETE", "requests")
    usage = run([*PROGRAMS[TARGET], "--config", str(config), "--input", str(table)], bench.output)
    usage.requests = server.control("GET", "requests")["requests"]
    with table.open(encoding="utf-8") as lines:
        usage.output = Output(records=sum('"RECORD"' in line for line in lines))
    return usage


def _table(path: Path, stream: str, rows: Iterator[dict[str, Any]], keys: list[str]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            if number == 0:
                columns: dict[str, Any] = {name: {} for name in row}
                about = {"schema": {"properties": columns}, "key_properties": keys}
                file.write(json.dumps({"type": "SCHEMA", "stream": stream, **about}) + "\n")
            file.write(json.dumps({"type": "RECORD", "stream": stream, "record": row}) + "\n")
    return path


def accounts(bench: Bench, number: int) -> Path:
    """Write a table of accounts, each time with other names."""
    table = next(numbers)
    rows = ({"externalId": f"a-{n}", "name": f"Account {n}, {table}"} for n in range(number))
    return _table(bench.folder / "accounts.jsonl", "accounts", rows, ["externalId"])


def events(bench: Bench, number: int) -> Path:
    """Write a table of events that are about some of the people."""
    rows = (
        {
            "event": "Report exported",
            "timestamp": f"2026-11-30T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z",
            "userExternalId": f"u-{n % PEOPLE}",
            "properties": {"number": n},
        }
        for n in range(number)
    )
    return _table(bench.folder / "events.jsonl", "events", rows, [])


def writes(usage: Usage) -> int:
    """Count the requests that write."""
    return sum(entry["method"] != "GET" for entry in usage.requests)


def all_changed(bench: Bench) -> Iterator[Line]:
    """Measure accounts that have all changed, by both channels, within the budgets of both APIs."""
    number = bench.size(10_000)
    options = ["--empty", "--rate-model", "sliding", "--window", str(WINDOW)]
    options += ["--limit", str(REST_LIMIT), "--analytics-limit", str(ANALYTICS_LIMIT)]
    runs: dict[str, list[Usage]] = {"bulk": [], "rest": []}
    for _ in range(bench.repeat):
        for channel, each in runs.items():
            # A new sandbox each time: what one run has used up is not to be missing in the next.
            with bench.sandbox(*options) as server:
                push(bench, server, accounts(bench, number), channel="bulk")
                each.append(push(bench, server, accounts(bench, number), channel=channel))
    took = {name: median(map(wall, each)) for name, each in runs.items()}
    results = [
        said(
            number / median(map(writes, runs["bulk"])),
            "times fewer write requests than rows",
            least=25,
        ),
        said(took["rest"] / took["bulk"], "times faster than channel rest", least=8),
    ]
    for name, each in runs.items():
        yield Line.of(
            "write, all changed",
            f"channel {name}",
            each,
            "; ".join(results) if name == "bulk" else "",
        )


def many_events(bench: Bench) -> Iterator[Line]:
    """Measure events, and a fifth of them for the memory."""
    number = bench.size(50_000)
    runs = []
    with bench.sandbox("--empty") as server:
        for n in range(PEOPLE):
            fields = {"externalId": f"u-{n}", "accountIds": [], "organizationIds": []}
            server.control(
                "POST", "change", {"op": "create", "resource": "users", "fields": fields}
            )
        few = [push(bench, server, events(bench, number // 5)) for _ in range(bench.repeat)]
        runs = [push(bench, server, events(bench, number)) for _ in range(bench.repeat)]
    more = median(one.peak for one in runs) / median(one.peak for one in few)
    results = [
        said(median(map(requests, runs)), "requests", most=number // 100 + 5, form=".0f"),
        said(more, "times the memory of a fifth of them", most=1.15),
    ]
    yield Line.of(f"write, {number:,} events", TARGET, runs, "; ".join(results))


def auto(bench: Bench) -> Iterator[Line]:
    """Measure a table of which one row in a hundred has changed, with channel auto and by REST."""
    number = bench.size(10_000)
    runs: dict[str, list[Usage]] = {"auto": [], "rest": []}
    with bench.sandbox("--accounts", "50", "--size", f"users={with_ids(number)}") as server:
        for _ in range(bench.repeat):
            for channel, each in runs.items():
                each.append(push(bench, server, users(bench, server, number, 100), channel=channel))
    asked = {name: median(map(requests, each)) for name, each in runs.items()}
    result = said(asked["auto"] / asked["rest"], "times the requests of channel rest", most=1.0)
    for name, each in runs.items():
        yield Line.of(
            "write, 1 % changed", f"channel {name}", each, result if name == "auto" else ""
        )


BULK: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "write-bulk": all_changed,
    "write-events": many_events,
    "write-auto": auto,
}
