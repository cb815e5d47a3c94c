"""Streams that an operator declares are read as all others are: whole, incremental, and without a leak."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.support import ROOT, Result, config_for, run_command
from sandbox import Sandbox
from sandbox.untemplated import change_events, subscriptions, usage
from tests.whole.answering import answering
from tests.whole.terminal import Terminal, shell

TAP = [sys.executable, "-m", "tap_vitally"]
PAGE = (ROOT / "docs" / "custom-streams.md").read_text(encoding="utf-8")
ALL: list[dict[str, Any]] = json.loads(PAGE.partition("```json\n")[2].partition("```")[0])
"""The three that the page shows: a list, a list below each account, a single answer."""
EVENTS = {**ALL[0], "params": {"limit": 5}}


def run(
    folder: Path, url: str, *declared: dict[str, Any], state: Any = None, **settings: Any
) -> Result:
    """Discover the declared streams and read them, as a runner does."""
    config = config_for(url, custom_streams=list(declared), **settings)
    path = folder / "discover.json"
    path.write_text(json.dumps(config))
    found = run_command([*TAP, "--config", str(path), "--discover"])
    assert found.returncode == 0, found.stderr
    catalog = json.loads(found.stdout)
    wanted = {stream["name"] for stream in declared}
    for entry in catalog["streams"]:
        root = next(each for each in entry["metadata"] if not each["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in wanted
    (folder / "catalog.json").write_text(json.dumps(catalog))
    words = [*TAP, "--config", str(path), "--catalog", str(folder / "catalog.json")]
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        words += ["--state", str(folder / "state.json")]
    return run_command(words)


def records(result: Result, stream: str) -> list[dict[str, Any]]:
    return [m["record"] for m in result.messages if m["type"] == "RECORD" and m["stream"] == stream]


def schemas(result: Result) -> dict[str, dict[str, Any]]:
    return {m["stream"]: m for m in result.messages if m["type"] == "SCHEMA"}


def test_a_list_a_child_and_a_single_answer_bring_all_there_is(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=12)
    done = run(tmp_path, sandbox.url, *ALL)
    assert done.returncode == 0, done.stderr
    events = {row["id"]: row for row in records(done, "change_events")}
    assert events.keys() == {row["id"] for row in change_events(sandbox.world.rows)}
    found = {(r["parentAccountId"], r["code"]): r for r in records(done, "account_subscriptions")}
    wanted = {
        (account, row["code"]): row
        for account in sandbox.world.ids("accounts")
        for row in subscriptions(sandbox.world.rows, account)
    }
    assert found.keys() == wanted.keys()
    assert all(found[key]["seats"] == row["seats"] for key, row in wanted.items())
    rows = records(done, "usage_summary")
    assert [row["accountId"] for row in rows] == [
        row["accountId"] for row in usage(sandbox.world.rows)
    ]
    assert len({(row["asOf"], row["since"]) for row in rows}) == 1
    said = schemas(done)
    assert said["account_subscriptions"]["key_properties"] == ["parentAccountId", "code"]
    properties = said["account_subscriptions"]["schema"]["properties"]
    assert properties["seats"]["type"] == ["number", "null"]
    assert properties["renewsOn"]["format"] == "date"
    assert properties["plan"]["additionalProperties"] is True


def test_the_next_run_stops_at_what_it_knows(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=12)
    first = run(tmp_path, sandbox.url, EVENTS)
    sandbox.requests.clear()
    task = sandbox.world.ids("tasks")[0]
    sandbox.world.update("tasks", task, name="another")
    second = run(tmp_path, sandbox.url, EVENTS, state=first.state)
    assert task in {row["id"] for row in records(second, "change_events")}
    assert len(records(second, "change_events")) < len(records(first, "change_events"))
    # Discovery reads eight pages to infer the columns; the run itself one or two.
    asked = [entry.path for entry in sandbox.requests if entry.path.endswith("changeEvents")]
    assert len(asked) <= 8 + 2


def test_another_declaration_is_read_from_its_start(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=6)
    first = run(tmp_path, sandbox.url, {**EVENTS, "params": {"limit": 5, "since": "2027"}})
    assert records(first, "change_events") == []
    second = run(tmp_path, sandbox.url, EVENTS, state=first.state)
    assert len(records(second, "change_events")) == len(change_events(sandbox.world.rows))


# Servers in shapes of their own


def test_every_combination_of_values_is_a_list(tmp_path: Path) -> None:
    declared = {
        "name": "prices",
        "path": "/prices/{region}",
        "params": {"tier": "{tier}"},
        "values": {"region": ["north", "a/b"], "tier": [1, 2, 1]},
        "primary_keys": [],
        "cursor": False,
    }
    rows = lambda query: {"results": [{"price": int(query["tier"]) * 2}]}  # noqa: E731
    with answering(prices__north=rows, **{"prices__a%2Fb": rows}) as server:
        done = run(tmp_path, server.url, declared)
    found = {(row["region"], row["tier"], row["price"]) for row in records(done, "prices")}
    assert found == {("north", "1", 2), ("north", "2", 4), ("a/b", "1", 2), ("a/b", "2", 4)}


def test_a_parent_without_the_value_is_left_out_and_counted(tmp_path: Path) -> None:
    declared = {
        "name": "plans",
        "path": "/plans/{accounts.externalId}",
        "records_path": "$",
        "primary_keys": ["code"],
    }
    with answering(**{"plans__x%2F1": lambda _: {"code": "p", "next": "never followed"}}) as server:
        done = run(tmp_path, server.url, declared)
    assert records(done, "plans") == [
        {
            "parentAccountExternalId": "x/1",
            "code": "p",
            "next": "never followed",
            "additionalProperties": None,
        }
    ]
    assert "it lacks a value that the address takes" in done.stderr


def test_a_list_whose_address_changed_is_read_whole(tmp_path: Path) -> None:
    """What it held was older than the bookmark."""
    declared = {
        "name": "plans",
        "path": "/plans/{accounts.externalId}",
        "replication_key": "at",
        "order": "newest_first",
    }
    day = "2026-01-0{}T00:00:00Z".format
    rows = {"one": [{"id": 1, "at": day(5)}], "two": [{"id": 2, "at": day(1)}]}
    lists = {f"plans__{n}": (lambda _, n=n: {"results": rows[n]}) for n in rows}
    accounts = [{"id": "a1", "externalId": "one", "createdAt": day(1), "updatedAt": day(2)}]
    with answering(accounts=lambda _: {"results": accounts}, **lists) as server:
        first = run(tmp_path, server.url, declared)
        accounts[0] |= {"externalId": "two", "updatedAt": day(6)}
        second = run(tmp_path, server.url, declared, state=first.state)
        third = run(tmp_path, server.url, declared, state=second.state)
    assert [row["id"] for row in records(first, "plans")] == [1]
    assert [row["id"] for row in records(second, "plans")] == [2]
    assert third.returncode == 0


def test_records_without_an_id_are_parents_by_what_the_address_takes(tmp_path: Path) -> None:
    """Nothing below them was read, and nothing was said."""
    codes = ["a/b", "c?d", "..", "", None, 7, True, "ü e"]
    plans = {"results": [{"code": code, "n": n} for n, code in enumerate(codes)]}
    one_row = lambda _: {"results": [{"id": 1}]}  # noqa: E731
    paths = ["plans__a%2Fb__prices", "plans__c%3Fd__prices", "plans__7__prices"]
    declared: list[dict[str, Any]] = [
        {"name": "plans", "path": "/plans", "primary_keys": ["n"]},
        {"name": "tiers", "path": "/plans", "primary_keys": []},
        {"name": "prices", "path": "/plans/{plans.code}/prices"},
        {"name": "tier_prices", "path": "/plans/{tiers.code}/prices"},
    ]
    answers = dict.fromkeys([*paths, "plans__%C3%BC%20e__prices"], one_row)
    with answering(plans=lambda _: plans, **answers) as server:
        done = run(tmp_path, server.url, *declared)
    wanted = ["7", "a/b", "c?d", "ü e"]
    assert sorted(row["parentPlanCode"] for row in records(done, "prices")) == wanted
    assert sorted(row["parentTierCode"] for row in records(done, "tier_prices")) == wanted
    # "..", an empty text, null and true cannot be part of an address.
    assert len(re.findall(r"Skipped in 'prices': plans \w+: it lacks", done.stderr)) == 4


@pytest.mark.parametrize(
    ("cursor", "following"),
    [
        ({"response": "$.page.after", "param": "after"}, lambda n: {"page": {"after": n or None}}),
        (
            {"response": "$.links.next", "param": "p"},
            lambda n: {"links": {"next": n and f"/x?p={n}"}},
        ),
        ({"response": "$.more", "param": "from"}, lambda n: {"more": str(n) if n else ""}),
    ],
)
def test_cursors_come_in_many_forms(
    cursor: dict[str, str], following: Callable[[int], Any], tmp_path: Path
) -> None:
    def page(query: dict[str, str]) -> Any:
        number = int(query.get(cursor["param"], 0))
        rows = [{"id": f"{number}-{n}"} for n in range(2)]
        return {"items": rows, **following(number + 1 if number < 2 else 0)}

    declared = {"name": "items", "path": "/items", "records_path": "$.items[*]", "cursor": cursor}
    with answering(items=page) as server:
        done = run(tmp_path, server.url, declared)
    assert [row["id"] for row in records(done, "items")] == [
        f"{p}-{n}" for p in "012" for n in "01"
    ]


def test_a_path_that_matches_nothing_names_those_that_would(tmp_path: Path) -> None:
    body = {"data": {"things": [{"id": 1}], "odd name": [{"a": 1}, {"a": 2}]}, "secret": "hush"}
    declared = {"name": "things", "path": "/things"}
    with answering(things=lambda _: body) as server:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config_for(server.url, custom_streams=[declared])))
        words = [*TAP, "--config", str(path), "--test"]
        done = run_command(words)
    line = next(line for line in done.stdout.splitlines() if line.startswith("things "))
    assert "NOT GIVEN" in line
    assert "$.data.things[*] (1), $.data['odd name'][*] (2), $" in line
    assert "hush" not in done.stdout + done.stderr


def test_an_empty_list_is_empty_and_its_key_stands(tmp_path: Path) -> None:
    with answering(things=lambda _: {"results": []}) as server:
        done = run(tmp_path, server.url, {"name": "things", "path": "/things"})
    assert done.returncode == 0
    assert records(done, "things") == []
    assert set(schemas(done)["things"]["schema"]["properties"]) == {"id", "additionalProperties"}


def test_headers_are_sent_and_told_nowhere(tmp_path: Path) -> None:
    declared = {"name": "things", "path": "/things", "headers": {"X-Feature": "hush-hush"}}
    with answering(things=lambda _: {"results": [{"id": 1}]}) as server:
        good = run(tmp_path, server.url, declared)
        sent = [headers for path, _, headers in server.asked if path == "/things"]
        server.bodies.pop("/things")
        bad = run(tmp_path, server.url, declared)
    assert sent
    assert all(headers["X-Feature"] == "hush-hush" for headers in sent)
    assert all(headers["Authorization"].startswith("Basic ") for headers in sent)
    for done in (good, bad):
        assert "hush" not in done.stdout + done.stderr
    assert "Skipped in 'things'" in bad.stderr


@pytest.mark.parametrize("entry", [{"name": "x"}, {"headers": {"X": "hush"}}, "hush", ["hush"]])
def test_a_mistake_ends_discovery_and_run_before_the_first_request(
    entry: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_for(sandbox.url, custom_streams=[entry])))
    for more in ([], ["--discover"], ["--test"]):
        done = run_command([*TAP, "--config", str(path), *more])
        assert done.returncode == 1
        assert "custom_streams" in done.stderr
        assert "hush" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert sandbox.requests == []


def test_a_setting_that_is_no_list_is_told_without_its_value(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_for(sandbox.url, custom_streams={"headers": {"X": "hush"}})))
    done = run_command([*TAP, "--config", str(path)])
    assert done.returncode == 1
    assert "custom_streams: it takes a list of streams" in done.stderr
    assert "hush" not in done.stderr


def test_the_commands_of_the_page_say_what_the_endpoints_give(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "custom_streams.json").write_text(json.dumps(ALL))
    terminal = Terminal(tmp_path)
    terminal.environment |= {
        "TAP_VITALLY_API_KEY": sandbox.key,
        "TAP_VITALLY_API_URL": sandbox.url,
    }
    said = terminal.run(shell("docs/custom-streams.md", "export TAP_VITALLY_CUSTOM_STREAMS"))
    lines = dict(re.findall(r"^(\w+) +(ok, [\d,]+ records in one request)$", said, re.MULTILINE))
    assert {stream["name"] for stream in ALL} <= lines.keys() | {"account_subscriptions"}
