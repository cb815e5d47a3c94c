"""Workspaces whose clock stands still, and what runs on them asked for and remember."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from harness.support import Row
from sandbox import Clock, Entry, Sandbox, World, serve

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def bookmark(state: Row | None, stream: str) -> datetime:
    assert state
    return instant(state["bookmarks"][stream]["replication_key_value"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def frozen(accounts: int = 4, **how: Any) -> Iterator[Sandbox]:
    """A sandbox whose clock moves only when it is told to."""
    with serve(World(accounts=accounts, clock=Clock(START)), **how) as sandbox:
        yield sandbox


def pages_asked(sandbox: Sandbox, resource: str) -> list[Entry]:
    """The requests of a first pass, without the second look at the front of a long list."""
    return [
        entry
        for entry in sandbox.requests
        if entry.path == f"/resources/{resource}" and "sortBy=createdAt" in entry.query
    ]
