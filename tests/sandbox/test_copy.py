"""One sandbox is copied into another by tap and target; copied again, there is nothing to write."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

from harness.support import config_for, read
from sandbox import Clock, Fault, Sandbox, World, serve
from target_vitally.target import TargetVitally
from tests.sandbox.client import START

STREAMS = ("organizations", "accounts", "users", "tasks")


def copied(rows: str, into: Sandbox) -> dict[str, int]:
    """Write what a tap read, and say which requests that took."""
    into.requests.clear()
    with redirect_stdout(io.StringIO()):
        TargetVitally(config=config_for(into.url, first_push=True)).write_all(io.StringIO(rows))
    return into.requests.by_method()


def test_a_workspace_is_copied_once() -> None:
    clock = Clock(START)
    empty = World.empty(seed=9, clock=clock)
    with serve(World(accounts=4, clock=clock)) as full, serve(empty) as other:
        said = read(config_for(full.url), select=STREAMS)
        rows = "\n".join(json.dumps(message, default=float) for message in said)
        first, second = copied(rows, other), copied(rows, other)
    assert first["POST"] == sum(len(other.world.tables[name]) for name in STREAMS) > len(STREAMS)
    assert second.keys() == {"GET"}
    for stream in STREAMS[:3]:
        names, copies = (
            {row["externalId"]: row["name"] for row in world.tables[stream].rows.values()}
            for world in (full.world, other.world)
        )
        assert {name: value for name, value in names.items() if name} == copies


def test_an_answer_about_an_organization_is_found_where_it_stands() -> None:
    world = World.empty(seed=9)
    rows = [
        {"type": kind, "stream": stream, **more}
        for stream, row in (
            ("organizations", {"externalId": "o1", "name": "O"}),
            ("accounts", {"externalId": "a1", "name": "A"}),
            (
                "users",
                {"externalId": "u1", "email": "u@x.example", "accountExternalId": "a1"},
            ),
            (
                "nps_responses",
                {
                    "externalId": "r1",
                    "userExternalId": "u1",
                    "score": 9,
                    "respondedAt": "2026-01-02T00:00:00Z",
                },
            ),
        )
        for kind, more in (
            (
                "SCHEMA",
                {"schema": {"properties": {name: {} for name in row}}, "key_properties": []},
            ),
            ("RECORD", {"record": row}),
        )
    ]
    said = "\n".join(map(json.dumps, rows))
    with serve(world) as sandbox:
        assert copied(said, sandbox)["POST"] == 4
        table = world.tables["npsResponses"]
        ((key, row),) = table.rows.items()
        others = {"accounts": "organization"}
        table.put(key, row, tuple(others.get(link, link) for link in table.links(key)))
        (answer,) = world.expected_rows("nps_responses").values()
        assert answer["target"] == "organization"
        assert copied(said, sandbox).keys() == {"GET"}
        sandbox.faults.append(
            Fault("status", path="npsResponses", status=400, method="GET", after=1)
        )
        assert copied(said, sandbox)["POST"] == 1, "a list that is refused is none"
    assert len(world.expected_rows("nps_responses")) == 1
