"""Histories of workspaces that are read, and shorter ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from harness.declared import DECLARED
from harness.fuzzer import ALL_STREAMS, INVENTORIED, LASTING, PASSING, PATHS, STREAMS, Fuzzer
from harness.run_attempts import Attempt, PlannedFault


@dataclass(frozen=True)
class HistoryStep:
    """Time passes, things happen, and the tap runs."""

    seconds: float
    seeds: tuple[int, ...]
    attempt: Attempt


@dataclass(frozen=True)
class History:
    """A workspace, and all that happens in it."""

    setup: dict[str, Any]
    steps: tuple[HistoryStep, ...]

    def __str__(self) -> str:
        """Write it as the body of a test."""
        lines = [f"fuzzer = Fuzzer(**{self.setup})"]
        for step in self.steps:
            lines += [f"fuzzer.live({step.seconds}, {step.seeds})", f"fuzzer.run({step.attempt})"]
        return "\n".join([*lines, "fuzzer.finish()"])


def invented(random: Random) -> History:
    """Think of a history."""
    streams = random.sample(STREAMS, random.choice((1, 1, 1, 2, 3, 6)))
    streams += random.sample(tuple(DECLARED), random.choice((0, 2, 2)))
    setup = {
        "seed": random.randrange(10),
        "clock_off": random.choice((0.0, -600.0, 600.0)),
        "streams": tuple(name for name in ALL_STREAMS if name in streams),
        "page_size": random.randrange(1, 8),
        "lookback": random.choice((0, 0, 0, 1, 300)),
        "start_days": random.choice((None, None, None, 300)),
        "full_walk_days": random.choice((0, 1, 7, 7, 7)),
        "inventory": random.choice(((), (), INVENTORIED)),
    }
    return History(setup, tuple(step(random) for _ in range(random.randrange(2, 9))))


def step(random: Random) -> HistoryStep:
    """Think of one run and what comes before it."""
    seconds = random.choice((0.0, 0.5, 5.0, 3600.0, 3600.0, 100_000.0))
    changes = tuple(seed(random) for _ in range(random.choice((0, 1, 3, 6, 10))))
    attempt = Attempt(
        concurrency=random.choice((1, 1, 1, 2, 8)),
        pace=random.choice((0.0, 0.001, 0.4, 1.0, 30.0)),
        changes=tuple(
            (random.randrange(1, 25), seed(random)) for _ in range(random.choice((0, 2, 6, 12)))
        ),
        planned_faults=tuple(planned_fault(random) for _ in range(random.choice((0, 0, 0, 1, 2)))),
        ends_by=random.choice(("peace", "peace", "kill", "term", "term")),
        after=random.choice(("lines", "requests")),
        at=random.randrange(1, random.choice((10, 20, 60))),
        flushed=random.choice((1.0, 1.0, 1.0, 0.9, 0.6, random.random())),
        strays=seed(random),
        narrow=random.random() < 0.2,
    )
    return HistoryStep(seconds, changes, attempt)


def planned_fault(random: Random) -> PlannedFault:
    """Think of a fault."""
    lasting = random.choice((True, False, False))
    return PlannedFault(
        kind=random.choice(LASTING if lasting else PASSING),
        path=random.choice(PATHS),
        times=None if lasting else random.randrange(1, 7),
        after=random.choice((0, 0, random.randrange(20))),
        status=random.choice((403, 500, 503) if lasting else (429, 500, 502, 503, 504)),
        account=random.randrange(8),
    )


def seed(random: Random) -> int:
    """Think of a number."""
    return random.randrange(10_000)


def loss_in(history: History) -> Exception | None:
    """Play a history; return what went wrong, if anything."""
    fuzzer = Fuzzer(**history.setup)
    try:
        for each in history.steps:
            fuzzer.live(each.seconds, each.seeds)
            fuzzer.run(each.attempt)
        fuzzer.finish()
    except Exception as loss:  # noqa: BLE001 - whatever it is, it is what was looked for
        return loss
    finally:
        fuzzer.close()
    return None


def shorter(history: History) -> Iterator[History]:
    """Think of histories in which less happens."""
    setup, steps = history.setup, history.steps
    for i, each in enumerate(steps):
        yield History(setup, steps[:i] + steps[i + 1 :])
        for less in plainer(each):
            yield History(setup, (*steps[:i], less, *steps[i + 1 :]))
    for name in setup["streams"]:
        rest = tuple(other for other in setup["streams"] if other != name)
        if rest:
            yield History({**setup, "streams": rest}, steps)
    for name, plain in (("inventory", ()), ("start_days", None), ("clock_off", 0.0)):
        if setup[name] != plain:
            yield History({**setup, name: plain}, steps)


def plainer(each: HistoryStep) -> Iterator[HistoryStep]:
    """Think of steps in which less happens."""
    attempt = each.attempt
    for i in range(len(each.seeds)):
        yield replace(each, seeds=each.seeds[:i] + each.seeds[i + 1 :])
    for name in ("changes", "planned_faults"):
        parts = getattr(attempt, name)
        for i in range(len(parts)):
            fewer: dict[str, Any] = {name: parts[:i] + parts[i + 1 :]}
            yield replace(each, attempt=replace(attempt, **fewer))
    peace = Attempt()
    for name in ("ends_by", "concurrency", "pace", "flushed", "narrow"):
        if getattr(attempt, name) != getattr(peace, name):
            one: dict[str, Any] = {name: getattr(peace, name)}
            yield replace(each, attempt=replace(attempt, **one))
