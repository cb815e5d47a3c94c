"""What is measured, case by case."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

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
    Task,
)
from benchmarks.processes import BenchmarkError, Output, Sandbox, Usage, run, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

Runs: TypeAlias = "dict[str, list[Usage]]"
"""The runs of each contestant, by its name."""

PAGE = 100
LATENCY = 0.3
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class Line:
    """A line of the table: the medians of a contestant's runs.

    Attributes:
        case: The case.
        contestant: What was run.
        wall: Seconds.
        cpu: Seconds.
        peak: Megabytes.
        requests: How many.
        records: How many.
        result: What follows from it, in words.
    """

    case: str
    contestant: str
    wall: float
    cpu: float
    peak: float
    requests: float
    records: float
    result: str = ""

    @classmethod
    def of(cls, case: str, contestant: str, runs: list[Usage], result: str = "") -> Line:
        """Take the medians.

        Args:
            case: The case.
            contestant: What was run.
            runs: Its runs.
            result: What follows from it.

        Returns:
            The line.
        """
        return cls(
            case,
            contestant,
            median(one.wall for one in runs),
            median(one.cpu for one in runs),
            median(one.peak for one in runs),
            median(len(one.requests) for one in runs),
            median(one.output.records for one in runs),
            result,
        )

    @classmethod
    def floor(cls, case: str, wall: float, requests: float) -> Line:
        """Report what nobody can do better than, by arithmetic.

        Args:
            case: The case.
            wall: Seconds.
            requests: How many.

        Returns:
            The line.
        """
        return cls(case, "floor", wall, math.nan, math.nan, requests, math.nan)


class Bench:
    """Runs contestants in turn."""

    def __init__(self, folder: Path, repeat: int, scale: float) -> None:
        """Learn the tap's catalog, which all taps use.

        Args:
            folder: Where files may be written.
            repeat: How often each contestant runs.
            scale: What the sizes are multiplied with.
        """
        self.folder = folder
        self.repeat = repeat
        self._scale = scale
        path = folder / "discovered.json"
        # Discovery needs no workspace, and must not be asked for one.
        run([*TAP.program, "--discover"], path)
        schemas = folder / "schemas"
        schemas.mkdir()
        for entry in json.loads(path.read_text(encoding="utf-8"))["streams"]:
            schema = json.dumps(entry["schema"])
            (schemas / f"{entry['stream']}.json").write_text(schema, encoding="utf-8")
        self._env = {"BENCHMARK_SCHEMAS": str(schemas)}

    def size(self, number: int) -> int:
        """Scale a size.

        Args:
            number: The size in a full run.

        Returns:
            The size in this one.
        """
        return max(1, round(number * self._scale))

    def sandbox(self, *options: str) -> Any:
        """Start a sandbox; without a request budget, unless the options say otherwise.

        Args:
            options: Options of the sandbox.

        Returns:
            A context manager.
        """
        return sandbox(self.folder, "--rate-model", "none", *options)

    def read(
        self,
        contestant: Contestant,
        server: Sandbox,
        streams: tuple[str, ...],
        *,
        archived: bool = True,
        state: Any = None,
    ) -> Usage:
        """Let a contestant read some streams.

        Args:
            contestant: Who.
            server: From where.
            streams: The streams.
            archived: Whether to read what is archived.
            state: Where to go on, if it has run before.

        Returns:
            What it cost, with what it asked for and what it wrote.
        """
        task = Task(server.url, streams, archived, state)
        command = contestant.command(self.folder, task)
        server.control("DELETE", "requests")
        usage = run(command, self.output, {**self._env, **contestant.env})
        usage.requests = server.control("GET", "requests")["requests"]
        usage.output = Output.read_aside(contestant.written(self.folder))
        return usage

    def bare(self, command: list[str]) -> Usage:
        """Run a command that reads nothing.

        Args:
            command: The command.

        Returns:
            What it cost.
        """
        return run(command, self.output, self._env)

    @property
    def output(self) -> Path:
        """Where the latest contestant's standard output is."""
        return self.folder / "output"

    def compare(
        self,
        contestants: Iterable[Contestant],
        server: Sandbox,
        streams: tuple[str, ...],
        *,
        archived: bool = True,
    ) -> Runs:
        """Let contestants read the same, in turn.

        Args:
            contestants: Who.
            server: From where.
            streams: The streams.
            archived: Whether to read what is archived.

        Returns:
            The runs of each.
        """
        runs = self.rounds(
            {
                each.name: partial(self.read, each, server, streams, archived=archived)
                for each in contestants
            }
        )
        alike(one for each in runs.values() for one in each)
        return runs

    def rounds(self, contestants: Mapping[str, Callable[[], Usage]], times: int = 1) -> Runs:
        """Run contestants in turn, several times over, so that a busy moment hits them all.

        Args:
            contestants: What to run.
            times: How many times more often than usual.

        Returns:
            The runs of each.
        """
        runs: Runs = {name: [] for name in contestants}
        for _ in range(times * self.repeat):
            for name, contestant in contestants.items():
                runs[name].append(contestant())
        return runs


