"""What all cases share: contestants in turn, and lines of a table."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.contestants import (
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
    """A line of the table: the medians of a contestant's runs, in seconds and megabytes."""

    case: str
    contestant: str
    wall: float
    cpu: float
    peak: float
    requests: float
    records: float
    result: str = ""
    """What follows from it, in words."""

    @classmethod
    def of(cls, case: str, contestant: str, runs: list[Usage], result: str = "") -> Line:
        """Take the medians."""
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
        """Report what nobody can do better than, by arithmetic."""
        return cls(case, "floor", wall, math.nan, math.nan, requests, math.nan)


class Bench:
    """Runs contestants in turn."""

    def __init__(self, folder: Path, repeat: int, scale: float, before: Path | None = None) -> None:
        """Learn the tap's catalog, which all taps use; full sizes are multiplied with ``scale``.

        ``before`` is a checkout of an earlier build, to be compared with where a case does that.
        """
        self.folder = folder
        self.before = before
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
        """Scale the size of a full run to this one."""
        return max(1, round(number * self._scale))

    def sandbox(self, *options: str) -> Any:
        """Start a sandbox with what all contestants can hold, and no request budget unless options say so."""
        return sandbox(self.folder, "--rate-model", "none", "--plain-traits", *options)

    def read(
        self,
        contestant: Contestant,
        server: Sandbox,
        streams: tuple[str, ...],
        *,
        archived: bool = True,
        state: Any = None,
    ) -> Usage:
        """Let a contestant read some streams, from a state if it has run before."""
        task = Task(server.url, streams, archived, state)
        command = contestant.command(self.folder, task)
        server.control("DELETE", "requests")
        usage = run(command, self.output, {**self._env, **contestant.env})
        usage.requests = server.control("GET", "requests")["requests"]
        usage.output = Output.read_aside(contestant.written(self.folder))
        return usage

    def bare(self, command: list[str]) -> Usage:
        """Run a command that reads nothing."""
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
        """Let contestants read the same, in turn."""
        runs = self.rounds(
            {
                each.name: partial(self.read, each, server, streams, archived=archived)
                for each in contestants
            }
        )
        alike(one for each in runs.values() for one in each)
        return runs

    def rounds(self, contestants: Mapping[str, Callable[[], Usage]], times: int = 1) -> Runs:
        """Run contestants in turn, several times over, so that a busy moment hits them all."""
        runs: Runs = {name: [] for name in contestants}
        for _ in range(times * self.repeat):
            for name, contestant in contestants.items():
                runs[name].append(contestant())
        return runs


def alike(usages: Iterable[Usage]) -> None:
    """Make sure that the same was read."""
    outputs = [usage.output for usage in usages]
    if len({output.digest for output in outputs}) > 1:
        message = f"different records were read: {[output.records for output in outputs]}"
        raise BenchmarkError(message)


def lines(case: str, runs: Runs, *results: str) -> Iterator[Line]:
    """Report the runs of a case."""
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
    """Say a result, and whether it reaches at ``least`` or stays below at ``most`` its target."""
    text = f"{value:{form}} {what}"
    if least is not None:
        return f"{text} (at least {least:g}: {'met' if value >= least else '**missed**'})"
    if most is not None:
        return f"{text} (at most {most:g}: {'met' if value <= most else '**missed**'})"
    return text


def times_less(
    runs: Runs, measure: Callable[[Usage], float], what: str, least: Mapping[str, float | None]
) -> list[str]:
    """Say how many times less the tap needs than others, each with its target."""
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
