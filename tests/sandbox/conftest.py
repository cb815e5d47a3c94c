"""Worlds that stand still, and one that is the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Clock, World
from tests.sandbox.client import START, Client, running


@pytest.fixture(scope="module")
def still() -> Iterator[Client]:
    """A world in which nothing happens, for the tests that only look."""
    with running(World(clock=Clock(START), sizes={"users": 450})) as client:
        yield client


@pytest.fixture(scope="module")
def small() -> Iterator[Client]:
    """Like ``still``, but with so few rows that all of them can be read in small pages."""
    with running(World(accounts=10, clock=Clock(START))) as client:
        yield client


@pytest.fixture
def lively() -> Iterator[Client]:
    """A small world of the test's own."""
    with running() as client:
        yield client
