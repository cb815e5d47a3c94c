"""What is measured, case by case."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.contestants import (
    AIRBYTE,
    AIRBYTE_FEED,
    AIRBYTE_TWO,
    ALL,
    CONCURRENCY,
    DLT,
    DLT_FIVE,
    DLT_ORDERED,
    DLT_WHOLE,
    FLOOR,
    PLAIN,
    RESOURCES,
    TAP,
    Contestant,
)
from benchmarks.processes import BenchmarkError, Sandbox, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
from benchmarks.bench import (
    LATENCY,
    PAGE,
    TOO_MANY_REQUESTS,
    Bench,
    Line,
    alike,
    lines,
    requests,
    said,
    times_less,
    wall,
)


def start_up(bench: Bench) -> Iterator[Line]:
    """Measure what a process costs before it does anything."""
    config = bench.folder / "start.json"
    # Nothing listens there: discovery does without a network.
    config.write_text(json.dumps({"api_key": "sandbox", "api_url": "http://127.0.0.1:9"}))
    for options in (["--version"], ["--discover", "--config", str(config)]):
        runs = bench.rounds(
            {each.name: partial(bench.bare, [*each.program, *options]) for each in (TAP, PLAIN)},
            times=5,
        )
        tap, plain = (median(one.wall for one in each) for each in runs.values())
        yield from lines(
            f"start-up, {options[0]}", runs, said(tap / plain, "of plain's time", most=1)
        )


def cpu(bench: Bench) -> Iterator[Line]:
    """Measure processor time where nothing else costs any."""
    # One note in six is archived, and left out: 100,000 records remain.
    sizes = ("--size", f"users={bench.size(50_000)}", "--size", f"notes={bench.size(60_000)}")
    with bench.sandbox("--accounts", "50", *sizes) as server:
        runs = bench.compare((*ALL, FLOOR), server, ("users", "notes"), archived=False)
    used = {name: median(one.cpu for one in each) for name, each in runs.items()}
    wanted = {"plain": 0.5, "airbyte": 0.4, "dlt": 1, "floor": 0.8}
    shares = [
        said(used["tap"] / used[name], f"of {name}'s CPU", most=most)
        for name, most in wanted.items()
    ]
    yield from lines("cpu", runs, *shares)


def memory(bench: Bench) -> Iterator[Line]:
    """Measure whether memory grows with the number of records."""
    yield from _memory(bench, "users")
    yield from _memory(bench, "notes")


def _memory(bench: Bench, stream: str) -> Iterator[Line]:
    sizes = (bench.size(10_000), bench.size(1_000_000))
    small, large = (_peak(bench, stream, number) for number in sizes)
    yield small
    results = [
        said(large.peak, "MB", most=150, form=".0f"),
        said(large.peak / small.peak, "times that of a hundredth", most=1.1),
    ]
    yield replace(large, result="; ".join(results))


def _peak(bench: Bench, stream: str, number: int) -> Line:
    with bench.sandbox("--accounts", "50", "--size", f"{stream}={number}") as server:
        runs = bench.compare([TAP], server, (stream,))
    return Line.of(f"memory, {number:,} {stream}", TAP.name, runs[TAP.name])


def incremental(bench: Bench) -> Iterator[Line]:
    """Measure a second run, after one row in a hundred has changed."""
    streams = tuple(RESOURCES)
    # The tap is the last: what it wrote says which rows there are.
    contestants = (PLAIN, AIRBYTE, AIRBYTE_FEED, DLT_WHOLE, DLT_ORDERED, TAP)
    with bench.sandbox("--accounts", str(bench.size(1_000))) as server:
        states, first = {}, []
        for each in contestants:
            usage = bench.read(each, server, streams)
            states[each.name] = each.keep(bench.folder, usage.output)
            first.append(usage)
        alike(first)
        contexts = len(first[-1].chains())
        pages = sum(change(bench, server).values())
        runs = bench.rounds(
            {
                each.name: partial(bench.read, each, server, streams, state=states[each.name])
                for each in reversed(contestants)
            }
        )
    asked = median(map(requests, runs["tap"]))
    least: dict[str, float | None] = {"airbyte": 5, "dlt": 5}
    least |= {each.name: None for each in (PLAIN, AIRBYTE_FEED, DLT_ORDERED)}
    yield from lines(
        "incremental",
        runs,
        said(
            asked,
            f"requests for {contexts} contexts and {pages} pages of changes",
            most=contexts + pages,
            form=".0f",
        ),
        *times_less(runs, requests, "fewer requests", least),
    )


def change(bench: Bench, server: Sandbox) -> dict[str, int]:
    """Change every hundredth row just read; return how many pages each stream's changes fill."""
    seen = dict.fromkeys(RESOURCES, 0)
    changed = dict.fromkeys(RESOURCES, 0)
    with bench.output.open(encoding="utf-8") as written:
        for message in map(json.loads, written):
            if message["type"] != "RECORD":
                continue
            name = message["stream"]
            if seen[name] % 100 == 0:
                wanted = {
                    "op": "update",
                    "resource": RESOURCES[name],
                    "id": message["record"]["id"],
                }
                server.control("POST", "change", wanted)
                changed[name] += 1
            seen[name] += 1
    return {name: math.ceil(number / PAGE) for name, number in changed.items()}


