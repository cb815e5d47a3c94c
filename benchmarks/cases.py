"""What is measured, case by case."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.processes import BenchmarkError, Output, Sandbox, Usage, run, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

RESOURCES = {
    "accounts": "accounts",
    "organizations": "organizations",
    "users": "users",
    "conversations": "conversations",
    "notes": "notes",
    "tasks": "tasks",
    "projects": "projects",
    "nps_responses": "npsResponses",
    "meetings": "meetings",
}
"""The streams of the whole workspace that the baseline has too, and what they are called there."""

STREAMS = (*RESOURCES, "account_notes")
PAGE = 100
LATENCY = 0.3
TOO_MANY_REQUESTS = 429

TAP = (sys.executable, "-m", "tap_vitally")
PLAIN = (sys.executable, "-m", "benchmarks.baselines.plain_sdk")
FLOOR = (sys.executable, "-m", "benchmarks.baselines.floor")


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


class Bench:
    """Runs contestants in turn."""

    def __init__(self, folder: Path, repeat: int, scale: float) -> None:
        """Learn the tap's catalog, which all contestants use.

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
        run([*TAP, "--discover"], path)
        entries = json.loads(path.read_text(encoding="utf-8"))["streams"]
        self._entries = {entry["stream"]: entry for entry in entries}
        schemas = folder / "schemas"
        schemas.mkdir()
        for name, entry in self._entries.items():
            (schemas / f"{name}.json").write_text(json.dumps(entry["schema"]), encoding="utf-8")
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

    def singer(
        self,
        program: tuple[str, ...],
        server: Sandbox,
        streams: tuple[str, ...],
        *,
        archived: bool = True,
        state: Any = None,
    ) -> Usage:
        """Run a tap on some streams.

        Args:
            program: Which one.
            server: What it reads.
            streams: The streams it reads.
            archived: Whether it reads what is archived.
            state: Where it goes on, if it has run before.

        Returns:
            What it cost.
        """
        files: dict[str, Any] = {
            "config": {
                "api_key": "sandbox",
                "api_url": server.url,
                "include_archived": archived,
                # The baseline has no such setting, and would only say so.
                **({"concurrency": 8} if program is TAP else {}),
            },
            "catalog": {"streams": [self._entry(name, streams) for name in STREAMS]},
        }
        if state is not None:
            files["state"] = state
        arguments = list(program)
        for name, content in files.items():
            path = self.folder / f"{name}.json"
            path.write_text(json.dumps(content), encoding="utf-8")
            arguments += [f"--{name}", str(path)]
        return self.measured(arguments, server)

    def measured(self, command: list[str], server: Sandbox) -> Usage:
        """Run a command that reads a sandbox.

        Args:
            command: The command.
            server: The sandbox.

        Returns:
            What it cost, with what it asked for and what it wrote.
        """
        server.control("DELETE", "requests")
        path = self.output
        usage = self.bare(command)
        usage.requests = server.control("GET", "requests")["requests"]
        usage.output = Output.read(path)
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
        """Where the latest contestant's output is."""
        return self.folder / "output"

    def rounds(self, contestants: Mapping[str, Callable[[], Usage]]) -> dict[str, list[Usage]]:
        """Run contestants in turn, several times over, so that a busy moment hits them all.

        Args:
            contestants: What to run.

        Returns:
            The runs of each.

        Raises:
            BenchmarkError: If they did not read the same records.
        """
        runs: dict[str, list[Usage]] = {name: [] for name in contestants}
        for _ in range(self.repeat):
            for name, contestant in contestants.items():
                runs[name].append(contestant())
        read = {one.output.digest for each in runs.values() for one in each}
        if len(read) > 1:
            counts = {name: [one.output.records for one in each] for name, each in runs.items()}
            message = f"the contestants read different records: {counts}"
            raise BenchmarkError(message)
        return runs

    def _entry(self, name: str, streams: tuple[str, ...]) -> dict[str, Any]:
        entry: dict[str, Any] = json.loads(json.dumps(self._entries[name]))
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = name in streams
        return entry


