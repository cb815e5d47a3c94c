"""Caps hold for rows that go in bulk, and for links, as for any others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.target import Row, messages
from sandbox import Sandbox
from tests.target.bulk import CHANGES, STREAMS, push, put, rows_of, table, workspace, writes


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with workspace() as made:
        yield made


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("size", [10, 10_000])
@pytest.mark.parametrize("over", [{"max_creates": 29}, {"first_push": False}], ids=str)
def test_nothing_is_created_in_bulk_over_a_cap(
    sandbox: Sandbox, stream: str, over: Row, size: int
) -> None:
    rows = rows_of(stream, 30)
    came = put(sandbox, stream, rows, batch_size_rows=size, **over)
    assert came.words == ["rejected"] * 30, came.reasons
    assert not writes(sandbox)
    assert table(sandbox, stream) == {}
    assert put(sandbox, stream, rows, max_creates=30).words == ["created"] * 30


@pytest.mark.parametrize("stream", STREAMS)
def test_nothing_is_updated_in_bulk_over_a_cap(sandbox: Sandbox, stream: str) -> None:
    put(sandbox, stream, rows_of(stream, 30))
    changed = rows_of(stream, 30, **CHANGES[stream])
    sandbox.requests.clear()
    came = put(sandbox, stream, changed, max_updates="100, 50%", batch_size_rows=7)
    assert came.words == ["rejected"] * 30, came.reasons
    assert not writes(sandbox)
    assert put(sandbox, stream, changed, max_updates="100%").words == ["updated"] * 30


def test_a_plan_says_what_it_costs_in_bulk(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    put(sandbox, "users", rows_of("users"), dry_run=True, plan_file=str(path))
    assert "To carry it out takes 2 requests" in path.read_text()
    assert "create 130 records of users" in path.read_text()


@pytest.mark.parametrize("channel", ["rest", "bulk"])
@pytest.mark.parametrize("over", [{"max_creates": 2}, {"first_push": False}], ids=str)
def test_links_are_capped(sandbox: Sandbox, channel: str, over: Row) -> None:
    for n in range(3):
        accounts = sandbox.world.tables["accounts"].rows.values()
        ids = [row["id"] for row in accounts if row["externalId"] == "a"]
        sandbox.world.write("users", externalId=f"u{n}", accountIds=ids)
    links = [{"userExternalId": f"u{n}", "accountExternalId": "b"} for n in range(3)]
    said = messages(user_accounts=links)
    assert push(sandbox, said, channel=channel, **over).words == ["rejected"] * 3
    assert not writes(sandbox)
    assert push(sandbox, said, channel=channel, max_creates=3).words == ["created"] * 3
    gone = messages(user_accounts=[{**link, "_deleted": True} for link in links])
    settings: dict[str, Any] = {"channel": channel, "deletes": "delete"}
    came = push(sandbox, gone, max_deletes="100, 10%", **settings)
    assert came.words == ["rejected"] * 3, came.reasons
    assert push(sandbox, gone, max_deletes=3, **settings).words == ["deleted"] * 3