def top_level(bench: Bench) -> Iterator[Line]:
    """Measure the lists of the whole workspace."""
    yield from _top_level(bench, 0.1, None, None)
    yield from _top_level(bench, LATENCY, 3, 1.2)


def _top_level(
    bench: Bench, latency: float, least: float | None, most: float | None
) -> Iterator[Line]:
    options = ("--accounts", str(bench.size(1_000)), "--latency", str(latency))
    with bench.sandbox(*options) as server:
        runs = bench.compare(ALL, server, tuple(RESOURCES))
    # The baseline asks for each page exactly once.
    longest = max(runs["plain"][0].chains().values())
    chain = said(
        median(map(wall, runs["tap"])) / (longest * latency),
        f"times the longest chain ({longest} pages)",
        most=most,
    )
    ratios = times_less(runs, wall, "faster", {"plain": least, "airbyte": None, "dlt": None})
    case = f"top-level, {latency * 1000:g} ms"
    yield from lines(case, runs, *ratios, chain)
    yield Line.floor(case, longest * latency, requests(runs["plain"][0]))


def fan_out(bench: Bench) -> Iterator[Line]:
    """Measure a request per parent."""
    options = ["--accounts", str(bench.size(1_000)), "--latency", str(LATENCY)]
    # As others have it by default, and with as many requests at once as the tap.
    least: dict[str, float | None] = {"plain": 7}
    # With as many threads as the tap, they come as close to the floor as it does.
    least |= {AIRBYTE_TWO.name: 3, AIRBYTE.name: None, DLT_FIVE.name: 1.4, DLT.name: None}
    contestants = (TAP, PLAIN, AIRBYTE_TWO, AIRBYTE, DLT_FIVE, DLT)
    yield from _fan_out(bench, "account_notes", options, contestants, least)
    options = ["--size", f"conversations={bench.size(2_000)}", "--latency", "0.1"]
    yield from _fan_out(bench, "messages", options, ALL, dict.fromkeys(("plain", "airbyte", "dlt")))