def alike(usages: Iterable[Usage]) -> None:
    """Make sure that the same was read.

    Args:
        usages: Some runs.

    Raises:
        BenchmarkError: If they did not read the same records.
    """
    outputs = [usage.output for usage in usages]
    if len({output.digest for output in outputs}) > 1:
        message = f"different records were read: {[output.records for output in outputs]}"
        raise BenchmarkError(message)


def lines(case: str, runs: Runs, *results: str) -> Iterator[Line]:
    """Report the runs of a case.

    Args:
        case: The case.
        runs: The runs of each contestant.
        results: What follows for the tap.

    Yields:
        A line for each contestant.
    """
    for name, each in runs.items():
        yield Line.of(case, name, each, "; ".join(results) if name == TAP.name else "")


def said(
    value: float,
    what: str,
    *,
    least: float | None = None,
    most: float | None = None,
    form: str = ".2f",
) -> str:
    """Say a result, and what becomes of its target.

    Args:
        value: A number.
        what: What it is.
        least: The target, if it is to be reached.
        most: The target, if it is not to be exceeded.
        form: How to write the number.

    Returns:
        A phrase.
    """
    text = f"{value:{form}} {what}"
    if least is not None:
        return f"{text} (at least {least:g}: {'met' if value >= least else '**missed**'})"
    if most is not None:
        return f"{text} (at most {most:g}: {'met' if value <= most else '**missed**'})"
    return text


def times_less(
    runs: Runs, measure: Callable[[Usage], float], what: str, least: Mapping[str, float | None]
) -> list[str]:
    """Say how many times less the tap needs than others.

    Args:
        runs: The runs of all.
        measure: What is measured.
        what: What it is called.
        least: The others, each with its target.

    Returns:
        Phrases.
    """
    own = median(map(measure, runs[TAP.name]))
    return [
        said(median(map(measure, runs[name])) / own, f"times {what} than {name}", least=target)
        for name, target in least.items()
    ]


def wall(usage: Usage) -> float:
    """Take the time of a run."""
    return usage.wall


def requests(usage: Usage) -> float:
    """Count the requests of a run."""
    return len(usage.requests)


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
    wanted = {"plain": 0.5, "airbyte": 0.4, "dlt": 1, "floor": None}
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
    """Change every hundredth row of those a tap has just read.

    Args:
        bench: Knows what it wrote.
        server: Where the rows are.

    Returns:
        How many pages the changes of each stream fill.
    """
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
    """What the sandbox allows.

    Attributes:
        model: One of the sandbox's.
        limit: Requests per window.
        window: Seconds.
    """

    model: str
    limit: int
    window: int

    def share(self, usage: Usage) -> float:
        """Work out how much of it was used.

        However fast a client is, some time goes by between its first request and a later one. The
        share is that time divided by the time that really went by.

        Args:
            usage: A run.

        Returns:
            The share.

        Raises:
            BenchmarkError: If the run never had to wait for the budget.
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
    "rate-limit": rate_limit,
}
