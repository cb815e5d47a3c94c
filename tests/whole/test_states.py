"""STATE files of the last version before the packages were parted are read as they were written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from harness.support import config_for, read
from sandbox import Clock, World, serve
from vitally_api.values import parse_moment

A_DAY_LATER = datetime(2026, 11, 26, 18, tzinfo=UTC)
STATES = Path(__file__).parent / "states"


def state_of(name: str) -> Any:
    return json.loads((STATES / f"{name}.json").read_text(encoding="utf-8"))


def run(state: Any, stream: str, caplog: pytest.LogCaptureFixture) -> tuple[list[Any], list[str]]:
    """The records of a run from a STATE, in a world whose clock is a day later, and its queries."""
    with serve(World(seed=3, accounts=12, clock=Clock(A_DAY_LATER))) as sandbox:
        messages = read(config_for(sandbox.url, page_size=5), select=[stream], state=state)
        asked = [
            entry.query for entry in sandbox.requests if not entry.query.startswith("limit=1&")
        ]
    assert "Traceback" not in caplog.text
    return [m["record"] for m in messages if m["type"] == "RECORD"], asked


@pytest.mark.parametrize("stream", ["accounts", "notes", "account_notes"])
def test_a_bookmark_is_taken(stream: str, caplog: pytest.LogCaptureFixture) -> None:
    state = state_of("complete")
    bookmark = parse_moment(state["bookmarks"][stream]["replication_key_value"])
    assert bookmark
    _, asked = run(state, stream, caplog)
    lists = [query for query in asked if "sortBy=updatedAt" in query]
    assert lists


def test_an_interrupted_list_is_gone_on_with(caplog: pytest.LogCaptureFixture) -> None:
    state = state_of("interrupted_list")
    cursor = state["bookmarks"]["users"]["resume"]["cursor"]
    _, asked = run(state, "users", caplog)
    assert any(cursor in unquote(query) for query in asked)
    assert "Going on where an earlier run of 'users' was interrupted." in caplog.text


def test_an_interrupted_walk_of_parents_is_gone_on_with(caplog: pytest.LogCaptureFixture) -> None:
    state = state_of("interrupted_parents")
    run(state, "account_users", caplog)
    assert "Going on where an earlier run of 'account_users' was interrupted." in caplog.text
