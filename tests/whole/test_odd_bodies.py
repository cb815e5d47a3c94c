"""What becomes of declared streams whose endpoints answer in odd, but plausible shapes."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from harness.declared import DECLARED, declarations, declared_rows
from harness.support import ROOT, Warehouse, catalog_of, config_for, run_in_process
from sandbox import Fault, Sandbox
from sandbox.odd_bodies import SHAPES

STREAMS = ("events", "plans", "usage_of_accounts")
"""A list with a cursor, lists below accounts with a token, one answer."""
PATHS = {
    "events": "changeEvents",
    "plans": "accounts/*/subscriptions",
    "usage_of_accounts": "usage/*",
}
ALL = "all"
NO_KEY = "a record without its key"
NO_RECORD = "a row that is no record"
NOTHING = "there is nothing at"

SAID: dict[str, Any] = {
    "without_key": NO_KEY,
    "null_key": NO_KEY,
    "mixed_types": ALL,
    "numbers_as_text": ALL,
    "null_rows": (ALL, NO_RECORD),
    "no_objects": NO_RECORD,
    "empty": "",
    "next_url": {"events": ALL, "plans": "an address without page_token", "usage_of_accounts": ALL},
    "next_empty": ALL,
    "next_zero": ALL,
    "next_false": ALL,
    "next_object": {"events": "neither text", "plans": "neither text", "usage_of_accounts": ALL},
    "next_list": {"events": "neither text", "plans": "neither text", "usage_of_accounts": ALL},
    "no_metadata": ALL,
    "bare": f"{NOTHING} .*: \\$\\[\\*\\] \\(",
    "data": f"{NOTHING} .*: \\$\\.data\\[\\*\\] \\(",
    "items": f"{NOTHING} .*: \\$\\.items\\[\\*\\] \\(",
    "nested": f"{NOTHING} .*: \\$\\.response\\.result\\.rows\\[\\*\\] \\(",
    "groups": f"{NOTHING} .*: \\$\\.groups\\[\\*\\] \\(\\d+\\), \\$\\.groups\\[\\*\\]\\.rows\\[\\*\\] \\(",
    "by_key": f"{NOTHING} .*: \\$\\.results\\.\\* \\(",
    "single": f"{NOTHING} .*: .*\\$",
    "null_list": f"{NOTHING} .*: \\$",
    "null": f"{NOTHING} .*: none",
    "columns": {
        "events": f"{NOTHING} .*: \\$",
        "plans": f"{NOTHING} .*: \\$",
        "usage_of_accounts": NO_RECORD,
    },
    "number": f"{NOTHING} .*: none",
}
"""By shape what the log says, as a pattern, and if all records come; by stream where that differs."""


def test_every_shape_is_tried_and_described() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    described = set(
        re.findall(r"`(\w+)`", page.partition("### Odd bodies")[2].partition("\n## ")[0])
    )
    assert set(SAID) == set(SHAPES)
    assert set(SHAPES) <= described


@pytest.mark.parametrize("shape", SAID)
def test_what_comes_in_an_odd_shape_is_taken_or_told(
    shape: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    declared = declarations(STREAMS)
    sandbox.faults.extend(Fault("odd_body", path, name=shape) for path in PATHS.values())
    with caplog.at_level(logging.WARNING):
        messages = run_in_process(
            config_for(sandbox.url, custom_streams=declared),
            entries=catalog_of(STREAMS, declared),
        )
    warehouse = Warehouse()
    warehouse.load(messages)
    for stream in STREAMS:
        said = SAID[shape]
        said = said[stream] if isinstance(said, dict) else said
        wanted = (said,) if isinstance(said, str) else said
        rows = declared_rows(sandbox.world, stream)
        differences = warehouse.differences(stream, rows)
        assert set(differences) == (set() if ALL in wanted else {"missing"}), stream
        for pattern in filter(None, set(wanted) - {ALL}):
            assert re.search(f"Skipped in '{stream}'.*: .*{pattern}", caplog.text), stream
        if ALL in wanted and len(wanted) == 1:
            assert f"Skipped in '{stream}'" not in caplog.text
    assert "Traceback" not in caplog.text
    assert set(DECLARED) >= set(STREAMS)