def cpu(bench: Bench) -> Iterator[Line]:
    """Measure processor time where nothing else costs any."""
    # Users cannot be archived, and their list knows no such parameter.
    yield from _cpu(bench, "users", [])
    yield from _cpu(bench, "notes", ["--param", "archived=false"])


def _cpu(bench: Bench, stream: str, params: list[str]) -> Iterator[Line]:
    size = f"{stream}={bench.size(20_000)}"
    with bench.sandbox("--accounts", "50", "--size", size) as server:
        floor = [*FLOOR, f"{server.url}/resources/{stream}", *params]
        runs = bench.rounds(
            {
                "tap": lambda: bench.singer(TAP, server, (stream,), archived=False),
                "plain": lambda: bench.singer(PLAIN, server, (stream,), archived=False),
                "floor": lambda: bench.measured(floor, server),
            }
        )
    used, plain, least = (median(one.cpu for one in each) for each in runs.values())
    said = f"CPU {used / plain:.2f} of plain's, {used / least:.1f} times the floor's"
    for name, each in runs.items():
        yield Line.of(f"cpu, {stream}", name, each, said if name == "tap" else "")


def fan_out(bench: Bench) -> Iterator[Line]:
    """Measure a request per account."""
    accounts = str(bench.size(200))
    with bench.sandbox("--accounts", accounts, "--latency", str(LATENCY)) as server:
        streams = ("account_notes",)
        runs = bench.rounds(
            {
                "tap": lambda: bench.singer(TAP, server, streams, archived=False),
                "plain": lambda: bench.singer(PLAIN, server, streams, archived=False),
            }
        )
    yield Line.of("fan-out", "tap", runs["tap"], faster(runs))
    yield Line.of("fan-out", "plain", runs["plain"])


def top_level(bench: Bench) -> Iterator[Line]:
    """Measure the lists of the whole workspace."""
    accounts = str(bench.size(500))
    streams = tuple(RESOURCES)
    with bench.sandbox("--accounts", accounts, "--latency", str(LATENCY)) as server:
        runs = bench.rounds(
            {
                "tap": lambda: bench.singer(TAP, server, streams),
                "plain": lambda: bench.singer(PLAIN, server, streams),
            }
        )
    # The baseline asks for each page exactly once.
    longest = max(runs["plain"][0].chains().values())
    times = median(one.wall for one in runs["tap"]) / (longest * LATENCY)
    said = f"{faster(runs)}; {times:.2f} times the longest chain ({longest} pages)"
    yield Line.of("top-level", "tap", runs["tap"], said)
    yield Line.of("top-level", "plain", runs["plain"])


def incremental(bench: Bench) -> Iterator[Line]:
    """Measure a second run, after one row in a hundred has changed."""
    streams = tuple(RESOURCES)
    with bench.sandbox("--accounts", str(bench.size(500))) as server:
        states, contexts = {}, 0
        for program in (PLAIN, TAP):
            first = bench.singer(program, server, streams)
            states[program] = first.output.state
            contexts = len(first.chains())
        pages = sum(change(bench, server).values())
        second = {
            name: [bench.singer(program, server, streams, state=states[program])]
            for name, program in (("tap", TAP), ("plain", PLAIN))
        }
    most = contexts + pages
    asked, plain = (len(second[name][0].requests) for name in ("tap", "plain"))
    said = (
        f"{contexts} contexts + {pages} pages of changes = {most} requests at most; "
        f"{plain / asked:.1f} times fewer than plain"
    )
    yield Line.of("incremental", "tap", second["tap"], said)
    yield Line.of("incremental", "plain", second["plain"])


def change(bench: Bench, server: Sandbox) -> dict[str, int]:
    """Change every hundredth row of those the last contestant read.

    Args:
        bench: Knows what it wrote.
        server: Where the rows are.

    Returns:
        How many pages the changes of each stream fill.
    """
    seen = dict.fromkeys(RESOURCES, 0)
    changed = dict.fromkeys(RESOURCES, 0)
    with bench.output.open(encoding="utf-8") as lines:
        for message in map(json.loads, lines):
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


