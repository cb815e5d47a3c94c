"""Fixtures that all tests may use."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sandbox import Sandbox, World, serve

LONG = ("tests/dbt", "test_targets", "test_refresh", "test_hunt", "test_histories", "test_children")
"""Files that take half a minute or more: begun last, they would leave one core idle at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files, in the order in which they are named."""

    def place(item: pytest.Item) -> int:
        return next((i for i, part in enumerate(LONG) if part in item.nodeid), len(LONG))

    items.sort(key=place)


def pytest_unconfigure() -> None:
    """Let the collector see again what a tap in this process had it pass over.

    DuckDB 2.0 looks at the end for objects that are left, and each worker printed a page of them.
    """
    gc.unfreeze()


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes that end with the test: ``start_sandbox(accounts=20, latency=0.1)``."""
    with ExitStack() as running:

        def start(*, accounts: int = 20, seed: int = 1, sizes: Any = None, **how: Any) -> Sandbox:
            world = World(seed=seed, accounts=accounts, sizes=sizes or {})
            return running.enter_context(serve(world, **how))

        yield start


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
