"""Random rows under random faults: nothing twice, nothing missing, nothing stale, sums that add up."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.target import Outcome, Row, messages, write
from harness.workspace import Workspace, workspace

FAULTS = ("lost", "cut", "502")


def history(chance: random.Random) -> tuple[list[Row], dict[str, dict[str, Row]]]:
    """Make an input, and what has to be there after it."""
    said: list[Row] = []
    expected: dict[str, dict[str, Row]] = {"accounts": {}, "users": {}, "tasks": {}}
    for _ in range(chance.randint(1, 4)):
        blocks = []
        for stream in chance.sample(list(expected), 3):
            rows = [a_row(stream, chance) for _ in range(chance.randint(0, 6))]
            blocks.append((stream, rows))
        for stream, rows in blocks:
            said += messages(**{stream: rows})[:-1] if rows else []
            for row in rows:
                expected[stream].setdefault(row["externalId"], {}).update(row)
        said.append({"type": "STATE", "value": len(said)})
    needed = {r["accountExternalId"] for s in ("users", "tasks") for r in expected[s].values()}
    last = [
        {"externalId": name, "name": "last"}
        for name in sorted(needed - expected["accounts"].keys())
    ]
    for row in last:
        expected["accounts"][row["externalId"]] = row
    return [*said, *messages(accounts=last)], expected


def a_row(stream: str, chance: random.Random) -> Row:
    number = chance.randint(0, 5)
    row: Row = {"externalId": f"{stream}-{number}", "name": f"name {chance.randint(0, 2)}"}
    if stream != "accounts":
        row["accountExternalId"] = f"accounts-{number % 3}"
    return row


def hunt(here: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    said, expected = history(chance)
    here.switches.on_known = chance.choice(["update", "conflict", "duplicate"])
    share = chance.choice([0, 0.05, 0.3])

    def fault(method: str, _path: str, _count: int) -> str:
        if chance.random() >= share:
            return ""
        return chance.choice(FAULTS) if method != "GET" else chance.choice(FAULTS[1:])

    here.fault = fault
    settings: dict[str, Any] = {
        "batch_size_rows": chance.choice([1, 3, 1000]),
        "concurrency": chance.choice([1, 4]),
    }
    found = write(here, said, **settings)
    here.fault = lambda *_: ""
    rows = sum(message["type"] == "RECORD" for message in said)
    assert len(found.results) == rows or found.failure, seed
    assert len({line["row"] for line in found.results}) == len(found.results), seed
    again = found if not found.failure else write(here, said, **settings)
    check(here, expected, again, seed)
    here.log.clear()
    if settings["batch_size_rows"] == 1000:
        write(here, said, **settings)
        assert here.writes() == [], seed


def check(here: Workspace, expected: dict[str, Any], found: Outcome, seed: int) -> None:
    assert found.failure == "", seed
    for stream, rows in expected.items():
        there = {row["externalId"]: row for row in here.rows(stream)}
        assert len(there) == len(here.rows(stream)), (seed, stream, "twice")
        assert there.keys() == rows.keys(), (seed, stream)
        for key, row in rows.items():
            assert there[key]["name"] == row["name"], (seed, stream, key, "stale")


@pytest.mark.parametrize("seed", range(12))
def test_what_the_rows_said_is_there_once(seed: int) -> None:
    with workspace() as here:
        hunt(here, seed)
