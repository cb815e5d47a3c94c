"""Fixtures that all tests may use."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from sandbox import Sandbox, World, serve

# No test judges a time: a machine that does something else beside takes longer.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

LONG = (
    "tests/dbt",
    "test_targets",
    "test_refresh",
    "test_hunt",
    "test_histories",
    "test_resume",
    "test_children",
    "test_troubleshooting",
)
"""Files that take long: begun last, as the names of many are, they would leave one core idle at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files, in the order in which they are named."""

    def place(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return next((i for i, part in enumerate(LONG) if part in file), len(LONG))

    items.sort(key=place)


class OneWorkerForDbt(LoadFileScheduling):  # type: ignore[misc]
    """Keeps files together, and those about dbt on one worker: to start dbt and to parse takes 20 s."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "tests/dbt" if file.startswith("tests/dbt/") else file


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores.

    Tests wait for programs they have started: on two cores the suite took 324 s with three workers,
    423 s with two and 327 s with four.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return 1 + (len(affinity(0)) if affinity else os.cpu_count() or 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Take it where files are to be kept together."""
    return OneWorkerForDbt(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Keep the collector from what lives as long as the tests: it took 5 s of each worker.

    DuckDB 2.0 looks at the end for objects that are left, and each worker printed a page of them.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes that end with the test: ``start_sandbox(accounts=20, latency=0.1)``."""
    with ExitStack() as running:

        def start(*, accounts: int = 20, seed: int = 1, sizes: Any = None, **how: Any) -> Sandbox:
            world = World(seed=seed, accounts=accounts, sizes=sizes or {})
            return running.enter_context(serve(world, **how))

        yield start


@pytest.fixture(scope="session")
def make_database() -> Iterator[Callable[[], str]]:
    """Make PostgreSQL databases on a server that all tests of a worker share; return their addresses."""
    from harness.postgres import new_database, running_postgres  # noqa: PLC0415 - few tests need it

    with running_postgres() as address:
        numbers = count(1)
        yield lambda: new_database(address, f"database_{next(numbers)}")


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A small workspace, for tests that do not care what is in it."""
    return start_sandbox(accounts=6)


@pytest.fixture(autouse=True)
def _signal_handlers_kept() -> Iterator[None]:
    """Put back the handlers that a tap inside the test replaces."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