def pointed(bench: Bench) -> Iterator[Line]:
    """Measure a second run of a list below each account, after a note of one in a hundred has changed."""
    contestants = (PLAIN, AIRBYTE, DLT, TAP)
    streams = ("account_notes",)
    accounts = bench.size(1_000)
    with bench.sandbox("--accounts", str(accounts)) as server:
        read = partial(bench.read, server=server, streams=streams, archived=False)
        states = {}
        for each in contestants:
            usage = read(each)
            states[each.name] = each.keep(bench.folder, usage.output)
        with bench.output.open(encoding="utf-8") as written:
            records = [m["record"] for m in map(json.loads, written) if m["type"] == "RECORD"]
        note_of = {record["parentAccountId"]: record["id"] for record in records}
        changed = list(note_of.values())[: math.ceil(accounts / 100)]
        for key in changed:
            server.control("POST", "change", {"op": "update", "resource": "notes", "id": key})
        runs = bench.rounds(
            {
                each.name: partial(read, each, state=states[each.name])
                for each in reversed(contestants)
            }
        )
    asked = median(map(requests, runs["tap"]))
    least: dict[str, float | None] = {"plain": 40, "airbyte": 40, "dlt": 40}
    yield from lines(
        "pointed",
        runs,
        said(asked, f"requests for {len(changed)} changed notes", most=40, form=".0f"),
        *times_less(runs, requests, "fewer requests", least),
    )


def _fan_out(
    bench: Bench,
    stream: str,
    options: list[str],
    contestants: tuple[Contestant, ...],
    least: Mapping[str, float | None],
) -> Iterator[Line]:
    with bench.sandbox(*options) as server:
        runs = bench.compare(contestants, server, (stream,), archived=False)
    latency = float(options[-1])
    case = f"fan-out, {stream}, {latency * 1000:g} ms"
    yield from lines(case, runs, *times_less(runs, wall, "faster", least))
    # The baseline asks for each page exactly once.
    asked = requests(runs["plain"][0])
    yield Line.floor(case, asked * latency / CONCURRENCY, asked)


def rate_limit(bench: Bench) -> Iterator[Line]:
    """Measure how much of a request budget is used."""
    window = bench.size(60)
    yield from _rate_limit(bench, Budget("sliding", bench.size(1_000), window), bench.size(1_050))
    window = max(3, bench.size(10))
    yield from _rate_limit(bench, Budget("bucket", bench.size(100), window), bench.size(400))


@dataclass(frozen=True)
class Budget:
    """What the sandbox allows: so many requests in a window of so many seconds."""

    model: str
    limit: int
    window: int

    def share(self, usage: Usage) -> float:
        """Work out how much of it was used.

        However fast a client is, some time goes by between its first request and a later one. The
        share is that time divided by the time that really went by.
        """
        times = sorted(
            entry["time"] for entry in usage.requests if entry["status"] != TOO_MANY_REQUESTS
        )
        last = len(times) - 1
        if last < self.limit:
            message = f"{len(times)} requests do not exhaust a budget of {self.limit}"
            raise BenchmarkError(message)
        # Whole windows only: within one, requests may come as fast as they like.
        last -= last % self.limit
        took: float = times[last] - times[0]
        return last / self.limit * self.window / took


def _rate_limit(bench: Bench, budget: Budget, accounts: int) -> Iterator[Line]:
    options = ["--latency", str(LATENCY), "--accounts", str(accounts)]
    options += ["--rate-model", budget.model]
    options += ["--limit", str(budget.limit), "--window", str(budget.window)]
    own = []
    for _ in range(bench.repeat):
        # A new sandbox each time: what one run has used up is not to be missing in the next.
        with bench.sandbox(*options) as server:
            own.append(bench.read(TAP, server, ("account_notes",), archived=False))
    runs = {TAP.name: own}
    refused = max(
        sum(entry["status"] == TOO_MANY_REQUESTS for entry in one.requests) for one in own
    )
    offered = f"of {budget.limit} requests per {budget.window} s used"
    yield from lines(
        f"rate-limit, {budget.model}",
        runs,
        said(median(map(budget.share, own)), offered, least=0.95, form=".3f"),
        said(refused, "answers with 429 at most in a run", most=1, form="d"),
    )


CASES: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "start-up": start_up,
    "cpu": cpu,
    "memory": memory,
    "incremental": incremental,
    "top-level": top_level,
    "fan-out": fan_out,
    "pointed": pointed,
    "rate-limit": rate_limit,
}
