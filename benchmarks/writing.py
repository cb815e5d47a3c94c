"""What is measured of the target, case by case."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.bench import (
    PAGE,
    TOO_MANY_REQUESTS,
    Bench,
    Line,
    requests,
    said,
    wall,
)
from benchmarks.contestants import CONCURRENCY
from benchmarks.processes import ROOT, BenchmarkError, Output, Sandbox, Usage, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TARGET, PLAIN, BEFORE = "target", "plain target", "target before"
PROGRAMS = {
    TARGET: [sys.executable, "-m", "target_vitally"],
    PLAIN: [sys.executable, "-m", "benchmarks.baselines.plain_target"],
}
SPARE = 20
"""Requests beyond the pages and the writes that a run may need."""
numbers = count(1)


def write(bench: Bench, name: str, server: Sandbox, table: Path) -> Usage:
    """Let a target write a table."""
    settings: dict[str, Any] = {"api_key": "sandbox", "api_url": server.url, "first_push": True}
    if name != PLAIN:
        settings["concurrency"] = CONCURRENCY
    if name == BEFORE:
        settings.pop("first_push", None)  # what it does not know
    config = bench.folder / "target.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    server.control("DELETE", "requests")
    program = PROGRAMS[TARGET if name == BEFORE else name]
    command = [*program, "--config", str(config), "--input", str(table)]
    usage = run(command, bench.output, folder=bench.before if name == BEFORE else None)
    usage.requests = server.control("GET", "requests")["requests"]
    with table.open(encoding="utf-8") as lines:
        usage.output = Output(records=sum('"RECORD"' in line for line in lines))
    return usage


def users(
    bench: Bench, server: Sandbox, number: int, every: int = 0, *, shuffled: bool = False
) -> Path:
    """Write a table of so many of the sandbox's users, of which every so many have changed."""
    path = bench.folder / "users.jsonl"
    command = [sys.executable, "-m", "benchmarks.rows", server.url, str(path)]
    command += ["--rows", str(number), "--every", str(every), "--name", f"renamed {next(numbers)}"]
    command += ["--shuffled"] if shuffled else []
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    return path


def with_ids(number: int) -> int:
    """Say how many users there have to be for so many with an external id."""
    return number + number // 10


def new_accounts(bench: Bench, number: int) -> Path:
    """Write a table of accounts that the sandbox does not have."""
    path, table = bench.folder / "accounts.jsonl", next(numbers)
    columns = {"externalId": {"type": "string"}, "name": {"type": "string"}}
    with path.open("w", encoding="utf-8") as file:
        about = {"schema": {"properties": columns}, "key_properties": ["externalId"]}
        file.write(json.dumps({"type": "SCHEMA", "stream": "accounts", **about}) + "\n")
        for each in range(number):
            row = {"externalId": f"new-{table}-{each}", "name": f"New {each}"}
            file.write(json.dumps({"type": "RECORD", "stream": "accounts", "record": row}) + "\n")
    return path


def compared(
    bench: Bench, server: Sandbox, table: Callable[[], Path]
) -> tuple[dict[str, list[Usage]], dict[str, float], dict[str, float]]:
    """Let both write tables in turn; give the runs, the requests and the times."""
    runs: dict[str, list[Usage]] = {name: [] for name in PROGRAMS}
    for _ in range(bench.repeat):
        for name, each in runs.items():
            each.append(write(bench, name, server, table()))
    asked = {name: median(map(requests, each)) for name, each in runs.items()}
    return runs, asked, {name: median(map(wall, each)) for name, each in runs.items()}


def few_changed(bench: Bench) -> Iterator[Line]:
    """Measure a table of which one row in a hundred has changed."""
    number = bench.size(10_000)
    with bench.sandbox("--accounts", "50", "--size", f"users={with_ids(number)}") as server:
        runs, asked, _ = compared(bench, server, lambda: users(bench, server, number, 100))
    changes, pages = number // 100, -(-with_ids(number) // PAGE)
    results = [
        said(
            asked[TARGET],
            f"requests for {changes} writes, {pages} pages and {SPARE} more",
            most=changes + pages + SPARE,
            form=".0f",
        ),
        said(asked[PLAIN] / asked[TARGET], "times fewer requests than plain target", least=40),
    ]
    yield from _lines("write, 1 % changed", runs, *results)


