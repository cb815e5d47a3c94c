"""`--test` tries every stream that is selected by default, those below others by the first of these."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.expectations import last_state
from harness.support import command, config_for, run_command, run_in_process
from sandbox import Sandbox
from tap_vitally.streams import STREAMS

StartSandbox = Callable[..., Sandbox]

BY_DEFAULT = [stream.name for stream in STREAMS if stream.selected_by_default]


def checked(folder: Path, sandbox: Sandbox, **settings: Any) -> dict[str, str]:
    """What is said of each stream."""
    arguments = command(folder, config_for(sandbox.url, **settings), default_selection=True)
    done = run_command([*arguments, "--test"])
    assert done.returncode == 0, done.stderr
    tried, heading, estimate = done.stdout.partition("Requests of a first run")
    assert heading
    assert "In all at least" in estimate
    lines = (line.split(maxsplit=1) for line in tried.splitlines() if line)
    return {name: reported.strip() for name, reported in lines}


def test_all_of_them_are_tried_and_the_costly_ones_are_not(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=5)
    reported = checked(tmp_path, sandbox, survey_ids=sandbox.world.ids("surveys")[:1])
    assert {reported[name] for name in BY_DEFAULT} == {"ok"}
    for stream in STREAMS:
        if stream.parent and not stream.selected_by_default:
            assert reported[stream.name].startswith("not tried: read for each of the ")
    assert len(sandbox.requests) < 80


def test_the_price_of_the_next_run_is_what_it_asks_for(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    streams = ["account_notes", "account_health_scores", "notes"]
    sandbox = start_sandbox(accounts=30)
    config = config_for(sandbox.url, full_walk_days=7)

    def priced(*more: str) -> dict[str, str]:
        arguments = [*command(tmp_path, config, select=streams), "--test", *more]
        done = run_command(arguments)
        assert done.returncode == 0, done.stderr
        run = "the next" if more else "a first"
        lines = done.stdout.partition(f"Requests of {run} run")[2].splitlines()[1:-1]
        return {
            name: reported.strip() for name, reported in (line.split(maxsplit=1) for line in lines)
        }

    assert priced() == {
        "account_health_scores": "30: the lists of all 30 accounts",
        "account_notes": "60 or more: the lists of all 30 accounts",
        "notes": f"2: {len(sandbox.world.ids('notes'))} records",
    }
    first = run_in_process(config, select=streams)
    state = tmp_path / "state.json"
    state.write_text(json.dumps(last_state(first)))
    later = priced("--state", str(state))
    assert later["account_notes"].startswith("1 to 60: 0 new or changed accounts")
    assert re.match(r"2: \d+ records changed since ", later["notes"])
    account = sandbox.world.ids("accounts")[0]
    sandbox.world.update("accounts", account, name="another")
    assert priced("--state", str(state))["account_notes"].startswith("3 to 60: 1 new or changed")


def test_what_there_is_nothing_to_try_with_says_so(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=2, sizes={"customObjects": 0})
    reported = checked(tmp_path, sandbox)
    assert reported["custom_object_instances"] == "not tried: there are no custom_objects"
    assert reported["survey_responses"] == "not tried: survey_ids is not set"
    assert reported["survey_questions"] == "not tried: survey_ids is not set"


@pytest.mark.parametrize("resource", ["customObjects", "customObjects/*/instances"])
def test_what_is_refused_is_not_given(
    resource: str, start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=2)
    sandbox.refuse(resource)
    reported = checked(tmp_path, sandbox)["custom_object_instances"]
    assert reported.startswith("NOT GIVEN")
    assert "403 Forbidden" in reported


def test_an_empty_custom_object_does_not_stand_for_the_others(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=4)
    objects = sandbox.world.expected_rows("custom_objects").values()
    first = max(objects, key=lambda row: str(row["createdAt"]))["id"]
    rows = list(sandbox.world.expected_rows("custom_object_instances").values())
    assert {row["customObjectId"] for row in rows} > {first}
    for instance in rows:
        if instance["customObjectId"] == first:
            sandbox.world.delete("instances", instance["id"])
    assert checked(tmp_path, sandbox)["custom_object_instances"] == "ok"
    for instance in list(sandbox.world.expected_rows("custom_object_instances").values()):
        sandbox.world.delete("instances", instance["id"])
    reported = checked(tmp_path, sandbox)["custom_object_instances"]
    assert reported == f"ok, but empty in {len(objects)} of the custom_objects"


def test_the_price_is_a_number_for_every_stream(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=20)
    config = config_for(
        sandbox.url,
        survey_ids=sandbox.world.ids("surveys")[:1],
        inventory_resources=["accounts", "users"],
        concurrency=1,
    )
    names = [stream.name for stream in STREAMS]
    done = run_command([*command(tmp_path, config, select=names), "--test"])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.partition("Requests of a first run")[2].splitlines()[1:-1]
    number = r"(?:[\d,]+ to )?([\d,]+)(?: or more)?"
    reported = dict(re.findall(rf"^(\w+) +{number}: ", "\n".join(lines), re.MULTILINE))
    priced = {name: int(number.replace(",", "")) for name, number in reported.items()}
    assert priced.keys() == set(names)
    assert priced["survey_questions"] > 0
    assert priced["messages"] > len(sandbox.world.ids("conversations"))


def test_a_list_too_long_to_count_says_so(start_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = start_sandbox(accounts=20, sizes={"users": 25})
    config = config_for(sandbox.url, page_size=2)
    done = run_command([*command(tmp_path, config, select=["users"]), "--test"])
    assert re.search(r"^users +10 or more: more than 20 records$", done.stdout, re.MULTILINE)


def test_a_declared_list_below_accounts_may_have_more_pages(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(accounts=3)
    declared = {
        "name": "account_subscriptions",
        "path": "/accounts/{accounts.id}/subscriptions",
        "records_path": "$.subscriptions[*]",
        "primary_keys": ["code"],
    }
    paged = {"cursor": {"response": "$.meta.nextToken", "param": "page_token"}}
    for how, requests in ((paged, "3 or more"), ({"cursor": False}, "3")):
        config = config_for(sandbox.url, custom_streams=[{**declared, **how}])
        done = run_command([*command(tmp_path, config, default_selection=True), "--test"])
        line = f"account_subscriptions +{requests}: the lists of all 3 accounts"
        assert re.search(rf"^{line}$", done.stdout, re.MULTILINE), done.stdout
