"""Flattening makes JSON text of every object and array, and keeps everything else."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.support import Row, config_for, run_tap
from sandbox import Fault, Sandbox


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def rows(messages: list[Row], *, nested: bool) -> dict[tuple[str, ...], Row]:
    """The records by stream and key; what is text of JSON in their flat form is decoded."""
    keys = {m["stream"]: m["key_properties"] for m in messages if m["type"] == "SCHEMA"}
    found = {}
    for message in messages:
        if message["type"] == "RECORD" and message["stream"] != "vitally_sync_runs":
            record = message["record"]
            key = (message["stream"], *(record[name] for name in keys[message["stream"]]))
            found[key] = {
                name: exact(value)
                if not nested and isinstance(value, str) and value[:1] in {"{", "["}
                else value
                for name, value in record.items()
            }
    return found


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("undeclared", [False, True])
def test_flattened_streams_hold_the_same(
    sandbox: Sandbox, tmp_path: Path, depth: int, undeclared: bool
) -> None:
    if undeclared:
        sandbox.faults.append(Fault("undeclared", "users", name="pronouns"))
    found = []
    for flattening in ({}, {"flattening_enabled": True, "flattening_max_depth": depth}):
        folder = tmp_path / str(len(flattening))
        folder.mkdir()
        result = run_tap(folder, config_for(sandbox.url, **flattening), default_selection=True)
        assert result.returncode == 0, result.stderr
        found.append(rows(result.messages, nested=not flattening))
        if flattening:
            records = [m["record"] for m in result.messages if m["type"] == "RECORD"]
            assert not any(
                isinstance(v, dict | list) for record in records for v in record.values()
            )
    plain, flat = found
    assert len(plain) > 100
    assert flat == plain