def rate_limit(bench: Bench) -> Iterator[Line]:
    """Measure how much of a request budget is used."""
    limit = bench.size(100)
    window = max(3, bench.size(10))
    options = ["--latency", str(LATENCY), "--accounts", str(bench.size(250))]
    options += ["--rate-model", "sliding", "--limit", str(limit), "--window", str(window)]
    with bench.sandbox(*options) as server:
        runs = bench.rounds(
            {"tap": lambda: bench.singer(TAP, server, ("account_notes",), archived=False)}
        )["tap"]
    refused = median(
        sum(entry["status"] == TOO_MANY_REQUESTS for entry in one.requests) for one in runs
    )
    used = median(share(one, limit, window) for one in runs)
    said = f"{used:.1%} of {limit} requests per {window} s used; {refused:g} answers with 429"
    yield Line.of("rate-limit", "tap", runs, said)


def share(usage: Usage, limit: int, window: float) -> float:
    """Work out which share of a sliding window's budget was used.

    However fast a client is, ``n`` windows go by between its first request and the one that is
    ``n`` times the limit later. The share is that time divided by the time that really went by.

    Args:
        usage: A run.
        limit: Requests per window.
        window: Seconds.

    Returns:
        The share.

    Raises:
        BenchmarkError: If the run never had to wait for the budget.
    """
    times = sorted(
        entry["time"] for entry in usage.requests if entry["status"] != TOO_MANY_REQUESTS
    )
    windows = (len(times) - 1) // limit
    if not windows:
        message = f"{len(times)} requests do not exhaust a budget of {limit}"
        raise BenchmarkError(message)
    took: float = times[windows * limit] - times[0]
    return windows * window / took


def memory(bench: Bench) -> Iterator[Line]:
    """Measure whether memory grows with the number of records."""
    lines: list[Line] = []
    for number in (bench.size(10_000), bench.size(100_000)):
        with bench.sandbox("--accounts", "50", "--size", f"notes={number}") as server:
            runs = bench.rounds({"tap": lambda: bench.singer(TAP, server, ("notes",))})["tap"]
        line = Line.of(f"memory, {number:,} notes", "tap", runs)
        said = f"peak {line.peak / lines[0].peak:.2f} times that of a tenth" if lines else ""
        lines.append(Line.of(line.case, "tap", runs, said))
    yield from lines


def start_up(bench: Bench) -> Iterator[Line]:
    """Measure what a process costs before it does anything."""
    config = bench.folder / "start.json"
    # Nothing listens there: discovery does without a network.
    config.write_text(json.dumps({"api_key": "sandbox", "api_url": "http://127.0.0.1:9"}))
    yield from _start_up(bench, ["--version"])
    yield from _start_up(bench, ["--discover", "--config", str(config)])


def _start_up(bench: Bench, options: list[str]) -> Iterator[Line]:
    runs = bench.rounds(
        {
            "tap": lambda: bench.bare([*TAP, *options]),
            "plain": lambda: bench.bare([*PLAIN, *options]),
        }
    )
    tap, plain = (median(one.wall for one in each) for each in runs.values())
    case = f"start-up, {options[0]}"
    yield Line.of(case, "tap", runs["tap"], f"{tap / plain:.2f} of plain's time")
    yield Line.of(case, "plain", runs["plain"])


def faster(runs: Mapping[str, list[Usage]]) -> str:
    """Say how much faster the tap is.

    Args:
        runs: The runs of the tap and of the baseline.

    Returns:
        A phrase.
    """
    tap, plain = (median(one.wall for one in runs[name]) for name in ("tap", "plain"))
    return f"{plain / tap:.1f} times faster than plain"


CASES: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "start-up": start_up,
    "cpu": cpu,
    "memory": memory,
    "incremental": incremental,
    "top-level": top_level,
    "fan-out": fan_out,
    "rate-limit": rate_limit,
}