def all_new(bench: Bench) -> Iterator[Line]:
    """Measure a table of new records."""
    number = bench.size(2_000)
    with bench.sandbox("--accounts", "50", "--latency", "0.1") as server:
        runs, asked, took = compared(bench, server, lambda: new_accounts(bench, number))
    results = [
        said(took[PLAIN] / took[TARGET], "times faster than plain target", least=7),
        said(asked[PLAIN] / asked[TARGET], "times fewer requests"),
    ]
    yield from _lines("write, all new, 100 ms", runs, *results)


@dataclass(frozen=True)
class Units:
    """What the sandbox allows, in a sliding window, and what a write takes of it."""

    limit: int
    window: int
    cost: int

    def share(self, usage: Usage) -> float:
        """Work out how much of it was used, over whole windows; see `cases.Budget`."""
        times = sorted(
            entry["time"]
            for entry in usage.requests
            if entry["status"] != TOO_MANY_REQUESTS
            for _ in range(1 if entry["method"] == "GET" else self.cost)
        )
        last = len(times) - 1
        last -= last % self.limit
        if not last:
            message = f"{len(times)} units do not exhaust a budget of {self.limit}"
            raise BenchmarkError(message)
        took: float = times[last] - times[0]
        return last / self.limit * self.window / took


def limited(bench: Bench) -> Iterator[Line]:
    """Measure how much of a budget is used by writes that cost more than one unit."""
    limit, window = bench.size(600), bench.size(30)
    for cost in (1, 2, 5):
        units = Units(limit, window, cost)
        own = []
        for _ in range(bench.repeat):
            options = ["--accounts", "50", "--latency", "0.1", "--rate-model", "sliding"]
            options += ["--limit", str(limit), "--window", str(window)]
            # A new sandbox each time: what one run has used up is not to be missing in the next.
            with bench.sandbox(*options) as server:
                server.control("POST", "writing", {"cost": cost})
                table = new_accounts(bench, round(limit * 3.1 / cost))
                own.append(write(bench, TARGET, server, table))
        refused = max(
            sum(entry["status"] == TOO_MANY_REQUESTS for entry in one.requests) for one in own
        )
        results = [
            said(
                median(map(units.share, own)),
                f"of {limit} units per {window} s used",
                least=0.95,
                form=".3f",
            ),
            said(refused, "answers with 429 at most in a run", most=1, form="d"),
        ]
        yield from _lines(f"write, at {cost} units", {TARGET: own}, *results)


def unchanged(bench: Bench) -> Iterator[Line]:
    """Measure large tables that are there already, a million of them in any order, too."""
    numbers = [bench.size(100_000), bench.size(1_000_000)]
    small = None
    for number in numbers:
        pages = -(-with_ids(number) // PAGE)
        with bench.sandbox("--accounts", "50", "--size", f"users={with_ids(number)}") as server:
            table = users(bench, server, number)
            runs = bench.rounds(
                {
                    name: partial(write, bench, name, server, table)
                    for name in ([TARGET, BEFORE] if bench.before else [TARGET])
                }
            )
            results = list(_compared_with(runs, number, small))
            yield from _lines(f"write, {number:,} unchanged", runs, *results)
            small = small or runs[TARGET]
            if number == numbers[0]:
                continue
            shuffled = users(bench, server, number, shuffled=True)
            own = [write(bench, TARGET, server, shuffled)]
            share = said(
                requests(own[0]) / pages, f"times the {pages:,} pages of the list", most=1.05
            )
            yield from _lines(f"write, {number:,} shuffled", {TARGET: own}, share)


def _compared_with(
    runs: Mapping[str, list[Usage]], number: int, small: list[Usage] | None
) -> Iterator[str]:
    peak, cpu = (median(getattr(one, of) for one in runs[TARGET]) for of in ("peak", "cpu"))
    yield said(peak, "MB", most=200, form=".0f")
    yield said(cpu / number * 1e6, "µs of CPU a row", form=".0f")
    if small:
        before = median(one.peak for one in small)
        yield said(peak / before, "times the memory of a tenth", most=1.15)
    if BEFORE in runs:
        before = median(one.cpu for one in runs[BEFORE])
        yield said(cpu / before, "of the CPU before", most=0.6)


def _lines(case: str, runs: dict[str, list[Usage]], *results: str) -> Iterator[Line]:
    for name, each in runs.items():
        yield Line.of(case, name, each, "; ".join(results) if name == TARGET else "")


WRITING: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "write-few": few_changed,
    "write-new": all_new,
    "write-limit": limited,
    "write-large": unchanged,
}
